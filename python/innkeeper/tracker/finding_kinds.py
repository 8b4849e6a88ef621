"""The kinds of findings: how bad each is, and what mends it."""

from __future__ import annotations

from innkeeper.objects import Severity

SEVERITY = {
    "booked_not_stored": Severity.ERROR,
    "stored_not_booked": Severity.ERROR,
    "placement_differs": Severity.ERROR,
    "oversubscribed": Severity.ERROR,
    "device_missing": Severity.ERROR,
    "cpu_missing": Severity.ERROR,
    "cell_missing": Severity.ERROR,
    "device_changed": Severity.ERROR,
    "device_moved": Severity.ERROR,
    "claim_unreadable": Severity.ERROR,
    "cordon_unreadable": Severity.ERROR,
    "counter_missing": Severity.WARNING,
    "host_unreadable": Severity.ERROR,
    "database_set_aside": Severity.ERROR,
}
"""How bad each kind of difference is; a kind that is not here is a warning."""

SUGGESTED = {
    "booked_not_stored": "restart the daemon: it rebuilds the ledger from the store",
    "stored_not_booked": "restart the daemon: it rebuilds the ledger from the store",
    "placement_differs": "restart the daemon: it rebuilds the ledger from the store",
    "oversubscribed": "release claims, or lower what is reserved",
    "device_missing": "release the claim when its instance is gone, or bring the device back",
    "cpu_missing": "bring the CPU online again or back into `cpus.dedicated`, or move the instance",
    "cell_missing": "release the claim when its instance is gone, or bring the cell back",
    "device_changed": "release the claim: its instance has lost the device, or uses another one",
    "device_moved": "release the claim: its instance was given an address that is not its device's",
    "device_retired": "put the [[devices]] entry back, or let the claim end",
    "clean_failed": "see why the command fails; `innkeeper devices uncordon` gives the device out "
    "as it is",
    "clean_missing": "put the `clean` command back, or clean the device and say so: "
    "`innkeeper devices uncordon --dirty`",
    "cordon_unreadable": "look at what it is around, then lift it or put it up again",
    "claim_unreadable": "find its instance; claim again under another id, or stop it",
    "database_set_aside": "compare what runs with `innkeeper claims`, claim what is missing, then "
    "move that file away",
    "cpus_lost": "bring the CPUs back, or take them out of [cpus]; a start refuses what is not there",
    "pages_in_use": "stop what uses them, claim them, or reserve them: [[reserved.pages]]",
    "counter_missing": "add the counter to the configuration, or release the claim",
}
