"""What some devices of a schedule do by themselves in a round: a pure function, and what it needs to know."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fl_runtime.cohorts import Cohort, form_cohorts
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Schedule, Training
from fl_runtime.stacked import Stacked
from fl_runtime.tasks.workload import IntArray, Samples, Workload

if TYPE_CHECKING:
    from fl_runtime.training import Prefixes


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
    routes = tuple(route for route in schedule.routes if route.device in devices and route.samples > 0)
    trainable = {module.id for module in schedule.modules if module.trainable}
    for route in routes:
        for module, host in route.hosts.items():
            if module in trainable and host != route.device:
                raise ValueError(
                    f"route of device {route.device!r}: the trainable module {module!r} is hosted at "
                    f"{host!r}; a device trains by itself only what it hosts: host it there, or train in "
                    "one process"
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


@dataclass(frozen=True, eq=False)
class OwnData:
    """Devices with the samples that they hold, and what the shared model makes of these.

    Parameters
    ----------
    cohorts : tuple of Cohort
        Their tasks have the held samples alone as their pool.
    prefixes : list
        Of :func:`fl_runtime.training.prefixes_of`.
    """

    cohorts: tuple[Cohort, ...]
    prefixes: "list[Prefixes | None]"


def own_data(part: Schedule, workload: Workload, model: SharedModel, seed: int) -> OwnData:
    """Return the devices of a part with their data, drawn by their names from a workload.

    Parameters
    ----------
    part : Schedule
        From :func:`part_of`.
    workload, model
        Data, and what all devices share.
    seed : int
        Of the run.
    """
    from fl_runtime.training import prefixes_of  # torch is loaded here and nowhere earlier

    cohorts = tuple(map(_only_own, form_cohorts(part, workload, seed)))
    return OwnData(cohorts, prefixes_of(model, cohorts))


def train_devices(
    own: OwnData,
    model: SharedModel,
    training: Training,
    seed: int,
    state: State,
    round_index: int,
    away: Collection[str] = (),
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what devices make of their replicas in a round: a pure function.

    Parameters
    ----------
    own : OwnData
        The devices of a part.
    model : SharedModel
        What all devices share.
    training : Training
        Of the schedule.
    seed : int
        Of the run.
    state : mapping of str to array
        Parameters of the part's replicas, (replicas, size), of every module that the devices train or use.
    round_index : int
        The round, 0-based; it draws the batches.
    away : collection of str
        Devices that do not train in it.
    """
    stacked = Stacked(model, own.cohorts, own.prefixes, training, seed)
    return dict(stacked(round_index, state, frozenset(away)).state)


def _only_own(cohort: Cohort) -> Cohort:
    """Return the cohort with a pool of the samples that it holds."""
    held = np.unique(np.concatenate(cohort.held))
    task = replace(
        cohort.task, train=_rows(cohort.task.train, held), test=_rows(cohort.task.test, np.arange(1))
    )
    return replace(cohort, task=task, held=tuple(np.searchsorted(held, own) for own in cohort.held))


def _rows(samples: Samples, chosen: IntArray) -> Samples:
    inputs = {modality: values[chosen] for modality, values in samples.inputs.items()}
    return Samples(inputs=inputs, labels=samples.labels[chosen])
