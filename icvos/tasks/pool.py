"""Which workers of a cluster make a run."""

import re
import socket
from dataclasses import dataclass

from icvos.errors import IcvosError

LOCAL = "local"
REACHED_S = 10.0  # in which a cluster's head must take a connection


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers of Ray. Raises `IcvosError` for an address that is none, as that of Ray's client.

    Args:
        address: Of the cluster's head, as ``10.0.0.1:6379``; ``local``: this machine alone, by a Ray that is started
            for the run.
        cpus_per_worker: Processors of each worker, all on the CPU. None: a worker for each GPU; where there is none,
            for each processor.
    """

    address: str
    cpus_per_worker: int | None = None

    def __post_init__(self) -> None:
        if self.address != LOCAL and re.fullmatch(r"[^\s/]+:[0-9]{1,5}", self.address) is None:
            raise IcvosError(
                f"{self}: give {LOCAL}, or HOST:PORT of the cluster's head, which ray start --head says; the command "
                "runs on a machine of the cluster"
            )

    def __str__(self) -> str:
        return f"--ray {self.address}"

    def require_reached(self) -> None:
        """Raise `IcvosError` where nothing answers at the address: Ray itself would try for minutes."""
        if self.address == LOCAL:
            return
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED_S).close()
        except (OSError, OverflowError) as error:
            raise IcvosError(
                f"{self}: nothing answers there ({error}); start Ray by: ray start --head, or use --ray {LOCAL}"
            ) from error
