"""Local training and testing of all clients at once: stacked modules, one shared pass, one optimiser.

Each optimiser step takes one batch of every task that a device has and descends the sum of their losses, so
that ``local_steps`` is both the steps of a device in a round and its batches of each task.  The optimiser
starts afresh in each round: its memory is not averaged, so it would not fit the averaged model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fl_runtime.cohorts import Cohort
from fl_runtime.modules.experts import Mixture
from fl_runtime.modules.heads import classify
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Training
from fl_runtime.tasks.workload import IntArray, Samples, Task

State = Mapping[str, npt.NDArray[np.float32]]
"""Of each module, the parameters of its replicas: (replicas, size)."""

_PADDING = 64
"""Numbers to a multiple of which the optimiser's vector is filled up.

The last few numbers of a vector that is no multiple of the processor's registers are rounded otherwise.
Filled up, each replica has the same bytes whoever is trained beside it.
"""

_PREFIX_CHUNK = 512  # samples
_TRAIN_CHUNK = 256  # clients trained in one pass
_TEST_CHUNK = 8  # distinct models tested in one pass
_ENCODER_SHARE = 4  # passes with trained encoders hold more, so they are this much smaller


@dataclass(frozen=True)
class Prefixes:
    """What enters the first adapter, of a task's pool and of its test set, each (samples, tokens, width)."""

    train: torch.Tensor
    test: torch.Tensor


def prefixes_of(model: SharedModel, cohorts: Sequence[Cohort]) -> list[Prefixes | None]:
    """Return what the frozen part makes of the data of each cohort; ``None`` if it trains encoders."""
    return [
        None if cohort.trains_encoders else _prefixes(model, cohort.task, cohort.modalities)
        for cohort in cohorts
    ]


@lru_cache(maxsize=8)  # runs that differ in seeds or periods share it; about 15 MB each
def _prefixes(model: SharedModel, task: Task, modalities: tuple[str, ...]) -> Prefixes:
    return Prefixes(train=_prefix(model, task.train, modalities), test=_prefix(model, task.test, modalities))


