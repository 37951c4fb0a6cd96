"""The listed plans: what the index says is what their files and instances say."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.plan_file import read_plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.best_known import (
    BestKnown,
    IndexFileError,
    better_of,
    faults_of,
    plan_path,
    read_index,
    write_index,
)
from hfedfm_opt.system.read import read_instance

ROOT = Path(__file__).parents[3]
INDEX = ROOT / "instances" / "index.json"
ENTRIES = read_index(INDEX)
LISTED = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
QUICK = [entry for entry in ENTRIES if entry.quick]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("best_known_script", ROOT / "benchmarks" / "best_known.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@LISTED
def test_what_is_listed_is_what_the_plan_file_says(entry: BestKnown, script: ModuleType) -> None:
    instance = script.made(entry.made_by)
    if instance is None:
        pytest.skip("the folder ../shared/data with public lists of base stations and users is absent")
    assert list(faults_of(entry, instance, read_plan(plan_path(entry, INDEX), instance))) == []
    if entry.instance_file is not None:
        assert instance_digest(read_instance(INDEX.parent / entry.instance_file)) == entry.instance_sha256


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.name)
def test_a_plan_made_now_is_no_worse_than_listed_by_more_than_its_gap(
    entry: BestKnown, script: ModuleType
) -> None:
    result = plan(script.made(entry.made_by), entry.planner, PlannerOptions(**entry.options))
    assert entry.gap is not None
    assert result.objective <= entry.objective * (1 + max(entry.gap, 1e-6))
    assert result.bound <= entry.objective * (1 + 1e-9)
    assert entry.bound is not None
    assert entry.bound <= result.objective * (1 + 1e-9)


def test_all_instances_that_are_shipped_are_listed() -> None:
    shipped = {file.name for file in INDEX.parent.glob("*.json") if "schema" not in file.name} - {INDEX.name}
    assert {entry.instance_file for entry in ENTRIES} - {None} == shipped
    plans = {file.name for file in (INDEX.parent / "plans").iterdir()}
    assert plans == {plan_path(entry, INDEX).name for entry in ENTRIES}


def test_figures_that_the_plan_does_not_confirm_are_told(script: ModuleType) -> None:
    entry = next(entry for entry in ENTRIES if entry.name == "paper-40-2")
    instance = script.made(entry.made_by)
    found = read_plan(plan_path(entry, INDEX), instance)
    wrong = replace(entry, objective=700.0, bound=701.0, instance_sha256="0" * 64)
    faults = list(faults_of(wrong, instance, found))
    assert len(faults) == 3
    assert "the instance has the digest" in faults[0]
    assert "listed 700.0" in faults[1]
    assert faults[2] == "paper-40-2: the bound 701.0 is above the objective 700.0"


def test_the_better_plan_and_the_larger_bound_stay() -> None:
    known = replace(ENTRIES[0], objective=10.0, bound=8.0, gap=0.2, proof="old")
    worse = replace(known, objective=11.0, bound=9.0, proof="new")
    kept = better_of(known, worse)
    assert (kept.objective, kept.bound, kept.proof) == (10.0, 9.0, "new")
    assert kept.gap == pytest.approx(0.1)
    better = better_of(known, replace(known, objective=9.0, bound=None, gap=None))
    assert (better.objective, better.bound) == (9.0, 8.0)
    changed = replace(known, instance_sha256="0" * 64, objective=12.0)
    assert better_of(known, changed) == changed
    assert better_of(None, known) == known


def test_an_index_is_read_as_it_was_written_and_anything_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    write_index(ENTRIES, file)
    assert read_index(file) == ENTRIES
    file.write_text('{"format": "hfedfm-best-known", "version": 1, "entries": [{"name": 3}]}')
    with pytest.raises(IndexFileError, match=r"entries\.0\.name"):
        read_index(file)
    file.write_text("{}")
    with pytest.raises(IndexFileError, match="is no hfedfm-best-known of version 1"):
        read_index(file)
