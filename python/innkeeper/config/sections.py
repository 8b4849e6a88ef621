"""The sections of the configuration: every key, its type, its limits and its default.

`requests/` and `drivers/` are handed the sections that they need; nothing reads a global. The
description of a field says in a refusal what is allowed, where limits alone would not tell a person.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from innkeeper.config.device_sections import AliasSpec, DeviceSpec
from innkeeper.config.host_sections import Cpus, PlacementSection, Reserved
from innkeeper.config.nearest import hint, quoted
from innkeeper.config.section import JsonText, Period, Ratio, Section, Words
from innkeeper.config.store_url import require_store_url
from innkeeper.errors import UnknownRelease
from innkeeper.objects.base import Amount, CounterName, Name
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.objects.releases import RELEASES, release_named


class Ratios(Section):
    """Allocation ratios; above 1.0 the host is overcommitted."""

    vcpus: Ratio = 1.0
    memory: Ratio = 1.0
    disk: Ratio = 1.0


class Counter(Section):
    """An amount of the operator's own, such as slots, SEV ASIDs or vsock ids."""

    name: CounterName = Field(
        description="a lower-case letter, then up to 62 of a-z 0-9 _ . -, such as `sev_asids`"
    )
    total: Amount
    reserved: Amount = 0
    ratio: Ratio = 1.0


class DiskSection(Section):
    """Which file system instances' disks live on."""

    path: Words | None = None
    """Null: the state directory's."""


class Claims(Section):
    """How long claims wait."""

    pending_timeout: Period = 600.0
    """A claim that nobody confirms lapses after this."""
    max_wait: Period = 3600.0
    max_waiting: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 1024
    tombstone_keep: Period = 86_400.0


Policy = Literal["report", "repair", "ignore"]
"""What becomes of a finding."""


class Audit(Section):
    """Periodic comparison of ledger, store and host."""

    interval: Period = 60.0
    """Between two audits; each looks at what changed since the one before."""
    full_interval: Period = 3600.0
    """Between two audits that look at everything."""
    policy: Annotated[dict[Words, Policy], Field(max_length=256)] = {}
    """By kind of finding; of the others `report`. `repair` mends it at once, `ignore` keeps it out of
    sight."""

    @field_validator("policy")
    @classmethod
    def _require_sense(cls, policy: dict[str, Policy]) -> dict[str, Policy]:
        for name, wanted in policy.items():
            kind = FINDING_KINDS.get(name)
            if kind is None:
                near = hint(name, FINDING_KINDS)
                raise ValueError(f"no kind of finding is called {quoted(name)}; {near}")
            if wanted == "repair" and not kind.repairs_itself:
                raise ValueError(f"{name} is not repaired unasked: {kind.suggestion}")
        return policy


class StoreSection(Section):
    """Where claims are kept."""

    url: SecretStr | None = None
    """Such as `postgresql://innkeeper:secret@db.example/innkeeper`; null: the state directory's database.
    Never shown, for it may hold a password."""

    @field_validator("url")
    @classmethod
    def _require_known(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            require_store_url(url.get_secret_value())
        return url


class Events(Section):
    """History: how long it is kept, that of a claim that lives as long as it does; who may follow it."""

    keep: Period = 30 * 86_400.0
    max_watchers: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 64
    """Who may follow it at once."""


class Overhead(Section):
    """What the hypervisor needs of the host for each instance beside what the guest gets."""

    memory_mib: Amount = 0
    memory_mib_per_vcpu: Amount = 0
    disk_mib: Amount = 0


class ServiceSection(Section):
    """The record that says that this service is there."""

    report_interval: Period = 10.0
    """Between two heartbeats, where Nova's tables are kept."""
    host: Name | None = None
    """The service's host, when it has several nodes; null: the node's name."""


class Access(Section):
    """Roles by user or group name of the peer on the socket; root and the daemon's own user are admins."""

    admins: tuple[Words, ...] = ()
    operators: tuple[Words, ...] = ()
    readers: tuple[Words, ...] = ("*",)
    """`*` stands for everybody who can open the socket."""


class Nova(Section):
    """Nova's tables beside ours, for programs that read them, and Nova's own words for devices."""

    tables: Literal["none", "embedded"] = "none"
    """`embedded`: kept in the daemon's own database, in the change set's transaction."""
    release: str = RELEASES[-1]
    """The oldest release that reads what is written, such as `liberty`."""
    device_spec: tuple[JsonText, ...] = ()
    """Nova's `[pci]device_spec`, as it stands there; after the `[[devices]]` entries."""
    alias: tuple[JsonText, ...] = ()
    """Nova's `[pci]alias`, as it stands there; after the `[[aliases]]` entries."""

    @field_validator("release")
    @classmethod
    def _require_known(cls, release: str) -> str:
        try:
            return release_named(release)
        except UnknownRelease as error:
            raise ValueError(error.message) from None


class Libvirt(Section):
    """The libvirt that runs the instances of this host; asked, and never told anything."""

    uri: Words | None = None
    """Such as `qemu:///system`; null: no libvirt is asked."""
    observe: Annotated[bool, Field(strict=True)] = False
    """Whether it is asked for the host, too; else the kernel is, and libvirt for instances alone."""

    @field_validator("observe")
    @classmethod
    def _require_uri(cls, observe: bool, info: ValidationInfo) -> bool:  # noqa: FBT001
        if observe and info.data.get("uri") is None:
            raise ValueError(
                'through which libvirt? uri is not set, such as uri = "qemu:///system"'
            )
        return observe

    @property
    def observed_uri(self) -> str | None:
        """Of the libvirt that is asked for the host."""
        return self.uri if self.observe else None


class Log(Section):
    """Structured log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Config(Section):
    """The whole configuration; the defaults alone make a working daemon."""

    node: Name | None = None
    """The node's name; null: the host name."""
    reserved: Reserved = Reserved()
    cpus: Cpus = Cpus()
    placement: PlacementSection = PlacementSection()
    ratios: Ratios = Ratios()
    counters: tuple[Counter, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    aliases: tuple[AliasSpec, ...] = ()
    disk: DiskSection = DiskSection()
    claims: Claims = Claims()
    audit: Audit = Audit()
    store: StoreSection = StoreSection()
    events: Events = Events()
    overhead: Overhead = Overhead()
    service: ServiceSection = ServiceSection()
    access: Access = Access()
    nova: Nova = Nova()
    libvirt: Libvirt = Libvirt()
    log: Log = Log()

    @field_validator("cpus")
    @classmethod
    def _refuse_two_ways_to_reserve(cls, cpus: Cpus, info: ValidationInfo) -> Cpus:
        """As Nova refuses `reserved_host_cpus` beside its CPU sets (since Train)."""
        reserved = info.data.get("reserved")
        if cpus.are_named and reserved is not None and reserved.vcpus:
            raise ValueError(
                f"says which CPUs are for instances, and reserved.vcpus = {reserved.vcpus} keeps some of "
                "them back: the host's own are those that neither shared nor dedicated names, so leave "
                "reserved.vcpus out"
            )
        return cpus

    @field_validator("counters")
    @classmethod
    def _refuse_twins(cls, counters: tuple[Counter, ...]) -> tuple[Counter, ...]:
        names = [counter.name for counter in counters]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise ValueError(f"counter {', '.join(twins)} stands there more than once")
        return counters
