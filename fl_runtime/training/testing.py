"""Accuracy of the devices' models on the common test sets; equal models are tested once."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from fl_runtime.cohorts import Cohort
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import IntArray
from fl_runtime.training.forward import encoded, labels_of, logits_of, replicas_of
from fl_runtime.training.pass_sizes import chunks, test_size
from fl_runtime.training.prefixes import Prefixes

_GLANCE = 64  # parameters, about, by which most different replicas are told apart


def accuracy_of_devices(
    model: SharedModel, cohorts: Sequence[Cohort], prefixes: Sequence[Prefixes | None], state: State
) -> dict[str, float]:
    """Return per task the accuracy on its common test set, mean over the devices that run it.

    A device is tested with the replicas and the modalities that it uses; equal models are tested once.
    """
    used = {part.module for cohort in cohorts for part in cohort.parts}
    model_of = {module: _model_numbers(state[module]) for module in sorted(used)}
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for cohort, prefix in zip(cohorts, prefixes, strict=True):
        of_cohort = _accuracies(model, cohort, prefix, state, model_of)
        found.setdefault(cohort.task.name, []).append(of_cohort)
    return {task: float(np.mean(np.concatenate(found[task]))) for task in sorted(found)}


def _accuracies(
    model: SharedModel,
    cohort: Cohort,
    prefix: Prefixes | None,
    state: State,
    model_of: Mapping[str, IntArray],
) -> npt.NDArray[np.float64]:
    """Return the accuracy of each client of a cohort on the test set of its task, (clients,)."""
    keys = np.stack([model_of[part.module][part.rows] for part in cohort.parts], axis=1)
    _, distinct, speaker = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    size = test_size(model.device, cohort, 0 if prefix is None else prefix.test.numel())
    right = [tested(model, cohort, prefix, state, distinct[chunk]) for chunk in chunks(len(distinct), size)]
    return np.concatenate(right)[speaker.ravel()]


def tested(
    model: SharedModel, cohort: Cohort, prefix: Prefixes | None, state: State, clients: IntArray
) -> npt.NDArray[np.float64]:
    """Return the accuracy of some clients' models in one pass, (clients,)."""
    _, labels = labels_of(cohort.task, model.device)
    with torch.no_grad():
        used = replicas_of(model, cohort, state, clients)
        if prefix is None:
            everyone = np.tile(np.arange(len(labels)), (len(clients), 1))
            tokens = encoded(model, cohort, cohort.task.test, everyone, used)
        else:
            tokens = prefix.test.expand(len(clients), -1, -1, -1)
        logits, _ = logits_of(model, cohort, tokens, used)
        accuracy: npt.NDArray[np.float64] = (
            (logits.argmax(dim=2) == labels).double().mean(dim=1).cpu().numpy()
        )
    return accuracy


def _model_numbers(rows: npt.NDArray[np.float32]) -> IntArray:
    """Return for each replica (replicas, size) which the first one is that equals it, (replicas,)."""
    glances = np.ascontiguousarray(rows[:, :: max(1, rows.shape[1] // _GLANCE)])
    first_like: dict[bytes, int] = {}  # by what a glance shows
    first_with: dict[int, list[int]] = {}  # by hash, of those that a glance does not tell apart
    numbers = np.empty(len(rows), dtype=np.int64)
    for row, values in enumerate(rows):
        numbers[row] = first = first_like.setdefault(glances[row].tobytes(), row)
        if first != row and not np.array_equal(rows[first], values):
            found = first_with.setdefault(hash(values.tobytes()), [])
            numbers[row] = next((other for other in found if np.array_equal(rows[other], values)), row)
            found.append(row)
    return numbers
