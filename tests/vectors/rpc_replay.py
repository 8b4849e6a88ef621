"""Replay of a conductor's calls: the manifests that are sent, and backports on request."""

from __future__ import annotations

from tests.vectors import probes  # noqa: F401  # registers the class that was recorded
from tests.vectors.objects_replay import compared
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.objects import VersionedObject
from innkeeper.objects.registry import class_of


def judge_call(row: Row) -> Verdict:
    """Manifests and backports; calls of methods are the conductor's."""
    if row["method"] == "(manifest)":
        return _judge_manifest(row)
    if row["method"] == "object_backport_versions" and "response" in row:
        return _judge_backport(row)
    return UNREPLAYED, "objects have no methods to call: the conductor's table of calls does that"


def _judge_manifest(row: Row) -> Verdict:
    ours, theirs = class_of("nova", row["object"]).object_manifest(), row["object_versions"]
    if ours == theirs:
        return SAME, ""
    if ours.items() <= theirs.items():
        return "foreign-objects", f"without {sorted(theirs.keys() - ours.keys())}"
    return DIFFERENT, f"ours {ours}, Nova's {theirs}"


def _judge_backport(row: Row) -> Verdict:
    asked = row["request"]
    source = VersionedObject.from_primitive(asked["objinst"])
    return compared(source.to_primitive(manifest=asked["object_versions"]), row["response"])
