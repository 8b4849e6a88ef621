"""What a cordon can be around, on this host."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.errors import UnknownSubject
from innkeeper.objects.cordon import CordonKind
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.tracker.parts import Parts


def require_subject(parts: Parts, kind: CordonKind, subject: str) -> str:
    """The subject in its one spelling.

    Raises:
        UnknownSubject: the host has no such thing; the message says what there is.
    """
    match kind:
        case CordonKind.HOST:
            return _require_host(parts, subject)
        case CordonKind.CELL:
            return _require_number(kind, subject, [cell.id for cell in parts.host.cells])
        case CordonKind.CPU:
            return _require_number(kind, subject, [cpu.id for cpu in parts.host.cpus])
        case CordonKind.DEVICE:
            return _require_device(parts, subject)


def _require_host(parts: Parts, subject: str) -> str:
    if subject != parts.node:
        raise _unknown(CordonKind.HOST, subject, f"this host is {parts.node}")
    return subject


def _require_number(kind: CordonKind, subject: str, known: Iterable[int]) -> str:
    numbers = {str(number) for number in known}
    canonical = subject.lstrip("0") or "0"
    if canonical not in numbers:
        there = format_cpu_spec(int(number) for number in numbers)
        raise _unknown(kind, subject, f"there is {there}" if numbers else "it has none")
    return canonical


def _require_device(parts: Parts, subject: str) -> str:
    address = spelled(CordonKind.DEVICE, subject)
    held = parts.register.held_devices()
    if parts.offer.admission.function(address) is None and address not in held:
        raise _unknown(
            CordonKind.DEVICE,
            subject,
            "`innkeeper devices` lists the PCI functions; an address is such as 0000:41:00.0",
        )
    return address


def spelled(kind: CordonKind, subject: str) -> str:
    """A number without zeros in front, an address in lower case with its domain."""
    if kind is CordonKind.DEVICE:
        address = subject.lower()
        return f"0000:{address}" if address.count(":") == 1 else address
    if kind is CordonKind.HOST:
        return subject
    return subject.lstrip("0") or "0"


def _unknown(kind: CordonKind, subject: str, there: str) -> UnknownSubject:
    return UnknownSubject(
        f"there is no {kind} {subject} here: {there}", kind=kind.value, subject=subject
    )
