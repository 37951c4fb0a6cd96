"""Which modules the cloud averages in which round."""

import pytest

from hfedfm_opt.planning.rounds import PeriodError, cycle_of
from hfedfm_opt.system.decisions import ModulePeriod


def periods(**of_module: int | None) -> tuple[ModulePeriod, ...]:
    return tuple(ModulePeriod(module=name, period=period) for name, period in of_module.items())


def test_a_cycle_is_the_least_common_multiple_of_the_periods() -> None:
    kinds = cycle_of(periods(adapter=2, head=3))
    assert [kind.name for kind in kinds] == [
        "edge",
        "cloud:adapter",
        "cloud:head",
        "cloud:adapter",
        "edge",
        "cloud",
    ]


def test_period_one_reaches_the_cloud_in_every_round() -> None:
    assert [kind.name for kind in cycle_of(periods(a=1, b=1))] == ["cloud"]


def test_modules_without_a_period_stay_in_their_cluster() -> None:
    assert [kind.due for kind in cycle_of(periods(a=None, b=None))] == [frozenset()]
    assert [sorted(kind.due) for kind in cycle_of(periods(a=None, b=2))] == [[], ["b"]]


def test_a_cycle_that_is_too_long_is_refused_with_a_remedy() -> None:
    with pytest.raises(
        PeriodError, match=r"make a cycle of 10403 rounds, must be at most 10000: use periods"
    ):
        cycle_of(periods(a=101, b=103))
