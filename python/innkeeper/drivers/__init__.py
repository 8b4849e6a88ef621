"""What the host has: the kernel's own files, a capture of them, or a simulation."""

from innkeeper.drivers.base import Change, Driver
from innkeeper.drivers.choice import discover, driver_for
from innkeeper.drivers.simulated import simulated

__all__ = ["Change", "Driver", "discover", "driver_for", "simulated"]
