"""The learning side of a schedule: what the devices' models are worth after each round."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

import numpy as np
import numpy.typing as npt

from fl_runtime.accelerator import Precision, choose_device, reproducible
from fl_runtime.aggregation import Mixing, mixings
from fl_runtime.checkpoint import Checkpoints, Progress, Run
from fl_runtime.clock import play
from fl_runtime.cohorts import Cohort, form_cohorts, without_data
from fl_runtime.errors import CheckpointError
from fl_runtime.fitting import check_fits
from fl_runtime.living.draws import is_living
from fl_runtime.living.record import Happened, Record
from fl_runtime.local import LocalTraining, State, Trained, without
from fl_runtime.modules.shared import SharedModel
from fl_runtime.quantity import with_drawn_quantities
from fl_runtime.schedule import RoundKind, Schedule, Training
from fl_runtime.schedule_json import schedule_text
from fl_runtime.tasks.partition import draw_batches
from fl_runtime.tasks.workload import IntArray, Workload
from fl_runtime.transport import Transport, travels_packed, way_of_kind
from fl_runtime.transport_state import Kept

Observer = Callable[[int, Mapping[str, float]], None]
"""Called after each round with its index and the accuracy of each task."""

ResumeObserver = Callable[[Sequence[Mapping[str, float]]], None]
"""Called once with the accuracy of each task after each of the rounds that an earlier run trained."""


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """What training reached, round by round.

    Parameters
    ----------
    tasks : tuple of str
        The tasks that devices run, sorted.
    accuracy : array of float, shape (rounds, tasks)
        Share of the common test set that the models in use after the round get right, in [0, 1]; mean over
        the devices that run the task.
    reached_cloud : array of bool, shape (rounds,)
        In which rounds the cloud averaged.
    state : mapping of str to array
        After the last round: of each trained kind of module its replicas' parameters, (replicas, size).
    """

    tasks: tuple[str, ...]
    accuracy: npt.NDArray[np.float64]
    reached_cloud: npt.NDArray[np.bool_]
    state: Mapping[str, npt.NDArray[np.float32]]

    @property
    def mean_accuracy(self) -> npt.NDArray[np.float64]:
        """Mean over tasks of each round's accuracy, (rounds,)."""
        return np.asarray(self.accuracy.mean(axis=1))

    @property
    def at_last_sync(self) -> dict[str, float]:
        """Accuracy of each task after the last round that reached the cloud; if none did, the last."""
        synced = np.flatnonzero(self.reached_cloud)
        index = int(synced[-1]) if len(synced) else -1
        return dict(zip(self.tasks, self.accuracy[index].tolist(), strict=True))

    @property
    def late_average(self) -> dict[str, float]:
        """Accuracy of each task, mean over the last third of the rounds (at least one round)."""
        late = self.accuracy[-max(1, len(self.accuracy) // 3) :]
        return dict(zip(self.tasks, late.mean(axis=0).tolist(), strict=True))


def learn(  # noqa: PLR0913
    schedule: Schedule,
    workload: Workload | None = None,
    seed: int = 0,
    *,
    observer: Observer | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    on_resume: ResumeObserver | None = None,
    model: SharedModel | None = None,
    device: str | None = None,
    precision: Precision = "float32",
    record: Record | None = None,
    local: LocalTraining | None = None,
) -> LearningCurve:
    """Train and average as a schedule says, and test after each round.

    Every device trains in every round, whatever the kind of round; what the round's steps then do to the
    replicas of a module is one mixing matrix.  Modules that travel below 32 bits, or that a server optimiser
    moves, are instead carried transfer by transfer (:mod:`fl_runtime.transport`).  In a living network the
    clock says who was there and what arrived: who was away does not train, averages go over what came, and
    who got no model keeps its own.  All in one process, on one thread or one GPU: same seed, same bytes.

    Parameters
    ----------
    schedule : Schedule
        A replica may be hosted on any node and serve several devices.
    workload : Workload or None
        Tasks and data; ``None``: the default, ``digits``.
    seed : int
        Draws training sets, initial modules and batches, >= 0; none of them depends on how updates travel.
    observer : callable or None
        Told of each round's accuracy.
    checkpoint : Path or None
        Folder in which the state after each round is kept.
    resume : bool
        Whether to go on from the newest state there, if there is one: the result has the same bytes as that
        of a run that never stopped.
    on_resume : callable or None
        Told, before any training, of the rounds of the run that this one resumes, if there are any.
    model : SharedModel or None
        What all clients share; ``None``: the compact model with the shipped weights.
    device : str or None
        Where torch computes: ``cpu``, ``cuda`` or ``cuda:N``; ``None``: on CUDA if there is some.  The same
        device gives the same bytes; another one rounds otherwise.
    precision : str
        ``float32``, or ``bfloat16`` for products, which changes the bytes and pays for wide models and on
        GPUs; parameters, averages and logits stay float32.
    record : Record or None
        What happened in a living network, of a timeline of the same schedule and seed; ``None``: it is
        played for that.
    local : callable or None
        Trains the devices in each round; ``None``: all stacked in this process.

    Returns
    -------
    LearningCurve
        Accuracy per round and task, and the final state.

    Raises
    ------
    ValueError
        If the schedule trains what this engine does not train, or names an unknown task or modality; or if
        there is no such device or precision.
    ImportError
        If torch is not installed.
    CheckpointError
        If a state cannot be kept, is damaged or of another run; or if there is one and ``resume`` is false.
    """
    _require_torch()
    from fl_runtime.modules.weights import load_frozen
    from fl_runtime.tasks.digits import digits_workload
    from fl_runtime.training import accuracy_of_devices, prefixes_of, train_round

    workload = workload or digits_workload()
    model = (model or load_frozen()).on(choose_device(device))
    if record is None and is_living(schedule):
        record = play(schedule, seed=seed).record
    schedule = with_drawn_quantities(schedule, seed)
    cohorts = form_cohorts(schedule, workload, seed)
    check_fits(cohorts, model)
    mixing_of_kind = {kind.name: mixings(schedule, kind) for kind in schedule.kinds}
    store = None
    if checkpoint is not None:
        store = Checkpoints(checkpoint, Run.of(schedule, workload, model, seed, precision))
    progress = _start(store, resume) or _first_progress(
        schedule, initial_state(schedule, cohorts, seed, model)
    )
    state: State = dict(progress.state)
    accuracies, kept = list(progress.accuracies), progress.kept
    del progress  # its state is large, and soon the last but one
    if on_resume is not None and accuracies:
        on_resume(tuple(accuracies))
    transports = {name: Transport(schedule, name, of_module) for name, of_module in kept.items()}
    with reproducible(model.device, precision):
        prefixes = prefixes_of(model, cohorts)

        def stacked(round_index: int, state: State, away: frozenset[str]) -> Trained:
            training = without_data(cohorts, away)
            batches = round_batches(training, schedule.training, seed, round_index)
            return Trained(train_round(model, training, prefixes, state, batches, schedule.training))

        train = stacked if local is None else local
        for index in range(len(accuracies), schedule.rounds):
            kind = schedule.kind_of_round(index)
            happened = None if record is None else record.happened(index)
            away = frozenset[str]() if happened is None else happened.untrained
            state, missing = train(index, state, away)  # what was before is let go: it is large
            ways = _ways(schedule, kind, happened, missing) if happened or missing else None
            mixing = mixing_of_kind[kind.name] if ways is None else mixings(*ways)
            carried = transports
            if missing:
                present = without(schedule, missing)
                carried = {name: Transport(present, name, of_module) for name, of_module in kept.items()}
            state = _averaged(state, mixing, carried, kind, happened)
            accuracies.append(accuracy_of_devices(model, cohorts, prefixes, state))
            if store is not None:
                store.save(Progress(accuracies=accuracies, state=state, kept=kept))
            if observer is not None:
                observer(index, accuracies[-1])
    tasks = tuple(sorted({cohort.task.name for cohort in cohorts}))
    kinds = [schedule.kind_of_round(index) for index in range(schedule.rounds)]
    return LearningCurve(
        tasks=tasks,
        accuracy=np.array([[round_[task] for task in tasks] for round_ in accuracies]),
        reached_cloud=np.array([kind.reaches_cloud for kind in kinds]),
        state=MappingProxyType(_frozen(state)),
    )


def learning_key(schedule: Schedule, seed: int = 0, model: SharedModel | None = None) -> str:
    """Return a hash of all that decides what :func:`learn` makes of a schedule, a seed and a given workload.

    ``model`` counts where one is given; ``None`` stands for the compact one.

    Schedules that differ in links, relays, powers or names of kinds, but average the same replicas with the
    same weights in the same rounds, have the same key: one training run serves them all.  Where modules
    travel below 32 bits, relays round, so that their ways count as well.  In a living network all of the
    schedule counts.
    """
    mixing_of_kind = {kind.name: mixings(schedule, kind) for kind in schedule.kinds}
    digest_of_kind = {
        kind.name: [kind.reaches_cloud, {name: _digest(m) for name, m in mixing_of_kind[kind.name].items()}]
        for kind in schedule.kinds
    }
    facts = {
        "seed": seed,
        "rounds": [digest_of_kind[schedule.kind_of_round(index).name] for index in range(schedule.rounds)],
        "training": asdict(schedule.training),
        "modules": [
            [m.id, m.kind, m.trainable, m.task, m.modality, m.expert_group] for m in schedule.modules
        ],
        "replicas": [[replica.module, replica.host] for replica in schedule.replicas],
        "routes": [
            [route.device, route.task, route.samples, route.modalities, sorted(route.hosts.items())]
            for route in schedule.routes
        ],
    }
    if model is not None:
        facts["model"] = model.digest()
    if is_living(schedule):
        facts["living"] = schedule_text(schedule)  # times, links and names decide who is missing
    packed = [
        module.id for module in schedule.modules if module.trainable and travels_packed(schedule, module.id)
    ]
    if packed:
        way_of = {kind.name: [way_of_kind(kind, name) for name in packed] for kind in schedule.kinds}
        facts["ways"] = [way_of[schedule.kind_of_round(index).name] for index in range(schedule.rounds)]
        facts["weights"] = [replica.weight for replica in schedule.replicas if replica.module in packed]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def initial_state(
    schedule: Schedule, cohorts: Sequence[Cohort], seed: int, model: SharedModel | None = None
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the first parameters of each module that this engine trains: equal in all replicas.

    They are drawn for ``model``; ``None``: the compact one.
    """
    if model is None:
        from fl_runtime.modules.weights import load_frozen

        model = load_frozen()
    classes = {part.module: cohort.task.num_classes for cohort in cohorts for part in cohort.parts}
    counts = Counter(replica.module for replica in schedule.replicas)
    state = {}
    for module in schedule.modules:
        if module.id not in classes:
            continue
        drawn = f"{module.kind}:{module.id if module.kind == 'expert' else module.task}"
        rng = np.random.default_rng([seed, crc32(drawn.encode())])
        group = [m for m in schedule.modules if m.kind == "expert" and m.expert_group == module.expert_group]
        first = model.initial(
            module.kind,
            rng,
            num_classes=classes[module.id],
            num_experts=len(group),
            modality=module.modality,
        )
        state[module.id] = np.tile(first, (counts[module.id], 1))
    return state


def round_batches(
    cohorts: Sequence[Cohort], training: Training, seed: int, round_index: int
) -> list[IntArray]:
    """Return each cohort's samples of a round, (clients with data, steps, batch)."""
    shape = (training.local_steps, training.batch_size)
    return [
        np.array(
            [
                draw_batches(held, *shape, seed, (device, cohort.task.name), round_index)
                for device, held in zip(cohort.devices, cohort.held, strict=True)
                if len(held)
            ],
            dtype=np.int64,
        )
        for cohort in cohorts
    ]


def _start(store: Checkpoints | None, resume: bool) -> Progress | None:
    """Return the state to go on from; ``None`` to start anew."""
    if store is None:
        if resume:
            raise CheckpointError("resume needs the folder of the checkpoints: give checkpoint as well")
        return None
    if not resume and not store.is_empty():
        raise CheckpointError(f"{store} holds a run already: resume it, or give another folder")
    return store.load()


def _first_progress(schedule: Schedule, state: dict[str, npt.NDArray[np.float32]]) -> Progress:
    packed = [
        module.id
        for module in schedule.modules
        if module.id in state and module.trainable and travels_packed(schedule, module.id)
    ]
    return Progress(
        accuracies=(), state=state, kept={name: Kept({0: state[name][0].copy()}) for name in packed}
    )


def _averaged(
    state: Mapping[str, npt.NDArray[np.float32]],
    mixing: Mapping[str, Mixing],
    transports: Mapping[str, Transport],
    kind: RoundKind,
    happened: Happened | None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the state after a round's averages; modules without a way to travel stay as they are."""
    result = {}
    for name, rows in state.items():
        if name in transports:
            result[name] = transports[name].round(kind.name, rows, happened)[0]
        else:
            result[name] = mixing[name].apply(rows) if name in mixing else rows
    return result


def _ways(
    schedule: Schedule, kind: RoundKind, happened: Happened | None, missing: frozenset[str]
) -> tuple[Schedule, RoundKind]:
    """Return the replicas with the weights that count in a round, and the steps that took place."""
    if happened is None:
        return without(schedule, missing), kind
    return without(happened.without_untrained(schedule), missing), happened.kind


def _frozen(state: State) -> dict[str, npt.NDArray[np.float32]]:
    for rows in state.values():
        rows.setflags(write=False)
    return dict(state)


def _digest(mixing: Mixing) -> str:
    rows = mixing.rows
    parts = (mixing.group, rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data)
    return hashlib.sha256(b"|".join(part.tobytes() for part in parts)).hexdigest()


def _require_torch() -> None:
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        raise ImportError(f"training needs {' and '.join(missing)}: pip install 'hfedfm-opt[runtime]'")
