"""Which kinds of the compact model's modules are trained, besides the adapter and the heads."""

from collections.abc import Collection

from hfedfm_opt.system.generate.compact_model import (
    ALL_TOKENS,
    ANYWHERE,
    FROZEN_BYTES,
    NUM_EXPERTS,
    TRAINED_BYTES,
    WIDTH,
    block_parameters,
    token_bits,
)
from hfedfm_opt.system.instance import Module, Task

TRAINABLE_KINDS = ("backbone", "encoder", "expert", "lora", "prompt")
"""Kinds that may be trained besides; with experts a gate comes in."""
LORA_RANK = 8
LORA_WIDTHS = (2 * WIDTH, 3 * WIDTH, 2 * WIDTH, 5 * WIDTH, 5 * WIDTH)
"""Sums of the widths that enter and leave query, key and value, join, expand and contract of a block."""


def with_trained(
    modules: tuple[Module, ...], tasks: tuple[Task, ...], kinds: Collection[str]
) -> tuple[tuple[Module, ...], tuple[Task, ...]]:
    """Return modules and tasks with further kinds of modules trained.

    A trained module takes twice the work of its forward pass backwards, and memory for gradients and AdamW's
    moments.  Of the backbone the last block and the final norm are trained and sent.

    Parameters
    ----------
    modules, tasks : tuple of Module and of Task
        Those of the compact model.
    kinds : collection of str
        Some of ``TRAINABLE_KINDS``.
    """
    added = [_lora()] if "lora" in kinds else []
    added += [_gate()] if "expert" in kinds else []
    names = tuple(module.id for module in added)
    changed = tuple(_trained(module) if module.kind in kinds else module for module in modules)
    return (*changed, *added), tuple(_behind_the_backbone(task, names) for task in tasks)


def _behind_the_backbone(task: Task, names: tuple[str, ...]) -> Task:
    place = task.modules.index("backbone") + 1
    return task.model_copy(update={"modules": (*task.modules[:place], *names, *task.modules[place:])})


def _trained(module: Module) -> Module:
    trained = block_parameters() + 2 * WIDTH if module.kind == "backbone" else module.parameters
    flops = module.forward_flops_per_sample
    return module.model_copy(
        update={
            "trainable": True,
            "memory_bytes": module.memory_bytes + (TRAINED_BYTES - FROZEN_BYTES) * trained,
            "backward_flops_per_sample": flops + flops * trained / module.parameters,
            "update_bits": 32.0 * trained if trained != module.parameters else None,
        }
    )


def _lora() -> Module:
    parameters = LORA_RANK * sum(LORA_WIDTHS)
    flops = 2.0 * parameters * ALL_TOKENS
    return Module(
        id="lora",
        kind="lora",
        parameters=parameters,
        trainable=True,
        memory_bytes=TRAINED_BYTES * parameters,
        forward_flops_per_sample=flops,
        backward_flops_per_sample=2.0 * flops,
    )


def _gate() -> Module:
    parameters = WIDTH * NUM_EXPERTS
    flops = 2.0 * parameters * ALL_TOKENS
    return Module(
        id="gate",
        kind="gate",
        expert_group="experts",
        parameters=parameters,
        trainable=True,
        memory_bytes=TRAINED_BYTES * parameters,
        forward_flops_per_sample=flops,
        backward_flops_per_sample=2.0 * flops,
        activation_bits_per_sample=token_bits(ALL_TOKENS),
        may_run_on=ANYWHERE,
    )
