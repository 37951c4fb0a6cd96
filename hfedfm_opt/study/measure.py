"""The clock's word on a plan, held against the prediction, and under fading."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fl_runtime import Fading, Timeline, play
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.instance import Instance

AGREEMENT = 1e-9
"""Largest relative difference between prediction and clock on a still channel: rounding, nothing else."""


class ClockDisagreement(RuntimeError):
    """The clock measured something else than was predicted for the same plan; the message has the numbers."""


@dataclass(frozen=True)
class Figure:
    """Mean and standard deviation; the latter is ``None`` for a single value."""

    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Return mean and sample standard deviation of at least one value."""
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def measure_still(plan: Plan, rounds: int) -> Timeline:
    """Return what the clock measures on a still channel, over whole cycles.

    Parameters
    ----------
    plan : Plan
        What to play.
    rounds : int
        Rounds, >= 1; at least one cycle is played.

    Raises
    ------
    ClockDisagreement
        If seconds or joules per round differ from the prediction by more than ``AGREEMENT``.
    """
    timeline = play(plan.compile(_whole(plan, rounds)))
    predicted = plan.prediction
    for name, expected, found in (
        ("latency_s", predicted.latency_s, timeline.cycle_latency_s),
        ("energy_j", predicted.energy_j, timeline.cycle_energy_j),
    ):
        if abs(found - expected) > AGREEMENT * max(abs(found), abs(expected)):
            raise ClockDisagreement(
                f"{plan.decisions.planner}: {name} is predicted as {expected!r} and measured as {found!r}; "
                "this is a defect of the project, please report it with the instance"
            )
    return timeline


def measure_faded(plan: Plan, rounds: int, fading: Fading, seeds: Sequence[int]) -> tuple[Figure, Figure]:
    """Return seconds and joules per round under block fading, mean and deviation over seeds."""
    schedule = plan.compile(_whole(plan, rounds))
    played = [play(schedule, fading=fading, seed=seed) for seed in seeds]
    return (
        Figure.of([timeline.cycle_latency_s for timeline in played]),
        Figure.of([timeline.cycle_energy_j for timeline in played]),
    )


def fading_of(instance: Instance) -> Fading | None:
    """Return the instance's law of fading as the runtime takes it; ``None`` for still channels."""
    if instance.fading is None:
        return None
    return Fading(model=instance.fading.kind, k_factor=10.0 ** (instance.fading.rician_k_db / 10.0))


def bits_per_round(timeline: Timeline) -> float:
    """Return the bits that all links carried per round, over whole cycles."""
    whole = timeline.num_whole_rounds
    return float(timeline.bits_of_round[:whole].sum()) / whole


def _whole(plan: Plan, rounds: int) -> int:
    """Return at least as many rounds as a cycle has: fewer would measure only its start."""
    return max(rounds, len(plan.compile(1).cycle))