def train_round(
    model: SharedModel,
    cohorts: Sequence[Cohort],
    prefixes: Sequence[Prefixes | None],
    state: State,
    batches: Sequence[IntArray],
    training: Training,
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the state after every device's local training of one round.

    Parameters
    ----------
    model : SharedModel
        Shared by all clients.
    cohorts, prefixes
        Clients, and what the model makes of their data.
    state : mapping of str to array
        Parameters of all replicas; those without data stay as they are.
    batches : sequence of array of int
        For each cohort the samples of its training clients, (clients with data, steps, batch).
    training : Training
        Steps and learning rate.
    """
    encoders = {part.module for cohort in cohorts for part in cohort.parts if part.kind == "encoder"}
    groups = [
        _Group.of(
            {name: rows for name, rows in state.items() if name not in encoders}, training.learning_rate
        ),
        _Group.of(
            {name: rows for name, rows in state.items() if name in encoders},
            training.learning_rate * training.encoder_rate,
        ),
    ]
    modules = {name: part for group in groups for name, part in group.modules.items()}
    gradients = {name: part for group in groups for name, part in group.gradients.items()}
    optimiser = torch.optim.AdamW([group.options for group in groups if group.modules], fused=True)
    jobs = [
        _Job(
            model,
            cohort,
            prefix,
            training_clients(cohort)[part],
            torch.from_numpy(batch[part]),
            training.balance_weight,
        )
        for cohort, prefix, batch in zip(cohorts, prefixes, batches, strict=True)
        for part in _chunks(len(batch), _of_a_pass(_TRAIN_CHUNK, cohort))
        if any(used.trained for used in cohort.parts)
    ]
    for step in range(training.local_steps if jobs else 0):
        optimiser.zero_grad(set_to_none=False)
        for job in jobs:
            job.add_gradients(modules, gradients, step)
        optimiser.step()
    return {
        name: _with_rows(rows, modules[name].numpy(), _trained_rows(name, cohorts))
        for name, rows in state.items()
    }


def accuracy_of_devices(
    model: SharedModel, cohorts: Sequence[Cohort], prefixes: Sequence[Prefixes | None], state: State
) -> dict[str, float]:
    """Return per task the accuracy on its common test set, mean over the devices that run it.

    A device is tested with the replicas and the modalities that it uses; equal models are tested once.
    """
    found: dict[str, list[float]] = {}
    for cohort, prefix in zip(cohorts, prefixes, strict=True):
        found.setdefault(cohort.task.name, []).extend(_accuracies(model, cohort, prefix, state))
    return {task: float(np.mean(found[task])) for task in sorted(found)}


@dataclass(frozen=True)
class _Group:
    """Modules of one learning rate as one flat vector, with views of it and of its gradient by module."""

    options: dict[str, Any]
    modules: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]

    @staticmethod
    def of(state: State, rate: float) -> "_Group":
        rest = torch.zeros(-sum(rows.size for rows in state.values()) % _PADDING)
        flat = torch.cat([*(torch.from_numpy(rows).flatten() for rows in state.values()), rest])
        flat.grad = torch.zeros_like(flat)
        return _Group({"params": [flat], "lr": rate}, _views(flat, state), _views(flat.grad, state))


@dataclass(frozen=True)
class _Job:
    """Some training clients of a cohort with their batches of one round, (clients, steps, batch)."""

    model: SharedModel
    cohort: Cohort
    prefix: Prefixes | None
    clients: IntArray
    batches: torch.Tensor
    balance_weight: float

    def add_gradients(
        self, modules: Mapping[str, torch.Tensor], gradients: Mapping[str, torch.Tensor], step: int
    ) -> None:
        """Add the gradients of one step to those of the replicas in use; ``gradients`` is changed.

        The loss is the sum over clients of their mean cross-entropies, and of how unevenly they use their
        experts: each client sees its own gradient.
        """
        chosen = self.batches[:, step]  # (clients, batch)
        labels = torch.from_numpy(self.cohort.task.train.labels[chosen.numpy()])
        used = _replicas_of(self.cohort, modules, self.clients)
        trained = [part for part in self.cohort.parts if part.trained]
        for part in trained:
            used[part.slot].requires_grad_()
        if self.prefix is None:
            tokens = _encoded(self.model, self.cohort, self.cohort.task.train, chosen, used)
        else:
            tokens = self.prefix.train[chosen]
        logits, imbalance = _logits(self.model, self.cohort, tokens, used)
        loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        loss = loss / chosen.shape[1] + self.balance_weight * imbalance.sum()
        found = torch.autograd.grad(loss, [used[part.slot] for part in trained])
        for part, gradient in zip(trained, found, strict=True):
            gradients[part.module].index_add_(0, torch.from_numpy(part.rows[self.clients]), gradient)


def training_clients(cohort: Cohort) -> IntArray:
    """Return the positions of the clients that have data."""
    return np.array([place for place, held in enumerate(cohort.held) if len(held)], dtype=np.int64)


def _views(flat: torch.Tensor, state: State) -> dict[str, torch.Tensor]:
    """Return each module's (replicas, size) part of a flat vector, sharing its memory."""
    sizes = [rows.size for rows in state.values()]
    parts = torch.split(flat[: sum(sizes)], sizes)
    return {name: part.view(state[name].shape) for name, part in zip(state, parts, strict=True)}


def _replicas_of(
    cohort: Cohort, modules: Mapping[str, torch.Tensor], clients: IntArray
) -> dict[str, torch.Tensor]:
    """Return copies of the replicas that clients use, by slot: (clients, size)."""
    return {part.slot: modules[part.module][torch.from_numpy(part.rows[clients])] for part in cohort.parts}


def _encoded(
    model: SharedModel,
    cohort: Cohort,
    samples: Samples,
    chosen: torch.Tensor,
    used: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Return the prefixes (clients, batch, tokens, width) of samples (clients, batch) by own encoders."""
    encoded = {}
    for name in cohort.modalities:
        inputs = torch.from_numpy(samples.inputs[name][chosen.numpy()])  # (clients, batch, ...)
        encoded[name] = model.encode(name, inputs, used.get(f"encoder-{name}"))
    tokens = model.prefix_of_encoded(encoded)
    return tokens.view(*chosen.shape, *tokens.shape[1:])


def _logits(
    model: SharedModel, cohort: Cohort, tokens: torch.Tensor, used: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and imbalance of experts of prefixes (clients, samples, tokens, width).

    The logits are (clients, samples, classes); the imbalance is (clients,), zeros where no gate chooses.
    """
    imbalance = tokens.new_zeros(len(tokens))
    if cohort.experts:
        tokens, imbalance = _mixture(model, cohort, used).mixed(tokens, model.real(tokens))
    features = model.features(tokens, used.get("adapter"), used.get("prompt"), used.get("lora"))
    return classify(features, used["head"], cohort.task.num_classes), imbalance


def _mixture(model: SharedModel, cohort: Cohort, used: Mapping[str, torch.Tensor]) -> Mixture:
    flat = used["gate"]
    gate = flat.view(len(flat), model.width, -1)  # (clients, width, experts of the group)
    return Mixture(
        gate=gate[..., [part.column for part in cohort.experts]],
        experts=torch.stack([used[part.slot] for part in cohort.experts], dim=1),
        bottleneck=model.expert_bottleneck,
        num_chosen=cohort.experts_per_token,
    )


def _accuracies(model: SharedModel, cohort: Cohort, prefix: Prefixes | None, state: State) -> list[float]:
    """Return the accuracy of each client of a cohort on the test set of its task."""
    first_with: dict[tuple[bytes, ...], int] = {}  # the first client that uses a model speaks for all
    speaker = []
    for client in range(len(cohort.devices)):
        key = tuple(state[part.module][part.rows[client]].tobytes() for part in cohort.parts)
        speaker.append(first_with.setdefault(key, client))
    modules = {part.module: torch.from_numpy(state[part.module]) for part in cohort.parts}
    distinct = np.unique(speaker)
    accuracy_of: dict[int, float] = {}
    labels = torch.tensor(cohort.task.test.labels)
    for chunk in _chunks(len(distinct), _of_a_pass(_TEST_CHUNK, cohort)):
        clients = distinct[chunk]
        with torch.no_grad():
            used = _replicas_of(cohort, modules, clients)
            if prefix is None:
                everyone = torch.arange(len(labels)).expand(len(clients), -1)
                tokens = _encoded(model, cohort, cohort.task.test, everyone, used)
            else:
                tokens = prefix.test.expand(len(clients), -1, -1, -1)
            logits, _ = _logits(model, cohort, tokens, used)
        right = (logits.argmax(dim=2) == labels).double().mean(dim=1)
        accuracy_of.update(zip(clients.tolist(), right.tolist(), strict=True))
    return [accuracy_of[client] for client in speaker]


def _prefix(model: SharedModel, samples: Samples, modalities: tuple[str, ...]) -> torch.Tensor:
    parts = []
    for chunk in _chunks(len(samples), _PREFIX_CHUNK):
        inputs = {name: torch.tensor(samples.inputs[name][chunk]) for name in modalities}
        with torch.no_grad():
            parts.append(model.prefix(inputs))
    return torch.cat(parts)


def _of_a_pass(clients: int, cohort: Cohort) -> int:
    return clients // _ENCODER_SHARE if cohort.trains_encoders else clients


def _chunks(length: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, length, size)]


def _trained_rows(name: str, cohorts: Sequence[Cohort]) -> IntArray:
    """Return which replicas of a module this engine trains: those of clients with data, if trainable."""
    rows = [np.empty(0, dtype=np.int64)]
    for cohort in cohorts:
        clients = training_clients(cohort)
        rows += [part.rows[clients] for part in cohort.parts if part.module == name and part.trained]
    return np.unique(np.concatenate(rows))


def _with_rows(
    old: npt.NDArray[np.float32], new: npt.NDArray[np.float32], rows: IntArray
) -> npt.NDArray[np.float32]:
    result = old.copy()
    result[rows] = new[rows]
    return result
