"""How the field is run: raced for the whole front, or searched for the cheapest that holds a floor."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.study.sweeping.candidates import Planned
from hfedfm_opt.study.sweeping.field import Entry, Field
from hfedfm_opt.study.sweeping.surrogate import features

NUM_DESIGN = 5
"""Candidates that a search under a floor measures before it trusts its surrogate."""
HOPE = 0.25
"""Least probability of holding the floor with which a cheaper candidate is still tried."""
CERTAINTY_SDS = 2.0
"""Standard deviations by which a candidate must be predicted to stay behind to be left out."""


def run_fully(field: Field, entry: Entry) -> bool:
    """Run an entry with all seeds; return whether there was time for them."""
    return all(field.run(entry, seed) for seed in field.seeds)


def race(field: Field, candidates: Sequence[Planned], *, drop: bool) -> None:
    """Run candidates, cheapest first, each seed by seed until it is surely beaten.

    A candidate is dropped as soon as another one with all seeds costs no more seconds and no more joules and
    is ahead of it in accuracy by more than the interval of their paired difference. It is not even begun if
    the surrogate expects it to stay behind such a one by two standard deviations of that comparison.

    Parameters
    ----------
    field : Field
        It is changed.
    candidates : sequence of Planned
        Cheapest first.
    drop : bool
        Whether candidates are dropped; otherwise all run with all seeds.
    """
    for planned in candidates:
        entry = field.add(planned)
        if drop and _is_hopeless(field, entry):
            continue
        for seed in field.seeds:
            if not field.run(entry, seed):
                break
            beaten_by = field.beaten_by(entry) if drop and not field.is_complete(entry) else None
            if beaten_by is not None:
                entry.verdict = (
                    f"dropped: costs no less than {beaten_by.planned.name} and is surely behind it"
                )
                break


def _is_hopeless(field: Field, entry: Entry) -> bool:
    """Return whether the surrogate leaves an entry no hope; its verdict then says so."""
    surrogate = field.surrogate()
    if surrogate is None or entry.run_of:
        return False
    prediction = surrogate.predict(entry.planned.candidate)
    entry.predicted = prediction.mean
    usual = field.usual_noise() or 0.0
    noise = 2.0 * usual / len(field.seeds)  # of the two means that would be compared
    for other in field.entries:
        if not field.is_complete(other) or not other.planned.costs_no_more_than(entry.planned):
            continue
        behind = field.difference(other).mean - prediction.mean
        if behind > CERTAINTY_SDS * (prediction.sd**2 + noise) ** 0.5:
            entry.verdict = (
                f"not run: costs no less than {other.planned.name} and is predicted to be behind it "
                f"({prediction.mean:+.2f} ± {prediction.sd:.2f} points to the reference)"
            )
            return True
    return False


def search_floor(field: Field, candidates: Sequence[Planned]) -> Entry | None:
    """Return the cheapest candidate that is found to hold the floor, verified with all seeds; or ``None``.

    A few candidates that are far apart are measured first; then, again and again, the cheapest one whose
    predicted probability to hold the floor is at least ``HOPE`` runs. If it holds, only cheaper ones are
    tried on; if not, the surrogate has learned. While none holds, and none gives hope, the likeliest is
    tried.

    Parameters
    ----------
    field : Field
        Has the floor; it is changed.
    candidates : sequence of Planned
        Cheapest first.
    """
    entries = [field.add(planned) for planned in candidates]
    for planned in _spread_out(field, candidates):
        _run_until_below(field, field.add(planned))
    while True:
        best = next((entry for entry in entries if holds(field, entry)), None)
        cheaper = entries if best is None else entries[: entries.index(best)]
        untried = [entry for entry in cheaper if not entry.run_of and not entry.verdict]
        following = _next(field, untried, anything=best is None)
        if following is None:
            return best
        _run_until_below(field, following)


def holds(field: Field, entry: Entry) -> bool:
    """Return whether an entry has run with all seeds and is, in the mean, not below the floor."""
    return field.is_complete(entry) and field.margin(entry).mean >= 0


def _next(field: Field, untried: Sequence[Entry], *, anything: bool) -> Entry | None:
    if not untried:
        return None
    surrogate = field.surrogate()
    if surrogate is None:
        return untried[0]
    chances = []
    for entry in untried:
        prediction = surrogate.predict(entry.planned.candidate)
        floors = set(field.floor.values())
        entry.predicted = prediction.mean + floors.pop() if len(floors) == 1 else None
        chances.append(prediction.probability_at_least(0.0))
    hopeful = [entry for entry, chance in zip(untried, chances, strict=True) if chance >= HOPE]
    if hopeful:
        return hopeful[0]
    return untried[int(np.argmax(chances))] if anything else None


def _run_until_below(field: Field, entry: Entry) -> None:
    for seed in field.seeds:
        if not field.run(entry, seed):
            return
        if not field.is_complete(entry) and field.margin(entry).upper < 0:
            entry.verdict = "dropped: surely below the floor"
            return


def _spread_out(field: Field, candidates: Sequence[Planned]) -> list[Planned]:
    """Return a few candidates, each the farthest in features from the reference and those before it."""
    instance = field.reference.planned.plan.instance
    sizes = {module.id: float(module.parameters) for module in instance.modules}
    everyone = [field.reference.planned, *candidates]
    rows = np.array([features(one.candidate, sizes) for one in everyone])
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
    taken = [0]
    while len(taken) <= min(NUM_DESIGN, len(candidates)):
        distance = ((rows[:, None] - rows[None, taken]) ** 2).sum(axis=2).min(axis=1)  # (candidates,)
        distance[taken] = -1.0
        taken.append(int(np.argmax(distance)))
    return [everyone[index] for index in taken[1:] if index]
