"""Which recordings of single rules are replayed, and by what."""

from __future__ import annotations

from collections.abc import Callable

from tests.vectors.changes_replay import judge_change
from tests.vectors.fields_replay import judge_field
from tests.vectors.hydrate_replay import judge_hydration
from tests.vectors.numa_replay import judge_fit, judge_sequence, judge_usage
from tests.vectors.numa_words_replay import judge_constraints, judge_cpu_list, judge_reserved
from tests.vectors.pci.alias_replay import judge_aliases
from tests.vectors.pci.pool_replay import judge_pools
from tests.vectors.pci.spec_replay import judge_specs
from tests.vectors.pci.state_replay import judge_state
from tests.vectors.pci_replay import judge_claim, judge_match, judge_steps, judge_view
from tests.vectors.rows import Row
from tests.vectors.rpc_replay import judge_call
from tests.vectors.stored_replay import judge_text
from tests.vectors.verdicts import Verdict

#: start of a file's name -> the judge of its rows.
JUDGES: dict[str, Callable[[Row], Verdict]] = {
    "x_changes": judge_change,
    "x_dbformats": judge_text,
    "legacy_db_": judge_text,
    "x_fields": judge_field,
    "x_hydrate": judge_hydration,
    "x_rpc": judge_call,
    "devspec_match": judge_specs,
    "whitelist_first_match": judge_specs,
    "alias_parse": judge_aliases,
    "pool_serial": judge_pools,
    "state_machine": judge_state,
    "prop_match": judge_match,
    "placement_view": judge_view,
    "constraints": judge_constraints,
    "cpuspec": judge_cpu_list,
    "reserved_pages": judge_reserved,
    "fit": judge_fit,
    "usage": judge_usage,
    "sequences": judge_sequence,
    **dict.fromkeys(("fill_free", "tracker", "corner"), judge_steps),
    **dict.fromkeys(("plain", "multipool", "multi_request", "placement", "big"), judge_claim),
    **dict.fromkeys(("numa_", "pfvf", "vdpa", "remote_", "live_"), judge_claim),
}

_OLD_READERS = "what old releases make of newer ones' primitives: nothing that innkeeper does"

#: file -> why none of its rows is replayed.
NOT_REPLAYED = {
    "x_cross_juno": _OLD_READERS,
    "x_cross_kilo": _OLD_READERS,
    "x_cross_liberty": _OLD_READERS,
}
