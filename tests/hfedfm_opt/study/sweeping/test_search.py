from dataclasses import replace

import pytest

from hfedfm_opt.study.sweeping.field import TIME_WAS_UP, Field
from hfedfm_opt.study.sweeping.result import front_of
from hfedfm_opt.study.sweeping.search import holds, race, run_fully, search_floor


def front_names(planned, accuracy):
    points = [(one.latency_s, one.energy_j, accuracy[one.name]) for one in planned]
    return {one.name for one, inside in zip(planned, front_of(points), strict=True) if inside}


def test_a_race_keeps_the_true_front_and_makes_fewer_runs(planned, field, known):
    candidates = planned[1]

    race(field, candidates, drop=True)

    complete = {entry.planned.name for entry in field.entries if field.is_complete(entry)}
    assert front_names(candidates, known.truth) <= complete
    assert len(known.made) < 3 * (len(candidates) + 1)
    dropped = [entry for entry in field.entries if entry.verdict]
    assert dropped
    for entry in dropped:
        ahead = [other for other in candidates if other.costs_no_more_than(entry.planned)]
        assert max(known.truth[one.name] for one in ahead) > known.truth[entry.planned.name]


def test_without_dropping_all_run_with_all_seeds(planned, field, known):
    race(field, planned[1], drop=False)

    assert len(known.made) == 3 * (len(planned[1]) + 1)
    assert not any(entry.verdict for entry in field.entries)


@pytest.mark.parametrize("least", [-1.0, 0.5, -6.0])
def test_the_choice_under_a_floor_is_the_cheapest_that_truly_holds_it(planned, field, known, least):
    floor = known.truth[planned[0].name] + least
    expected = next(one for one in planned[1] if known.truth[one.name] >= floor)

    field.floor = {"sync": least}
    found = search_floor(field, planned[1])

    assert found is not None
    assert found.planned.name == expected.name
    assert holds(field, found)
    assert len(known.made) < 3 * (len(planned[1]) + 1)


def test_a_floor_that_nobody_holds_has_no_choice(planned, field):
    field.floor = {"sync": 20.0}
    assert search_floor(field, planned[1]) is None


def test_when_the_time_is_up_nothing_more_runs(planned, known):
    field = Field(planned[0], (0, 1), "sync", known, float("-inf"), None)

    race(field, planned[1], drop=True)

    assert known.made == []
    assert field.timed_out
    assert {entry.verdict for entry in field.entries[1:]} == {TIME_WAS_UP}
    assert search_floor(Field(planned[0], (0, 1), "sync", known, float("-inf"), None), planned[1]) is None


def test_the_front_has_no_point_that_another_betters():
    points = [(1.0, 1.0, 70.0), (2.0, 2.0, 70.0), (2.0, 0.5, 60.0), (1.0, 1.0, 70.0), (3.0, 3.0, 71.0)]

    assert front_of(points) == [True, False, True, True, True]


def test_with_both_accuracies_the_worse_one_decides(planned, known_runs):
    class TwoMetrics(known_runs):
        """Runs of three rounds whose accuracies at sync (the first) and late (the last) are told apart."""

        def train(self, schedule, seed, name, observer=None):
            run = super().train(schedule, seed, name)
            at_sync, late = (run.accuracy[0][0] + points / 100.0 for points in self.points[name])
            rounds = ((at_sync,), (late,), (late,))
            return replace(run, accuracy=rounds, reached_cloud=(True, False, False))

    reference, one, other = planned[0], *planned[1][:2]
    names = (reference.name, one.name, other.name)
    runs = TwoMetrics(dict.fromkeys(names, 70.0), noise=0.0)
    runs.points = dict(zip(names, [(0.0, 0.0), (3.0, -2.0), (1.0, 2.0)], strict=True))
    field = Field(reference, (0, 1), "both", runs, float("inf"), None)
    for planned_one in (reference, one, other):
        assert run_fully(field, field.add(planned_one))

    differences = [field.difference(entry).mean for entry in field.entries]
    field.floor = {"sync": 2.5, "late": 1.0}
    margins = [field.margin(entry).mean for entry in field.entries]

    assert differences == pytest.approx([0.0, -2.0, 1.0])
    assert margins == pytest.approx([-2.5, -3.0, -1.5])
    field.floor = {"sync": 0.5, "late": 1.0}
    assert [holds(field, entry) for entry in field.entries] == [False, False, True]
