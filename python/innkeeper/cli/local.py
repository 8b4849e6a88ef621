"""A host without a daemon: observed here and now, nothing booked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from innkeeper.api.views import DeviceView, FitAnswer, HostView
from innkeeper.cli.client import Client
from innkeeper.cli.exits import say
from innkeeper.cli.session import Session
from innkeeper.config import Config, load_config
from innkeeper.config.places import config_path, state_directory
from innkeeper.errors import BadConfig, Unreachable
from innkeeper.objects import Host, Request

Local = Annotated[bool, typer.Option("--local", help="Look at this host, without a daemon.")]
Root = Annotated[
    str | None, typer.Option("--root", metavar="D", help="A folder or capture instead of /.")
]
Simulate = Annotated[
    str | None, typer.Option("--simulate", metavar="SPEC", help="cpus=64,cells=4,pfs=2,vfs=8")
]


@dataclass(frozen=True, slots=True)
class LocalHost:
    """What a daemon would say of the host before the first claim."""

    config: Config
    host: Host

    @classmethod
    def observe(cls, root: str | None, simulate: str | None) -> LocalHost:
        """Look at the host.

        Raises:
            BadConfig, BadRequest, HostUnreadable
        """
        config = load_config(config_path(os.environ), os.environ)
        return cls(config, cls.look(config, root, simulate))

    @staticmethod
    def look(config: Config, root: str | None, simulate: str | None) -> Host:
        """The host alone.

        Raises:
            BadRequest, HostUnreadable
        """
        from innkeeper.drivers import driver_for

        with driver_for(root, simulate, config.disk.path or disk_of_the_state()) as driver:
            return driver.observe()

    def view(self) -> HostView:
        """The host with nothing booked."""
        from innkeeper import Ledger, take_inventory
        from innkeeper.tracker.convert import pool_objects, usage_object

        inventory = take_inventory(self.host, self.config)
        ledger = Ledger(inventory)
        return HostView(
            node=self.config.node or self.host.hostname,
            generation=0,
            host=self.host,
            inventory=inventory,
            usage=usage_object(ledger.usage()),
            pools=pool_objects(ledger.pools()),
        )

    def devices(self) -> tuple[DeviceView, ...]:
        """Every PCI function and whether it may be handed out."""
        from innkeeper import take_inventory
        from innkeeper.api.device_views import DeviceSurvey
        from innkeeper.requests.device_specs import DeviceRules

        rules = DeviceRules.of(self.config)
        survey = DeviceSurvey(
            functions=self.host.functions,
            inventory=take_inventory(self.host, self.config, rules=rules),
            holders={},
            cordons=(),
            rules=rules,
        )
        return survey.views()

    def fit(self, request: Request) -> FitAnswer:
        """The dry run on the empty host.

        Raises:
            BadConfig, BadRequest, NoFit, Undecided
        """
        from innkeeper import Ledger, take_inventory
        from innkeeper.requests.aliases import Aliases
        from innkeeper.requests.cells import require_cells
        from innkeeper.requests.overheads import with_overhead
        from innkeeper.tracker.convert import object_reasons, placement_object, tally_of

        resolved = with_overhead(Aliases.of(self.config).resolve(request), self.config.overhead)
        inventory = take_inventory(self.host, self.config)
        require_cells(request, inventory)
        ledger = Ledger(inventory)
        # The nearest request is told in the caller's words.
        with object_reasons(request, resolved):
            placement = placement_object(ledger.fit(resolved))
        tally = tally_of(ledger, resolved)
        return FitAnswer(placement=placement, count=tally.times, stopped_by=tally.stopped_by)


def disk_of_the_state() -> str:
    """Where a daemon would keep its state, or the nearest folder above that is there already."""
    try:
        state = state_directory(os.environ).absolute()
    except BadConfig:
        return "/"
    return str(next(folder for folder in (state, *state.parents) if folder.is_dir()))


def client_unless_local(
    session: Session, *, local: bool, root: str | None, simulate: str | None
) -> Client | None:
    """A daemon's client, or null to look for oneself, which is said on stderr when nobody asked for it."""
    if local or root is not None or simulate is not None:
        return None
    try:
        return session.client()
    except Unreachable as error:
        say(f"innkeeper: {error.message}; this is the host as it is now, without any claims")
        return None
