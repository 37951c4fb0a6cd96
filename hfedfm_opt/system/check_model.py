"""Checks modules, tasks and the objective."""

from collections import Counter
from collections.abc import Iterator, Sequence

from hfedfm_opt.system.check_nodes import repeated_ids
from hfedfm_opt.system.defects import Defect, Spelling, listed, shown
from hfedfm_opt.system.draft import Draft
from hfedfm_opt.system.instance import Module, Task

_KINDS_WITH = {
    "modality": ("encoder",),
    "task": ("head", "prompt", "lora"),
    "expert_group": ("expert", "gate"),
}
_MUST_HAVE = {"encoder": "modality", "head": "task", "expert": "expert_group", "gate": "expert_group"}


def check_model(draft: Draft, spelling: Spelling) -> Iterator[Defect]:
    """Yield what is wrong with modules, tasks and the objective.

    Parameters
    ----------
    draft : Draft
        What could be read.
    spelling : Spelling
        Offers known names.
    """
    yield from repeated_ids(draft, "modules", "module")
    for module in draft.modules:
        yield from _check_module(draft, spelling, module)
    if draft.is_whole("modules") and not any(module.trainable for module in draft.modules):
        yield Defect("modules: number of trainable modules", "0", ">= 1", 'set "trainable": true')
    yield from repeated_ids(draft, "tasks", "task")
    for task in draft.tasks:
        yield from _check_task(draft, spelling, task)
    if draft.is_whole("tasks"):
        yield from _check_used(draft, spelling)
    prices = draft.objective
    weights = () if prices is None else (prices.energy_weight_per_j, prices.time_weight_per_s)
    if prices is not None and not any((*weights, prices.fairness_weight_per_j)):
        yield Defect(
            "objective: energy_weight_per_j + time_weight_per_s", "0", "> 0", "give joules or seconds a price"
        )


def _check_module(draft: Draft, spelling: Spelling, module: Module) -> Iterator[Defect]:
    path = f"module {module.id!r}"
    for field, kinds in _KINDS_WITH.items():
        value = getattr(module, field)
        if value is None and _MUST_HAVE.get(module.kind) == field:
            yield Defect(f"{path}: {field}", "missing", f"given for the kind {module.kind!r}")
        elif value is not None and module.kind not in kinds:
            allowed = " or ".join(repr(kind) for kind in kinds)
            yield Defect(f"{path}: {field}", shown(value), f"left out for the kind {module.kind!r}",
                         f"only the kind {allowed} has it")  # fmt: skip
    task = module.task
    if task is not None and draft.task_names is not None and task not in draft.task_names:
        remedy = spelling.remedy(task, draft.task_names)
        yield Defect(f"{path}: task", shown(task), "the id of a task", remedy)
    for index, tier in enumerate(module.may_run_on):
        if draft.tiers is not None and tier not in draft.tiers:
            remedy = spelling.remedy(tier, draft.tiers)
            yield Defect(f"{path}: may_run_on[{index}]", shown(tier), "one of the tiers", remedy)
    yield from _repeated(f"{path}: number of {{}} in may_run_on", module.may_run_on)


def _check_task(draft: Draft, spelling: Spelling, task: Task) -> Iterator[Defect]:
    path = f"task {task.id!r}"
    yield from _repeated(f"{path}: number of {{}} in modalities", task.modalities)
    yield from _repeated(f"{path}: number of {{}} in modules", task.modules)
    for index, name in enumerate(task.modules):
        if draft.module_names is not None and name not in draft.module_names:
            remedy = spelling.remedy(name, draft.module_names)
            yield Defect(f"{path}: modules[{index}]", shown(name), "the id of a module", remedy)
        elif name in draft.module_of_id:
            yield from _check_fits(draft, task, draft.module_of_id[name], f"{path}: modules[{index}]")
    run = [draft.module_of_id[name] for name in dict.fromkeys(task.modules) if name in draft.module_of_id]
    heads = [module.id for module in run if module.kind == "head"]
    is_all_known = len(run) == len(set(task.modules))
    if len(heads) > 1 or (not heads and is_all_known):
        names = f" ({listed(heads)})" if heads else ""
        yield Defect(f"{path}: number of heads", f"{len(heads)}{names}", "1")


def _check_fits(draft: Draft, task: Task, module: Module, path: str) -> Iterator[Defect]:
    """Yield why a task cannot run a module: an encoder of a foreign modality, a head of another task."""
    if module.kind == "encoder" and module.modality not in (None, *task.modalities):
        names = " or ".join(repr(modality) for modality in dict.fromkeys(task.modalities))
        remedy = f"add {module.modality!r} to the modalities of the task, or leave the module out"
        yield Defect(path, f"{module.id!r} of {module.modality!r}", f"an encoder of {names}", remedy)
    is_known = draft.task_names is not None and module.task in draft.task_names
    if module.kind in _KINDS_WITH["task"] and is_known and module.task != task.id:
        got = f"{module.id!r}, the {module.kind} of {module.task!r}"
        yield Defect(path, got, f"a {module.kind} of {task.id!r}")


def _repeated(path: str, names: Sequence[str]) -> Iterator[Defect]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Defect(path.format(repr(name)), f"{count}", "1", "name it once")


def _check_used(draft: Draft, spelling: Spelling) -> Iterator[Defect]:
    used = {name for task in draft.tasks for name in task.modules}
    for module in draft.modules:
        if module.id not in used and module.id not in spelling.offered:
            yield Defect(
                f"module {module.id!r}: number of tasks that run it", "0", ">= 1",
                "name it in the modules of a task, or remove it",
            )  # fmt: skip
