"""What all sections of the configuration are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Ratio = Annotated[float, Field(strict=True, ge=0.000001, le=1_000_000, allow_inf_nan=False)]
Period = Annotated[float, Field(strict=True, ge=0.01, le=30 * 86_400, allow_inf_nan=False)]
"""Seconds."""
Words = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text, such as a path or the name of a user."""
JsonText = Annotated[str, Field(min_length=1, max_length=65_536)]
"""A value of Nova's own configuration; it may have several lines."""


class Section(BaseModel):
    """One table of the file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
