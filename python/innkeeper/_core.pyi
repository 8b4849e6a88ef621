"""The Rust core: what fits. Pure, synchronous, microseconds; it knows no time, host or disk.

Arguments are read by attribute from the objects of `innkeeper.objects`; answers are small frozen
values with the same attribute names, so that `objects.X.model_validate(value)` takes them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, final, type_check_only

from innkeeper.objects import Inventory, Request

__version__: str
__all__ = [
    "Amounts",
    "CellMisfit",
    "CellUsage",
    "DeviceSpecs",
    "Difference",
    "Filtered",
    "GuestCell",
    "Ledger",
    "Misfit",
    "Nearest",
    "PageUsage",
    "PlacedCell",
    "PlacedDevice",
    "Placement",
    "Pool",
    "PoolFiltered",
    "Snapshot",
    "Tally",
    "Usage",
    "__version__",
    "error_codes",
    "misfit_codes",
]

@type_check_only
class _Function(Protocol):
    @property
    def address(self) -> str: ...
    @property
    def vendor_id(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def total_vfs(self) -> int: ...
    @property
    def netdevs(self) -> Sequence[str]: ...
    @property
    def serial(self) -> str | None: ...

@type_check_only
class _PlacedDevice(Protocol):
    @property
    def address(self) -> str: ...
    @property
    def vendor_id(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def cell(self) -> int | None: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def request(self) -> int | None: ...
    @property
    def identity(self) -> str | None: ...

@type_check_only
class _PlacedCell(Protocol):
    @property
    def cell(self) -> int: ...
    @property
    def shared(self) -> str: ...
    @property
    def cpus(self) -> str: ...
    @property
    def pins(self) -> dict[int, int]: ...
    @property
    def emulator(self) -> str: ...
    @property
    def charged(self) -> str: ...
    @property
    def memory_mib(self) -> int: ...
    @property
    def page_kib(self) -> int | None: ...
    @property
    def pages(self) -> int: ...

@type_check_only
class _Placement(Protocol):
    @property
    def vcpus(self) -> int: ...
    @property
    def memory_mib(self) -> int: ...
    @property
    def disk_mib(self) -> int: ...
    @property
    def cpus(self) -> str: ...
    @property
    def devices(self) -> Sequence[_PlacedDevice]: ...
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def cells(self) -> Sequence[_PlacedCell]: ...

def error_codes() -> list[str]:
    """Every `code` that this module can raise, sorted; each is a class of `innkeeper.errors`."""

def misfit_codes() -> list[str]:
    """Every `code` that a misfit can carry, sorted."""

@final
class PlacedDevice:
    """One device given to a claim."""

    address: str
    vendor_id: str
    product_id: str
    cell: int | None
    parent: str | None
    """The PF of a VF; it stays barred while this is held, even when the VF is no longer offered."""
    request: int | None
    identity: str | None

@final
class Placement:
    """What a claim holds; MiB for memory and disk, the kernel's list format for `cpus`."""

    vcpus: int
    memory_mib: int
    disk_mib: int
    cpus: str
    devices: list[PlacedDevice]
    counters: dict[str, int]
    cells: list[PlacedCell]

@final
class PlacedCell:
    """What one guest cell holds of a host cell; see `innkeeper.objects.PlacedCell`."""

    cell: int
    shared: str
    cpus: str
    pins: dict[int, int]
    emulator: str
    charged: str
    memory_mib: int
    page_kib: int | None
    pages: int

@final
class GuestCell:
    """One guest cell of a suggested request."""

    shared: str
    dedicated: str
    memory_mib: int

@final
class CellMisfit:
    """Why one guest cell does not fit on one host cell."""

    guest_cell: int
    cell: int
    code: str
    asked: int
    free: int

@final
class Filtered:
    """How many candidates one filter removed and how many it left."""

    filter: str
    removed: int
    left: int

@final
class PoolFiltered:
    """What the filters of one device request did to one pool."""

    vendor_id: str
    product_id: str
    kind: str
    cell: int | None
    parent: str | None
    total: int
    filters: list[Filtered]

@final
class Misfit:
    """One constraint that fails, with its numbers."""

    code: str
    resource: str
    message: str
    asked: int
    free: int
    capacity: int
    used: int
    filters: list[Filtered]
    request: int | None
    pools: list[PoolFiltered]
    guest_cell: int | None
    cells: list[CellMisfit]

@final
class Nearest:
    """The largest request of the same kind that fits now; null amounts were not asked for."""

    vcpus: int | None
    memory_mib: int | None
    disk_mib: int | None
    device_counts: list[int]
    """For each device request, in their order."""
    counters: dict[str, int]
    cells: list[GuestCell]
    """Of a request with a topology; fewer of them, or smaller ones. Empty when no shape fits."""

@final
class Amounts:
    """One resource: free = capacity - used, never below 0."""

    total: int
    reserved: int
    capacity: int
    used: int
    free: int

@final
class Tally:
    """How many fit one after another, and why the next one does not."""

    times: int
    stopped_by: list[Misfit]
    """What runs out first; empty when the limit was reached."""

@final
class CellUsage:
    """What is held of one cell."""

    cell: int
    shared_vcpus: int
    """vCPUs that float over its shared CPUs."""
    dedicated_vcpus: int
    """vCPUs that have a CPU each."""
    dedicated_cpus: Amounts
    charged: str
    """Its CPUs that somebody holds alone, in the kernel's list format."""
    memory_mib: int
    """Of instances with a topology, whatever pages it is of."""
    pages: list[PageUsage]

@final
class PageUsage:
    """Pages of one size (KiB) in a cell."""

    size_kib: int
    total: int
    reserved: int
    used: int
    free: int

