"""Which words choose libvirt, and what is refused."""

from __future__ import annotations

import sys

import pytest

from innkeeper.drivers.choice import driver_for, hypervisor_for
from innkeeper.errors import BadConfig, BadRequest


def test_a_start_without_libvirt_s_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    for loaded in [name for name in sys.modules if name.startswith("innkeeper.drivers.libvirt")]:
        monkeypatch.delitem(sys.modules, loaded)
    with pytest.raises(BadConfig, match=r"innkeeper\[libvirt\]"):
        hypervisor_for("test:///default")
    with pytest.raises(BadConfig, match=r"innkeeper\[libvirt\]"):
        driver_for(libvirt_uri="test:///default").__enter__()


def test_nobody_is_asked_without_words() -> None:
    assert hypervisor_for(None) is None


@pytest.mark.parametrize(
    ("other", "option"), [({"root": "/"}, "--root"), ({"simulate": "cpus=2"}, "--simulate")]
)
def test_one_host_is_observed_in_one_way(other: dict[str, str], option: str) -> None:
    with (
        pytest.raises(BadRequest, match=option),
        driver_for(libvirt_uri="test:///default", **other),
    ):
        pass
