"""Which claim holds what, and the mark that stands for it in the whole picture."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from innkeeper.cli.picture.lines import Line
from innkeeper.objects import Claim, Device, Placement
from innkeeper.objects.cpu_spec import parse_cpu_spec

_LETTERS = string.ascii_lowercase + string.ascii_uppercase
_NO_LETTER_LEFT = "*"


@dataclass(frozen=True)
class Holders:
    """The claims of a host; older ones first, so that marks stay when a claim is added."""

    claims: Sequence[Claim]
    withheld: Sequence[Device] = ()
    """Devices that are not handed out, claims or not."""

    @classmethod
    def of(cls, claims: Sequence[Claim], devices: Sequence[Device] = ()) -> Holders:
        """The claims in the order in which they were made."""
        withheld = [device for device in devices if device.withheld is not None]
        return cls(sorted(claims, key=lambda claim: (claim.created_at, claim.id)), withheld)

    def letter(self, index: int) -> str:
        """What stands for the claim in the picture."""
        return _LETTERS[index] if index < len(_LETTERS) else _NO_LETTER_LEFT

    def mark(self, index: int) -> Line:
        """The letter in the claim's colour."""
        return Line.of(self.letter(index), style_of(index))

    def shares(self, amount: Callable[[Placement], int]) -> list[int]:
        """What each claim holds of something."""
        return [amount(claim.placement) for claim in self.claims]

    @cached_property
    def by_address(self) -> Mapping[str, int]:
        """The index of the claim that holds a device."""
        return {
            device.address: index
            for index, claim in enumerate(self.claims)
            for device in claim.placement.devices
        }

    @cached_property
    def by_cpu(self) -> Mapping[int, int]:
        """The index of the claim that holds a CPU alone."""
        return {
            cpu: index
            for index, claim in enumerate(self.claims)
            for placed in claim.placement.cells
            for cpu in parse_cpu_spec(placed.charged)
        }

    @cached_property
    def _parents_of_taken(self) -> frozenset[str | None]:
        held = (device.parent for claim in self.claims for device in claim.placement.devices)
        return frozenset(held) | frozenset(device.parent for device in self.withheld)

    @cached_property
    def _taken(self) -> frozenset[str]:
        return frozenset(self.by_address) | frozenset(one.address for one in self.withheld)

    def bar(self, device: Device) -> bool:
        """Whether its PF, or one of its VFs, keeps a device from being had: held, or withheld."""
        return device.address in self._parents_of_taken or device.parent in self._taken


def style_of(index: int) -> str:
    """The claim's colour."""
    return f"claim {index}"
