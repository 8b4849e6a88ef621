"""Every command with its place: a command is loaded when it is named, so that each starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
import typer.core


class Place(NamedTuple):
    """Where a command is, and what it is good for in one line."""

    module: str
    attribute: str
    purpose: str


CATALOGUE = {
    "serve": Place("setup", "serve", "Run the daemon on this host until it is told to stop."),
    "show": Place("look", "show", "The host as a picture: what it has and who holds it."),
    "devices": Place(
        "devices", "devices_app", "Every PCI function, and whether it may be claimed."
    ),
    "pools": Place("devices", "pools", "Devices alike that may be claimed, counted."),
    "aliases": Place("devices", "aliases", "The operator's names for devices, and how many fit."),
    "cordon": Place("cordons", "cordon", "Keep new claims off the host, a cell, a CPU, a device."),
    "uncordon": Place("cordons", "uncordon", "Let new claims come again."),
    "cordons": Place("cordons", "cordons", "What takes no new claims: who said so, when and why."),
    "claims": Place("claims", "claims_app", "Who holds what; `claims show ID` for one claim."),
    "claim": Place("claims", "claim", "Hold room for an instance; lapses unless confirmed."),
    "confirm": Place("claims", "confirm", "The instance was built, or arrived: keep the claim."),
    "renew": Place("claims", "renew", "Start the lease, or the time to confirm, anew."),
    "release": Place("claims", "release", "Give back what a claim holds."),
    "moves": Place("moves", "moves_app", "Instances on their way; how each move ends here."),
    "fit": Place("fit", "fit", "Whether it would fit now, where, how often; or why not."),
    "explain": Place("fit", "fit", "The same as `fit`."),
    "run": Place("run", "run", "Hold room for as long as a command runs."),
    "audit": Place("audits", "audit_app", "Compare ledger, store and host: `audit run`."),
    "findings": Place(
        "findings",
        "findings_app",
        "What audits found and what mends it; exit code 5 while any is open.",
    ),
    "history": Place(
        "audits", "history", "What happened, in the order in which it became durable."
    ),
    "service": Place(
        "service",
        "service_app",
        "What Nova's tables say of this service: up, disabled, forced down.",
    ),
    "watch": Place("watch", "watch", "What happens, as it becomes durable; goes on by itself."),
    "capture": Place("setup", "capture", "Bundle what discovery reads of this host into a file."),
    "objects": Place(
        "objects", "objects", "What travels and is stored: classes, versions, fields."
    ),
    "store": Place("store", "store_app", "The database that claims are kept in: `store init`."),
    "config": Place("setup", "config_app", "The operator's words: example, check, show."),
}


class Commands(typer.core.TyperGroup):
    """The commands of the catalogue."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Names alone, from which a misspelt one is guessed; commands come from `get_command`.
        self.commands.update(dict.fromkeys(CATALOGUE, self))

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: D102
        place = CATALOGUE.get(cmd_name)
        return None if place is None else _loaded(cmd_name, place)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: D102
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.purpose) for name, place in CATALOGUE.items()])


def _loaded(name: str, place: Place) -> Any:
    found = getattr(import_module(f"innkeeper.cli.commands.{place.module}"), place.attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(found)
    return typer.main.get_command(alone)


def new_group(**words: Any) -> typer.Typer:
    """A command that has commands of its own."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, **words)
