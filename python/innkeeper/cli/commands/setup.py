"""`serve`, `capture`, `config`: the daemon and what it is told."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from innkeeper.cli.catalogue import new_group
from innkeeper.cli.exits import emit, offer, say
from innkeeper.cli.local import LocalHost, Root, Simulate, disk_of_the_state
from innkeeper.cli.session import session_of
from innkeeper.config import CONFIG_EXAMPLE, Config, effective_toml, load_config
from innkeeper.config.places import config_path
from innkeeper.config.store_url import without_secrets
from innkeeper.errors import HostUnreadable

if TYPE_CHECKING:
    from innkeeper.service import Listening

config_app = new_group(no_args_is_help=True, help="The operator's words.")
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="F", help="Instead of $INNKEEPER_CONFIG.")
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="D", help="For the database.")
]
Socket = Annotated[Path | None, typer.Option("--socket", metavar="P", help="Where to listen.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="Such as host.tar.xz.")]
Redact = Annotated[
    bool, typer.Option("--redact", help="Replace addresses, serials and names by stable fakes.")
]
AdoptState = Annotated[
    bool,
    typer.Option(
        "--adopt-state", help="Take over the claims of another machine; once, on purpose."
    ),
]
Effective = Annotated[
    bool, typer.Option("--effective", help="Defaults included, after the environment.")
]


def serve(  # noqa: PLR0913 - one for each flag
    context: typer.Context,
    config: ConfigFile = None,
    state_dir: StateDir = None,
    socket: Socket = None,
    root: Root = None,
    simulate: Simulate = None,
    adopt_state: AdoptState = False,
) -> None:
    """Run the daemon on this host until it is told to stop."""
    from innkeeper.service import ServeOptions, run_daemon

    # What was loaded is no garbage: a look through it would stop everything for 45 ms.
    gc.freeze()
    gc.enable()
    options = ServeOptions(
        config_path=config,
        state_dir=state_dir,
        socket_path=socket or session_of(context).socket,
        root=root,
        simulate=simulate,
        adopt_state=adopt_state,
    )
    run_daemon(options, _greet)


def _greet(listening: Listening) -> None:
    """Where it listens, and what the host has; a daemon serves though nobody reads this."""
    from innkeeper.cli.picture import ink_and_width, picture

    text = picture(listening.view, [], *ink_and_width())
    offer(f"{text}\nlistening on {listening.socket}\n")


def capture(file: File, redact: Redact = False, root: Root = None) -> None:
    """Bundle what discovery reads of this host, to look at it elsewhere with --root FILE."""
    from innkeeper.drivers.capture import write_capture

    # Of another tree the disk is not here to be measured.
    disk = None if root else _load(None).disk.path or disk_of_the_state()
    manifest = write_capture(file, root=root or "/", redact=redact, disk_path=disk)
    for line in manifest.skipped:
        say(f"left out: {line}")
    say(f"wrote {file} ({file.stat().st_size / 1024:.0f} KiB)")


@config_app.command("example")
def config_example() -> None:
    """One whole commented example."""
    emit(CONFIG_EXAMPLE)


@config_app.command("check")
def config_check(config: ConfigFile = None, root: Root = None, simulate: Simulate = None) -> None:
    """Read the configuration as the daemon would on this host; say what is wrong."""
    from innkeeper.requests.checking import check_device_words, check_programs, load_checked

    named = config_path(os.environ, config)
    loaded = load_checked(named, os.environ)
    on_host = _warnings_on_host(loaded, root, simulate)
    for warning in (*check_device_words(loaded), *check_programs(loaded), *on_host):
        say(f"warning: {warning}")
    say(f"{named or 'the defaults'}: good")


def _warnings_on_host(loaded: Config, root: str | None, simulate: str | None) -> tuple[str, ...]:
    from innkeeper.requests.checking import check_on_host

    try:
        host = LocalHost.look(loaded, root, simulate)
    except HostUnreadable as error:
        if root is not None:
            raise
        return (f"{error.message}; whether it has what is named was not checked",)
    return check_on_host(loaded, host)


@config_app.command("show")
def config_show(config: ConfigFile = None, effective: Effective = False) -> None:
    """The configuration as TOML; with --effective every key that is in force."""
    loaded = _load(config)
    if effective:
        emit(effective_toml(loaded))
        return
    named = config_path(os.environ, config)
    emit(without_secrets(named.read_text()) if named else "# no file: the defaults are in force\n")


def _load(given: Path | None) -> Config:
    return load_config(config_path(os.environ, given), os.environ)
