"""Runs in the environment of the peer: reads a case a line, times Nova's own objects on it."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
warnings.simplefilter("ignore")

from nova import objects  # noqa: E402
from nova.objects import base  # noqa: E402
from oslo_serialization import jsonutils  # noqa: E402


def measure(text: str, seconds: float) -> dict[str, Any]:
    """Round trips for about so many seconds of CPU; the time of one, and the last object."""
    source = base.NovaObject.obj_from_primitive(json.loads(text))
    start, count = time.process_time(), 0
    back = source
    while time.process_time() - start < seconds:
        carried = jsonutils.dumps(source.obj_to_primitive())
        back = base.NovaObject.obj_from_primitive(jsonutils.loads(carried))
        count += 1
    spent = (time.process_time() - start) / count
    return {"seconds": spent, "primitive": back.obj_to_primitive()}


def main() -> None:
    objects.register_all()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(measure(asked["text"], asked["seconds"])), flush=True)


main()
