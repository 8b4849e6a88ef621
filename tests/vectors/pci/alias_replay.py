"""Replay of aliases: what their entries say, and what the extra spec makes of them."""

from __future__ import annotations

from typing import Any

from tests.vectors.pci.alias_model import CORRECTIONS, AliasModel
from tests.vectors.pci.needed import needed
from tests.vectors.pci.spec_model import Refused
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper.config import Config, Nova
from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects import Request
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.extra_specs import ALIAS_KEY, devices_of_flavor
from innkeeper.requests.numa_words.device_policy import FLAVOR_POLICY_KEY

Answer = Any
"""`refused`, or each alias with its policy and specs; and the same of the requests."""


def judge_aliases(row: Row) -> Verdict:
    """One row: the configuration, then the extra spec."""
    ours, recorded = _innkeeper(row), _recorded(row)
    if recorded != _model(row, frozenset()):
        return DIFFERENT, f"the model of Nova answers otherwise than Nova: {recorded}"
    if ours == recorded:
        crashed = "requests" in row and "crash" in row["requests"]
        return ("clean-refusals" if crashed else SAME), ""
    promised = _model(row, frozenset(CORRECTIONS))
    if ours != promised:
        return DIFFERENT, f"{ours}, not {promised} nor {recorded}"
    return "+".join(needed(CORRECTIONS, lambda names: _model(row, names), ours)), ""


def _recorded(row: Row) -> Answer:
    if "error" in row["aliases"]:
        return "refused", None
    aliases = {
        name: (one["numa_policy"], one["specs"]) for name, one in sorted(row["aliases"].items())
    }
    return aliases, "refused" if isinstance(row["requests"], dict) else row["requests"]


def _model(row: Row, corrections: frozenset[str]) -> Answer:
    in_placement = row["pci_in_placement"]
    try:
        model = AliasModel(
            row["config_entries"], in_placement=in_placement, corrections=corrections
        )
    except Refused:
        return "refused", None
    aliases = dict(sorted(model.aliases.items()))
    try:
        return aliases, model.requests(row["extra_spec"], row["affinity_policy"])
    except Refused:
        return aliases, "refused"


def _innkeeper(row: Row) -> Answer:
    try:
        aliases = Aliases.of(Config(nova=Nova(alias=tuple(row["config_entries"]))))
    except BadConfig as error:
        named = all(one["path"].startswith("nova.alias[") for one in error.details["errors"])
        return ("refused" if named else error.message), None
    read = {
        name: (alias.numa_policy.value, list(alias.alternatives))
        for name in aliases.names
        if (alias := aliases.find(name))
    }
    return read, _requests(row, aliases)


def _requests(row: Row, aliases: Aliases) -> Answer:
    extra_specs = {ALIAS_KEY: row["extra_spec"]}
    if row["affinity_policy"]:
        extra_specs[FLAVOR_POLICY_KEY] = row["affinity_policy"]
    try:
        devices = aliases.resolve(Request(devices=devices_of_flavor(extra_specs))).devices
    except BadRequest:
        return "refused"
    return [
        {
            "alias_name": one.alias,
            "count": one.count,
            "numa_policy": one.numa_policy and one.numa_policy.value,
            "spec": list(one.alternatives),
        }
        for one in devices
    ]
