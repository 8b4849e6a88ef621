"""Under which host Nova finds a node: it asks for rows by both, and a service may have several nodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts of the nodes that rows name."""

    node: str
    service_host: str
    """Of this node's service."""

    def of(self, node: str) -> str:
        """The host of a node.

        The other end of a move is known by the name of its node alone, which is its host as well where a
        service has one node; where it has several, that end says so in its own rows.
        """
        return self.service_host if node == self.node else node
