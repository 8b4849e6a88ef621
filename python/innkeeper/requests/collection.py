"""The garbage collector, kept from looking through objects of which none can be garbage yet."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """While thousands of records are made that all stay; looking for garbage would take a tenth of that.

    A decorator too. Nothing is awaited inside.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
