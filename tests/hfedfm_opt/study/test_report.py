import json
import re
from xml.etree import ElementTree

import pytest

from hfedfm_opt.study.compare import compare
from hfedfm_opt.study.comparison import Comparison
from hfedfm_opt.study.legs import LEGS, energy_of_legs, play_cycle
from hfedfm_opt.study.picture import picture_text
from hfedfm_opt.study.plots.labels import CHARACTER_PX, LINE_PX, place_labels
from hfedfm_opt.study.plots.style import LEG_COLOURS
from hfedfm_opt.study.report import report_text
from hfedfm_opt.system.generate.paper import paper_instance

PLANNERS = ("star", "hierarchical+d2d:2", "optimised:2")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(paper_instance(), PLANNERS, learn=False, duplexes=("full", "half"))


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    pytest.importorskip("plotly", reason="reports need plotly")
    return report_text(comparison)


def figures(html: str, name: str) -> list[dict[str, object]]:
    found = re.search(rf'<script type="application/json" id="{name}-figures">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    parsed: list[dict[str, object]] = json.loads(found[1])
    return parsed


def test_report_loads_nothing_from_elsewhere(html: str) -> None:
    own = html.replace(plotly_text(), "")
    assert not re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=", own)
    assert re.findall(r'<link[^>]*href="([^"]*)"', own) == ["data:,"]
    assert "http://" not in own
    assert "https://" not in own
    assert "@import" not in own


def test_plotly_is_inlined_once(html: str) -> None:
    assert html.count(plotly_text()) == 1


def test_every_mark_of_the_frame_is_filled(html: str) -> None:
    assert not re.findall(r"@@[A-Z]+@@", html.replace(plotly_text(), ""))


def test_every_plan_has_a_map_and_a_timeline(comparison: Comparison, html: str) -> None:
    assert len(figures(html, "map")) == len(figures(html, "timeline")) == len(comparison.plans) == 8
    assert len(figures(html, "tradeoff")) == len(figures(html, "energy")) == 2


def test_texts_of_an_instance_cannot_become_markup(comparison: Comparison) -> None:
    from dataclasses import replace

    named = comparison.instance.model_copy(update={"description": "<script>alert(1)</script>"})
    assert "<script>alert" not in report_text(replace(comparison, instance=named))


def test_report_says_what_the_bound_proves(html: str) -> None:
    assert "no plan of this scope that goes to the cloud with period 2 costs less than the bound" in html
    assert "each cluster averages at its server" in html


def test_parts_of_a_round_add_up_to_its_energy(comparison: Comparison) -> None:
    for row in comparison.rows:
        plan = comparison.plans[row.key]
        parts = energy_of_legs(plan, play_cycle(plan))
        assert sum(parts.values()) == pytest.approx(row.energy_j, rel=1e-9)
        assert "split execution" not in parts


def test_cloud_leg_of_every_second_round_is_as_computed_by_hand(comparison: Comparison) -> None:
    plan = comparison.plans["optimised:2 | full"]
    assert energy_of_legs(plan, play_cycle(plan))["to the cloud"] == pytest.approx(10 * 12.1 * 0.8 / 2)


def test_every_part_of_a_round_has_a_colour() -> None:
    assert tuple(LEG_COLOURS) == LEGS


def test_picture_is_valid_svg_that_names_every_method(comparison: Comparison) -> None:
    text = picture_text(comparison, "half")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for label in (*PLANNERS, "optimised:2 (nominal)", "latency, s", "energy, J"):
        assert label in words


def test_picture_of_a_radio_that_was_not_compared_is_refused(comparison: Comparison) -> None:
    with pytest.raises(ValueError, match="no method has a plan with radios as the instance gives them"):
        picture_text(comparison, "as given")


def test_labels_of_close_points_do_not_overlap() -> None:
    points = [(200.0, 200.0), (215.0, 203.0), (230.0, 198.0), (205.0, 215.0)]
    texts = ["hierarchical:2", "optimised:2 (nominal)", "hierarchical+d2d:2", "star"]
    places = place_labels(points, texts, 600.0, 400.0)
    boxes = [
        (x + dx - CHARACTER_PX * len(text) / 2, y + dy, CHARACTER_PX * len(text))
        for (x, y), (dx, dy), text in zip(points, places, texts, strict=True)
    ]
    for i, (left, middle, width) in enumerate(boxes):
        for other_left, other_middle, other_width in boxes[:i]:
            apart = left >= other_left + other_width or other_left >= left + width
            assert apart or abs(middle - other_middle) >= LINE_PX


def plotly_text() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
