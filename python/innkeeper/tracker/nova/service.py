"""The row of `services` that says that this service is there, and until when it was seen alive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from innkeeper.objects import Service
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind

BINARY: Final = "innkeeper"
"""Never `nova-compute`: a Nova of today would count us among its own (and wait for our version)."""

SERVICE_VERSION: Final = 1
"""Goes up when what the row means changes. Nova compares versions only among services of one binary."""


DOWN_SECONDS: Final = 60.0
"""As Nova's `service_down_time`."""


def service_uuid(host: str) -> str:
    """The same service has the same uuid on every start."""
    return str(uuid5(NAMESPACE_URL, f"innkeeper:service:{host}"))


def is_up(service: Service, now: datetime) -> bool:
    """By the rule of Nova's database driver; a clock that is ahead by as much is no better."""
    if service.forced_down:
        return False
    seen = service.last_seen_up or service.created_at
    return seen is not None and abs((now - seen).total_seconds()) <= DOWN_SECONDS


class ServiceRecord:
    """Makes the next form of one row; what others decide is not written over.

    `forced_down` is an operator's word and nothing here reads it; `disabled` follows the host's cordon.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._reports = 0

    def resume(self, report_count: int) -> None:
        """Go on counting where the row stands."""
        self._reports = max(self._reports, report_count)

    def started(self, cordons: Iterable[Cordon]) -> Service:
        """The service, made where there is none; of one that is there only what may be another.

        A cordon that stands disables; that nothing is cordoned enables nothing, since somebody else may
        have disabled it.
        """
        row = self._row(
            report_count=self._reports,
            topic=BINARY,
            version=SERVICE_VERSION,
            disabled=False,
            forced_down=False,
        )
        row.reset_changes(("disabled", "forced_down", "report_count"))
        for cordon in cordons:
            if _is_of_host(cordon):
                row.disabled, row.disabled_reason = True, cordon.reason
        return row

    def beat(self, now: datetime) -> Service:
        """It is alive; Nova takes it for down when this is older than a minute."""
        self._reports += 1
        row = self._row(report_count=self._reports, last_seen_up=now, version=SERVICE_VERSION)
        row.reset_changes(("version",))
        return row

    def returned(self, cordons: Iterable[Cordon], now: datetime) -> Service:
        """Its row was deleted: the whole of it again, counted on, and disabled as the host's cordon says."""
        row = self._row(
            report_count=self._reports,
            last_seen_up=now,
            topic=BINARY,
            version=SERVICE_VERSION,
            disabled=False,
            disabled_reason=None,
        )
        for cordon in filter(_is_of_host, cordons):
            row.disabled, row.disabled_reason = True, cordon.reason
        return row

    def cordoned(self, cordons: Iterable[Cordon]) -> tuple[Service, ...]:
        """What cordons that are placed or lifted mean for it: the host's own disables and enables."""
        return tuple(self._of_cordon(one) for one in cordons if _is_of_host(one))

    def _of_cordon(self, cordon: Cordon) -> Service:
        stands = cordon.lifted_at is None
        return self._row(disabled=stands, disabled_reason=cordon.reason if stands else None)

    def forced_down(self, *, forced: bool) -> Service:
        """Whether others are to take it for down whatever it reports."""
        return self._row(forced_down=forced)

    def _row(self, **fields: Any) -> Service:
        uuid = service_uuid(self.host)
        return Service(host=self.host, binary=BINARY, uuid=uuid, **fields)


def _is_of_host(cordon: Cordon) -> bool:
    return cordon.kind is CordonKind.HOST and cordon.cause is CordonCause.OPERATOR
