"""`store`: the database that claims are kept in."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from innkeeper.cli.catalogue import new_group
from innkeeper.cli.commands.setup import ConfigFile
from innkeeper.cli.exits import say
from innkeeper.config import load_config
from innkeeper.config.places import config_path
from innkeeper.errors import BadConfig

store_app = new_group(no_args_is_help=True, help="The database that claims are kept in.")

Url = Annotated[
    str | None,
    typer.Argument(
        metavar="[URL]", help="postgresql:// or mariadb://; else store.url of the configuration."
    ),
]


@store_app.callback()
def begin() -> None:
    """Words that stand before every command."""


@store_app.command()
def init(url: Url = None, config: ConfigFile = None) -> None:
    """Make innkeeper's tables in a database that many share; safe to do again."""
    from innkeeper.store.address import Address
    from innkeeper.store.founding import found_store
    from innkeeper.store.nova.writing import Database

    address = Address.parse(url or _configured(config))
    founded = found_store(address)
    whose = "innkeeper's own" if founded.database is Database.EMBEDDED else "Nova's"
    say(f"{address}: {len(founded.made)} tables made; Nova's tables there are {whose}")


def _configured(config: ConfigFile) -> str:
    url = load_config(config_path(os.environ, config), os.environ).store.url
    if url is None:
        raise BadConfig(
            "which database? Say its URL, or set store.url in the configuration",
            errors=[{"path": "store.url", "message": "not set"}],
        )
    return url.get_secret_value()
