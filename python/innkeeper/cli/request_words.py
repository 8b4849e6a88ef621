"""The flags that say what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from innkeeper.cli.property_words import (
    devices_of_properties,
    read_properties,
    speak_of_cells,
    topology_of_properties,
)
from innkeeper.cli.shape_words import ShapeWords
from innkeeper.errors import BadRequest
from innkeeper.objects import GuestTopology
from innkeeper.requests.sizes import (
    parse_cells,
    parse_count,
    parse_counter,
    parse_device,
    parse_disk,
    parse_memory,
)

Disk = Annotated[
    str | None, typer.Option("--disk", metavar="SIZE", help="40GiB; a unit is needed.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="WHAT=N",
        help="PCI devices: ALIAS=N or VENDOR:PRODUCT=N, then ,numa_policy=P; may be repeated.",
    ),
]
OnCells = Annotated[
    str | None,
    typer.Option(
        "--on-cells",
        metavar="0,2-3",
        help="Host cells that it is on already: NUMA policies of devices are judged by them.",
    ),
]
Counters = Annotated[
    list[str] | None,
    typer.Option("--counter", metavar="NAME=N", help="The operator's counters; may be repeated."),
]
Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        metavar="KEY=VALUE",
        help="What a flavor of Nova says, such as hw:cpu_policy=dedicated; may be repeated.",
    ),
]


@dataclass(frozen=True, slots=True)
class RequestWords(ShapeWords):
    """What the flags of a request say, still as text; each field is one flag."""

    disk: Disk = None
    devices: Devices = None
    counters: Counters = None
    on_cells: OnCells = None
    properties: Properties = None

    def over(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The request of a spec with each flag over it.

        Raises:
            BadRequest: a word is wrong, or two contradict each other.
        """
        words = {**spec, **self._amounts()}
        properties = read_properties(self.properties or ())
        devices = [_device_words(one) for one in self.devices or ()]
        devices += devices_of_properties(properties)
        topology = self._topology(words, properties)
        if topology is not None and self.on_cells is not None:
            raise BadRequest(
                "--on-cells names host cells that the instance is on already; one that asks for "
                "guest cells, pages or dedicated CPUs has still to be placed"
            )
        return words | given(devices=devices or None, topology=_plain(topology))

    def _amounts(self) -> dict[str, Any]:
        return given(
            vcpus=said(self.vcpus, parse_count, "--vcpus"),
            memory_mib=said(self.memory, parse_memory, "--memory"),
            disk_mib=said(self.disk, parse_disk, "--disk"),
            cells=said(self.on_cells, parse_cells, "--on-cells"),
            counters=_counters(self.counters or ()) or None,
        )

    def _topology(
        self, words: Mapping[str, Any], properties: Mapping[str, str]
    ) -> GuestTopology | None:
        vcpus, memory_mib = words.get("vcpus"), words.get("memory_mib")
        flags = self.shape_flags()
        if not speak_of_cells(properties):
            return self.topology(vcpus, memory_mib) if flags else None
        if flags:
            raise BadRequest(
                f"{flags[0]} stands beside --property of cells: say all of it in the one form, or all "
                "in the other"
            )
        return topology_of_properties(properties, vcpus, memory_mib)


def given(**words: Any) -> dict[str, Any]:
    """Those that were said."""
    return {key: value for key, value in words.items() if value is not None}


def said(text: str | None, parse: Callable[..., Any], flag: str) -> Any:
    """What a flag stands for; null where it was not given. Raises BadRequest."""
    return None if text is None else parse(text, what=flag)


def _plain(topology: GuestTopology | None) -> dict[str, Any] | None:
    return None if topology is None else topology.model_dump(mode="json")


def _device_words(text: str) -> dict[str, Any]:
    """Only what is said: a daemon of an older release does not know the rest."""
    return parse_device(text, what="--device").model_dump(mode="json", exclude_unset=True)


def _counters(texts: Iterable[str]) -> dict[str, int]:
    counters: dict[str, int] = {}
    for text in texts:
        name, count = parse_counter(text, what="--counter")
        if name in counters:
            raise BadRequest(f"--counter {name} is given twice")
        counters[name] = count
    return counters
