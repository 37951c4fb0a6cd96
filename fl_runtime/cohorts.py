"""Who trains what with which data: a schedule's routes, gathered into cohorts that one pass can serve."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fl_runtime.schedule import Module, Route, Schedule, Training
from fl_runtime.tasks.partition import draw_held
from fl_runtime.tasks.workload import IntArray, Task, Workload

TRAINED_KINDS = ("adapter", "backbone", "encoder", "expert", "gate", "lora", "prompt", "head")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A module that the clients of a cohort use.

    Parameters
    ----------
    kind : str
        One of ``TRAINED_KINDS``.
    module : str
        Its name.
    rows : array of int, shape (clients,)
        Which replica of the module (in the order of the schedule) each client uses.
    trained : bool
        Whether it is trained; otherwise it keeps its first parameters.
    column : int or None
        Of an expert: its column of the gate, which has one for each expert of the group in the schedule.
    modality : str or None
        Of an encoder.
    """

    kind: str
    module: str
    rows: IntArray
    trained: bool
    column: int | None = None
    modality: str | None = None

    @property
    def slot(self) -> str:
        """Where it stands in the model: unlike its kind, different for each part of a cohort."""
        if self.modality is not None:
            return f"{self.kind}-{self.modality}"
        return self.kind if self.column is None else f"{self.kind}-{self.column}"


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
        At most one encoder of each modality, one adapter, one backbone, one LoRA and one prompt, at most one
        gate with its experts, and one head.
    held : tuple of array of int
        Each client's samples, indices into the task's pool.
    experts_per_token : int
        How many experts the gate chooses for a token.
    """

    task: Task
    modalities: tuple[str, ...]
    devices: tuple[str, ...]
    parts: tuple[Part, ...]
    held: tuple[IntArray, ...]
    experts_per_token: int

    @property
    def experts(self) -> tuple[Part, ...]:
        """The experts among the parts, in the order of their names."""
        return tuple(part for part in self.parts if part.kind == "expert")

    @property
    def trains_encoders(self) -> bool:
        """Whether what enters the first adapter differs from client to client."""
        return any(part.kind == "encoder" for part in self.parts)


def form_cohorts(schedule: Schedule, workload: Workload, seed: int) -> tuple[Cohort, ...]:
    """Return the cohorts of a schedule, their training sets drawn.

    A route uses the adapter, the trainable backbone, LoRA and prompt, and the head that its ``hosts`` name;
    so there may be one adapter for all tasks, one per task, or none.  Where it names a gate, it uses the
    experts of the gate's group that it names.  A frozen encoder, LoRA or prompt, and a frozen expert without
    a gate, count as parts of the frozen backbone.  A replica may be on any node and serve several devices.

    Raises
    ------
    ValueError
        If a trainable module is of a kind that this engine does not train, if a route names a host without a
        replica, two adapters, backbones, LoRAs, prompts, gates or trainable encoders of a modality, not
        exactly one head, trainable experts without a gate or a gate without experts, if a task or modality is
        unknown, or if there are no routes.
    """
    if not schedule.routes:
        raise ValueError(f"schedule {schedule.name!r} has no routes: no device has data to learn from")
    modules = {module.id: module for module in schedule.modules}
    _check_kinds(schedule)
    rows, columns = replica_rows(schedule), gate_columns(schedule)
    members: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Route]] = {}
    for route in schedule.routes:
        modalities = workload.used_modalities(route.task, route.modalities)
        members.setdefault((route.task, modalities, _parts_of(route, modules, modalities)), []).append(route)
    return tuple(
        Cohort(
            task=workload.task(task),
            modalities=modalities,
            devices=tuple(route.device for route in routes),
            parts=tuple(_part(routes, modules[name], rows, columns.get(name)) for name in names),
            held=tuple(_held_by(route, workload, schedule.training, seed) for route in routes),
            experts_per_token=schedule.training.experts_per_token,
        )
        for (task, modalities, names), routes in members.items()
    )


def without_data(cohorts: Sequence[Cohort], devices: Collection[str]) -> tuple[Cohort, ...]:
    """Return the same cohorts, of which some devices have no data, so that they do not train."""
    nothing = np.empty(0, dtype=np.int64)

    def left(cohort: Cohort) -> Cohort:
        pairs = zip(cohort.devices, cohort.held, strict=True)
        return replace(cohort, held=tuple(nothing if device in devices else held for device, held in pairs))

    return tuple(map(left, cohorts)) if devices else tuple(cohorts)


def gate_columns(schedule: Schedule) -> dict[str, int]:
    """Return for each expert its position among those of its group: its column of the gate."""
    counts: dict[str | None, int] = {}
    columns = {}
    for module in schedule.modules:
        if module.kind == "expert":
            columns[module.id] = counts.get(module.expert_group, 0)
            counts[module.expert_group] = columns[module.id] + 1
    return columns


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


def _parts_of(route: Route, modules: Mapping[str, Module], modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of what the route uses and this engine may train; what it lacks is left out."""
    where = f"route of device {route.device!r}, task {route.task!r}"
    for name in route.hosts:
        if name not in modules:
            raise ValueError(f"{where}: unknown module {name!r}")
    used = [modules[name] for name in sorted(route.hosts)]
    adapters = [module for module in used if module.kind == "adapter"]
    backbones = [module for module in used if module.kind == "backbone" and module.trainable]
    loras = [module for module in used if module.kind == "lora" and module.trainable]
    prompts = [module for module in used if module.kind == "prompt" and module.trainable]
    heads = [module for module in used if module.kind == "head"]
    gates = [module for module in used if module.kind == "gate"]
    for kind, found in (
        ("adapters", adapters),
        ("trainable backbones", backbones),
        ("trainable loras", loras),
        ("trainable prompts", prompts),
        ("gates", gates),
    ):
        if len(found) > 1:
            raise ValueError(f"{where}: names the {kind} {_listed(found)}; at most one can serve")
    if len(heads) != 1:
        raise ValueError(f"{where}: names the heads {_listed(heads)}; one head of the task must serve")
    for module in (*loras, *prompts, *heads):
        if module.task != route.task and (module.kind == "head" or module.task is not None):
            raise ValueError(f"{where}: names {module.id!r}, the {module.kind} of task {module.task!r}")
    experts = _experts_of(used, gates, where)
    encoders = _encoders_of(used, modalities, where)
    others = (*encoders, *adapters, *gates, *experts, *backbones, *loras, *prompts, *heads)
    return tuple(module.id for module in others)


