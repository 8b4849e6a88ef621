"""Devices, pools, aliases and cordons as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from innkeeper.api.cordon_words import place_words
from innkeeper.api.views import AliasView, DeviceView
from innkeeper.cli.quantities import ago
from innkeeper.cli.tables import columns
from innkeeper.objects import Cordon, DeviceRequest, Pool
from innkeeper.objects.request import DevicePattern, UnitMember


def devices_table(devices: Iterable[DeviceView], *, wide: bool = False) -> str:
    """One line a PCI function."""
    head = ["ADDRESS", "ID", "CLASS", "KIND", "CELL", "DRIVER", "CLAIMABLE"]
    wide_head = ["PARENT", "IOMMU", "VFS", "NETDEV", "SERIAL", "SWITCH", "TAGS"] if wide else []
    rows = [[*_device_row(one), *(_device_wide(one) if wide else [])] for one in devices]
    return columns([*head, *wide_head], rows)


def _device_row(view: DeviceView) -> list[str]:
    one = view.function
    return [
        one.address,
        f"{one.vendor_id}:{one.product_id}",
        one.class_id,
        one.kind,
        _number(one.cell),
        one.driver or "",
        claimable_words(view),
    ]


def claimable_words(view: DeviceView) -> str:
    """`yes`, or why not."""
    if view.claim_id:
        return f"held by {view.claim_id}"
    return "yes" if view.claimable else (view.reason or "no")


def _device_wide(view: DeviceView) -> list[str]:
    one = view.function
    return [
        one.parent or "",
        _number(one.iommu_group),
        f"{one.num_vfs}/{one.total_vfs}" if one.total_vfs else "",
        ",".join(one.netdevs),
        one.serial or "",
        one.switch or "",
        tags_words(view.device.tags) if view.device else "",
    ]


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def tags_words(tags: Mapping[str, str | None]) -> str:
    """`physical_network=net1 trusted=true`, by name."""
    return " ".join(
        f"{key}={'null' if value is None else value}" for key, value in sorted(tags.items())
    )


def pools_table(pools: Iterable[Pool], *, wide: bool = False) -> str:
    """One line a pool, in the order in which they are given out."""
    head = ["ID", "KIND", "CELL", "PARENT", "TAGS", "TOTAL", "USED", "WITHHELD", "FREE"]
    wide_head = ["BARRED", "NETDEV", "PROVIDER"] if wide else []
    rows = [[*_pool_row(one), *(_pool_wide(one) if wide else [])] for one in pools]
    return columns([*head, *wide_head], rows)


def _pool_row(pool: Pool) -> list[str]:
    return [
        f"{pool.vendor_id}:{pool.product_id}",
        pool.kind,
        _number(pool.cell),
        pool.parent or "",
        tags_words(pool.tags),
        str(pool.total),
        str(pool.used),
        str(pool.withheld),
        str(pool.free),
    ]


def _pool_wide(pool: Pool) -> list[str]:
    barred = pool.total - pool.used - pool.withheld - pool.free
    return [str(max(barred, 0)), pool.parent_netdev or "", str(pool.provider or "")]


def cordons_table(cordons: Iterable[Cordon], *, wide: bool = False) -> str:
    """One line for each thing that takes no new claims."""
    head = ["WHAT", "CAUSE", "REASON", "BY", "AT (UTC)", "AGE"]
    wide_head = ["LAST CLAIM", "IDENTITY"] if wide else []
    rows = [[*_cordon_row(one), *(_cordon_wide(one) if wide else [])] for one in cordons]
    return columns([*head, *wide_head], rows)


def _cordon_row(one: Cordon) -> list[str]:
    by = f"{one.by.project}/{one.by.user}" if one.by else "innkeeper"
    return [place_words(one), one.cause, one.reason, by, f"{one.at:%Y-%m-%d %H:%M:%S}", ago(one.at)]


def _cordon_wide(one: Cordon) -> list[str]:
    return [str(one.claim_id or ""), one.identity or ""]


def aliases_table(aliases: Iterable[AliasView], *, wide: bool = False) -> str:
    """One line a name; with several alternatives, one line each."""
    head = ["ALIAS", "FIT NOW", "STANDS FOR", "NUMA POLICY"]
    rows = [row for alias in aliases for row in _alias_rows(alias, wide=wide)]
    return columns(head, rows)


def _alias_rows(alias: AliasView, *, wide: bool) -> Iterable[list[str]]:
    asked = alias.stands_for
    fit = "unknown" if alias.fit is None else str(alias.fit)
    first, *more = list(_meanings(asked, wide=wide)) or ["nothing"]
    yield [alias.name, fit, first, asked.numa_policy or ""]
    yield from (["", "", other, ""] for other in more)


def _meanings(asked: DeviceRequest, *, wide: bool) -> Iterable[str]:
    prefix = f"a unit by {asked.unit.place}: " if asked.unit else ""
    members = asked.unit.members if asked.unit else ()
    if members:
        yield prefix + " + ".join(map(_member_words, members))
        return
    for number, pattern in enumerate(asked.alternatives):
        yield ("or " if number else prefix) + pattern_words(pattern)


def _member_words(member: UnitMember) -> str:
    kinds = " or ".join(map(pattern_words, member.alternatives))
    return f"{member.count} x {kinds}"


def pattern_words(pattern: DevicePattern) -> str:
    """`10de:2236 VF trusted=true`."""
    rest = dict(pattern)
    vendor, product = rest.pop("vendor_id", None), rest.pop("product_id", None)
    ids = f"{vendor or '*'}:{product or '*'}" if vendor or product else ""
    words = (ids, _kind_word(rest.pop("dev_type", None) or ""), tags_words(rest))
    return " ".join(filter(None, words)) or "any"


def _kind_word(dev_type: str) -> str:
    """`VF` for Nova's `type-VF`; what has no such form as it is."""
    return dev_type.removeprefix("type-")
