"""The front door of sweeps: plan candidates, run them, and give the measured front and a choice."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.recipes import RECIPES, UnknownPlanner, period_name
from hfedfm_opt.study.measure import measure_still
from hfedfm_opt.study.sweeping.candidates import (
    Candidate,
    Planned,
    Skipped,
    bits_name,
    grid,
    plan_candidates,
    uniform,
    within,
)
from hfedfm_opt.study.sweeping.discrepancy import (
    Discrepancy,
    measure_discrepancy,
    with_free_modules_full,
    with_module_periods,
)
from hfedfm_opt.study.sweeping.field import Entry, Field, Observer
from hfedfm_opt.study.sweeping.result import BesideRow, Spread, Sweep, SweepRow, front_of
from hfedfm_opt.study.sweeping.runs import Metric, Runs
from hfedfm_opt.study.sweeping.search import holds, race, run_fully, search_floor
from hfedfm_opt.study.sweeping.settings import Floor, SweepOptions
from hfedfm_opt.system.instance import Instance


class NoReference(ValueError):
    """There is no plan of the reference, to which all differences are."""


def sweep(
    instance: Instance,
    options: SweepOptions | None = None,
    *,
    folder: Path | None = None,
    observer: Observer | None = None,
) -> Sweep:
    """Return the measured front of energy, latency and accuracy of candidates, and the chosen one.

    The reference, the instance's period at 32 bits without momentum, runs first, with all seeds.  Without a
    floor the candidates are raced (:func:`race`), then, if asked for, those with periods and precisions of
    single modules that improve on the front; the most accurate one is chosen.  Under a floor the cheapest
    candidate that holds it is searched (:func:`search_floor`).  Only what ran with all seeds is chosen.

    Parameters
    ----------
    instance : Instance
        What is given.
    options : SweepOptions or None
        How to sweep.
    folder : Path or None
        Where runs are kept and found again; ``None`` keeps nothing.
    observer : callable or None
        Told of each round of training.

    Raises
    ------
    NoReference
        If the reference has no plan.
    UnknownPlanner
        For a planner that is unknown or takes no period.
    ValueError
        For no or repeated seeds, or what the default workload cannot train.
    KeptRunsError
        If the folder's runs cannot be read.
    """
    asked = options or SweepOptions()
    _refuse_wrong_use(asked)
    started = time.monotonic()
    rounds = asked.rounds or instance.training.rounds
    reference = _reference(instance, asked, rounds)
    runs = Runs(folder)
    stop_at = math.inf if asked.time_limit_s is None else started + asked.time_limit_s
    field = Field(reference, asked.seeds, asked.metric, runs, stop_at, observer)
    wanted = [*grid(instance, asked.periods, asked.bits, asked.momenta), *asked.more]
    candidates, skipped = _plan(instance, asked, wanted, rounds, field)
    discrepancies: tuple[Discrepancy, ...] = ()
    best: Entry | None = None
    if run_fully(field, field.reference):
        if asked.measure_modules:
            discrepancies = measure_discrepancy(reference.plan, seed=asked.seeds[0])
        if asked.floor is None:
            race(field, candidates, drop=asked.race)
            more = _of_modules([entry.planned for entry in _front(field, asked)], discrepancies)
        else:
            more = _of_modules(candidates, discrepancies)
        others, left_out = _plan(instance, asked, more, rounds, field)
        skipped += left_out
        if asked.floor is None:
            race(field, others, drop=asked.race)
        else:
            everyone = sorted([*candidates, *others], key=lambda one: one.objective)
            field.floor = floor_differences(field, asked.floor)
            best = _or_reference(field, asked, search_floor(field, everyone))
    choice = _choice(field, asked, best)
    return _result(instance, asked, field, skipped, discrepancies, choice, runs, started)


def floor_differences(field: Field, floor: Floor) -> dict[Metric, float]:
    """Return a floor in points of difference to the reference, which has run with all seeds, by metric."""
    if floor.to_reference:
        return dict.fromkeys(field.metrics, floor.percent)
    return {
        metric: floor.percent - Spread.of(list(field.accuracy(field.reference, metric).values())).mean
        for metric in field.metrics
    }


def _refuse_wrong_use(asked: SweepOptions) -> None:
    if not asked.seeds or len(set(asked.seeds)) < len(asked.seeds) or min(asked.seeds) < 0:
        raise ValueError(f"seeds are {list(asked.seeds)}, must be at least one, each once and >= 0")
    recipe = RECIPES.get(asked.planner)
    if recipe is None or not recipe.takes_period:
        known = ", ".join(name for name, recipe in RECIPES.items() if recipe.takes_period)
        raise UnknownPlanner(
            f"a sweep cannot take planner {asked.planner!r}, must be one that takes a period, given without: "
            f"{known}"
        )


def _reference(instance: Instance, asked: SweepOptions, rounds: int) -> Planned:
    wanted = uniform(instance, instance.training.period, (FULL_BITS, FULL_BITS))
    planned, skipped = plan_candidates(instance, asked.planner, [wanted], asked.options, rounds)
    if not planned:
        raise NoReference(f"there is no reference: {skipped[0].name}: {skipped[0].reason}")
    measure_still(planned[0].plan, rounds)
    return planned[0]


def _plan(
    instance: Instance, asked: SweepOptions, wanted: Sequence[Candidate], rounds: int, field: Field
) -> tuple[list[Planned], list[Skipped]]:
    """Return what is worth running of the candidates that the field does not have, and what is not."""
    known = {entry.planned.name for entry in field.entries}
    new = [one for one in dict.fromkeys(wanted) if one.name not in known]
    planned, skipped = plan_candidates(instance, asked.planner, new, asked.options, rounds)
    kept = []
    for one in planned:
        broken = within(one, asked.max_latency_s, asked.max_energy_j)
        if broken:
            skipped.append(Skipped(one.name, broken))
        else:
            measure_still(one.plan, rounds)
            kept.append(one)
    return kept, skipped


def _of_modules(bases: Sequence[Planned], measured: Sequence[Discrepancy]) -> list[Candidate]:
    """Return variants of candidates with periods and precisions of single modules."""
    found: list[Candidate] = []
    for base in bases if measured else ():
        candidate = base.candidate
        if len(set(dict(candidate.periods).values())) == 1:
            found.extend(with_module_periods(candidate, measured))
        found.append(with_free_modules_full(candidate, measured))
    return found


def _allowed(field: Field, asked: SweepOptions) -> list[Entry]:
    """Return the entries that ran with all seeds and keep the limits, cheapest first."""
    found = [
        entry
        for entry in field.entries
        if field.is_complete(entry) and not within(entry.planned, asked.max_latency_s, asked.max_energy_j)
    ]
    return sorted(found, key=lambda entry: entry.planned.objective)


def _front(field: Field, asked: SweepOptions) -> list[Entry]:
    allowed = _allowed(field, asked)
    points = [
        (entry.planned.latency_s, entry.planned.energy_j, field.difference(entry).mean) for entry in allowed
    ]
    return [entry for entry, inside in zip(allowed, front_of(points), strict=True) if inside]


def _or_reference(field: Field, asked: SweepOptions, best: Entry | None) -> Entry | None:
    """Return the cheaper of what was found and the reference, if that holds the floor and the limits."""
    own = field.reference
    if within(own.planned, asked.max_latency_s, asked.max_energy_j) or not holds(field, own):
        return best
    if best is None or own.planned.objective < best.planned.objective:
        return own
    return best


def _choice(field: Field, asked: SweepOptions, best: Entry | None) -> tuple[Entry | None, str]:
    if asked.floor is None:
        allowed = _allowed(field, asked) if field.is_complete(field.reference) else []
        if not allowed:
            return None, "no candidate within the limits ran with all seeds"
        best = max(allowed, key=lambda entry: (field.difference(entry).mean, -entry.planned.objective))
        return best, "the most accurate of those that ran with all seeds"
    if best is None:
        return None, f"no candidate that ran holds the floor {asked.floor}"
    return best, f"the cheapest found to hold the floor {asked.floor}, verified with all seeds"


def _result(
    instance: Instance,
    asked: SweepOptions,
    field: Field,
    skipped: Sequence[Skipped],
    discrepancies: tuple[Discrepancy, ...],
    choice: tuple[Entry | None, str],
    runs: Runs,
    started: float,
) -> Sweep:
    chosen, why = choice
    usual = field.usual_noise() if field.reference.run_of else None
    surrogate = field.surrogate() if field.reference.run_of else None
    on_front = {id(entry) for entry in _front(field, asked)} if field.is_complete(field.reference) else set()
    ran = [
        entry for entry in field.entries if entry.run_of and set(entry.run_of) & set(field.reference.run_of)
    ]
    untried = [Skipped(e.planned.name, e.verdict or "not needed") for e in field.entries if not e.run_of]
    rows = [_row(field, entry, id(entry) in on_front) for entry in ran]
    return Sweep(
        instance=instance,
        options=asked,
        rows=tuple(sorted(rows, key=lambda row: row.objective)),
        planned={entry.planned.name: entry.planned for entry in ran},
        chosen=None if chosen is None else chosen.planned.name,
        why=why,
        skipped=(*skipped, *untried),
        discrepancies=discrepancies,
        cross_validated_error=None if surrogate is None else surrogate.cross_validated_error,
        knowing_nothing=None if surrogate is None else surrogate.spread,
        usual_sd=None if usual is None else math.sqrt(usual),
        beside=() if chosen is None else beside_choice(instance, chosen.planned, asked),
        runs=tuple(run for entry in ran for run in entry.run_of.values()),
        num_trained=runs.num_trained,
        timed_out=field.timed_out,
        seconds=time.monotonic() - started,
    )


def _row(field: Field, entry: Entry, on_front: bool) -> SweepRow:
    planned = entry.planned
    return SweepRow(
        name=planned.name,
        kind="reference" if entry is field.reference else "candidate",
        latency_s=planned.latency_s,
        energy_j=planned.energy_j,
        objective=planned.objective,
        seeds=tuple(sorted(entry.run_of)),
        sync=Spread.of(list(field.accuracy(entry, "sync").values())),
        late=Spread.of(list(field.accuracy(entry, "late").values())),
        difference=field.difference(entry),
        predicted=entry.predicted,
        on_front=on_front,
        verdict=entry.verdict,
    )


def beside_choice(instance: Instance, chosen: Planned, asked: SweepOptions) -> tuple[BesideRow, ...]:
    """Return what baselines take at the precision of the choice, and at 32 bits."""
    periods = [period for _, period in chosen.candidate.periods]
    period = max(periods, key=periods.count)
    both_ways = dict(chosen.candidate.bits)
    names = ["edge-only", "edge-only+d2d"]
    if period is not None:
        names = ["star", *(f"{base}:{period_name(period)}" for base in ("hierarchical", "hierarchical+d2d"))]
    words = ", ".join(dict.fromkeys(bits_name(both) for both in both_ways.values()))
    found: list[BesideRow] = []
    for name in names:
        for label, bits in ((words, both_ways), (f"{FULL_BITS}", FULL_BITS)):
            result = plan(instance, name, duplex=asked.options.duplex, transport_bits=bits)
            if result.plan is not None and (label, name) not in {(row.bits, row.planner) for row in found}:
                found.append(
                    BesideRow(planner=name, bits=label, latency_s=result.latency_s, energy_j=result.energy_j)
                )
    return tuple(found)
