"""Some training clients of a cohort: the passes of a round, and the gradients of a step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from fl_runtime.cohorts import Cohort
from fl_runtime.crews import Crew, training_clients
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import IntArray
from fl_runtime.training.forward import encoded, labels_of, logits_of, replicas_of
from fl_runtime.training.pass_sizes import chunks, train_size
from fl_runtime.training.prefixes import Prefixes


@dataclass(frozen=True)
class Job:
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
        chosen = self.chosen[:, step].contiguous()  # (clients, batch)
        trained = [part for part in self.cohort.parts if part.trained]
        own = [modules[part.module].index_select(0, self.rows[part.module]) for part in trained]
        used = dict(self.fixed)
        for part, replicas in zip(trained, own, strict=True):
            used[part.slot] = replicas.requires_grad_()
        if self.prefix is None:
            tokens = encoded(self.model, self.cohort, self.cohort.task.train, self.batches[:, step], used)
        else:
            tokens = self.prefix.train.index_select(0, chosen.flatten())
            tokens = tokens.view(*chosen.shape, *tokens.shape[1:])
        logits, imbalance = logits_of(self.model, self.cohort, tokens, used)
        labels = labels_of(self.cohort.task, self.model.device)[0].index_select(0, chosen.flatten())
        loss = functional.cross_entropy(logits.flatten(0, 1), labels, reduction="sum")
        loss = loss / chosen.shape[1] + balance_weight * imbalance.sum()
        for part, gradient in zip(trained, torch.autograd.grad(loss, own), strict=True):
            gradients[part.module].index_add_(0, self.rows[part.module], gradient)


def jobs_of(
    model: SharedModel,
    cohort: Cohort,
    prefix: Prefixes | None,
    batches: IntArray,
    crew: Crew,
    members: IntArray,
    state: State,
) -> Iterator[Job]:
    """Yield the passes that the members of a crew in a cohort need for a step.

    Parameters
    ----------
    model, cohort, prefix
        What computes, and on what.
    batches : array of int, shape (clients with data, steps, batch)
        Samples of the task's pool.
    crew : Crew
        Whose replicas are trained.
    members : array of int
        Its clients in the cohort, by their place among those with data.
    state : mapping of str to array
        Parameters of all replicas.
    """
    clients = training_clients(cohort)
    numbers = batches.shape[2] * prefix.train[0].numel() if prefix is not None and len(batches) else 0
    for part_of_crew in chunks(len(members), train_size(model.device, cohort, numbers)):
        chosen = members[part_of_crew]
        rows = {
            part.module: np.searchsorted(crew.rows[part.module], part.rows[clients[chosen]])
            for part in cohort.parts
            if part.trained
        }
        yield Job(
            model,
            cohort,
            prefix,
            batches[chosen],
            torch.from_numpy(batches[chosen]).to(model.device),
            {name: torch.from_numpy(found).to(model.device) for name, found in rows.items()},
            replicas_of(model, cohort, state, clients[chosen], only_fixed=True),
        )