def _encoders_of(used: list[Module], modalities: tuple[str, ...], where: str) -> list[Module]:
    """Return the trainable encoders of what the device has; it trains without those of other modalities."""
    encoders = [module for module in used if module.kind == "encoder" and module.trainable]
    for module in encoders:
        if module.modality is None:
            raise ValueError(f"{where}: the trainable encoder {module.id!r} has no modality; give it one")
    for modality in modalities:
        same = [module for module in encoders if module.modality == modality]
        if len(same) > 1:
            raise ValueError(
                f"{where}: names the trainable encoders {_listed(same)} of {modality!r}; "
                "at most one can serve"
            )
    return [module for module in encoders if module.modality in modalities]


def _experts_of(used: list[Module], gates: list[Module], where: str) -> list[Module]:
    """Return the experts among which the gate chooses."""
    experts = [module for module in used if module.kind == "expert"]
    chosen = [module for module in experts if gates and module.expert_group == gates[0].expert_group]
    for module in experts:
        if module.trainable and module not in chosen:
            raise ValueError(
                f"{where}: names the trainable expert {module.id!r} of the group {module.expert_group!r}, "
                "but no gate of that group; name one, or set trainable to false"
            )
    if gates and not chosen:
        raise ValueError(
            f"{where}: names the gate {gates[0].id!r}, but no expert of its group {gates[0].expert_group!r}"
        )
    return chosen


def _listed(modules: list[Module]) -> str:
    return ", ".join(module.id for module in modules) or "none"


def _part(
    routes: list[Route], module: Module, rows: Mapping[tuple[str, str], int], column: int | None
) -> Part:
    for route in routes:
        host = route.hosts[module.id]
        where = f"route of device {route.device!r}"
        if (module.id, host) not in rows:
            raise ValueError(f"{where}: no replica of {module.id!r} is hosted at {host!r}")
    used = np.array([rows[module.id, route.hosts[module.id]] for route in routes], dtype=np.int64)
    return Part(
        kind=module.kind,
        module=module.id,
        rows=used,
        trained=module.trainable,
        column=column,
        modality=module.modality if module.kind == "encoder" else None,
    )


def _held_by(route: Route, workload: Workload, training: Training, seed: int) -> IntArray:
    task = workload.task(route.task)
    return draw_held(
        task.train.labels,
        task.num_classes,
        route.samples,
        training.label_skew,
        seed,
        (route.device, route.task),
        training.num_shards,
    )
