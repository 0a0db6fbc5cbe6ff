"""A run as a job array of SLURM, a shard for each task, written and submitted by submitit."""

import multiprocessing
import signal
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.method import first_line
from icvos.serving.extra import load_extra
from icvos.tasks.shards import MAX_SHARDS

TIMEOUTS = 1000  # how often a task that is out of time is submitted again
NEEDED = {"submitit": "submitit", "cloudpickle": "cloudpickle"}


class ShardJob:
    """One task of the array; on a node it is called, and submitted again where it is preempted or out of time.

    Args:
        arguments: Those of `icvos.tasks.evaluation.evaluate`, without ``shard``.
        shard: Which it is, as ``2/8``.
    """

    def __init__(self, arguments: Mapping[str, Any], shard: str) -> None:
        self.arguments, self.shard = dict(arguments), shard

    def __call__(self) -> int:
        """Make what nobody else makes, then score if this is the last; the number of results.

        That is done by another process: submitit ends this one, when it is preempted, by an exception in whatever it
        is doing, which in a method would be taken for a failure of that.
        """
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_evaluate, args=(self.arguments, self.shard, sender))
        process.start()
        sender.close()
        try:
            answer: int | str = receiver.recv()
        except EOFError as error:
            raise IcvosError(f"shard {self.shard} was killed, perhaps for want of memory") from error
        finally:
            process.kill()
            process.join()
        if isinstance(answer, str):
            raise IcvosError(answer)
        return answer

    def checkpoint(self) -> Any:
        """What goes on: the same, since what is made is kept."""
        return _submitit().helpers.DelayedSubmission(self)


def _evaluate(arguments: Mapping[str, Any], shard: str, sender: Connection) -> None:
    from icvos.tasks.evaluation import evaluate

    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # of SLURM before a preemption, to all processes of a task
    try:
        sender.send(len(evaluate(**arguments, shard=shard)))
    except IcvosError as error:
        sender.send(str(error))


def submit(
    arguments: Mapping[str, Any], count: int, logs: Path, parameters: Mapping[str, str], cluster: str = "slurm"
) -> Sequence[Any]:
    """Submit ``count`` shards of a run as one job array; the jobs of submitit.

    Args:
        arguments: Those of `icvos.tasks.evaluation.evaluate`, without ``shard``.
        count: How many tasks.
        logs: The folder of the script, and of what the tasks say.
        parameters: Of submitit, as ``slurm_partition`` or ``timeout_min``.
        cluster: ``slurm``, or ``local`` for processes of this machine.

    Raises:
        IcvosError: There is no SLURM, or it refuses the job; or submitit knows no such parameter.
    """
    if not 1 <= count <= MAX_SHARDS:
        raise IcvosError(f"--slurm {count}: give from 1 to {MAX_SHARDS:,} tasks")
    submitit = _submitit()
    jobs = [ShardJob(arguments, f"{number}/{count}") for number in range(1, count + 1)]
    try:
        executor = submitit.AutoExecutor(logs, cluster=cluster, slurm_max_num_timeout=TIMEOUTS)
        executor.update_parameters(
            name="icvos", slurm_array_parallelism=count, **{name: _number(text) for name, text in parameters.items()}
        )
        submitted: Sequence[Any] = executor.submit_array(jobs)
    except (RuntimeError, NameError, ValueError, TypeError, submitit.core.utils.FailedSubmissionError) as error:
        raise IcvosError(f"--slurm: cannot be submitted ({first_line(error)}); see docs/scale.md") from error
    return submitted


def _submitit() -> Any:
    return load_extra("submitit", NEEDED, "cluster", "--slurm")


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
