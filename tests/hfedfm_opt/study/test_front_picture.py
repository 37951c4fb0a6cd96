"""A front as a picture and as rows."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from hfedfm_opt.planning.front import FrontOptions, Uplinks, plan_front
from hfedfm_opt.study.beside_front import beside_front
from hfedfm_opt.study.front_picture import Curve, front_picture
from hfedfm_opt.study.front_table import front_csv, points_to_show
from hfedfm_opt.system.generate import paper_instance

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def front():
    return plan_front(paper_instance(), FrontOptions(period=8))


@pytest.fixture(scope="module")
def beside(front):
    return beside_front(front)


def numbers_within(picture):
    """Return the numbers of the paths of a picture, which must be XML."""
    root = ET.fromstring(picture)
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]
    return root, circles


def test_every_point_and_every_other_plan_is_a_circle_inside_the_picture(front, beside):
    root, circles = numbers_within(front_picture(front, beside))
    _, _, width, height = map(float, root.get("viewBox").split())

    assert len(circles) == len(front) + len(beside)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in circles)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {other.planner for other in beside} <= set(texts)


def test_points_are_drawn_to_scale(front):
    _, circles = numbers_within(front_picture(front, ()))
    x, y = np.array(circles).T

    for drawn, values in ((x, front.latency_s), (-y, front.energy_j)):
        share = (drawn - drawn.min()) / (drawn.max() - drawn.min())
        expected = (values - values.min()) / (values.max() - values.min())
        assert np.abs(share - expected).max() < 1e-3


def test_another_curve_is_drawn_and_named(front, beside):
    curve = Curve("a < curve", [2.0, 3.0], [12.0, 10.0])

    root, _ = numbers_within(front_picture(front, beside, [curve]))
    assert "a < curve" in [text.text for text in root.iter(f"{SVG}text")]


def test_a_front_of_one_point_can_be_drawn(front, beside):
    single = replace(
        front, **{name: getattr(front, name)[:1] for name in ("latency_s", "energy_j", "bound_j")}
    )

    _, circles = numbers_within(front_picture(single, beside))
    assert len(circles) == 1 + len(beside)


def test_a_curve_marks_no_point_as_supported(front):
    curve = plan_front(front.instance, FrontOptions(period=8, uplinks=Uplinks.ALLOCATED, num_points=4))

    lines = front_csv(curve).splitlines()
    assert lines[0] == "latency_s,energy_j,bound_j,supported"
    assert len(lines) == 1 + len(curve)
    assert all(line.endswith(",") for line in lines[1:])


def test_the_csv_says_which_points_prices_find(front):
    marks = [line.rsplit(",", 1)[1] for line in front_csv(front).splitlines()[1:]]

    assert [point for point, mark in enumerate(marks) if mark == "1"] == list(front.supported())
    assert 0 < marks.count("1") < len(front)


@pytest.mark.parametrize("most", [2, 9, 1000])
def test_the_points_shown_contain_both_ends(front, most):
    shown = points_to_show(front, most)

    assert shown[0] == 0
    assert shown[-1] == len(front) - 1
    assert len(shown) <= most
    assert shown == sorted(set(shown))
