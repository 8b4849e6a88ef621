"""One daemon: started in order, run in one task group, drained on a signal."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Final

import anyio
import anyio.to_thread
import structlog
import uvloop

from innkeeper.api.access import AccessRules
from innkeeper.api.app import build_app
from innkeeper.api.parts import ApiParts
from innkeeper.api.routes.host import host_view
from innkeeper.api.server import ApiServer
from innkeeper.clock import SystemClock
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.drivers.choice import driver_for, hypervisor_for
from innkeeper.errors import InnkeeperError, InternalError
from innkeeper.service.keeping import store_of
from innkeeper.service.listener import Listener, inherited_listener, make_listener
from innkeeper.service.notify import Notifier
from innkeeper.service.premises import Premises, ServeOptions, lay_premises
from innkeeper.service.ready import Listening
from innkeeper.service.reload import Reload
from innkeeper.telemetry import configure_logs
from innkeeper.tracker import Tracker

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 10.0
"""How long requests that are under way may take once the daemon was told to stop."""

_MOST_FILES: Final = 65_536

Announce = Callable[[Listening], None]


def run_daemon(options: ServeOptions, announce: Announce | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called once, in a thread, when it is ready.

    Raises:
        InnkeeperError: it cannot start, or it failed; the log has what the message leaves out.
    """
    os.umask(0o077)
    # Until the configuration says otherwise, so that nothing is ever logged to stdout.
    configure_logs("info")
    _allow_many_files()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options, announce))
    except InnkeeperError:
        raise
    except Exception as error:
        log.exception("daemon failed")
        raise InternalError("the daemon failed; its log says why") from error


