"""What a misfit is short of, in a word or two."""

from __future__ import annotations

from typing import Final

from innkeeper.objects import Misfit

_NOUNS: Final = {
    "insufficient_vcpus": "vCPUs",
    "insufficient_memory": "memory",
    "insufficient_disk": "disk",
    "insufficient_cells": "cells",
    "insufficient_dedicated_cpus": "dedicated CPUs",
    "insufficient_cores": "cores",
    "insufficient_pages": "pages",
    "unknown_page_size": "pages of this size",
    "uneven_pages": "whole pages",
    "insufficient_l3": "CPUs of one L3 cache",
    "cell_cordoned": "cells that are not cordoned",
    "cells_compete": "cells for all guest cells",
    "cells_far_from_devices": "cells near the devices",
    "cells_far_from_networks": "cells near the networks",
    "host_cordoned": "hosts that are not cordoned",
}

_MASSES: Final = ("memory", "disk")


def what_is_short(code: str) -> str:
    """By the code of a misfit; a code of a later release stands for itself."""
    return _NOUNS.get(code, code.replace("_", " "))


def what_runs_out(misfit: Misfit) -> str:
    """`vCPUs run out`, with the name where there are several of the kind."""
    what = _name(misfit)
    return f"{what} {'runs' if what in _MASSES else 'run'} out"


def _name(misfit: Misfit) -> str:
    if misfit.code in _NOUNS:
        return what_is_short(misfit.code)
    return f"devices {misfit.resource}" if "device" in misfit.code else misfit.resource
