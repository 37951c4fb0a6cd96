"""From replicas and samples of many clients to logits: what training and testing have in common."""

from collections.abc import Mapping
from functools import lru_cache

import torch

from fl_runtime.cohorts import Cohort
from fl_runtime.local import State
from fl_runtime.modules.experts import Mixture
from fl_runtime.modules.heads import classify
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import IntArray, Samples, Task


@lru_cache(maxsize=32)
def labels_of(task: Task, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the labels of a task's pool and of its test set."""
    return torch.tensor(task.train.labels, device=device), torch.tensor(task.test.labels, device=device)


def replicas_of(
    model: SharedModel, cohort: Cohort, state: State, clients: IntArray, *, only_fixed: bool = False
) -> dict[str, torch.Tensor]:
    """Return copies of the replicas that clients use, by slot: (clients, size)."""
    return {
        part.slot: torch.from_numpy(state[part.module][part.rows[clients]]).to(model.device)
        for part in cohort.parts
        if not (only_fixed and part.trained)
    }


def encoded(
    model: SharedModel,
    cohort: Cohort,
    samples: Samples,
    chosen: IntArray,
    used: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Return the prefixes (clients, batch, tokens, width) of samples (clients, batch) by own encoders."""
    found = {}
    for name in cohort.modalities:
        inputs = torch.from_numpy(samples.inputs[name][chosen]).to(model.device)  # (clients, batch, ...)
        found[name] = model.encode(name, inputs, used.get(f"encoder-{name}"))
    tokens = model.prefix_of_encoded(found)
    return tokens.view(*chosen.shape, *tokens.shape[1:])


def logits_of(
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
