"""A claim, or where one would be placed, in every form."""

from __future__ import annotations

from pydantic import BaseModel

from innkeeper.api.views import FitAnswer
from innkeeper.cli.forms import Form, data_writers, put
from innkeeper.cli.libvirt_xml import libvirt_text
from innkeeper.cli.placements import env_text
from innkeeper.cli.tables import claim_table, count_table, fit_table
from innkeeper.errors import NoFit
from innkeeper.objects import Claim, Misfit, Request


class Refusal(BaseModel):
    """Why it does not fit, as the API says it, too."""

    code: str
    detail: str
    reasons: tuple[Misfit, ...]
    nearest: Request | None
    """The largest request of the same kind that fits now."""


def put_claim(output: str, claim: Claim) -> None:
    """One claim."""
    put(
        output,
        {
            Form.TABLE: lambda: claim_table(claim),
            Form.WIDE: lambda: claim_table(claim),
            Form.NAME: lambda: str(claim.id),
            Form.ENV: lambda: env_text(claim.placement, claim.id),
            Form.LIBVIRT: lambda: libvirt_text(claim.placement, claim.id),
            **data_writers(claim),
        },
    )


def put_fit(output: str, answer: FitAnswer) -> None:
    """Where it would be placed, and how often."""
    put(
        output,
        {
            Form.TABLE: lambda: fit_table(answer),
            Form.WIDE: lambda: fit_table(answer),
            Form.ENV: lambda: env_text(answer.placement, None),
            Form.LIBVIRT: lambda: libvirt_text(answer.placement, None),
            **data_writers(answer),
        },
    )


def put_count(output: str, answer: FitAnswer) -> None:
    """How many more, and what runs out then."""
    put(
        output,
        {
            Form.TABLE: lambda: count_table(answer),
            Form.WIDE: lambda: count_table(answer),
            **data_writers(answer),
        },
    )


def put_refusal(output: str, refusal: NoFit) -> None:
    """Why it does not fit, for who asked for data; to people it is told in any case."""
    details = refusal.details
    said = Refusal(
        code=refusal.code,
        detail=refusal.message,
        reasons=tuple(details.get("reasons") or ()),
        nearest=details.get("nearest"),
    )
    if output in (Form.JSON, Form.YAML):
        put(output, data_writers(said))
