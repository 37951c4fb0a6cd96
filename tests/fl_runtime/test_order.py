import pytest

from fl_runtime.order import in_order
from fl_runtime.schedule import Compute


def test_a_circle_of_steps_is_named():
    steps = [Compute(id=a, after=(b,), node="d0", flops=1.0) for a, b in (("x", "y"), ("y", "x"))]
    with pytest.raises(ValueError, match="in a circle: x, y"):
        in_order(steps)


def test_waiting_for_a_step_of_no_such_name_is_an_error():
    with pytest.raises(ValueError, match="comes after 'ghost', which is no step of its round"):
        in_order([Compute(id="x", after=("ghost",), node="d0", flops=1.0)])
