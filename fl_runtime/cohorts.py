"""Who trains what with which data: a schedule's routes, gathered into cohorts that one pass can serve."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fl_runtime.schedule import Module, Route, Schedule
from fl_runtime.tasks.partition import draw_held
from fl_runtime.tasks.workload import IntArray, Task, Workload

TRAINED_KINDS = ("adapter", "lora", "prompt", "head")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A module that the clients of a cohort use.

    Parameters
    ----------
    kind : str
        ``adapter``, ``lora``, ``prompt`` or ``head``.
    module : str
        Its name.
    rows : array of int, shape (clients,)
        Which replica of the module (in the order of the schedule) each client uses.
    trained : bool
        Whether it is trained; otherwise it keeps its first parameters.
    """

    kind: str
    module: str
    rows: IntArray
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Routes of the same task, modalities and modules: the clients of one stacked pass.

    Parameters
    ----------
    task : Task
        What they run.
    modalities : tuple of str
        What of its inputs they have.
    devices : tuple of str
        One name per client.
    parts : tuple of Part
        At most one adapter, one LoRA and one prompt, and one head.
    held : tuple of array of int
        Each client's samples, indices into the task's pool.
    """

    task: Task
    modalities: tuple[str, ...]
    devices: tuple[str, ...]
    parts: tuple[Part, ...]
    held: tuple[IntArray, ...]


def form_cohorts(schedule: Schedule, workload: Workload, seed: int) -> tuple[Cohort, ...]:
    """Return the cohorts of a schedule, their training sets drawn.

    A route uses the adapter, the trainable LoRA and prompt, and the head that its ``hosts`` name; so there
    may be one adapter for all tasks, one per task, or none.  A frozen LoRA or prompt counts as a part of the
    backbone.

    Raises
    ------
    ValueError
        If a trainable module is of a kind that this engine does not train or is hosted elsewhere than on the
        device that uses it, if a route names two adapters, LoRAs or prompts or not exactly one head, if a
        task or modality is unknown, or if there are no routes.
    """
    if not schedule.routes:
        raise ValueError(f"schedule {schedule.name!r} has no routes: no device has data to learn from")
    modules = {module.id: module for module in schedule.modules}
    _check_kinds(schedule)
    rows = replica_rows(schedule)
    members: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Route]] = {}
    for route in schedule.routes:
        modalities = workload.used_modalities(route.task, route.modalities)
        members.setdefault((route.task, modalities, _parts_of(route, modules)), []).append(route)
    return tuple(
        Cohort(
            task=workload.task(task),
            modalities=modalities,
            devices=tuple(route.device for route in routes),
            parts=tuple(_part(routes, modules[name], rows) for name in names),
            held=tuple(_held_by(route, workload, schedule.training.label_skew, seed) for route in routes),
        )
        for (task, modalities, names), routes in members.items()
    )


def replica_rows(schedule: Schedule) -> dict[tuple[str, str], int]:
    """Return the position of each replica (module, host) among the replicas of its module."""
    counts: dict[str, int] = {}
    rows = {}
    for replica in schedule.replicas:
        rows[replica.module, replica.host] = counts.get(replica.module, 0)
        counts[replica.module] = counts.get(replica.module, 0) + 1
    return rows


def _check_kinds(schedule: Schedule) -> None:
    for module in schedule.modules:
        if module.trainable and module.kind not in TRAINED_KINDS:
            raise ValueError(
                f"module {module.id!r} is a trainable {module.kind}; this engine trains "
                f"{', '.join(kind + 's' for kind in TRAINED_KINDS)}: set trainable to false"
            )


def _parts_of(route: Route, modules: Mapping[str, Module]) -> tuple[str, ...]:
    """Return the names of the route's adapter, LoRA, prompt and head; those that it lacks are left out."""
    where = f"route of device {route.device!r}, task {route.task!r}"
    for name in route.hosts:
        if name not in modules:
            raise ValueError(f"{where}: unknown module {name!r}")
    used = [modules[name] for name in sorted(route.hosts)]
    adapters = [module for module in used if module.kind == "adapter"]
    loras = [module for module in used if module.kind == "lora" and module.trainable]
    prompts = [module for module in used if module.kind == "prompt" and module.trainable]
    heads = [module for module in used if module.kind == "head"]
    for kind, found in (("adapters", adapters), ("trainable loras", loras), ("trainable prompts", prompts)):
        if len(found) > 1:
            raise ValueError(f"{where}: names the {kind} {_listed(found)}; at most one can serve")
    if len(heads) != 1:
        raise ValueError(f"{where}: names the heads {_listed(heads)}; one head of the task must serve")
    for module in (*loras, *prompts, *heads):
        if module.task != route.task and (module.kind == "head" or module.task is not None):
            raise ValueError(f"{where}: names {module.id!r}, the {module.kind} of task {module.task!r}")
    return tuple(module.id for module in (*adapters, *loras, *prompts, *heads))


def _listed(modules: list[Module]) -> str:
    return ", ".join(module.id for module in modules) or "none"


def _part(routes: list[Route], module: Module, rows: Mapping[tuple[str, str], int]) -> Part:
    for route in routes:
        host = route.hosts[module.id]
        where = f"route of device {route.device!r}"
        if (module.id, host) not in rows:
            raise ValueError(f"{where}: no replica of {module.id!r} is hosted at {host!r}")
        if module.trainable and host != route.device:
            raise ValueError(
                f"{where}: the trainable module {module.id!r} is hosted at {host!r}; "
                "this engine trains a replica on the device that uses it and does not split its training"
            )
    used = np.array([rows[module.id, route.hosts[module.id]] for route in routes], dtype=np.int64)
    return Part(kind=module.kind, module=module.id, rows=used, trained=module.trainable)


def _held_by(route: Route, workload: Workload, label_skew: float | None, seed: int) -> IntArray:
    task = workload.task(route.task)
    return draw_held(
        task.train.labels, task.num_classes, route.samples, label_skew, seed, (route.device, route.task)
    )
