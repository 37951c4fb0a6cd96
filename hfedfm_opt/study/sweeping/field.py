"""The field of a sweep: all candidates with what each has reached so far."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hfedfm_opt.study.sweeping.candidates import Planned
from hfedfm_opt.study.sweeping.race import Difference, difference, is_surely_behind, usual_variance
from hfedfm_opt.study.sweeping.runs import KeptRun, Metric, Runs
from hfedfm_opt.study.sweeping.settings import Deciding
from hfedfm_opt.study.sweeping.surrogate import Measured, Surrogate, learn_surrogate

Observer = Callable[[str, int, int], None]
"""Told of each round of training: the candidate and its seed, the round, and the rounds of a run."""


TIME_WAS_UP = "not ended: the time was up"


@dataclass
class Entry:
    """A candidate in the field; ``verdict`` says why it does not go on, ``predicted`` what was expected."""

    planned: Planned
    run_of: dict[int, KeptRun] = field(default_factory=dict)
    verdict: str = ""
    predicted: float | None = None


class Field:
    """Candidates, their runs, and what these say.

    ``floor`` is the difference to the reference from which margins are told, by metric; at first 0.

    Parameters
    ----------
    reference : Planned
        What differences are to.
    seeds : sequence of int
        All seeds.
    metric : "sync", "late" or "both"
        The accuracy that decides.
    runs : Runs
        Makes and keeps runs.
    stop_at : float
        ``time.monotonic`` after which no run is made; ``inf``: never.
    observer : callable or None
        Told of rounds.
    """

    def __init__(
        self,
        reference: Planned,
        seeds: Sequence[int],
        metric: Deciding,
        runs: Runs,
        stop_at: float,
        observer: Observer | None,
    ) -> None:
        self.reference = Entry(reference)
        self.entries: list[Entry] = [self.reference]
        self.seeds = tuple(seeds)
        self.metrics: tuple[Metric, ...] = ("sync", "late") if metric == "both" else (metric,)
        self.floor: dict[Metric, float] = dict.fromkeys(self.metrics, 0.0)
        self.timed_out = False
        self._runs, self._stop_at, self._observer = runs, stop_at, observer

    def add(self, planned: Planned) -> Entry:
        """Take a candidate into the field, unless it is there; return its entry."""
        for entry in self.entries:
            if entry.planned.name == planned.name:
                return entry
        self.entries.append(Entry(planned))
        return self.entries[-1]

    def run(self, entry: Entry, seed: int) -> bool:
        """Make a run of an entry, or take the kept one; return false if it is none and the time is up."""
        schedule = entry.planned.schedule
        if self._runs.find(schedule, seed) is None and time.monotonic() >= self._stop_at:
            self.timed_out, entry.verdict = True, TIME_WAS_UP
            return False
        name = f"{entry.planned.name}, seed {seed}"

        def tell(done: int) -> None:
            if self._observer is not None:
                self._observer(name, done, schedule.rounds)

        entry.run_of[seed] = self._runs.train(schedule, seed, entry.planned.name, tell)
        return True

    def is_complete(self, entry: Entry) -> bool:
        """Return whether an entry has run with all seeds."""
        return len(entry.run_of) == len(self.seeds)

    def accuracy(self, entry: Entry, metric: Metric) -> dict[int, float]:
        """Return an entry's accuracy by seed, percent."""
        return {seed: run.percent(metric) for seed, run in entry.run_of.items()}

    def usual_variance(self, metric: Metric) -> float | None:
        """Return the usual variance of a paired difference, points squared."""
        others = [self.accuracy(entry, metric) for entry in self.entries if entry is not self.reference]
        return usual_variance(others, self.accuracy(self.reference, metric), self.seeds)

    def usual_noise(self) -> float | None:
        """Return the usual variance of the noisiest deciding accuracy, points squared."""
        found = [self.usual_variance(metric) for metric in self.metrics]
        known = [variance for variance in found if variance is not None]
        return max(known) if known else None

    def difference(self, entry: Entry) -> Difference:
        """Return the paired difference of an entry to the reference: the worst of the deciding ones."""
        return min((self._difference(entry, m) for m in self.metrics), key=lambda found: found.mean)

    def margin(self, entry: Entry) -> Difference:
        """Return by how much an entry is above the floor, in the accuracy in which that is least."""
        shifted = []
        for metric in self.metrics:
            found = self._difference(entry, metric)
            shifted.append(replace(found, mean=found.mean - self.floor[metric]))
        return min(shifted, key=lambda found: found.mean)

    def _difference(self, entry: Entry, metric: Metric) -> Difference:
        own, base = self.accuracy(entry, metric), self.accuracy(self.reference, metric)
        return difference(own, base, self.usual_variance(metric))

    def beaten_by(self, entry: Entry) -> Entry | None:
        """Return an entry with all seeds that costs no more and is surely ahead of a running one, if any.

        It must be ahead in each of the deciding accuracies.
        """
        for other in self.entries:
            if other is entry or not self.is_complete(other):
                continue
            cheaper = other.planned.costs_no_more_than(entry.planned)
            if cheaper and all(self._is_behind(entry, other, metric) for metric in self.metrics):
                return other
        return None

    def _is_behind(self, entry: Entry, other: Entry, metric: Metric) -> bool:
        usual = self.usual_variance(metric)
        if usual is None:
            return False
        steady = max(usual, (self._difference(other, metric).sd or 0.0) ** 2)  # it may vary more than usual
        return is_surely_behind(self.accuracy(entry, metric), self.accuracy(other, metric), steady)

    def surrogate(self) -> Surrogate | None:
        """Return a surrogate of the margins of all entries that ran; those with fewer seeds weigh less."""
        usual = self.usual_noise()
        if usual is None:
            return None
        measured = [
            Measured(entry.planned.candidate, self.margin(entry).mean, usual / len(entry.run_of))
            for entry in self.entries
            if entry.run_of
        ]
        instance = self.reference.planned.plan.instance
        return learn_surrogate(measured, {m.id: float(m.parameters) for m in instance.modules})
