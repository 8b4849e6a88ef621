"""The PCI devices that an instance asks for."""

from __future__ import annotations

from innkeeper.objects.fields import (
    Boolean,
    Integer,
    ListOfDictOfNullableStrings,
    PCINUMAAffinityPolicy,
    String,
    Uuid,
)
from innkeeper.objects.history import Added, Children, NewValues
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import UNSET, unset


class InstancePCIRequest(NovaObject):
    """So many devices that match one of the specs."""

    VERSION = "1.4"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("request_id"),
        "1.2": Added("numa_policy"),
        "1.3": Added("requester_id"),
        "1.4": NewValues("numa_policy", "socket"),
    }

    count: Integer = UNSET
    spec: ListOfDictOfNullableStrings = UNSET
    alias_name: String | None = UNSET
    is_new: Boolean = unset(default=False)
    """Asked for by a resize that is not confirmed yet."""
    request_id: Uuid | None = UNSET
    requester_id: String | None = UNSET
    numa_policy: PCINUMAAffinityPolicy | None = UNSET


class InstancePCIRequests(NovaObject):
    """Everything of this kind that one instance asks for."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": Children(requests="1.0"),
        "1.1": Children(requests="1.1"),
    }

    instance_uuid: Uuid = UNSET
    requests: tuple[InstancePCIRequest, ...] = UNSET