@final
class Usage:
    """The sums over all bookings, beside what the host offers."""

    vcpus: Amounts
    memory_mib: Amounts
    disk_mib: Amounts
    counters: dict[str, Amounts]
    devices: Amounts
    """Free are those that could be booked now, one at a time; the capacity leaves out those that are
    barred by their booked PF or VFs."""
    cells: list[CellUsage]
    claims: int
    generation: int

@final
class Pool:
    """Devices alike in product, cell, kind, parent, tags and provider."""

    vendor_id: str
    product_id: str
    kind: str
    cell: int | None
    parent: str | None
    parent_netdev: str | None
    tags: dict[str, str | None]
    provider: str | None
    total: int
    used: int
    withheld: int
    """Those that nobody holds and that are not handed out for now."""
    free: int
    """Devices that could be booked now, one at a time: neither booked, withheld, nor barred by their PF
    or VFs."""

@final
class Difference:
    """One thing that an audit found: booked against observed, as text with numbers."""

    kind: str
    """`booked_not_stored`, `stored_not_booked`, `placement_differs`, `oversubscribed`,
    `device_missing`, `counter_missing`, `cpu_missing` or `cell_missing`."""
    subject: str
    claim_id: str | None
    message: str
    booked: str | None
    observed: str | None

@final
class Snapshot:
    """The ledger at one generation; immutable, safe to use from another thread."""

    generation: int

    def audit(self, stored: Iterable[tuple[str, _Placement]]) -> list[Difference]:
        """Compare every booking with what is stored, and the bookings with the inventory.

        Also proves that the totals equal the sum over the bookings from zero.
        """

    def usage(self) -> Usage: ...
    def pools(self) -> list[Pool]: ...

@final
class Ledger:
    """The book of claims of one host; all methods are atomic and none blocks."""

    def __new__(cls, inventory: Inventory) -> Ledger: ...
    @property
    def generation(self) -> int:
        """Counts the changes of this ledger."""

    @property
    def steps(self) -> int:
        """Search steps that the last decision took."""

    def restore(self, bookings: Iterable[tuple[str, _Placement]]) -> None:
        """Take over stored bookings as they are, fit or not; an audit names what does not.

        Raises:
            ClaimConflict: a claim id is booked already; nothing was restored.
        """

    def book(self, claim_id: str, request: Request) -> Placement:
        """Hold what the request asks for, or change nothing.

        Raises:
            NoFit: with every reason.
            Undecided: the search bound was reached.
            ClaimConflict: the claim id is booked already.
        """

    def unbook(self, claim_id: str) -> bool:
        """Give back what a claim holds; false when it holds nothing."""

    def placement(self, claim_id: str) -> Placement | None: ...
    def claim_ids(self) -> list[str]:
        """Every booked claim, sorted."""

    def fit(self, request: Request) -> Placement:
        """The dry run of `book`: the same answer, no change.

        Raises:
            NoFit: with every reason.
            Undecided: the search bound was reached.
        """

    def could_fit(self, request: Request) -> bool:
        """Whether it would fit if nothing were booked.

        Raises:
            Undecided: the search bound was reached.
        """

    def count(self, request: Request, limit: int = 10_000) -> int:
        """How many such requests would fit one after another, at most `limit`.

        Raises:
            Undecided: the search bound was reached.
        """

    def tally(self, request: Request, limit: int = 10_000) -> Tally:
        """`count`, with what runs out first.

        Raises:
            Undecided: the search bound was reached.
        """

    def update(self, claim_id: str, request: Request) -> Placement:
        """What a claim would hold if it asked for this instead, where it is.

        It keeps its devices, its cells, and the CPUs of the vCPUs that stay. Until `settle` it holds the
        most of both; the request's devices are not looked at.

        Raises:
            NoFit: with every reason; nothing changed.
            UnknownClaim: it is not booked.
            BadRequest: it has another number of guest cells.
        """

    def settle(self, claim_id: str, placement: _Placement) -> None:
        """Let a claim hold exactly this.

        Raises:
            UnknownClaim: it is not booked.
        """

    def observe(self, inventory: Inventory) -> bool:
        """Take the host's new inventory; bookings stay. False when nothing changed."""

    def usage(self) -> Usage: ...
    def pools(self) -> list[Pool]: ...
    def snapshot(self) -> Snapshot: ...

@final
class DeviceSpecs:
    """The operator's device specs, read once; positions count from 0.

    Of functions these are read: address, vendor_id, product_id and kind; parent, total_vfs, netdevs and
    serial too when a spec names a place or asks for remote management.
    Which of them are PFs and where network devices are is looked up among the functions given.
    """

    def __new__(cls, entries: Iterable[dict[str, Any]]) -> DeviceSpecs:
        """Read entries of Nova's keys and tags, their values being of any JSON kind.

        Raises:
            BadConfig: with (position, key, problem) in `details["problems"]` for each key that is wrong.
        """

    def find_all(self, functions: Iterable[_Function]) -> list[int | None]:
        """The first spec that admits each function; null when none does."""

    def idle(self, functions: Iterable[_Function]) -> list[int]:
        """Specs that admit none of these functions, whichever spec has them."""

    def tags(self) -> list[dict[str, str | None]]:
        """What each spec says of its devices; booleans as `true` and `false`."""

    def could_admit(self, position: int, vendor_id: str | None, product_id: str | None) -> bool:
        """Whether a spec could admit a device with these ids; a null id is any."""

    def unreachable(self) -> list[tuple[int, int]]:
        """(earlier, later): the earlier admits all that the later does."""

    def overlaps(self) -> list[tuple[int, int]]:
        """(earlier, later): both may admit the same function, and each may admit others."""
