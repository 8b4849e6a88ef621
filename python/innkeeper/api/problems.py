"""Refusals as problem details (RFC 9457): the one place where a code meets its HTTP status."""

from __future__ import annotations

from typing import Any, Final

import pydantic_core
from starlette.responses import Response

from innkeeper.errors import InnkeeperError

PROBLEM_TYPE: Final = "application/problem+json"

STATUS_BY_CODE: Final = {
    "error": 500,
    "invalid_request": 400,
    "invalid_config": 500,
    "too_large": 413,
    "head_too_large": 431,
    "too_slow": 408,
    "wrong_method": 405,
    "invalid_primitive": 400,
    "unknown_object": 400,
    "invalid_version": 400,
    "unknown_release": 400,
    "no_fit": 409,
    "undecided": 503,
    "conflict": 409,
    "claim_conflict": 409,
    "instance_claimed": 409,
    "already_released": 409,
    "not_pending": 409,
    "no_lease": 409,
    "move_conflict": 409,
    "not_arrived": 409,
    "not_repairable": 409,
    "incompatible_object": 409,
    "no_backport": 409,
    "read_only_field": 409,
    "unset_field": 500,
    "not_found": 404,
    "unknown_claim": 404,
    "unknown_instance": 404,
    "unknown_subject": 404,
    "unknown_move": 404,
    "unknown_finding": 404,
    "events_forgotten": 410,
    "forbidden": 403,
    "draining": 503,
    "too_many_waiting": 429,
    "too_many_watching": 429,
    "too_many_connections": 503,
    "socket_in_use": 503,
    "unreachable": 503,
    "host_unreadable": 503,
    "store_error": 503,
    "store_in_use": 503,
    "store_locked": 503,
    "store_full": 503,
    "store_corrupt": 503,
    "store_too_new": 503,
    "store_fenced": 503,
    "store_foreign": 503,
    "store_unreachable": 503,
    "store_missing": 503,
    "store_unsupported": 503,
    "outcome_unknown": 503,
    "internal": 500,
}
"""Every code has its status; a test walks the errors and this table."""

RETRY_STATUSES: Final = frozenset({429, 503})
RETRY_SECONDS: Final = "1"


def problem_document(error: InnkeeperError) -> dict[str, Any]:
    """The members of the problem; those that the standard names win over details of that name."""
    standard = {
        "type": f"urn:innkeeper:error:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": STATUS_BY_CODE[error.code],
        "detail": error.message,
        "code": error.code,
    }
    return standard | {key: value for key, value in error.details.items() if key not in standard}


def problem_json(error: InnkeeperError) -> bytes:
    """The problem as it travels; a detail that has no JSON form travels as its text."""
    return pydantic_core.to_json(problem_document(error), fallback=str, inf_nan_mode="strings")


def problem_headers(error: InnkeeperError) -> dict[str, str]:
    """When to come again, where that helps."""
    retry = STATUS_BY_CODE[error.code] in RETRY_STATUSES
    return {"Retry-After": RETRY_SECONDS} if retry else {}


def problem_response(error: InnkeeperError) -> Response:
    """The refusal as the answer to a request."""
    return Response(
        problem_json(error),
        status_code=STATUS_BY_CODE[error.code],
        headers=problem_headers(error),
        media_type=PROBLEM_TYPE,
    )
