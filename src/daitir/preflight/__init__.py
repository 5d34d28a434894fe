"""The check before a run: whether every model, data set, key and gigabyte is there, and how much work it is.

Nothing is downloaded and no model is loaded.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from daitir.config import Config
from daitir.preflight.data import Data
from daitir.preflight.estimates import Estimate, Work
from daitir.preflight.findings import Finding
from daitir.preflight.hub import Hub
from daitir.preflight.machine import FreeSpace, check_devices, check_keys, check_space, free_bytes
from daitir.preflight.models import check_models
from daitir.preflight.unused import without_unused
from daitir.roots import allow_links


@dataclass(frozen=True)
class Preflight:
    """What a run needs, and how much work it is."""

    findings: list[Finding]
    work: list[Work]

    @property
    def missing(self) -> list[Finding]:
        """What a run would stop for."""
        return [finding for finding in self.findings if finding.is_missing]


def check(
    config: Config,
    hub: Hub | None = None,
    free: FreeSpace = free_bytes,
    environment: Mapping[str, str] = os.environ,
) -> Preflight:
    """Check a config against this machine and the hub."""
    hub = hub or Hub()
    allow_links(config.links)
    models = check_models(config, hub)
    data = Data(config)
    work = list(Estimate(config, data, hub).lines())
    machine = [
        *check_space(config, work, hub, free),
        *check_keys(config, environment),
        *check_devices(config),
    ]
    return Preflight(without_unused(config, [*models, *data.findings, *machine]), work)
