"""The library that kills, for every test of this folder."""

from tests.crash.kill.test_kill import shim

__all__ = ["shim"]
