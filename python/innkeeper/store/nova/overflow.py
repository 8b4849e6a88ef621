"""A text that a column of Nova's cannot hold, and what people are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from innkeeper.objects import Finding, Severity

KIND: Final = "text_too_long"


@dataclass(frozen=True, slots=True)
class Overflow:
    """The column keeps its last valid value; a row that cannot be without the text is not made."""

    table: str
    column: str
    subject: str
    """The host, instance or device whose row it is."""
    text: str
    """The whole text."""
    obstacle: str
    """Why it does not go in, in words that follow "the column"."""

    def finding(self, now: datetime) -> Finding:
        """The same text column of the same subject is the same finding."""
        place = f"{self.table}.{self.column}"
        digest = sha256(f"{KIND}\0{place}\0{self.subject}".encode()).hexdigest()[:12]
        size = len(self.text.encode())
        return Finding(
            id=digest,
            kind=KIND,
            severity=Severity.WARNING,
            subject=self.subject,
            message=(
                f"{place} of {self.subject} {self.obstacle}, and {size:,} bytes were to be "
                "written: it keeps its last valid value. Widen the column"
            ),
            booked=f"{size} bytes",
            first_seen=now,
            last_seen=now,
        )
