"""A claim, or where one would be placed, in every form."""

from __future__ import annotations

from innkeeper.api.views import FitAnswer
from innkeeper.cli.forms import Form, data_writers, put
from innkeeper.cli.placements import env_text, libvirt_text
from innkeeper.cli.tables import claim_table, fit_table
from innkeeper.objects import Claim


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
