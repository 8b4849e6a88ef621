"""A process of a fleet, such as the nova-compute of a host."""

from __future__ import annotations

from typing import Any

from innkeeper.objects.compute_node import ComputeNode
from innkeeper.objects.fields import Boolean, DateTime, Integer, String, Uuid
from innkeeper.objects.history import Added, Children, VersionNumber
from innkeeper.objects.plain import child_target
from innkeeper.objects.reader import Reader
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.wire import UNSET, unset


class Service(Persistent):
    """One service; `version` counts the releases of its RPC interface, 0 is before counting."""

    VERSION = "1.22"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("compute_node", child="1.4"),
        "1.2": "texts may be unicode",
        "1.3": Children(compute_node="1.5"),
        "1.4": "use_slave",
        "1.5": Children(compute_node="1.6"),
        "1.6": "ComputeNode 1.7 was meant",
        "1.7": Children(compute_node="1.8"),
        "1.8": Children(compute_node="1.9"),
        "1.9": Children(compute_node="1.10"),
        "1.10": "compute_node only when it was loaded",
        "1.11": "get_by_host_and_binary()",
        "1.12": Children(compute_node="1.11"),
        "1.13": Added("last_seen_up"),
        "1.14": Added("forced_down"),
        "1.15": Children(compute_node="1.12"),
        "1.16": Added("version"),
        "1.17": Children(compute_node="1.13"),
        "1.18": Children(compute_node="1.14"),
        "1.19": (Children(compute_node="1.16"), "get_minimum_version()"),
        "1.20": "get_minimum_version_multi()",
        "1.21": (Added("uuid"), Children(compute_node="1.18")),
        "1.22": "get_by_uuid()",
    }

    id: Integer = unset(read_only=True)
    uuid: Uuid = UNSET
    host: String | None = UNSET
    binary: String | None = UNSET
    topic: String | None = UNSET
    report_count: Integer = UNSET
    disabled: Boolean = UNSET
    disabled_reason: String | None = UNSET
    availability_zone: String | None = UNSET
    compute_node: ComputeNode = UNSET
    last_seen_up: DateTime | None = UNSET
    forced_down: Boolean = UNSET
    version: Integer = UNSET

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """From 1.1 to 1.9 the compute node of the host was always there, if there is one."""
        host = self.__dict__.get("host")
        if (1, 1) <= target < (1, 10) and host is not None and "compute_node" not in data:
            node = reader.lookup.compute_node(host)
            if node is not None:
                shape = self.SHAPES.at(target)
                child = child_target(node, "compute_node", shape, reader.manifest)
                if child is not None:
                    data["compute_node"] = node.write_at(child, reader)


class ServiceList(NovaList):
    """Several services."""

    VERSION = "1.19"
    HISTORY = {
        "1.0": Children(objects="1.2"),
        "1.1": Children(objects="1.3"),
        "1.2": Children(objects="1.4"),
        "1.3": Children(objects="1.5"),
        "1.4": Children(objects="1.6"),
        "1.5": Children(objects="1.7"),
        "1.6": Children(objects="1.8"),
        "1.7": Children(objects="1.9"),
        "1.8": Children(objects="1.10"),
        "1.9": (Children(objects="1.11"), "get_by_binary()"),
        "1.10": Children(objects="1.12"),
        "1.11": Children(objects="1.13"),
        "1.12": Children(objects="1.14"),
        "1.13": Children(objects="1.15"),
        "1.14": Children(objects="1.16"),
        "1.15": Children(objects="1.17"),
        "1.16": Children(objects="1.18"),
        "1.17": Children(objects="1.19"),
        "1.18": "include_disabled in get_by_binary()",
        "1.19": (Children(objects="1.20"), "get_all_computes_by_hv_type()"),
    }

    objects: tuple[Service, ...] = UNSET
