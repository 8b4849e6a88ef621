"""Bundles of real hosts: what discovery reads of /sys and /proc, in one file that travels."""

from innkeeper.drivers.capture.driver import CaptureDriver, open_capture
from innkeeper.drivers.capture.manifest import Manifest
from innkeeper.drivers.capture.write import write_capture

__all__ = ["CaptureDriver", "Manifest", "open_capture", "write_capture"]
