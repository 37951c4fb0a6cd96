"""The optimiser steps of a round, of all clients together.

Each optimiser step takes one batch of every task that a device has and descends the sum of their losses, so
that ``local_steps`` is both the steps of a device in a round and its batches of each task.  The optimiser
starts afresh in each round: its memory is not averaged, so it would not fit the averaged model.

All devices take their steps together.  A replica that serves several of them, on whatever node, gets the sum
of their gradients and takes one step with it: what split execution delivers to its host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fl_runtime.cohorts import Cohort
from fl_runtime.crews import Crew, crews_of
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Training
from fl_runtime.tasks.workload import IntArray
from fl_runtime.training.jobs import Job, jobs_of
from fl_runtime.training.pass_sizes import crew_size
from fl_runtime.training.prefixes import Prefixes

_PADDING = 64
"""Numbers to a multiple of which the optimiser's vector is filled up.

The last few numbers of a vector that is no multiple of the processor's registers are rounded otherwise.
Filled up, each replica has the same bytes whoever is trained beside it.
"""


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
    for crew in crews_of(cohorts, crew_size(model.device)):
        jobs = [
            job
            for cohort, prefix, drawn, members in zip(cohorts, prefixes, batches, crew.members, strict=True)
            for job in jobs_of(model, cohort, prefix, drawn, crew, members, state)
        ]
        for name, rows in _trained(jobs, crew, state, rate_of, training).items():
            result[name][crew.rows[name]] = rows
    return result


def _rates(cohorts: Sequence[Cohort], training: Training) -> dict[str, float]:
    """Return the learning rate of each module; what is pretrained has one of its own."""
    factor_of = {"encoder": training.encoder_rate, "backbone": training.backbone_rate}
    return {
        part.module: training.learning_rate * factor_of.get(part.kind, 1.0)
        for cohort in cohorts
        for part in cohort.parts
    }


def _trained(
    jobs: Sequence[Job], crew: Crew, state: State, rate_of: Mapping[str, float], training: Training
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


def _views(flat: torch.Tensor, state: State) -> dict[str, torch.Tensor]:
    """Return each module's (replicas, size) part of a flat vector, sharing its memory."""
    sizes = [rows.size for rows in state.values()]
    parts = torch.split(flat[: sum(sizes)], sizes)
    return {name: part.view(state[name].shape) for name, part in zip(state, parts, strict=True)}
