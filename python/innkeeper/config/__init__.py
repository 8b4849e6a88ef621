"""The operator's words, checked once at start: TOML, then `INNKEEPER_*` from the environment."""

from innkeeper.config.device_sections import AliasMember, AliasSpec, DeviceSpec
from innkeeper.config.effective import effective_toml
from innkeeper.config.example import CONFIG_EXAMPLE
from innkeeper.config.host_sections import (
    Cpus,
    PlacementSection,
    Reserved,
    ReservedCell,
    ReservedPages,
)
from innkeeper.config.loading import load_config
from innkeeper.config.section import Section
from innkeeper.config.sections import (
    Access,
    Audit,
    Claims,
    Config,
    Counter,
    DiskSection,
    Libvirt,
    Log,
    Nova,
    Ratios,
)

__all__ = [
    "CONFIG_EXAMPLE",
    "Access",
    "AliasMember",
    "AliasSpec",
    "Audit",
    "Claims",
    "Config",
    "Counter",
    "Cpus",
    "DeviceSpec",
    "DiskSection",
    "Libvirt",
    "Log",
    "Nova",
    "PlacementSection",
    "Ratios",
    "Reserved",
    "ReservedCell",
    "ReservedPages",
    "Section",
    "effective_toml",
    "load_config",
]
