"""What tells two texts of a claim apart: an audit reads thousands, and parses those that changed."""

from __future__ import annotations

import hashlib

from innkeeper.objects import Claim


def digest_of(text: bytes) -> bytes:
    """Of a record's text."""
    return hashlib.blake2b(text, digest_size=16).digest()


def digest_of_claim(claim: Claim) -> bytes:
    """Of the text that this release writes of it; one that an older release wrote may be another."""
    return digest_of(claim.model_dump_json().encode())
