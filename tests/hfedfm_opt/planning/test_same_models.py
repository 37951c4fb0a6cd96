"""Plans that send the same modules with the same periods train the same models, whatever their relays."""

from collections.abc import Callable

import numpy as np
import pytest

from hfedfm_opt.planning.planner import plan
from hfedfm_opt.system.instance import Instance

pytest.importorskip("torch", reason="training needs torch")


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (("hierarchical:2", "hierarchical+d2d:2", "spanning-tree:2", "optimised:2"), True),
        (("edge-only", "edge-only+d2d", "optimised:never"), True),
        (("hierarchical:1", "hierarchical:2", "edge-only", "local-only"), False),
    ],
)
def test_models_depend_on_modules_and_periods_alone(
    make_instance: Callable[..., Instance], names: tuple[str, ...], shared: bool
) -> None:
    from fl_runtime.learn import learn
    from fl_runtime.learning_key import learning_key

    schedules = []
    for name in names:
        found = plan(make_instance(7), name).plan
        assert found is not None
        schedules.append(found.compile(rounds=2))
    keys = {learning_key(schedule, seed=0) for schedule in schedules}
    assert len(keys) == (1 if shared else len(names))
    first, *others = [learn(schedule, seed=0).state for schedule in schedules]
    for other in others:
        assert first.keys() == other.keys()
        same = all(np.array_equal(first[module], other[module]) for module in first)
        assert same is shared
