"""Which samples of a task's pool each device holds, and which of them it trains on in a round.

Every draw depends only on the seed and on the names of the device and the task, so that a device keeps
its data when another device, another placement or another way of relaying changes.
"""

from zlib import crc32

import numpy as np

from fl_runtime.tasks.workload import IntArray

_HOLD, _TRAIN, _COUNT = 0, 1, 2  # purposes of a stream of random numbers


def draw_held(
    labels: IntArray,
    num_classes: int,
    samples: int,
    label_skew: float | None,
    seed: int,
    owner: tuple[str, str],
    num_shards: int | None = None,
) -> IntArray:
    """Return the indices of the samples that a device holds of a task.

    Parameters
    ----------
    labels : array of int, shape (n,)
        Labels of the pool; each of the classes occurs.
    num_classes : int
        Number of classes.
    samples : int
        How many samples the device holds, >= 0.
    label_skew : float or None
        Concentration of the symmetric Dirichlet distribution of the device's label frequencies (Hsu et al.
        2019, arXiv:1909.06335); ``None``: equal frequencies.
    seed : int
        Seed of the run, >= 0.
    owner : tuple of str
        Names of the device and the task.
    num_shards : int or None
        Number of shards that the device holds, >= 1, in place of ``label_skew`` (McMahan et al. 2017,
        arXiv:1602.05629).  There the pool, sorted by label, is cut into as many shards as all devices hold
        together; here each shard has one label, drawn evenly, and ``samples / num_shards`` samples, so that
        what a device holds does not depend on the others.

    Returns
    -------
    array of int, shape (samples,)
        Indices into the pool; a sample repeats only when its class has fewer than asked for.
    """
    rng = _stream(seed, owner, _HOLD)
    if num_shards is not None:
        counts = _counts_of_shards(rng, num_classes, samples, num_shards)
    else:
        frequencies = np.full(num_classes, 1.0 / num_classes)
        if label_skew is not None:
            frequencies = rng.dirichlet(np.full(num_classes, label_skew))
        counts = rng.multinomial(samples, frequencies)
    chosen = [
        np.resize(rng.permutation(np.flatnonzero(labels == label)), count)
        for label, count in enumerate(counts)
        if count > 0
    ]
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)


def draw_quantity(samples: int, quantity_skew: float | None, seed: int, owner: tuple[str, str]) -> int:
    """Return how many samples a device holds of a task of which devices hold ``samples`` on average.

    The number is ``samples`` times a gamma variate of mean one, rounded, at least 1 where ``samples`` is.
    Gamma variates divided by their sum are Dirichlet, the usual law of quantity skew (Li et al. 2022,
    arXiv:2102.02079); they are not divided here, so that a device's number does not depend on the others.

    Parameters
    ----------
    samples : int
        The mean, >= 0.
    quantity_skew : float or None
        Shape of the gamma distribution, > 0: the coefficient of variation is ``quantity_skew ** -0.5``;
        ``None``: every device holds ``samples``.
    seed : int
        Seed of the run, >= 0.
    owner : tuple of str
        Names of the device and the task.
    """
    if quantity_skew is None or samples == 0:
        return samples
    factor = _stream(seed, owner, _COUNT).gamma(quantity_skew, 1.0 / quantity_skew)
    return max(1, round(samples * factor))


def _counts_of_shards(rng: np.random.Generator, num_classes: int, samples: int, num_shards: int) -> IntArray:
    """Return the samples of each class in shards of equal size, to within one sample."""
    sizes = np.full(num_shards, samples // num_shards, dtype=np.int64)
    sizes[: samples % num_shards] += 1
    counts = np.zeros(num_classes, dtype=np.int64)
    np.add.at(counts, rng.integers(num_classes, size=num_shards), sizes)
    return counts


def draw_batches(
    held: IntArray, num_steps: int, batch_size: int, seed: int, owner: tuple[str, str], round_index: int
) -> IntArray:
    """Return the samples of each step of one round, (num_steps, batch_size): shuffled, then repeated."""
    shuffled = _stream(seed, owner, _TRAIN, round_index).permutation(held)
    count = num_steps * batch_size
    chosen = shuffled[:count] if count <= len(shuffled) else np.resize(shuffled, count)
    return chosen.reshape(num_steps, batch_size)


def _stream(seed: int, owner: tuple[str, str], *more: int) -> np.random.Generator:
    device, task = owner
    words = [seed, crc32(device.encode()), crc32(task.encode()), *more]
    if max(words) < 2**32:  # then numpy takes them as they are, three times as fast
        return np.random.default_rng(np.array(words, dtype=np.uint32))
    return np.random.default_rng(words)
