"""The root of everything that travels or is stored."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class VersionedObject(BaseModel):
    """Immutable, typed data with a version of its shape; it does no I/O and does not save itself."""

    NAMESPACE: ClassVar[str] = "innkeeper"
    VERSION: ClassVar[str] = "1.0"

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")


#: 2^53: the largest whole number that every JSON reader keeps exactly.
MAX_AMOUNT = 2**53

Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
"""A whole number of something, zero included."""

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name of the caller's own: one line, printable."""

CounterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")]
"""The operator's name for a counter, such as `slots` or `sev_asids`."""

PciAddress = Annotated[str, Field(pattern=r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$")]
"""domain:bus:slot.function in lower-case hex, such as `0000:41:10.2`; the domain has 4 to 8 digits."""

PciId = Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
"""A vendor or product id: four lower-case hex digits without `0x`."""

CpuList = Annotated[str, Field(pattern=r"^(\d+(-\d+)?(,\d+(-\d+)?)*)?$")]
"""CPUs in the kernel's list format: `0-3,8`; empty for none."""
