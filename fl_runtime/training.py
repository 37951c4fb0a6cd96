"""Local training and testing of all clients at once: stacked modules, one shared pass, one optimiser.

Each optimiser step takes one batch of every task that a device has and descends the sum of their losses, so
that ``local_steps`` is both the steps of a device in a round and its batches of each task.  The optimiser
starts afresh in each round: its memory is not averaged, so it would not fit the averaged model.

All devices take their steps together.  A replica that serves several of them, on whatever node, gets the sum
of their gradients and takes one step with it: what split execution delivers to its host.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fl_runtime.cohorts import Cohort
from fl_runtime.crews import Crew, crews_of, training_clients
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
_PASS_NUMBERS = 2**28  # of the prefixes that enter one pass: 1 GiB, which models of real size reach


@dataclass(frozen=True)
class _Sizes:
    """How much one pass takes: clients in training, distinct models in a test; and clients of a crew."""

    train: int
    test: int
    crew: int

    def for_cohort(self, cohort: Cohort) -> "_Sizes":
        """Return the same for a cohort; passes with trained encoders hold more, so they are smaller."""
        share = 4 if cohort.trains_encoders else 1
        return _Sizes(self.train // share, self.test // share, self.crew)


_GLANCE = 64  # parameters, about, by which most different replicas are told apart

_SIZES = {"cpu": _Sizes(256, 8, 512), "cuda": _Sizes(4096, 64, 8192)}
"""By the type of the device: what fits the caches of a processor, and what keeps an accelerator busy."""


@dataclass(frozen=True)
class Prefixes:
    """What enters the first adapter, of a task's pool and of its test set, each (samples, tokens, width)."""

    train: torch.Tensor
    test: torch.Tensor


def prefixes_of(model: SharedModel, cohorts: Sequence[Cohort]) -> list[Prefixes | None]:
    """Return what the frozen part makes of the data of each cohort; ``None`` if it trains encoders."""
    return [
        None
        if cohort.trains_encoders
        else _prefixes(
            model,
            cohort.task,
            cohort.modalities,
            is_rough=torch.is_autocast_enabled(model.device.type),
        )
        for cohort in cohorts
    ]


@lru_cache(maxsize=8)  # runs that differ in seeds or periods share it; about 15 MB each
def _prefixes(model: SharedModel, task: Task, modalities: tuple[str, ...], *, is_rough: bool) -> Prefixes:
    return Prefixes(train=_prefix(model, task.train, modalities), test=_prefix(model, task.test, modalities))


