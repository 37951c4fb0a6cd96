"""Checks modules, tasks and the objective."""

from collections import Counter
from collections.abc import Iterator

from hfedfm_opt.system.check_nodes import repeated_ids
from hfedfm_opt.system.defects import Defect, Spelling, listed, shown
from hfedfm_opt.system.draft import Draft
from hfedfm_opt.system.instance import Module, Task

_KINDS_WITH = {
    "modality": ("encoder",),
    "task": ("head", "prompt"),
    "expert_group": ("expert",),
}
_MUST_HAVE = {"encoder": "modality", "head": "task", "expert": "expert_group"}


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
    if prices is not None and prices.energy_weight_per_j == prices.time_weight_per_s == 0:
        yield Defect("objective: energy_weight_per_j and time_weight_per_s", "0 both", "> 0 at least one")


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
    for tier, count in Counter(module.may_run_on).items():
        if draft.tiers is not None and tier not in draft.tiers:
            remedy = spelling.remedy(tier, draft.tiers)
            yield Defect(f"{path}: may_run_on", f"holding {tier!r}", "a list of tiers", remedy)
        elif count > 1:
            yield Defect(
                f"{path}: may_run_on", f"holding {tier!r} {count} times", "a list of different tiers"
            )


def _check_task(draft: Draft, spelling: Spelling, task: Task) -> Iterator[Defect]:
    path = f"task {task.id!r}"
    for modality, count in Counter(task.modalities).items():
        if count > 1:
            got = f"holding {modality!r} {count} times"
            yield Defect(f"{path}: modalities", got, "a list of different ones")
    for name, count in Counter(task.modules).items():
        if count > 1:
            yield Defect(f"{path}: modules", f"holding {name!r} {count} times", "a list of different modules")
    for index, name in enumerate(task.modules):
        if draft.module_names is not None and name not in draft.module_names:
            remedy = spelling.remedy(name, draft.module_names)
            yield Defect(f"{path}: modules[{index}]", shown(name), "the id of a module", remedy)
    run = [draft.module_of_id[name] for name in dict.fromkeys(task.modules) if name in draft.module_of_id]
    for module in run:
        if module.kind == "encoder" and module.modality not in (None, *task.modalities):
            names = ", ".join(repr(modality) for modality in task.modalities)
            remedy = f"{module.id!r} encodes {module.modality!r}: add it to the modalities, or leave it out"
            yield Defect(
                f"{path}: modules", f"holding {module.id!r}", f"without encoders but of {names}", remedy
            )
        if module.kind in ("head", "prompt") and module.task not in (None, task.id):
            got = f"holding {module.id!r}, the {module.kind} of {module.task!r}"
            yield Defect(f"{path}: modules", got, f"without {module.kind}s of other tasks")
    heads = [module.id for module in run if module.kind == "head"]
    is_all_known = len(run) == len(set(task.modules))
    if len(heads) > 1 or (not heads and is_all_known):
        names = f" ({listed(heads)})" if heads else ""
        yield Defect(f"{path}: number of heads", f"{len(heads)}{names}", "1")


def _check_used(draft: Draft, spelling: Spelling) -> Iterator[Defect]:
    used = {name for task in draft.tasks for name in task.modules}
    for module in draft.modules:
        if module.id not in used and module.id not in spelling.offered:
            yield Defect(
                f"module {module.id!r}: number of tasks that run it", "0", ">= 1",
                "name it in the modules of a task, or remove it",
            )  # fmt: skip
