import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.recipes import UnknownPlanner
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.compare import DEFAULT_PLANNERS, compare
from hfedfm_opt.study.comparison import Comparison
from hfedfm_opt.study.comparison_files import ComparisonFileError, read_comparison, write_comparison
from hfedfm_opt.study.measure import ClockDisagreement, measure_still
from hfedfm_opt.study.report import report_text, write_report
from hfedfm_opt.study.table import print_comparison
from hfedfm_opt.system.generate.paper import paper_instance
from hfedfm_opt.system.instance import Fading, Instance, Limits

PAPER = paper_instance()
FEW = ("star", "hierarchical:2", "hierarchical+d2d:2", "optimised:2")


def small() -> Instance:
    """Return three clusters of the published network as an instance of their own."""
    kept = {"cloud", *(f"s{i}" for i in range(3)), *(f"d{i}" for i in range(12))}
    return PAPER.model_copy(
        update={
            "name": "paper-12",
            "nodes": tuple(node for node in PAPER.nodes if node.id in kept),
            "wireless_links": tuple(link for link in PAPER.wireless_links if link.source in kept),
            "wired_links": tuple(link for link in PAPER.wired_links if {link.source, link.target} <= kept),
        }
    )


@pytest.fixture(scope="module")
def paper() -> Comparison:
    return compare(PAPER, learn=False, duplexes=("full",))


@pytest.fixture(scope="module")
def trained() -> Comparison:
    pytest.importorskip("torch", reason="training needs torch")
    return compare(small(), FEW, rounds=2, seeds=(0,))


def test_default_rows_are_the_planners_and_each_optimised_one_twice(paper: Comparison) -> None:
    labels = [row.label for row in paper.rows]
    assert [row.planner for row in paper.rows if row.allocate is not False] == list(DEFAULT_PLANNERS)
    assert len(labels) == len(set(labels)) == 13
    assert labels[-1] == "optimised:never (nominal resources)"


def test_clock_confirms_every_prediction(paper: Comparison) -> None:
    for row in paper.rows:
        assert row.measured_latency_s == pytest.approx(row.latency_s, rel=1e-9)
        assert row.measured_energy_j == pytest.approx(row.energy_j, rel=1e-9)


@pytest.mark.parametrize(
    ("label", "latency_s", "energy_j"),
    [("optimised:2", 7.951, 63.44), ("optimised:8", 2.626, 24.73)],
)
def test_nominal_optima_are_those_of_exhaustive_enumeration(
    paper: Comparison, label: str, latency_s: float, energy_j: float
) -> None:
    row = paper.row(f"{label} (nominal resources)", "full")
    assert row.status == "optimal"
    assert row.latency_s == pytest.approx(latency_s, abs=1e-3)
    assert row.energy_j == pytest.approx(energy_j, abs=1e-2)


def test_gains_are_against_best_mean_row_and_print_never_the_worst(paper: Comparison) -> None:
    assert {gain.against for gain in paper.gains} == {"best", "mean", "row", "printed"}
    spread = next(part for part in paper.spreads if part.planner == "hierarchical+d2d:8")
    own = paper.row("optimised:8", "full")
    gain = next(g for g in paper.gains if g.label == "optimised:8" and g.against == "best")
    assert own.latency_s is not None
    assert gain.latency_saved == pytest.approx(1 - own.latency_s / spread.latency_s.least)
    assert gain.scheme_energy_j == spread.energy_j.least


def test_same_settings_give_the_same_text_but_for_wall_times(trained: Comparison) -> None:
    again = compare(small(), FEW, rounds=2, seeds=(0,))
    first, second = trained.to_dict(), again.to_dict()
    assert first.pop("wall_seconds") != second.pop("wall_seconds")
    assert json.dumps(first) == json.dumps(second)


def test_methods_with_the_same_averages_share_a_training_run(trained: Comparison) -> None:
    run_of = {row.label: row.training_run for row in trained.rows}
    assert run_of == {
        "star": "run-1",
        "hierarchical:2": "run-2",
        "hierarchical+d2d:2": "run-2",
        "optimised:2": "run-2",
        "optimised:2 (nominal resources)": "run-2",
    }
    assert [run.name for run in trained.training_runs] == ["run-1", "run-2"]


def test_row_carries_accuracies_of_its_run(trained: Comparison) -> None:
    row = trained.row("optimised:2")
    run = trained.training_runs[1]
    last = run.accuracy[0][-1]
    assert row.accuracy == pytest.approx(sum(last) / len(last))
    assert row.accuracy_of_task == dict(zip(run.tasks, last, strict=True))
    assert len(row.curve) == 2
    assert (row.accuracy_sd, row.curve_sd) == (None, ())  # one seed has no deviation
    paired = next(gain for gain in trained.gains if gain.against == "row")
    assert paired.accuracy_difference == 0.0


def test_observer_hears_of_every_plan_and_every_trained_round() -> None:
    pytest.importorskip("torch", reason="training needs torch")
    heard: list[tuple[str, str, int, int]] = []
    compare(small(), ["star"], rounds=2, seeds=(3, 4), observer=lambda *event: heard.append(event))
    assert heard[0] == ("plan", "star | as given", 1, 1)
    assert [event[2:] for event in heard[1:]] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_infeasible_planner_is_a_row_with_its_reason() -> None:
    limited = small().model_copy(update={"limits": Limits(max_latency_s=1.0)})
    comparison = compare(limited, ["star", "edge-only"], learn=False)
    row = comparison.row("star")
    assert row.latency_s is None
    assert "latency of a round" in row.explanation
    assert comparison.row("star").key not in comparison.plans
    report_text(comparison)


