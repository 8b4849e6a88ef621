"""Network ports that need a device of their own, as device requests (Nova 34)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from innkeeper.config.nearest import quoted
from innkeeper.errors import BadRequest
from innkeeper.objects import DeviceRequest
from innkeeper.objects.request import DevicePattern, NumaPolicy
from innkeeper.requests.strict_words import read_boolean

#: Kinds of ports that have a device, and the type of device that a kind insists on.
_DEV_TYPES: Final[Mapping[str, str | None]] = {
    "direct": None,
    "macvtap": None,
    "virtio-forwarder": None,
    "direct-physical": "type-PF",
    "vdpa": "vdpa",
    "remote-managed": None,
}


@dataclass(frozen=True, slots=True)
class PortBinding:
    """What of a port decides about its device."""

    port_id: str
    vnic_type: str = "normal"
    physical_network: str | None = None
    """Null for tunnelled networks; then the device must have none either."""
    trusted: bool | None = None
    numa_policy: NumaPolicy | None = None
    parent_netdev: str | None = None
    """Of ports with guaranteed bandwidth: the network device of the PF that provides it."""


def device_of_port(port: PortBinding, policy: NumaPolicy | None = None) -> DeviceRequest | None:
    """What a port asks for; null when it needs no device of its own.

    The port's own policy goes before that of flavor or image, which is `policy`.

    Raises:
        BadRequest: the port's id or a name in it is no line of text.
    """
    if port.vnic_type not in _DEV_TYPES:
        return None
    try:
        return DeviceRequest(
            alternatives=(_pattern(port),),
            numa_policy=port.numa_policy or policy,
            requester=port.port_id,
        )
    except ValidationError as error:
        message = f"port {quoted(port.port_id)}: {error.errors()[0]['msg']}"
        raise BadRequest(message, errors=[{"path": "port", "message": message}]) from None


def _pattern(port: PortBinding) -> DevicePattern:
    """In Nova's spelling of booleans, which are compared without case."""
    pattern: DevicePattern = {
        "physical_network": port.physical_network,
        "remote_managed": str(port.vnic_type == "remote-managed"),
    }
    dev_type = _DEV_TYPES[port.vnic_type]
    if dev_type is not None:
        pattern["dev_type"] = dev_type
    if port.trusted:
        pattern["trusted"] = "True"
    if port.parent_netdev:
        pattern["parent_ifname"] = port.parent_netdev
    return pattern


def read_port(
    port: Mapping[str, Any], physical_network: str | None = None, provider: str | None = None
) -> PortBinding:
    """The binding of a port as Neutron shows it.

    Args:
        port: of Neutron's API; `binding:profile` and `numa_affinity_policy` may be missing or null.
        physical_network: of the port's network.
        provider: the name of the resource provider of a port with guaranteed bandwidth, whose third
            part is the network device of the PF.

    Raises:
        BadRequest: it has no id, or a value is of another kind.
    """
    port_id = port.get("id")
    if not isinstance(port_id, str) or not port_id:
        raise _refusal("id", port_id, "should be the port's id")
    profile = port.get("binding:profile") or {}
    if not isinstance(profile, Mapping):
        raise _refusal("binding:profile", profile, "should be an object")
    return PortBinding(
        port_id=port_id,
        vnic_type=str(port.get("binding:vnic_type") or "normal"),
        physical_network=physical_network,
        trusted=_trusted(profile.get("trusted")),
        numa_policy=_policy(port.get("numa_affinity_policy")),
        parent_netdev=_netdev(provider),
    )


def _trusted(given: Any) -> bool | None:
    if given is None:
        return None
    boolean = read_boolean(str(given))
    if boolean is None:
        raise _refusal("binding:profile.trusted", given, "should be true or false")
    return boolean == "true"


def _policy(given: Any) -> NumaPolicy | None:
    if given is None:
        return None
    try:
        return NumaPolicy(given)
    except ValueError:
        known = ", ".join(NumaPolicy)
        raise _refusal("numa_affinity_policy", given, f"should be one of {known}") from None


def _netdev(provider: str | None) -> str | None:
    parts = (provider or "").split(":")
    return parts[2] if len(parts) == 3 and parts[2] else None


def _refusal(key: str, given: Any, allowed: str) -> BadRequest:
    message = f"`{key}` of a port is {quoted(given)}: it {allowed}"
    return BadRequest(message, errors=[{"path": key, "message": message}])
