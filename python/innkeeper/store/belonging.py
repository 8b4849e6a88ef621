"""Whose a ledger is: its claims are about one machine, and what they hold is in use since its last boot.

What nobody could tell, here or when it was written, is null and speaks against nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import Connection, func, insert, select

from innkeeper.errors import StoreForeign
from innkeeper.objects import Event, EventKind
from innkeeper.store.address import Place
from innkeeper.store.base import Machine
from innkeeper.store.rows import EPOCH, MICROSECOND, event_row
from innkeeper.store.tables import claims, events, ledgers


@dataclass(frozen=True, slots=True)
class Visit:
    """Who opens a ledger."""

    boot_id: str | None
    machine: Machine
    now_us: int
    adopts: bool
    """Whether another machine's ledger is given to this one on purpose."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """What a ledger keeps of the machine that had it last."""

    machine_id: str | None = None
    hostname: str | None = None
    boot_id: str | None = None
    booted_us: int | None = None
    """When it was first opened on this boot and this machine; null: no other is known."""

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """By its columns."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def columns(self) -> dict[str, object]:
        """The same as columns."""
        return asdict(self)

    @property
    def machine(self) -> Machine:
        """Whose it is."""
        return Machine(self.machine_id, self.hostname)

    def is_foreign(self, visit: Visit) -> bool:
        """Whether it is surely another machine's."""
        here = visit.machine.id
        return None not in (self.machine_id, here) and self.machine_id != here

    def is_news(self, visit: Visit) -> bool:
        """Whether the machine, or its boot, is another one than last time."""
        rebooted = None not in (self.boot_id, visit.boot_id) and self.boot_id != visit.boot_id
        return rebooted or self.is_foreign(visit)

    def require_own(self, visit: Visit, path: Place) -> None:
        """Before anything is written.

        Raises:
            StoreForeign: it is another machine's, and nobody gave it to this one.
        """
        if not self.is_foreign(visit) or visit.adopts:
            return
        here = visit.machine
        raise StoreForeign(
            f"{path} is the ledger of {_words(self.machine)}, and this is {_words(here)}: its claims say "
            "nothing of this host. Use another --state-dir. If the disk was moved here together with "
            "what it claims, or only /etc/machine-id is a new one, start once with --adopt-state",
            path=str(path),
            machine_id=self.machine_id,
            hostname=self.hostname,
            this_machine_id=here.id,
            this_hostname=here.hostname,
        )

    def after(self, visit: Visit) -> Belonging:
        """What it keeps from now on."""
        known = (
            self
            if visit.machine.id is None
            else replace(self, machine_id=visit.machine.id, hostname=visit.machine.hostname)
        )
        return replace(
            known,
            boot_id=visit.boot_id or self.boot_id,
            booted_us=visit.now_us if self.is_news(visit) else self.booted_us,
        )


NOT_KNOWN: Final = Belonging()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a ledger kept when it was opened, and what it keeps since."""

    before: Belonging = NOT_KNOWN
    after: Belonging = NOT_KNOWN

    @property
    def taken_from(self) -> Machine | None:
        """Whose it was, where that was another machine."""
        before, after = self.before.machine, self.after.machine
        return None if before.id in (None, after.id) else before

    @property
    def rebooted_from(self) -> str | None:
        """The boot id that it was opened under before, where that is another one."""
        return None if self.before.boot_id in (None, self.after.boot_id) else self.before.boot_id

    @property
    def booted_at(self) -> datetime | None:
        """When it was first opened on this boot and this machine; null: no other is known."""
        since = self.after.booted_us
        return None if since is None else EPOCH + since * MICROSECOND


def require_no_other_name(connection: Connection, path: Place, node: str) -> None:
    """Before a host's first ledger is begun: claims under another name would not be seen.

    Raises:
        StoreForeign: there are such claims.
    """
    if connection.execute(select(ledgers.c.node).where(ledgers.c.node == node)).first():
        return
    held = select(claims.c.node, func.count()).where(claims.c.live == 1).group_by(claims.c.node)
    found = connection.execute(held.order_by(claims.c.node)).first()
    if found is None:
        return
    name, count = found
    raise StoreForeign(
        f"{path} keeps {count} live claims under the node name {name!r}, and this is {node!r}: what they "
        f'hold would be handed out again. Go on under the old name: `node = "{name}"` in the '
        "configuration, without the file `node` beside the database. Or use another --state-dir",
        path=str(path),
        kept_node=name,
        node=node,
        claims=count,
    )


def tell_arrival(
    connection: Connection, node: str, sequence: int, kept: Belonging, visit: Visit
) -> None:
    """The history entry of a ledger that is opened on another boot, or on another machine."""
    mine = (claims.c.node == node, claims.c.live == 1)
    held = connection.execute(select(func.count()).select_from(claims).where(*mine)).scalar_one()
    details = {"claims": held, "boot_id": visit.boot_id, "previous_boot_id": kept.boot_id}
    kind = EventKind.REBOOTED
    if kept.is_foreign(visit):
        kind = EventKind.TAKEN_OVER
        details |= {
            "machine_id": visit.machine.id,
            "hostname": visit.machine.hostname,
            "previous_machine_id": kept.machine_id,
            "previous_hostname": kept.hostname,
        }
    event = Event(at=EPOCH + visit.now_us * MICROSECOND, kind=kind, details=details)
    connection.execute(insert(events), {**event_row(node, event), "sequence": sequence})


def _words(machine: Machine) -> str:
    name = machine.hostname or "a machine"
    return f"{name} (machine id {machine.id})"