@lru_cache(maxsize=32)
def _labels(task: Task, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the labels of a task's pool and of its test set."""
    return torch.tensor(task.train.labels, device=device), torch.tensor(task.test.labels, device=device)


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
    rate_of = _rates(cohorts, training)
    result = {name: rows.copy() for name, rows in state.items()}
    for crew in crews_of(cohorts, _SIZES[model.device.type].crew):
        jobs = [
            job
            for place in range(len(cohorts))
            for job in _jobs(model, cohorts[place], prefixes[place], batches[place], crew, place, state)
        ]
        for name, rows in _trained(jobs, crew, state, rate_of, training).items():
            result[name][crew.rows[name]] = rows
    return result


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


def _trained(
    jobs: Sequence["_Job"], crew: Crew, state: State, rate_of: Mapping[str, float], training: Training
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the replicas of a crew after its steps."""
    device = jobs[0].model.device
    own = {name: state[name][rows] for name, rows in crew.rows.items()}
    groups = [
        _Group.of({name: rows for name, rows in own.items() if rate_of[name] == rate}, rate, device)
        for rate in sorted({rate_of[name] for name in own})
    ]
    modules = {name: part for group in groups for name, part in group.modules.items()}
    gradients = {name: part for group in groups for name, part in group.gradients.items()}
    optimiser = torch.optim.AdamW([group.options for group in groups], fused=True)
    for step in range(training.local_steps):
        optimiser.zero_grad(set_to_none=False)
        for job in jobs:
            job.add_gradients(modules, gradients, step, training.balance_weight)
        optimiser.step()
    return {name: part.cpu().numpy() for name, part in modules.items()}


@dataclass(frozen=True)
class _Group:
    """Modules of one learning rate as one flat vector, with views of it and of its gradient by module."""

    options: dict[str, Any]
    modules: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]

    @staticmethod
    def of(state: State, rate: float, device: torch.device) -> "_Group":
        rest = torch.zeros(-sum(rows.size for rows in state.values()) % _PADDING)
        flat = torch.cat([*(torch.from_numpy(rows).flatten() for rows in state.values()), rest]).to(device)
        flat.grad = torch.zeros_like(flat)
        return _Group({"params": [flat], "lr": rate}, _views(flat, state), _views(flat.grad, state))


@dataclass(frozen=True)
class _Job:
    """Some training clients of a cohort with their batches of one round.

    Parameters
    ----------
    batches : array of int, shape (clients, steps, batch)
        Samples of the task's pool; ``chosen`` has the same on the device.
    rows : dict of str to tensor of int, shape (clients,)
        By trained module: which of the crew's replicas each client uses.
    fixed : dict of str to tensor, shape (clients, size)
        By slot: the parts that are not trained.
    """

    model: SharedModel
    cohort: Cohort
    prefix: Prefixes | None
    batches: IntArray
    chosen: torch.Tensor
    rows: dict[str, torch.Tensor]
    fixed: dict[str, torch.Tensor]

    def add_gradients(
        self,
        modules: Mapping[str, torch.Tensor],
        gradients: Mapping[str, torch.Tensor],
        step: int,
        balance_weight: float,
    ) -> None:
        """Add the gradients of one step to those of the replicas in use; ``gradients`` is changed.

        The loss is the sum over clients of their mean cross-entropies, and of how unevenly they use their
        experts: each client sees its own gradient.
        """
        clients, _, batch_size = self.chosen.shape
        chosen = self.chosen[:, step].flatten()  # (clients * batch,)
        trained = [part for part in self.cohort.parts if part.trained]
        own = [modules[part.module].index_select(0, self.rows[part.module]) for part in trained]
        used = dict(self.fixed)
        for part, replicas in zip(trained, own, strict=True):
            used[part.slot] = replicas.requires_grad_()
        if self.prefix is None:
            tokens = _encoded(self.model, self.cohort, self.cohort.task.train, self.batches[:, step], used)
        else:
            tokens = self.prefix.train.index_select(0, chosen)
            tokens = tokens.view(clients, batch_size, *tokens.shape[1:])
        logits, imbalance = _logits(self.model, self.cohort, tokens, used)
        labels = _labels(self.cohort.task, self.model.device)[0].index_select(0, chosen)
        loss = functional.cross_entropy(logits.flatten(0, 1), labels, reduction="sum")
        loss = loss / batch_size + balance_weight * imbalance.sum()
        for part, gradient in zip(trained, torch.autograd.grad(loss, own), strict=True):
            gradients[part.module].index_add_(0, self.rows[part.module], gradient)


def _rates(cohorts: Sequence[Cohort], training: Training) -> dict[str, float]:
    """Return the learning rate of each module; what is pretrained has one of its own."""
    factor_of = {"encoder": training.encoder_rate, "backbone": training.backbone_rate}
    return {
        part.module: training.learning_rate * factor_of.get(part.kind, 1.0)
        for cohort in cohorts
        for part in cohort.parts
    }


def _jobs(
    model: SharedModel,
    cohort: Cohort,
    prefix: Prefixes | None,
    batches: IntArray,
    crew: Crew,
    place: int,
    state: State,
) -> Iterator[_Job]:
    """Yield the passes that the members of a crew in cohort number ``place`` need for a step."""
    members, clients = crew.members[place], training_clients(cohort)
    size = _SIZES[model.device.type].for_cohort(cohort).train
    if prefix is not None and len(batches):
        size = _fitting(size, batches.shape[2] * prefix.train[0].numel())
    for part_of_crew in _chunks(len(members), size):
        chosen = members[part_of_crew]
        rows = {
            part.module: np.searchsorted(crew.rows[part.module], part.rows[clients[chosen]])
            for part in cohort.parts
            if part.trained
        }
        yield _Job(
            model,
            cohort,
            prefix,
            batches[chosen],
            torch.from_numpy(batches[chosen]).to(model.device),
            {name: torch.from_numpy(found).to(model.device) for name, found in rows.items()},
            _replicas(model, cohort, state, clients[chosen], only_fixed=True),
        )


def _views(flat: torch.Tensor, state: State) -> dict[str, torch.Tensor]:
    """Return each module's (replicas, size) part of a flat vector, sharing its memory."""
    sizes = [rows.size for rows in state.values()]
    parts = torch.split(flat[: sum(sizes)], sizes)
    return {name: part.view(state[name].shape) for name, part in zip(state, parts, strict=True)}


def _replicas(
    model: SharedModel, cohort: Cohort, state: State, clients: IntArray, *, only_fixed: bool = False
) -> dict[str, torch.Tensor]:
    """Return copies of the replicas that clients use, by slot: (clients, size)."""
    return {
        part.slot: torch.from_numpy(state[part.module][part.rows[clients]]).to(model.device)
        for part in cohort.parts
        if not (only_fixed and part.trained)
    }


def _encoded(
    model: SharedModel,
    cohort: Cohort,
    samples: Samples,
    chosen: IntArray,
    used: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Return the prefixes (clients, batch, tokens, width) of samples (clients, batch) by own encoders."""
    encoded = {}
    for name in cohort.modalities:
        inputs = torch.from_numpy(samples.inputs[name][chosen]).to(model.device)  # (clients, batch, ...)
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
    features = model.features(
        tokens, used.get("adapter"), used.get("prompt"), used.get("lora"), used.get("backbone")
    )
    with torch.autocast(model.device.type, enabled=False):  # neighbouring classes must stay apart
        return classify(features.float(), used["head"], cohort.task.num_classes), imbalance


def _mixture(model: SharedModel, cohort: Cohort, used: Mapping[str, torch.Tensor]) -> Mixture:
    flat = used["gate"]
    gate = flat.view(len(flat), model.width, -1)  # (clients, width, experts of the group)
    return Mixture(
        gate=gate[..., [part.column for part in cohort.experts]],
        experts=torch.stack([used[part.slot] for part in cohort.experts], dim=1),
        bottleneck=model.expert_bottleneck,
        num_chosen=cohort.experts_per_token,
    )


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
    right = []
    size = _SIZES[model.device.type].for_cohort(cohort).test
    if prefix is not None:
        size = _fitting(size, prefix.test.numel())
    for chunk in _chunks(len(distinct), size):
        right.append(_tested(model, cohort, prefix, state, distinct[chunk]))
    return np.concatenate(right)[speaker.ravel()]


def _fitting(size: int, numbers: int) -> int:
    """Return how many clients one pass takes, at most ``size``, with so many numbers of prefixes for each."""
    return max(1, min(size, _PASS_NUMBERS // max(1, numbers)))


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


def _tested(
    model: SharedModel, cohort: Cohort, prefix: Prefixes | None, state: State, clients: IntArray
) -> npt.NDArray[np.float64]:
    """Return the accuracy of some clients' models in one pass, (clients,)."""
    _, labels = _labels(cohort.task, model.device)
    with torch.no_grad():
        used = _replicas(model, cohort, state, clients)
        if prefix is None:
            everyone = np.tile(np.arange(len(labels)), (len(clients), 1))
            tokens = _encoded(model, cohort, cohort.task.test, everyone, used)
        else:
            tokens = prefix.test.expand(len(clients), -1, -1, -1)
        logits, _ = _logits(model, cohort, tokens, used)
        accuracy: npt.NDArray[np.float64] = (
            (logits.argmax(dim=2) == labels).double().mean(dim=1).cpu().numpy()
        )
    return accuracy


def _prefix(model: SharedModel, samples: Samples, modalities: tuple[str, ...]) -> torch.Tensor:
    parts = []
    for chunk in _chunks(len(samples), _PREFIX_CHUNK):
        inputs = {name: torch.tensor(samples.inputs[name][chunk], device=model.device) for name in modalities}
        with torch.no_grad():
            parts.append(model.prefix(inputs))
    return torch.cat(parts)


def _chunks(length: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, length, size)]
