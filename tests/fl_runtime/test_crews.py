import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy")

from fl_runtime.cohorts import Cohort, Part
from fl_runtime.crews import crews_of, training_clients
from fl_runtime.tasks.workload import Samples, Task

EMPTY = Samples(inputs={}, labels=np.zeros(0, dtype=np.int64))
TASK = Task(name="t", num_classes=2, modalities=(), train=EMPTY, test=EMPTY)


def cohort(rows_of_module, samples, trained=True):
    """A cohort by hand: which replica of each module its clients use, and how many samples each has."""
    parts = tuple(
        Part(kind="adapter", module=module, rows=np.array(rows, dtype=np.int64), trained=trained)
        for module, rows in rows_of_module.items()
    )
    return Cohort(
        task=TASK,
        modalities=(),
        devices=tuple(f"d{index}" for index in range(len(samples))),
        parts=parts,
        held=tuple(np.zeros(count, dtype=np.int64) for count in samples),
        experts_per_token=1,
    )


def members(crews):
    return [[own.tolist() for own in crew.members] for crew in crews]


def test_clients_that_share_a_replica_stay_together_by_hand():
    cohorts = [cohort({"a": [0, 1, 2, 3]}, [5, 5, 5, 5]), cohort({"a": [3, 0], "b": [0, 1]}, [5, 5])]
    crews = crews_of(cohorts, 2)
    assert members(crews) == [[[0], [1]], [[1, 2], []], [[3], [0]]]
    assert [crew.rows["a"].tolist() for crew in crews] == [[0], [1, 2], [3]]
    assert [crew.rows.get("b", np.empty(0)).tolist() for crew in crews] == [[1], [], [0]]


def test_clients_without_data_and_cohorts_that_train_nothing_are_in_no_crew():
    cohorts = [cohort({"a": [0, 1, 2]}, [5, 0, 5]), cohort({"a": [1]}, [5], trained=False)]
    assert members(crews_of(cohorts, 10)) == [[[0, 1], []]]
    assert crews_of(cohorts[1:], 10) == []


def test_few_clients_are_one_crew_whatever_they_share():
    assert members(crews_of([cohort({"a": [0, 1, 2]}, [1, 1, 1])], 3)) == [[[0, 1, 2]]]


@st.composite
def some_cohorts(draw):
    found = []
    for modules in draw(st.lists(st.sampled_from([("a",), ("a", "b"), ("b",)]), min_size=1, max_size=3)):
        size = draw(st.integers(1, 6))
        rows = st.lists(st.integers(0, 9), min_size=size, max_size=size)
        found.append(cohort({name: draw(rows) for name in modules}, draw(rows)))
    return found


@given(some_cohorts(), st.integers(1, 8))
def test_each_training_client_and_each_trained_replica_is_in_one_crew(cohorts, size):
    crews = crews_of(cohorts, size)
    for place, each in enumerate(cohorts):
        whole = np.concatenate([[], *(crew.members[place] for crew in crews)])
        assert sorted(whole.tolist()) == list(range(len(training_clients(each))))
    for module in ("a", "b"):
        trained = [row for crew in crews for row in crew.rows.get(module, np.empty(0)).tolist()]
        used = {
            int(part.rows[client])
            for each in cohorts
            for part in each.parts
            for client in training_clients(each)
            if part.module == module
        }
        assert sorted(trained) == sorted(used)
