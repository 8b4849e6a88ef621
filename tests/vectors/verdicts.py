"""What a replay says about a row."""

from __future__ import annotations

from typing import Final

SAME: Final = "same"
DIFFERENT: Final = "different"
UNREPLAYED: Final = "not replayed"

Verdict = tuple[str, str]
"""`same`, `different`, `not replayed`, or the name of a documented difference; and what was seen."""