def test_unknown_tasks_leave_rows_without_accuracy_and_one_note() -> None:
    pytest.importorskip("torch", reason="training needs torch")
    given = small()
    text = (
        given.model_dump_json().replace('"task":"cmp"', '"task":"sing"').replace('"id":"cmp"', '"id":"sing"')
    )
    comparison = compare(Instance.model_validate_json(text), ["star", "hierarchical:2"], rounds=1, seeds=(0,))
    assert [row.accuracy for row in comparison.rows] == [None, None]
    assert len(comparison.notes) == 1
    assert "no method was trained: unknown task 'sing'" in comparison.notes[0]


def test_fading_is_measured_beside_the_still_channel() -> None:
    faded = small().model_copy(update={"fading": Fading(kind="rayleigh")})
    row = compare(faded, ["hierarchical:2"], learn=False, seeds=(0, 1)).rows[0]
    assert row.faded_latency_s is not None
    assert row.faded_latency_s > (row.latency_s or 0.0)  # the slowest of many faded links is slower
    assert row.faded_latency_sd_s is not None


def test_all_methods_are_compared_at_the_bits_that_are_asked_for() -> None:
    """Random aggregators too; the printed table is of 32 bits and is no measure then."""
    options = PlannerOptions(transport_bits=4)
    found = compare(small(), ("hierarchical+d2d:2", "optimised:2"), learn=False, options=options)
    plain = compare(small(), ("hierarchical+d2d:2", "optimised:2"), learn=False)
    for row, other in zip(found.rows, plain.rows, strict=True):
        assert row.measured_bits == pytest.approx(other.measured_bits / 8, rel=1e-4)
    assert found.spreads[0].energy_j.mean < 0.2 * plain.spreads[0].energy_j.mean
    assert {gain.against for gain in found.gains} == {"best", "mean", "row"}
    text = io.StringIO()
    print_comparison(found, Console(file=text, width=200))
    assert "physical accounting, radios as the instance gives them, 4 bits a parameter" in text.getvalue()


def test_disagreement_of_clock_and_prediction_is_an_error_with_both_numbers(paper: Comparison) -> None:
    plan = paper.plans["hierarchical:2 | full"]
    wrong = Plan(plan.instance, plan.decisions)
    wrong.__dict__["prediction"] = replace(plan.prediction, latency_s=9.0)
    with pytest.raises(ClockDisagreement, match=r"latency_s is predicted as 9\.0 and measured as 9\.587"):
        measure_still(wrong, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ()}, "seeds is empty"),
        ({"seeds": (1, 1)}, "seeds has an entry twice: 1, 1"),
        ({"seeds": (-1,)}, "a seed is -1"),
        ({"rounds": 0}, "rounds is 0, must be >= 1"),
        ({"planners": []}, "planners is empty"),
    ],
)
def test_wrong_use_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(PAPER, learn=False, **changes)  # type: ignore[arg-type]


def test_unknown_planner_is_refused_before_anything_is_planned() -> None:
    with pytest.raises(UnknownPlanner, match="did you mean 'star'"):
        compare(PAPER, ["star", "stra"], learn=False, observer=lambda *event: pytest.fail("planned"))


def test_written_comparison_is_read_as_it_was(trained: Comparison, tmp_path: Path) -> None:
    write_comparison(trained, tmp_path / "study")
    again = read_comparison(tmp_path / "study")
    assert again.to_json() == trained.to_json()
    assert again.instance == trained.instance
    assert again.plans["optimised:2 | as given"].violations == ()
    rows = (tmp_path / "study" / "comparison.csv").read_text().splitlines()
    assert len(rows) == 1 + len(trained.rows)
    assert rows[0].startswith("label,planner,")
    assert rows[0].endswith(",planning_wall_s")
    assert "accuracy_read" in rows[0].split(",")


def test_damaged_comparison_is_refused_with_its_place(trained: Comparison, tmp_path: Path) -> None:
    write_comparison(trained, tmp_path)
    file = tmp_path / "comparison.json"
    file.write_text(file.read_text().replace('"rounds": 2', '"rounds": "two"'))
    with pytest.raises(ComparisonFileError, match=r"comparison\.json: rounds: Input should be a valid int"):
        read_comparison(tmp_path)


def test_report_is_the_same_after_reading(trained: Comparison, tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="reports need plotly")
    write_comparison(trained, tmp_path)
    write_report(read_comparison(tmp_path), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == report_text(trained)


@pytest.mark.parametrize("width", [80, 140])
def test_terminal_tables_name_every_method_and_the_accounting(paper: Comparison, width: int) -> None:
    from rich.console import Console

    console = Console(width=width, record=True, file=io.StringIO())
    print_comparison(paper, console)
    text = console.export_text()
    assert "paper-40: physical accounting, full duplex" in text
    assert "Published accounting (not physical" in text
    assert "…" not in text  # nothing is cut off
    for planner in DEFAULT_PLANNERS:
        assert planner in text
