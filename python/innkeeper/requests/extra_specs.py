"""What a flavor and an image say of devices, as device requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.config.sizes import refusal
from innkeeper.objects import DeviceRequest
from innkeeper.requests.numa_words.device_policy import read_device_policy
from innkeeper.requests.sizes import parse_count

ALIAS_KEY: Final = "pci_passthrough:alias"

_FORM = "write NAME:COUNT,NAME:COUNT, such as a10:2"
#: As `Request.devices`, and as a name of it.
_MOST_REQUESTS = 64
_LONGEST_NAME = 255


def devices_of_flavor(
    extra_specs: Mapping[str, str], image_properties: Mapping[str, str] | None = None
) -> tuple[DeviceRequest, ...]:
    """The devices that a flavor asks for, near as flavor or image say.

    A move asks in the same way as a build did: nothing of the policy is lost on the way (Q15).

    Raises:
        BadRequest: the alias's extra spec has another form, a policy is none, or flavor and image
            disagree about it.
    """
    text = extra_specs.get(ALIAS_KEY)
    if text is None:
        return ()
    policy = read_device_policy(extra_specs, image_properties or {})
    return tuple(
        devices if policy is None else devices.model_copy(update={"numa_policy": policy})
        for devices in read_alias_words(text)
    )


def read_alias_words(text: str) -> tuple[DeviceRequest, ...]:
    """The requests of `NAME:COUNT,NAME:COUNT`, in order, a name that stands twice as two.

    Raises:
        BadRequest: it has another form; names are looked up by `Aliases.resolve`.
    """
    parts = text.split(",")
    if len(parts) > _MOST_REQUESTS:
        raise refusal(ALIAS_KEY, text, f"asks {len(parts)} times; {_MOST_REQUESTS} are the most")
    return tuple(_read_part(part, text) for part in parts)


def _read_part(part: str, text: str) -> DeviceRequest:
    name, colon, count = (piece.strip() for piece in part.partition(":"))
    if not colon or ":" in count:
        raise refusal(ALIAS_KEY, text, f"has {quoted(part)} in it; {_FORM}")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise refusal(ALIAS_KEY, text, f"has {quoted(name)} for a name; {_FORM}")
    return DeviceRequest(alias=name, count=parse_count(count, what=f"{ALIAS_KEY} {name}"))
