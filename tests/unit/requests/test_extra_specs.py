"""What flavors and images say of devices."""

from __future__ import annotations

import pytest

from innkeeper.errors import BadRequest
from innkeeper.objects import DeviceRequest
from innkeeper.objects.request import NumaPolicy
from innkeeper.requests.extra_specs import ALIAS_KEY, devices_of_flavor, read_alias_words
from innkeeper.requests.numa_words.device_policy import FLAVOR_POLICY_KEY, IMAGE_POLICY_KEY


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("a10:2", [("a10", 2)]),
        (" a : 1 ,b:3 ", [("a", 1), ("b", 3)]),
        ("a b:1", [("a b", 1)]),
        ("a:1,a:3", [("a", 1), ("a", 3)]),
        ("a:65536", [("a", 65_536)]),
        ("a:007", [("a", 7)]),
    ],
)
def test_names_and_counts_are_read_in_order(text: str, asked: list[tuple[str, int]]) -> None:
    assert [(one.alias, one.count) for one in read_alias_words(text)] == asked


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "a:", ":1", "a:1,", ",a:1", "a:1:2", "a:x", "a:1.5", "a:1 2", "\x00:1"],
)
def test_another_form_is_refused_with_the_key(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_alias_words(text)
    assert ALIAS_KEY in caught.value.message


@pytest.mark.parametrize("count", ["0", "-1", "+2", "1_0", "65537", "9" * 40, "\u0661"])
def test_counts_are_whole_numbers_of_devices(count: str) -> None:
    with pytest.raises(BadRequest, match=f"{ALIAS_KEY} a .*whole number from 1 to 65536"):
        read_alias_words(f"b:1,a:{count}")


def test_a_request_has_64_parts_at_most() -> None:
    assert len(read_alias_words(",".join(["a:1"] * 64))) == 64
    with pytest.raises(BadRequest, match="65 times; 64 are the most"):
        read_alias_words(",".join(["a:1"] * 65))


def test_a_name_is_as_long_as_requests_take_it() -> None:
    assert read_alias_words("x" * 255 + ":1")[0].alias == "x" * 255
    with pytest.raises(BadRequest, match="for a name"):
        read_alias_words("x" * 256 + ":1")


def test_a_flavor_without_the_key_asks_for_nothing() -> None:
    assert devices_of_flavor({FLAVOR_POLICY_KEY: "required"}) == ()


@pytest.mark.parametrize(
    ("flavor", "image", "policy"),
    [
        (None, None, None),
        ("required", None, NumaPolicy.REQUIRED),
        (None, "socket", NumaPolicy.SOCKET),
        ("preferred", "preferred", NumaPolicy.PREFERRED),
    ],
)
def test_q15_flavor_or_image_say_how_near(
    flavor: str | None, image: str | None, policy: NumaPolicy | None
) -> None:
    """There is one way from a flavor to its requests, so a move asks as the build did."""
    specs = {ALIAS_KEY: "a:1,b:2", **({FLAVOR_POLICY_KEY: flavor} if flavor else {})}
    properties = {IMAGE_POLICY_KEY: image} if image else {}
    wanted = tuple(
        DeviceRequest(alias=name, count=count, numa_policy=policy)
        for name, count in (("a", 1), ("b", 2))
    )
    assert devices_of_flavor(specs, properties) == wanted


def test_flavor_and_image_may_not_disagree() -> None:
    flavor = {ALIAS_KEY: "a:1", FLAVOR_POLICY_KEY: "required"}
    with pytest.raises(BadRequest, match=r"'required' but .* 'legacy': flavor and image disagree"):
        devices_of_flavor(flavor, {IMAGE_POLICY_KEY: "legacy"})


def test_a_policy_that_is_none_is_named() -> None:
    with pytest.raises(BadRequest, match=f"{FLAVOR_POLICY_KEY} 'near' is no policy; there are req"):
        devices_of_flavor({ALIAS_KEY: "a:1", FLAVOR_POLICY_KEY: "near"})
