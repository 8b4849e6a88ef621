"""The configuration read again: a wrong one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import anyio.to_thread
import structlog

from innkeeper.api.parts import ApiParts
from innkeeper.config import Config
from innkeeper.errors import BadConfig, StoreError
from innkeeper.requests.checking import check_device_words, load_checked
from innkeeper.requests.cpu_sets import require_cpus
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import inventory_warnings
from innkeeper.service.premises import Premises
from innkeeper.telemetry import configure_logs

log = structlog.get_logger(__name__)


class Reload:
    """Takes the operator's new words to everybody who goes by them."""

    def __init__(self, premises: Premises, parts: ApiParts, environ: Mapping[str, str]) -> None:
        self._premises = premises
        self._parts = parts
        self._environ = environ

    async def reload(self) -> None:
        """Read again and apply; what is wrong is logged, and the old words stay."""
        try:
            config = await anyio.to_thread.run_sync(
                load_checked, self._premises.config_path, self._environ
            )
            self._require_cpus(config)
        except BadConfig as error:
            log.error("configuration refused", error=error.message)  # noqa: TRY400
            return
        await self._apply(config)

    def _require_cpus(self, config: Config) -> None:
        # Words in force stay, whatever the host has lost since.
        if config.cpus != self._parts.config.cpus:
            require_cpus(self._parts.tracker.host, config)

    async def _apply(self, config: Config) -> None:
        self._parts.reconfigure(config)
        configure_logs(config.log.level, config.log.format)
        try:
            await self._parts.tracker.reconfigure(config)
        except StoreError as error:
            log.warning("devices not written", code=error.code, error=error.message)
        for key in self._fixed_keys(config):
            log.warning("key takes effect at the next start", key=key)
        self.warn_of_inventory()
        log.info("configuration read again", file=str(self._premises.config_path))

    def _fixed_keys(self, config: Config) -> list[str]:
        """Keys whose new value needs a new process."""
        old = self._premises.config
        fixed = {
            "node": config.node != old.node,
            "disk.path": config.disk != old.disk,
            "store.url": config.store != old.store,
            "libvirt": config.libvirt != old.libvirt,
            "claims.max_waiting": config.claims.max_waiting != old.claims.max_waiting,
        }
        return [key for key, changed in fixed.items() if changed]

    def warn_of_inventory(self) -> None:
        """Say what the configuration makes impossible on this host."""
        host, config = self._parts.tracker.host, self._parts.config
        for warning in inventory_warnings(host, config):
            log.warning("nothing to hand out", reason=warning)
        words = check_device_words(config)
        for warning in (*words, *DeviceRules.of(config).warnings_on(host.functions)):
            log.warning("device specs or aliases suspicious", reason=warning)
