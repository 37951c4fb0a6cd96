import json

import pytest

from hfedfm_opt.system.generate import paper_instance
from hfedfm_opt.system.read import write_instance

TITLE = "one-cluster: what each decision is worth, period"
NODES = {"cloud", "s0", "d0", "d1", "d2", "d3"}


@pytest.fixture
def cluster(tmp_path):
    """Write one cluster of the published network."""
    paper = paper_instance()
    parts = {
        "name": "one-cluster",
        "nodes": tuple(node for node in paper.nodes if node.id in NODES),
        "wireless_links": tuple(one for one in paper.wireless_links if {one.source, one.target} <= NODES),
        "wired_links": tuple(one for one in paper.wired_links if {one.source, one.target} <= NODES),
    }
    file = tmp_path / "cluster.json"
    write_instance(paper.model_copy(update=parts), file)
    return file


def test_a_table_shows_what_each_decision_is_worth(hfedfm, cluster, tmp_path):
    status, out, errors = hfedfm("ablation", cluster, "--period", "never", "-o", tmp_path / "out")

    assert (status, errors) == (0, [])
    assert out.splitlines()[0] == f"{TITLE} never, 32 bits a parameter"
    assert out.splitlines()[-1] == f"written to {tmp_path / 'out'}"
    rows = json.loads((tmp_path / "out" / "ablation.json").read_text())["rows"]
    assert [row["group"] for row in rows].count("without") == 12
    assert all(row["objective"] is not None or row["explanation"] for row in rows)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "ablation.json",
        "ablation.csv",
        "ablation.md",
    }


def test_a_period_that_makes_no_sense_is_wrong_use(hfedfm, cluster):
    status, _, errors = hfedfm("ablation", cluster, "--period", "0")

    assert status == 2
    assert errors == ["hfedfm: the period of 'optimised:0' is '0', must be a whole number >= 1 or 'never'"]


def test_a_comparison_can_hold_an_ablation(hfedfm, cluster, tmp_path):
    asked = ("compare", cluster, "--planners", "star", "--no-learning", "--ablation", "-o", tmp_path)
    status, out, _ = hfedfm(*asked)

    assert status == 0
    assert f"{TITLE} 2, 32 bits a parameter" in out
    assert "what each decision is worth" in (tmp_path / "report.html").read_text()
    assert hfedfm("report", tmp_path)[0] == 0
