"""The front door of a study: plan, measure and train with many methods, side by side."""

import importlib.metadata
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.plan import PlanResult
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.recipes import recipe_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.ablation import Ablation, ablate
from hfedfm_opt.study.comparison import Comparison, Row, row_key
from hfedfm_opt.study.comparison_parts import Settings, WallSeconds
from hfedfm_opt.study.gains import gains_of, spreads_for
from hfedfm_opt.study.measure import bits_per_round, fading_of, measure_faded, measure_still
from hfedfm_opt.study.published import NotPublishedShape, PublishedRow, printed_rows, published_rows
from hfedfm_opt.study.train import OwnData, Progress, Trained, accuracy_fields, train_all
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Duplex

__all__ = ["DEFAULT_PLANNERS", "Comparison", "Observer", "compare"]

DEFAULT_PLANNERS = (
    "star",
    "edge-only",
    "edge-only+d2d",
    "hierarchical:2",
    "hierarchical:8",
    "hierarchical+d2d:2",
    "hierarchical+d2d:8",
    "optimised:2",
    "optimised:8",
    "optimised:never",
)
NOMINAL = " (nominal resources)"
"""Ends the label of an optimised plan whose links keep their nominal channels and powers."""


class Observer(Protocol):
    """Is told what a comparison does."""

    def __call__(self, stage: Literal["plan", "train"], what: str, done: int, total: int) -> None:
        """Hear that ``what`` is done: plan ``done`` of ``total``, or training round ``done`` of ``total``."""


@dataclass(frozen=True)
class _Job:
    label: str
    planner: str
    allocate: bool | None
    options: PlannerOptions

    @property
    def key(self) -> str:
        return row_key(self.label, self.options.duplex)


def compare(
    instance: Instance,
    planners: Sequence[str] | None = None,
    *,
    rounds: int | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    learn: bool | OwnData = True,
    duplexes: Sequence[Duplex] = ("as given",),
    options: PlannerOptions | None = None,
    observer: Observer | None = None,
    command: str | None = None,
    with_ablation: bool = False,
) -> Comparison:
    """Return all methods side by side: predicted, measured by the clock, and trained.

    Parameters
    ----------
    instance : Instance
        What is given.
    planners : sequence of str or None
        Names of planners; ``None``: the published ones and the optimised planner at their periods.  The
        optimised planner is compared twice, with allocated and with nominal resources.
    rounds : int or None
        Rounds to train, >= 1; ``None``: the instance's.
    seeds : sequence of int
        Seeds of training and fading, at least one, each once.
    learn : bool or OwnData
        Whether to train; without, rows have no accuracy.  ``OwnData``: to train on these data.
    duplexes : sequence of "as given", "full" or "half"
        Kinds of radios to compare all methods on.
    options : PlannerOptions or None
        How to plan; its ``duplex`` is replaced by each of ``duplexes``.
    observer : Observer or None
        Told of the progress.
    command : str or None
        What to write down as the call that repeats it; ``None``: the call of this function.
    with_ablation : bool
        Whether to plan besides without each decision, and with each alone, at the instance's period.

    Raises
    ------
    UnknownPlanner
        For a name that no planner has.
    ValueError
        For no or repeated seeds, planners or duplexes, or fewer than one round.
    ClockDisagreement
        If the clock does not confirm a prediction.
    """
    names = DEFAULT_PLANNERS if planners is None else tuple(planners)
    num_rounds = instance.training.rounds if rounds is None else rounds
    _refuse_wrong_use(names, seeds, duplexes, num_rounds)
    started = time.monotonic()
    jobs = _jobs(instance, names, duplexes, options or PlannerOptions())
    results = _plan_all(instance, jobs, observer)
    rows = [_row(job, result, num_rounds, seeds) for job, result in zip(jobs, results, strict=True)]
    plans = {job.key: r.plan for job, r in zip(jobs, results, strict=True) if r.plan is not None}
    before = time.monotonic()
    trained = Trained((), {}, ())
    if learn:
        schedules = {key: found.compile(num_rounds) for key, found in plans.items()}
        trained = train_all(
            schedules, seeds, _teller(observer), learn if isinstance(learn, OwnData) else None
        )
    training_s = time.monotonic() - before
    rows = [_with_accuracy(row, trained) for row in rows]
    transport_bits = (options or PlannerOptions()).transport_bits
    spreads, printed = spreads_for(instance, rows, transport_bits), printed_rows(instance)
    return Comparison(
        instance=instance,
        rows=tuple(rows),
        plans=plans,
        training_runs=trained.runs,
        spreads=spreads,
        gains=gains_of(rows, spreads, printed if transport_bits == FULL_BITS else (), trained.run_of),
        published=_published(instance),
        printed=printed,
        notes=trained.notes,
        settings=_settings(
            instance, names, duplexes, num_rounds, seeds, bool(learn), options or PlannerOptions(), command
        ),
        wall_seconds=WallSeconds(
            planning={job.key: result.seconds for job, result in zip(jobs, results, strict=True)},
            training=training_s,
            total=time.monotonic() - started,
        ),
        ablations=_ablations(instance, options, observer) if with_ablation else (),
    )


