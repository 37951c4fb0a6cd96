"""What some devices of a schedule do by themselves in a round: a pure function, and what it needs to know."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fl_runtime.cohorts import form_cohorts
from fl_runtime.learn import round_batches
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Schedule
from fl_runtime.tasks.workload import Workload


def training_devices(schedule: Schedule) -> tuple[str, ...]:
    """Return the devices that have samples, in the order of their first route."""
    return tuple(dict.fromkeys(route.device for route in schedule.routes if route.samples > 0))


def part_of(schedule: Schedule, devices: Collection[str]) -> Schedule:
    """Return what devices must know to train: their routes, the replicas in them, and the settings.

    It has no steps; it is for :func:`train_devices` alone.

    Raises
    ------
    ValueError
        If one of them trains a replica that another node hosts.
    """
    routes = tuple(route for route in schedule.routes if route.device in devices)
    trainable = {module.id for module in schedule.modules if module.trainable}
    for route in routes:
        for module, host in route.hosts.items():
            if module in trainable and host != route.device:
                raise ValueError(
                    f"route of device {route.device!r}: the trainable module {module!r} is hosted at {host!r}; "
                    "a device trains by itself only what it hosts: host it there, or train in one process"
                )
    used = {(module, host) for route in routes for module, host in route.hosts.items()}
    return replace(
        schedule,
        nodes=(),
        bands=(),
        replicas=tuple(r for r in schedule.replicas if (r.module, r.host) in used),
        routes=routes,
        kinds=(),
        cycle=(),
    )


def rows_of(schedule: Schedule, part: Schedule) -> dict[str, npt.NDArray[np.int64]]:
    """Return where the replicas of a part stand among those of each module in the whole schedule."""
    used = {(replica.module, replica.host) for replica in part.replicas}
    rows: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    for replica in schedule.replicas:
        place = counts.get(replica.module, 0)
        counts[replica.module] = place + 1
        if (replica.module, replica.host) in used:
            rows.setdefault(replica.module, []).append(place)
    return {module: np.array(places, dtype=np.int64) for module, places in rows.items()}


def train_devices(
    part: Schedule, workload: Workload, model: SharedModel, seed: int, state: State, round_index: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what devices make of their replicas in a round: a pure function.

    Parameters
    ----------
    part : Schedule
        From :func:`part_of`.
    workload : Workload
        Tasks and data; each device draws its own samples by its name.
    model : SharedModel
        What all devices share.
    seed : int
        Of the run.
    state : mapping of str to array
        Parameters of the replicas in ``part``, (replicas, size), of every module that some device trains
        with or on.
    round_index : int
        The round, 0-based; it draws the batches.
    """
    from fl_runtime.training import prefixes_of, train_round  # torch is loaded here and nowhere earlier

    cohorts = form_cohorts(part, workload, seed)
    batches = round_batches(cohorts, part.training, seed, round_index)
    return train_round(model, cohorts, prefixes_of(model, cohorts), state, batches, part.training)
