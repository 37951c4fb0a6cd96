"""Kinds of round: which modules the cloud averages in a round, from their periods."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hfedfm_opt.system.decisions import ModulePeriod

EDGE_ROUND = "edge"
CLOUD_ROUND = "cloud"
MAX_CYCLE_ROUNDS = 10_000
"""Longest cycle that is played; longer ones come from periods without a common rhythm."""


class PeriodError(ValueError):
    """Periods whose least common multiple is too long to be a cycle."""


@dataclass(frozen=True)
class Kind:
    """A kind of round: its name and the modules that the cloud averages in it.

    Parameters
    ----------
    name : str
        ``"edge"``, ``"cloud"`` (all trainable modules), or ``"cloud:a+b"``.
    due : frozenset of str
        Ids of the modules that take the cloud leg.
    """

    name: str
    due: frozenset[str]


def cycle_of(periods: Iterable[ModulePeriod]) -> tuple[Kind, ...]:
    """Return the kinds of the rounds of one cycle; module m is due in each E_m-th round.

    Parameters
    ----------
    periods : iterable of ModulePeriod
        Period of each trainable module; ``None`` means never.

    Raises
    ------
    PeriodError
        If the cycle, the least common multiple of the periods, exceeds ``MAX_CYCLE_ROUNDS``.
    """
    period_of = {entry.module: entry.period for entry in periods}
    length = math.lcm(*(period for period in period_of.values() if period is not None))
    if length > MAX_CYCLE_ROUNDS:
        raise PeriodError(
            f"periods {sorted({p for p in period_of.values() if p})} make a cycle of {length} rounds, "
            f"must be at most {MAX_CYCLE_ROUNDS}: use periods that divide each other"
        )
    return tuple(_kind(period_of, index + 1) for index in range(length))


def _kind(period_of: Mapping[str, int | None], round_number: int) -> Kind:
    due = frozenset(name for name, period in period_of.items() if period and round_number % period == 0)
    if not due:
        return Kind(EDGE_ROUND, due)
    return Kind(CLOUD_ROUND if len(due) == len(period_of) else f"{CLOUD_ROUND}:{'+'.join(sorted(due))}", due)
