"""Ray, and the cluster that a pool names: imported and connected only where it is asked for."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.method import first_line
from icvos.serving.extra import load_extra
from icvos.tasks.pool import LOCAL, Pool

STORE_BYTES = 80 << 20  # of Ray's object store, which masks do not go through; it takes no less than 75 MiB
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # variables that hold one, or name its file


def load_ray(pool: Pool) -> Any:
    """The module; `IcvosError` where it is not installed."""
    set_variables()
    return load_extra("ray", {"ray": "ray"}, "cluster", str(pool))


def set_variables() -> None:
    """Set what Ray reads when it is imported.

    ``ray start`` asks for a token where this user has one, as after any ``ray.init("local")``; a driver sends it only
    where it is told to. A cluster without tokens does not mind.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if any(map(os.environ.get, TOKENS)) or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


@contextlib.contextmanager
def connected(ray: Any, pool: Pool) -> Iterator[None]:
    """Ray, connected to the cluster of a pool; one that the caller has connected already stays so."""
    if ray.is_initialized():
        yield
        return
    if "://" in pool.address:
        raise IcvosError(
            f"{pool}: Ray's client is too little; give the command on a machine of the cluster, --ray auto"
        )
    pool.require_reached()
    logging.getLogger("ray").setLevel(logging.ERROR)
    own = {"include_dashboard": False, "object_store_memory": STORE_BYTES} if pool.address == LOCAL else {}
    try:
        ray.init(pool.address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise IcvosError(
            f"{pool}: no Ray can be reached ({first_line(error)}); start one by: ray start --head, or use --ray {LOCAL}"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