def _ablations(
    instance: Instance, options: PlannerOptions | None, observer: Observer | None
) -> tuple[Ablation, ...]:
    def tell(what: str, done: int, total: int) -> None:
        if observer is not None:
            observer("plan", what, done, total)

    return (ablate(instance, period=instance.training.period, options=options, observer=tell),)


def _refuse_wrong_use(
    names: Sequence[str], seeds: Sequence[int], duplexes: Sequence[str], rounds: int
) -> None:
    for what, given in (("planners", names), ("seeds", seeds), ("duplexes", duplexes)):
        if not given:
            raise ValueError(f"{what} is empty, must name at least one")
        if len(set(given)) < len(given):
            raise ValueError(f"{what} has an entry twice: {', '.join(map(str, given))}")
    if min(seeds) < 0:
        raise ValueError(f"a seed is {min(seeds)}, must be >= 0")
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}, must be >= 1")


def _jobs(
    instance: Instance, names: Sequence[str], duplexes: Sequence[Duplex], options: PlannerOptions
) -> list[_Job]:
    jobs = []
    for duplex in duplexes:
        given = replace(options, duplex=duplex)
        for name in names:
            if recipe_of(name, instance.training.period).arrangement != "optimised":
                jobs.append(_Job(name, name, None, given))
                continue
            if given.allocate:
                jobs.append(_Job(name, name, True, given))
            jobs.append(_Job(name + NOMINAL, name, False, replace(given, allocate=False)))
    return jobs


def _plan_all(instance: Instance, jobs: Sequence[_Job], observer: Observer | None) -> list[PlanResult]:
    results = []
    for done, job in enumerate(jobs, start=1):
        results.append(plan(instance, job.planner, job.options))
        if observer is not None:
            observer("plan", job.key, done, len(jobs))
    return results


def _row(job: _Job, result: PlanResult, rounds: int, seeds: Sequence[int]) -> Row:
    row = Row(
        label=job.label,
        planner=job.planner,
        allocate=job.allocate,
        duplex=job.options.duplex,
        period=None,
        status=result.status.value,
        stop_reason=result.stop_reason.value,
        explanation=result.explanation,
        bound=_finite(result.bound),
    )
    if result.plan is None:
        period = recipe_of(job.planner, None).period
        return replace(row, period=period)
    timeline = measure_still(result.plan, rounds)
    largest_device, largest_j = result.plan.largest_device_energy
    row = replace(
        row,
        period=next((entry.period for entry in result.plan.decisions.periods), None),
        latency_s=result.latency_s,
        energy_j=result.energy_j,
        measured_latency_s=timeline.cycle_latency_s,
        measured_energy_j=timeline.cycle_energy_j,
        measured_bits=bits_per_round(timeline),
        largest_device_energy_j=largest_j,
        largest_device=largest_device,
        objective=result.objective,
        gap=_finite(result.gap),
        proof=result.proof,
    )
    fading = fading_of(result.plan.instance)
    if fading is None:
        return row
    latency, energy = measure_faded(result.plan, rounds, fading, seeds)
    return replace(
        row,
        faded_latency_s=latency.mean,
        faded_latency_sd_s=latency.sd,
        faded_energy_j=energy.mean,
        faded_energy_sd_j=energy.sd,
    )


def _teller(observer: Observer | None) -> Progress:
    def tell(what: str, done: int, total: int) -> None:
        if observer is not None:
            observer("train", what, done, total)

    return tell


def _with_accuracy(row: Row, trained: Trained) -> Row:
    run = trained.run_of.get(row.key)
    return row if run is None else replace(row, **accuracy_fields(run))  # type: ignore[arg-type]


def _published(instance: Instance) -> tuple[PublishedRow, ...]:
    try:
        return published_rows(instance)
    except NotPublishedShape:  # most instances: the table is for the published scenario
        return ()


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _settings(
    instance: Instance,
    names: Sequence[str],
    duplexes: Sequence[str],
    rounds: int,
    seeds: Sequence[int],
    learn: bool,
    options: PlannerOptions,
    command: str | None,
) -> Settings:
    call = (
        f"compare(read_instance({instance.name + '.json'!r}), {list(names)}, rounds={rounds}, "
        f"seeds={tuple(seeds)}, learn={learn}, duplexes={tuple(duplexes)})"
    )
    given = asdict(options)
    del given["duplex"]  # it is one of `duplexes` in each row
    return Settings(
        command=call if command is None else command,
        version=_version("hfedfm-opt") or "unknown",
        python=platform.python_version(),
        numpy=_version("numpy") or "unknown",
        torch=_version("torch"),
        instance=instance.name,
        instance_sha256=instance_digest(instance),
        planners=tuple(names),
        duplexes=tuple(duplexes),
        rounds=rounds,
        seeds=tuple(seeds),
        learn=learn,
        options={**given, "periods": list(options.periods)},
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
