"""Which samples of a task's pool each device holds, and which of them it trains on in a round.

Every draw depends only on the seed and on the names of the device and the task, so that a device keeps
its data when another device, another placement or another way of relaying changes.
"""

from zlib import crc32

import numpy as np

from fl_runtime.tasks.workload import IntArray

_HOLD, _TRAIN = 0, 1  # purposes of a stream of random numbers


def draw_held(
    labels: IntArray,
    num_classes: int,
    samples: int,
    label_skew: float | None,
    seed: int,
    owner: tuple[str, str],
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

    Returns
    -------
    array of int, shape (samples,)
        Indices into the pool; a sample repeats only when its class has fewer than asked for.
    """
    rng = _stream(seed, owner, _HOLD)
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
