"""Hosts of any size that exist only in memory: for tests, benchmarks and people without hardware."""

from innkeeper.drivers.simulated.driver import SimulatedDriver, simulated
from innkeeper.drivers.simulated.spec import SimulatedSpec, parse_spec

__all__ = ["SimulatedDriver", "SimulatedSpec", "parse_spec", "simulated"]
