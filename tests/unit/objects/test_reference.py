"""The reference of objects is generated, and as fresh as the declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.errors import BadVersion, UnknownObject
from innkeeper.objects import PciDevice
from innkeeper.objects.describe import class_named, describe_fields, versions_at
from innkeeper.objects.reference import reference
from innkeeper.objects.releases import pin

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "objects.md"


def test_document_is_fresh() -> None:
    advice = "run: python -m innkeeper.objects.reference > docs/reference/objects.md"
    assert DOCUMENT.read_text() == reference(), advice


def test_fields_of_an_old_version() -> None:
    fields = {one.name: one for one in describe_fields(PciDevice, "1.3")}
    assert "numa_node" in fields
    assert "parent_addr" not in fields
    assert fields["status"].values == ("available", "claimed", "allocated", "removed", "deleted")
    assert fields["numa_node"].since == "1.3"


def test_versions_at_a_release() -> None:
    versions = versions_at(pin("liberty"))
    assert versions["ComputeNode"] == "1.14"
    assert "NetworkMetadata" not in versions
    assert versions["Host"] == "1.1"
    assert versions_at(None)["ComputeNode"] == "1.19"


def test_unknown_names_are_told_with_what_is_known() -> None:
    with pytest.raises(UnknownObject, match="ComputeNode"):
        class_named("ComputNode")
    with pytest.raises(BadVersion):
        describe_fields(PciDevice, "1.8")
