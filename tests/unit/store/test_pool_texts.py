"""Pools assembled from texts that were made before are the text that `write_pools` makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList
from innkeeper.objects.releases import RELEASES
from innkeeper.objects.stored_host import write_pools
from innkeeper.store.nova.pool_texts import pools_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
POOLS = st.lists(
    st.builds(
        PciDevicePool,
        product_id=TEXT,
        vendor_id=TEXT,
        numa_node=st.none() | st.integers(-1, 9),
        count=st.integers(0, 99),
        tags=st.dictionaries(TEXT, st.none() | TEXT, max_size=3),
    ),
    max_size=4,
).map(lambda pools: PciDevicePoolList(objects=tuple(pools)))


@given(POOLS, st.sampled_from(RELEASES))
def test_the_same_text(pools: PciDevicePoolList, release: str) -> None:
    assert pools_text(pools, release) == write_pools(pools, release)


@pytest.mark.parametrize("release", ["juno", "kilo", "2026.2"])
def test_null_and_parts_of_pools(release: str) -> None:
    assert pools_text(None, release) is None
    part = PciDevicePool(product_id="154c", vendor_id="8086", count=1, tags={})
    pools = PciDevicePoolList(objects=(part,))
    assert pools_text(pools, release) == write_pools(pools, release)
