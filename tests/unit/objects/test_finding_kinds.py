"""The kinds of findings, and the page that tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.objects.finding_kinds import FINDING_KINDS, FindingKind
from innkeeper.objects.finding_reference import finding_page

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "findings.md"


def test_the_document_is_what_the_registry_gives() -> None:
    advice = "run: python -m innkeeper.objects.finding_reference > docs/reference/findings.md"
    assert DOCUMENT.read_text() == finding_page(), advice


@pytest.mark.parametrize("kind", FINDING_KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_said_in_words_that_go_into_a_sentence(kind: FindingKind) -> None:
    for words in filter(None, (kind.meaning, kind.suggestion, kind.repair)):
        assert words.isprintable()
        assert not words.endswith(".")
    assert kind.repair is not None or not kind.needs_person
