"""What a host has, read from /sys and /proc under any root."""

from innkeeper.drivers.sysfs.driver import SysfsDriver

__all__ = ["SysfsDriver"]
