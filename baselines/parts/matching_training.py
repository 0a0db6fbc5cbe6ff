"""How HDMNet and AMNet are trained: what of them learns, and how their correlation maps do."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from baselines.parts.ensemble_training import EnsembleTrainable
from baselines.parts.matching_network import MatchingNetwork

M = TypeVar("M", bound=MatchingNetwork)


class MatchingTrainable(EnsembleTrainable[M]):
    """Such a network as it is trained."""

    varied = ("down_supp", "down_query", "supp_merge", "query_merge", "transformer")

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The transformer at the rate, the reductions and merges at ten times it; ``kshot_rw`` is not learned."""
        groups = [{"params": list(self.network.transformer.parameters()), "lr": learning_rate}]
        for part in ("down_supp", "down_query", "supp_merge", "query_merge", "gram_merge", "cls_merge"):
            groups.append({"params": list(getattr(self.network, part).parameters()), "lr": 10 * learning_rate})
        return groups


def certain(label: Tensor) -> Tensor:
    """(B, 1, S, S): the correlation map that is certain of a (B, S, S) label: its softmax is even over the object."""
    return torch.where(label == 1, 1.0, -1e9)[:, None]


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of (B, ...) maps of scores, each a distribution over its cells; mean of B."""
    wanted, given = teacher.flatten(1).softmax(1), student.flatten(1).softmax(1)
    return (wanted * ((wanted + 1e-12).log() - (given + 1e-12).log())).sum(1).mean()
