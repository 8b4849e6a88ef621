"""`[cpus]` on a host: which CPUs instances may have, and what of the words the host cannot give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from innkeeper.config import Config
from innkeeper.config.nearest import quoted
from innkeeper.errors import BadConfig
from innkeeper.objects import Host
from innkeeper.objects.cpu_spec import format_cpu_spec


@dataclass(frozen=True, slots=True)
class CpuSets:
    """CPUs for instances, of those that the host has online now."""

    shared: frozenset[int]
    """vCPUs float over them."""
    dedicated: frozenset[int]
    """Each is one vCPU's alone."""

    @classmethod
    def of(cls, host: Host, config: Config) -> CpuSets:
        """What is left of the named CPUs; without words all CPUs that are online and not isolated."""
        online = frozenset(cpu.id for cpu in host.cpus if cpu.online)
        schedulable = online - _isolated(host)
        if not config.cpus.are_named:
            return cls(schedulable, frozenset())
        return cls(config.cpus.shared_cpus & schedulable, config.cpus.dedicated_cpus & online)


@dataclass(frozen=True, slots=True)
class LostCpus:
    """CPUs that a key names and that the host cannot give."""

    key: str
    message: str


def lost_cpus(host: Host, config: Config) -> Iterator[LostCpus]:
    """One for each key and reason: CPUs that are not there, offline, or isolated though shared."""
    words = config.cpus
    here = frozenset(cpu.id for cpu in host.cpus)
    offline = frozenset(cpu.id for cpu in host.cpus if not cpu.online)
    for name, text, named in (
        ("shared", words.shared, words.shared_cpus),
        ("dedicated", words.dedicated, words.dedicated_cpus),
    ):
        said = f"`cpus.{name}` = {quoted(text)}"
        reasons = [
            (named - here, f"not on this host, which has {_cpus(here)}"),
            (named & offline, f"offline; online are {_cpus(here - offline)}"),
        ]
        if name == "shared":
            isolated = named & _isolated(host) - offline
            why = "isolated from the kernel's scheduler; they may be dedicated, but not shared"
            reasons.append((isolated, why))
        for lost, reason in reasons:
            if lost:
                verb = "is" if len(lost) == 1 else "are"
                yield LostCpus(f"cpus.{name}", f"{said}: {_cpus(lost)} {verb} {reason}")


def require_cpus(host: Host, config: Config) -> None:
    """Before anything runs by these words, every CPU that they name has to be there.

    Raises:
        BadConfig: with one entry in `details["errors"]` for each key and reason.
    """
    lost = tuple(lost_cpus(host, config))
    if lost:
        errors = [{"path": one.key, "message": one.message} for one in lost]
        raise BadConfig("\n".join(one.message for one in lost), errors=errors)


def _isolated(host: Host) -> frozenset[int]:
    return frozenset(cpu.id for cpu in host.cpus if cpu.isolated)


def _cpus(cpus: Iterable[int]) -> str:
    named = sorted(cpus)
    text = format_cpu_spec(named)
    if len(text) > 120:
        text = f"{text[:120].rpartition(',')[0]},..."
    return f"CPU {text}" if len(named) == 1 else f"CPUs {text}"
