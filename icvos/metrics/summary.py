"""From values of frames to one number: mean, recall, decay, and how sure one can be of a mean."""

from collections.abc import Iterator, Sequence

import numpy as np

BOOTSTRAP_SAMPLES = 1000
PAIRED_SAMPLES = 10_000  # more: a small probability is read off the tail
BOOTSTRAP_SEED = 0
ROUND_OFF = 1e-12  # figures that are nearer than this are equal


def mean(values: np.ndarray) -> float:
    """The mean of (T,) float64 values, T >= 1."""
    return float(np.mean(values))


def recall(values: np.ndarray) -> float:
    """The share of (T,) values that are above 0.5, strictly.

    >>> recall(np.array([0.4, 0.5, 0.6, 0.7]))
    0.5
    """
    return float(np.mean(np.asarray(values) > 0.5))


def quarter_edges(count: int) -> tuple[int, int, int, int, int]:
    """The positions of the frames at which the quarters of ``count`` frames begin and end; neighbours share one.

    >>> quarter_edges(50)
    (0, 12, 25, 37, 49)
    """
    edges = np.round(np.linspace(1, count, 5) + 1e-10).astype(np.int64) - 1
    first, second, third, fourth, last = edges.tolist()
    return first, second, third, fourth, last


def decay(values: np.ndarray, *, published_uint8_edges: bool = False) -> float:
    """The mean of the first quarter of (T,) values less that of the last: how much is lost on the way.

    Args:
        values: (T,) float64, T >= 1.
        published_uint8_edges: Repeat a defect of the published DAVIS code, which keeps the edges of the quarters in
            unsigned bytes: from 256 frames on they wrap, and the result is wrong or NaN. For old tables only.
    """
    values = np.asarray(values)
    _, first_end, _, last_start, last_end = quarter_edges(len(values))
    first_stop, last_stop = first_end + 1, last_end + 1
    if published_uint8_edges:
        first_stop, last_start, last_stop = (first_end % 256 + 1) % 256, last_start % 256, (last_end % 256 + 1) % 256
    first, last = values[:first_stop], values[last_start:last_stop]
    if not len(first) or not len(last):
        return float("nan")
    return float(np.mean(first) - np.mean(last))


def bootstrap_interval(
    values: np.ndarray,
    groups: Sequence[str],
    *,
    level: float = 0.95,
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = BOOTSTRAP_SEED,
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a mean when the groups, not the single values, are drawn again (percentile bootstrap).

    Clips of one video resemble each other, so videos are the groups. Deterministic. With one group the interval has no
    width, with a few it is too narrow; results leave it out then.

    Args:
        values: (N, K) float64: K figures of N clips.
        groups: The N clips' videos.
        level: Share of the resampled means that lie inside.
        samples: How many times all groups are drawn, with replacement.
        seed: Seed of ``numpy.random.RandomState``, whose stream never changes.

    Returns:
        Lower and upper bounds, (K,) float64 each.
    """
    means = resampled_means(values, groups, samples=samples, seed=seed)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def resampled_means(
    values: np.ndarray, groups: Sequence[str], *, samples: int = BOOTSTRAP_SAMPLES, seed: int = BOOTSTRAP_SEED
) -> np.ndarray:
    """(samples, K) float64: the means of (N, K) ``values`` when all groups are drawn again, with replacement.

    The arguments are those of `bootstrap_interval`.
    """
    sums, sizes = _group_sums(values, groups)
    means = np.empty((samples, values.shape[1]))
    for start, drawn in _draws(len(sums), samples, seed):
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)[:, None]
    return means


def _group_sums(values: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(G, K) sums of (N, K) ``values`` over every group, and (G,) how many each has."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, member, values)
    return sums, np.bincount(member)


def _draws(groups: int, samples: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """Where each part of the samples begins, and (part, G) the groups that are drawn for it: parts keep it small."""
    random = np.random.RandomState(seed)
    for start in range(0, samples, BOOTSTRAP_SAMPLES):
        yield start, random.randint(0, groups, (min(BOOTSTRAP_SAMPLES, samples - start), groups))


def paired_bootstrap(
    differences: np.ndarray, groups: Sequence[str], *, level: float = 0.95, samples: int = PAIRED_SAMPLES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How sure the sign of a mean difference is, when the groups are drawn again as in `bootstrap_interval`.

    Args:
        differences: (N, K) float64: K figures of N clips in one run, less those of the same clips in another.
        groups: The N clips' videos.
        level: Share of the resampled mean differences that lie inside the interval.
        samples: How many times all groups are drawn, with replacement.

    Returns:
        Lower and upper bounds, and the probability that the difference is positive: the share of resampled means above
        0, those that are 0 counted half. (K,) float64 each. With a few groups they say nothing.
    """
    means = resampled_means(differences, groups, samples=samples)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high, (np.sign(means).mean(axis=0) + 1) / 2


def surely_above(
    values: np.ndarray, groups: Sequence[str], *, level: float = 0.95, samples: int = PAIRED_SAMPLES
) -> np.ndarray:
    """(K, K) bool: at [i, j] whether the mean of column i is above that of column j whatever groups are drawn.

    As in `paired_bootstrap` of every pair of columns: the interval of their difference lies above 0.

    Args:
        values: (N, K) float64: a figure of N clips in K runs.
        groups: The N clips' videos.
        level: Share of the resampled mean differences that lie inside the interval.
        samples: How many times all groups are drawn, with replacement.

    >>> values = np.array([[0.9, 0.5, 0.6], [0.8, 0.4, 0.3], [0.7, 0.3, 0.2]])
    >>> surely_above(values, ["a", "b", "c"]).tolist()
    [[False, True, True], [False, False, False], [False, False, False]]
    """
    sums, sizes = _group_sums(values, groups)
    means = np.empty((samples, values.shape[1]))
    for start, drawn in _draws(len(sums), samples, BOOTSTRAP_SEED):
        # how often each group is drawn: of many runs a product of matrices is far faster than sums of what is drawn
        times = np.zeros(drawn.shape)
        np.add.at(times, (np.arange(len(drawn))[:, None], drawn), 1)
        means[start : start + len(drawn)] = times @ sums / (times @ sizes)[:, None]
    return columns_above(means, level=level)


def columns_above(samples: np.ndarray, *, level: float = 0.95) -> np.ndarray:
    """`surely_above` for (samples, K) figures of K runs that were resampled together, the same draw in every row."""
    tail = (1 - level) / 2
    last = int(tail * (len(samples) - 1))  # the bound of the interval lies between this ordered sample and the next
    runs = np.ascontiguousarray(samples.T)
    above = np.zeros((len(runs), len(runs)), dtype=bool)
    for place, run in enumerate(runs):
        below = np.count_nonzero(run - ROUND_OFF <= runs, axis=1)
        above[place] = below <= last
        for other in np.flatnonzero(below == last + 1):
            above[place, other] = np.quantile(run - runs[other], tail) > ROUND_OFF
    return above