def _allow_many_files() -> None:
    """Each caller who waits for room holds a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


async def serve(options: ServeOptions, announce: Announce | None = None) -> None:
    """The daemon in a running event loop, whose signals it takes over.

    Raises:
        InnkeeperError: it cannot start.
    """
    environ = dict(os.environ)
    premises = await anyio.to_thread.run_sync(lay_premises, options, environ)
    configure_logs(premises.config.log.level, premises.config.log.format)
    async with _driver(options, premises) as driver:
        hypervisor = await anyio.to_thread.run_sync(hypervisor_for, premises.config.libvirt.uri)
        daemon = Daemon(options, premises, driver, hypervisor, environ)
        await daemon.run(announce or _say_nothing)


@asynccontextmanager
async def _driver(options: ServeOptions, premises: Premises) -> AsyncIterator[Driver]:
    """A capture is unpacked, and removed in the end: both take a while."""
    choice = driver_for(
        options.root,
        options.simulate,
        premises.disk_path,
        premises.config.libvirt.observed_uri,
    )
    stack = ExitStack()
    try:
        yield await anyio.to_thread.run_sync(stack.enter_context, choice)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(stack.close)


def _say_nothing(_: Listening) -> None:
    return None


class Daemon:
    """Tracker, API and service manager's news of one process."""

    def __init__(
        self,
        options: ServeOptions,
        premises: Premises,
        driver: Driver,
        hypervisor: Hypervisor | None,
        environ: Mapping[str, str],
    ) -> None:
        self._options = options
        self._premises = premises
        self._environ = environ
        self._clock = SystemClock()
        self._tracker = Tracker(
            node=premises.node,
            store=store_of(premises, self._clock, adopts=options.adopt_state),
            driver=driver,
            hypervisor=hypervisor,
            config=premises.config,
            clock=self._clock,
        )
        self._parts = ApiParts(
            tracker=self._tracker,
            node=premises.node,
            config=premises.config,
            access=AccessRules(premises.config.access, self._clock),
            state_directory=premises.state_directory,
            host_root=None if options.simulate else options.root or "/",
        )
        self._server = ApiServer(build_app(self._parts), self._clock)
        self._notifier = Notifier.of(environ)
        self._reload = Reload(premises, self._parts, environ)
        self._stop = anyio.Event()
        self._hurry = anyio.Event()

    async def run(self, announce: Announce) -> None:
        """Start, serve, drain. Raises InnkeeperError when it cannot start."""
        watched = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        async with AsyncExitStack() as stack:
            # Taken before anything is started: a signal that comes meanwhile is obeyed after.
            signals = stack.enter_context(anyio.open_signal_receiver(*watched))
            stack.push_async_callback(self._tracker.close)
            await self._tracker.start()
            listener = await self._listen()
            stack.push_async_callback(anyio.to_thread.run_sync, listener.remove_file)
            self._tell_start()
            async with anyio.create_task_group() as group:
                group.start_soon(self._tracker.run)
                group.start_soon(self._obey, signals)
                group.start_soon(self._notifier.feed_watchdog, self._clock)
                await self._server.open(listener.socket)
                await self._tell_ready(listener, announce)
                await self._stop.wait()
                await self._drain()
                group.cancel_scope.cancel()
        log.info("stopped")

    async def _listen(self) -> Listener:
        inherited = inherited_listener(self._environ)
        if inherited is not None:
            return inherited
        return await anyio.to_thread.run_sync(make_listener, self._premises.socket_path)

    def _tell_start(self) -> None:
        opened, host = self._tracker.opened, self._tracker.host
        if self._premises.open_to_others:
            log.warning("state directory open to others", path=str(self._premises.state_directory))
        if opened.set_aside is not None:
            log.error(
                "database damaged and set aside",
                path=opened.set_aside,
                rebuilt_claims=opened.rebuilt_claims,
                rebuilt_cordons=opened.rebuilt_cordons,
                unreadable_cordons=opened.unreadable_cordons,
            )
        self._tell_belonging()
        if host.warnings:
            log.warning("host unclear", warnings=host.warnings)
        self._reload.warn_of_inventory()

    def _tell_belonging(self) -> None:
        opened, claims = self._tracker.opened, self._tracker.statistics().claims
        if opened.taken_from is not None:
            was = opened.taken_from
            log.warning(
                "ledger taken over", machine_id=was.id, hostname=was.hostname, claims=claims
            )
        elif self._options.adopt_state:
            log.warning("--adopt-state is not needed: the ledger is this machine's")
        elif opened.rebooted_from is not None:
            log.warning("host started anew", claims=claims)

    async def _tell_ready(self, listener: Listener, announce: Announce) -> None:
        claims = self._tracker.statistics().claims
        log.info("listening", socket=str(listener.path), node=self._premises.node, claims=claims)
        self._notifier.ready(f"serving at {listener.path}")
        view = host_view(self._parts)
        listening = Listening(listener.path, self._premises.state_directory, view)
        try:
            await anyio.to_thread.run_sync(announce, listening)
        except Exception:
            # Whoever wanted to be told may be gone; the daemon serves all the same.
            log.exception("announcement failed")

    async def _obey(self, signals: AsyncIterator[signal.Signals]) -> None:
        async for one in signals:
            if one is signal.SIGHUP:
                await self._read_again()
            else:
                log.info("told to stop", signal=one.name)
                (self._hurry if self._stop.is_set() else self._stop).set()

    async def _read_again(self) -> None:
        self._notifier.reloading()
        await self._reload.reload()
        self._notifier.ready(f"serving at {self._premises.socket_path}")

    async def _drain(self) -> None:
        """Take nothing new, finish what is under way; cut it short after a while or when hurried."""
        self._notifier.stopping("finishing what is under way")
        with anyio.move_on_after(DRAIN_SECONDS) as patience:
            async with anyio.create_task_group() as group:
                group.start_soon(self._cancel_when_hurried, patience)
                group.start_soon(self._tracker.drain)
                await self._server.drain()
                group.cancel_scope.cancel()
        if patience.cancelled_caught:
            log.warning("requests cut short", connections=self._server.connections)
            await self._server.cut_short()

    async def _cancel_when_hurried(self, scope: anyio.CancelScope) -> None:
        await self._hurry.wait()
        scope.cancel()
