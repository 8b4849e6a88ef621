"""Classes are loaded when they are asked for; all of them can be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from innkeeper import objects
from innkeeper.objects.homes import HOMES


def test_every_public_class_has_its_home() -> None:
    names = [name for home in HOMES.values() for name in home]
    assert sorted(names) == sorted(objects.__all__)
    for name in names:
        assert getattr(objects, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = objects.Nothing  # type: ignore[attr-defined]


def test_a_class_is_found_by_its_name_before_anybody_loaded_it() -> None:
    code = (
        "from innkeeper.objects.registry import class_of\n"
        "print(class_of('nova', 'ComputeNode').__module__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "innkeeper.objects.compute_node\n"
