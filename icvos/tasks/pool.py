"""Which workers of a cluster make a run."""

from dataclasses import dataclass

from icvos.errors import IcvosError

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers of Ray. Raises `IcvosError` for an address of Ray's client, which cannot follow what workers say.

    Args:
        address: Of the cluster's head, as ``10.0.0.1:6379``; ``auto``: of the one that this machine is part of;
            ``local``: this machine alone, by a Ray that is started for the run.
        cpus_per_worker: Processors of each worker, all on the CPU. None: a worker for each GPU; where there is none,
            for each processor.
    """

    address: str
    cpus_per_worker: int | None = None

    def __post_init__(self) -> None:
        if "://" in self.address:
            raise IcvosError(
                f"{self}: give the command on a machine of the cluster, with --ray auto or --ray HOST:PORT"
            )

    def __str__(self) -> str:
        return f"--ray {self.address}"
