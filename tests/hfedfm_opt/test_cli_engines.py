"""Commands that plan with several workers."""

from pathlib import Path

import pytest

from hfedfm_opt.cli.entry import call
from hfedfm_opt.planning import engines

PAPER = str(Path(__file__).parents[2] / "instances" / "paper-40.json")
NOMINAL = ("solve", PAPER, "--planner", "optimised:2", "--nominal-resources")


def test_two_jobs_write_the_same_plan_as_one(tmp_path, capsys):
    for jobs in ("1", "2"):
        assert call([*NOMINAL, "--jobs", jobs, "-o", str(tmp_path / f"{jobs}.json")]) == 0
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert "optimal" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["solve", "front", "sweep"])
def test_a_missing_engine_is_named_with_its_extra(monkeypatch, capsys, command):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert call([command, PAPER, "--engine", "dask"]) == 2
    assert "pip install 'hfedfm-opt[dask]'" in capsys.readouterr().err


def test_fewer_jobs_than_one_are_refused(capsys):
    assert call(["solve", PAPER, "--jobs", "0"]) == 2
    assert "0 is not in the range x>=1" in capsys.readouterr().err
