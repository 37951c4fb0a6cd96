"""Who trains what with which data: a schedule's routes, gathered into cohorts that one pass can serve."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fl_runtime.schedule import Module, Route, Schedule
from fl_runtime.tasks.partition import draw_held
from fl_runtime.tasks.workload import IntArray, Task, Workload

TRAINED_KINDS = ("adapter", "head")


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
    adapter : str or None
        The module of their adapters; ``None``: the backbone without adapters.
    head : str
        The module of their heads.
    adapter_rows, head_rows : array of int, shape (clients,)
        Which replica of the module (in the order of the schedule) each client uses.
    trained : tuple of str
        Which of adapter and head are trained; the others keep their first parameters.
    held : tuple of array of int
        Each client's samples, indices into the task's pool.
    """

    task: Task
    modalities: tuple[str, ...]
    devices: tuple[str, ...]
    adapter: str | None
    head: str
    adapter_rows: IntArray
    head_rows: IntArray
    trained: tuple[str, ...]
    held: tuple[IntArray, ...]


def form_cohorts(schedule: Schedule, workload: Workload, seed: int) -> tuple[Cohort, ...]:
    """Return the cohorts of a schedule, their training sets drawn.

    A route uses the one adapter module and the one head module that its ``hosts`` name; so there may be one
    adapter for all tasks, one per task, or none.

    Raises
    ------
    ValueError
        If a trainable module is of a kind that this engine does not train or is hosted elsewhere than on the
        device that uses it, if a route names two adapters or not exactly one head, if a task or modality is
        unknown, or if there are no routes.
    """
    if not schedule.routes:
        raise ValueError(f"schedule {schedule.name!r} has no routes: no device has data to learn from")
    modules = {module.id: module for module in schedule.modules}
    _check_kinds(schedule)
    rows = replica_rows(schedule)
    members: dict[tuple[str, tuple[str, ...], str | None, str], list[Route]] = {}
    for route in schedule.routes:
        modalities = workload.used_modalities(route.task, route.modalities)
        adapter, head = _modules_of(route, modules)
        members.setdefault((route.task, modalities, adapter, head), []).append(route)
    return tuple(
        Cohort(
            task=workload.task(task),
            modalities=modalities,
            devices=tuple(route.device for route in routes),
            adapter=adapter,
            head=head,
            adapter_rows=_rows_of(routes, adapter, modules, rows),
            head_rows=_rows_of(routes, head, modules, rows),
            trained=tuple(name for name in (adapter, head) if name is not None and modules[name].trainable),
            held=tuple(_held_by(route, workload, schedule.training.label_skew, seed) for route in routes),
        )
        for (task, modalities, adapter, head), routes in members.items()
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
                f"{' and '.join(kind + 's' for kind in TRAINED_KINDS)}: set trainable to false"
            )


def _modules_of(route: Route, modules: Mapping[str, Module]) -> tuple[str | None, str]:
    where = f"route of device {route.device!r}, task {route.task!r}"
    for name in route.hosts:
        if name not in modules:
            raise ValueError(f"{where}: unknown module {name!r}")
    adapters = [name for name in route.hosts if modules[name].kind == "adapter"]
    heads = [name for name in route.hosts if modules[name].kind == "head"]
    if len(adapters) > 1:
        raise ValueError(f"{where}: names the adapters {', '.join(adapters)}; at most one can serve")
    if len(heads) != 1 or modules[heads[0]].task not in {None, route.task}:
        raise ValueError(
            f"{where}: names the heads {', '.join(heads) or 'none'}; one head of the task must serve"
        )
    return (adapters[0] if adapters else None), heads[0]


def _rows_of(
    routes: list[Route], name: str | None, modules: Mapping[str, Module], rows: Mapping[tuple[str, str], int]
) -> IntArray:
    if name is None:
        return np.zeros(len(routes), dtype=np.int64)
    for route in routes:
        host = route.hosts[name]
        if (name, host) not in rows:
            raise ValueError(
                f"route of device {route.device!r}: no replica of {name!r} is hosted at {host!r}"
            )
        if modules[name].trainable and host != route.device:
            raise ValueError(
                f"route of device {route.device!r}: the trainable module {name!r} is hosted at {host!r}; "
                "this engine trains a replica on the device that uses it and does not split its training"
            )
    return np.array([rows[name, route.hosts[name]] for route in routes], dtype=np.int64)


def _held_by(route: Route, workload: Workload, label_skew: float | None, seed: int) -> IntArray:
    task = workload.task(route.task)
    return draw_held(
        task.train.labels, task.num_classes, route.samples, label_skew, seed, (route.device, route.task)
    )
