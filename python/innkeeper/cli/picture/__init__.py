"""The host as a picture: sockets, cells and CPUs as nested boxes, bars for what is held."""

from innkeeper.cli.picture.page import show_host

__all__ = ["show_host"]
