"""The kinds of findings: what each means, how bad it is, and what mends it.

One entry here makes a kind known to audits, to `[audit] policy` and to the documents. Where innkeeper
can mend it, `repair` says how, and one of the tracker's repairs does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from innkeeper.objects.finding import Severity


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What is known of a difference before it is found."""

    name: str
    severity: Severity
    meaning: str
    """What differs, on one line."""
    suggestion: str
    """What a person does about it."""
    repair: str | None = None
    """What innkeeper does about it when it is told to; null: nothing that it could do mends this."""
    needs_person: bool = False
    """A repair that only a person can order: no policy does it unasked."""

    @property
    def repairs_itself(self) -> bool:
        """Whether `repair` may be its policy."""
        return self.repair is not None and not self.needs_person


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

_TAKE_OVER = (
    "the ledger takes the claim over as it is stored; where it is not stored, it is unbooked"
)
_BY_REPAIR = "`innkeeper findings repair`: the ledger goes by what is stored"

_WRITE_AGAIN = "`innkeeper findings repair`: the row is written again; see who else writes it"
_ROW_WRITTEN = "what claims decide is written again; columns that others keep are left alone"

_KINDS: Final = (
    # -- ledger and store
    FindingKind(
        "booked_not_stored",
        _ERROR,
        "the ledger holds room for a claim that is not in the store",
        "`innkeeper findings repair`",
        repair="the claim is stored again as it was last written; what is booked for no claim is given back",
    ),
    FindingKind(
        "stored_not_booked",
        _ERROR,
        "a live claim is in the store, and the ledger holds nothing for it",
        _BY_REPAIR,
        repair="the claim is booked as it is stored",
    ),
    FindingKind(
        "placement_differs",
        _ERROR,
        "the ledger holds something else for a claim than what is stored",
        _BY_REPAIR,
        repair="the ledger holds what is stored",
    ),
    FindingKind(
        "claim_unreadable",
        _ERROR,
        "the stored record of a claim is damaged: what it holds is not known and not held",
        "find its instance; claim again under another id, or stop it",
    ),
    FindingKind(
        "cordon_unreadable",
        _ERROR,
        "the stored record of a cordon is damaged",
        "look at what it is around, then lift it or put it up again",
    ),
    FindingKind(
        "database_set_aside",
        _ERROR,
        "a damaged database was replaced, and nobody has looked at it yet",
        "compare what runs with `innkeeper claims`, claim what is missing, then move that file away "
        "or say that you looked: `innkeeper findings repair`",
        repair="the file is renamed, from `.corrupt-` to `.seen-`; it is never deleted",
        needs_person=True,
    ),
    # -- ledger and host
    FindingKind(
        "oversubscribed",
        _ERROR,
        "more is booked of something than there is",
        "release claims, or lower what is reserved",
    ),
    FindingKind(
        "counter_missing",
        _WARNING,
        "a counter is booked that the configuration no longer has",
        "add the counter to the configuration, or release the claim",
    ),
    FindingKind(
        "device_missing",
        _ERROR,
        "a device is held that the host no longer has",
        "release the claim when its instance is gone, or bring the device back",
    ),
    FindingKind(
        "cpu_missing",
        _ERROR,
        "a CPU is held that the host no longer has, or no longer gives out as it is held",
        "bring the CPU online again or back into `cpus.dedicated`, or move the instance",
    ),
    FindingKind(
        "cell_missing",
        _ERROR,
        "something is held of a cell that the host no longer has",
        "release the claim when its instance is gone, or bring the cell back",
    ),
    FindingKind(
        "device_changed",
        _ERROR,
        "under the address of a held device is something else",
        "release the claim: its instance has lost the device, or uses another one",
    ),
    FindingKind(
        "device_moved",
        _ERROR,
        "the hardware of a held device is at another address",
        "release the claim: its instance was given an address that is not its device's",
    ),
    FindingKind(
        "device_retired",
        _WARNING,
        "a held device is no longer admitted by the configuration",
        "put the [[devices]] entry back, or let the claim end",
    ),
    FindingKind(
        "clean_failed",
        _WARNING,
        "the `clean` command of a dirty device fails",
        "see why the command fails; `innkeeper devices uncordon` gives the device out as it is",
    ),
    FindingKind(
        "clean_missing",
        _WARNING,
        "a dirty device has no `clean` command any more",
        "put the `clean` command back, or clean the device and say so: "
        "`innkeeper devices uncordon --dirty`",
    ),
    # -- ledger and hypervisor
    FindingKind(
        "rebooted",
        _WARNING,
        "the host started anew, and claims that were confirmed before were not touched since",
        "start their instances again and confirm them, release those that are not to come back, or say that "
        "all is well: `innkeeper findings repair`",
        repair="claims of earlier boots are no longer told apart",
        needs_person=True,
    ),
    FindingKind(
        "instance_unbooked",
        _WARNING,
        "an instance runs without a claim: what it uses is not handed out; an error where it uses "
        "devices or dedicated CPUs",
        "stop it, or have it adopted: `innkeeper findings repair`",
        repair="a claim is made of what it uses, if that is free",
        needs_person=True,
    ),
    FindingKind(
        "claim_without_instance",
        _WARNING,
        "two answers of the hypervisor say that it does not have the instance of a confirmed claim",
        "release the claim, or define the instance again",
        repair="the claim is released",
    ),
    FindingKind(
        "instance_differs",
        _ERROR,
        "an instance runs on other CPUs, or with other devices, than its claim holds",
        "give it the CPUs and devices of its claim: `innkeeper claims show ID -o libvirt`",
    ),
    FindingKind(
        "hypervisor_unreachable",
        _WARNING,
        "the hypervisor does not answer: what it said last is believed, and nothing is concluded",
        "see that libvirt runs and may be asked",
    ),
    # -- Nova's tables
    FindingKind(
        "row_unclaimed",
        _WARNING,
        "a row of `instances` says that an instance is on this node, and it has no claim here",
        "have it adopted, `innkeeper findings repair`, or correct the row: whoever wrote it did not claim",
        repair="a claim is made of what the row says, if that is free and the host has it",
        needs_person=True,
    ),
    FindingKind(
        "row_missing",
        _WARNING,
        "an instance with a claim has no row in `instances`",
        _WRITE_AGAIN,
        repair=_ROW_WRITTEN,
    ),
    FindingKind(
        "row_differs",
        _WARNING,
        "the row of an instance is not as its claims have it",
        _WRITE_AGAIN,
        repair=_ROW_WRITTEN,
    ),
    FindingKind(
        "totals_differ",
        _WARNING,
        "the row of the node has other totals than its claims",
        _WRITE_AGAIN,
        repair=_ROW_WRITTEN,
    ),
    FindingKind(
        "pools_differ",
        _WARNING,
        "the pools in the row of the node are not the devices that are free",
        _WRITE_AGAIN,
        repair=_ROW_WRITTEN,
    ),
    FindingKind(
        "device_row_differs",
        _WARNING,
        "the row of a device is not as its claims have it",
        _WRITE_AGAIN,
        repair=_ROW_WRITTEN,
    ),
    FindingKind(
        "move_unclaimed",
        _WARNING,
        "a row of `migrations` that has not ended names this node, and no claim here is an end of it",
        "end the move where it was begun, or claim for it: `innkeeper claim --move`",
    ),
    FindingKind(
        "row_unreadable",
        _WARNING,
        "a row of Nova's tables makes no sense; the others are read",
        "correct the row",
    ),
    FindingKind(
        "report_stale",
        _WARNING,
        "this service runs, and its sign of life in `services` is old: others take it for down",
        "see in the log why the heartbeat is not written, or who writes that row",
    ),
    FindingKind(
        "report_in_future",
        _WARNING,
        "the row of this service or node is of a moment that has not come: a clock is wrong",
        "set the clocks of this host, and of whoever wrote the row, by the same time",
    ),
    FindingKind(
        "text_too_long",
        _WARNING,
        "a text does not go into its column of Nova's tables, which keeps its last valid value",
        "widen the column",
    ),
    # -- the host
    FindingKind(
        "host_unreadable",
        _ERROR,
        "the host could not be observed: what it had at the last observation is believed",
        "see that /sys and /proc can be read",
    ),
    FindingKind(
        "cpus_lost",
        _WARNING,
        "`[cpus]` names CPUs that the host no longer has online",
        "bring the CPUs back, or take them out of [cpus]; a start refuses what is not there",
    ),
    FindingKind(
        "pages_in_use",
        _WARNING,
        "hugepages are in use that no claim holds",
        "stop what uses them, claim them, or reserve them: [[reserved.pages]]",
    ),
)

FINDING_KINDS: Final[Mapping[str, FindingKind]] = MappingProxyType(
    {kind.name: kind for kind in _KINDS}
)
"""Every kind by its name."""
