"""What tells two texts of a claim apart: an audit reads thousands, and parses those that changed."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeEngine

from innkeeper.objects import Claim


class bytes_of(GenericFunction[bytes]):  # noqa: N801 - a function of SQL
    """The bytes of a text column in UTF-8."""

    type: TypeEngine[bytes] = LargeBinary()
    inherit_cache = True


@compiles(bytes_of)
def _as_cast(element: bytes_of, compiler: Any, **words: Any) -> str:
    (text,) = element.clauses
    cast_text: ColumnElement[bytes] = cast(text, LargeBinary)
    return str(compiler.process(cast_text, **words))


@compiles(bytes_of, "postgresql")
def _as_conversion(element: bytes_of, compiler: Any, **words: Any) -> str:
    """A cast there reads backslashes as escapes."""
    return f"convert_to({compiler.process(element.clauses, **words)}, 'UTF8')"


def digest_of(text: bytes) -> bytes:
    """Of a record's text."""
    return hashlib.blake2b(text, digest_size=16).digest()


def digest_of_claim(claim: Claim) -> bytes:
    """Of the text that this release writes of it; one that an older release wrote may be another."""
    return digest_of(claim.model_dump_json().encode())
