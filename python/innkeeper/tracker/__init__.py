"""The async owner of a host's ledger, split by life: claims, waiting, lapses, audits."""

from innkeeper.tracker.placing import Placed
from innkeeper.tracker.statistics import TrackerStatistics
from innkeeper.tracker.tracker import Tracker

__all__ = ["Placed", "Tracker", "TrackerStatistics"]
