"""The caller's words have the fingerprint that the release which made the claim gave them."""

from __future__ import annotations

import pytest

from innkeeper.objects import ClaimSpec
from innkeeper.tracker.convert import fingerprint

#: Recorded from the release before requests knew cells, aliases, policies and units.
RECORDED = {
    '{"request": {"vcpus": 2}}': "b226a45f96486eae4f9cde729e166439bc39353ec87e40a94b18e7f7844f87c3",
    '{"name": "web", "holder": {"project": "p", "user": "u"}, "request": {"vcpus": 2, '
    '"devices": [{"vendor_id": "8086", "product_id": "1889", "count": 2}]}}': (
        "5df2e48c08dea8154a4dab1dce0ce298e2e2f372d920c337d81ae73e38aea436"
    ),
}


@pytest.mark.parametrize("words", RECORDED)
def test_a_claim_of_an_older_release_is_found_by_the_same_words(words: str) -> None:
    assert fingerprint(ClaimSpec.model_validate_json(words)) == RECORDED[words]


@pytest.mark.parametrize(
    "said",
    [
        '"cells": [0]',
        '"cells": []',
        '"devices": [{"alias": "nic"}]',
        '"devices": [{"alias": "nic", "numa_policy": "socket"}]',
        '"devices": [{"alias": "nic", "unit": {"place": "slot"}}]',
        '"devices": [{"alias": "nic", "requester": "port"}]',
        '"devices": [{"alternatives": [{"trusted": "true"}]}]',
        '"devices": [{"alternatives": [{"trusted": null}]}]',
    ],
)
def test_what_is_said_in_new_fields_counts(said: str) -> None:
    others = {
        fingerprint(ClaimSpec.model_validate_json(f'{{"request": {{"vcpus": 2, {words}}}}}'))
        for words in (said, '"devices": []', '"devices": [{"alias": "other"}]')
    }
    assert len(others) == 3
