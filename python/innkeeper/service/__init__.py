"""Builds one process from the configuration and runs it: the only place that constructs."""

from innkeeper.service.daemon import run_daemon, serve
from innkeeper.service.premises import ServeOptions
from innkeeper.service.ready import Listening

__all__ = ["Listening", "ServeOptions", "run_daemon", "serve"]
