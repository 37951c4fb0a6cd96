"""Check the plans listed in ``instances/index.json``, or plan anew and keep what is best.

    python -m benchmarks.best_known                         checks what is listed
    python -m benchmarks.best_known --update                plans all anew: up to a minute each
    python -m benchmarks.best_known --update --only paper-40-2 campus-2
    python -m benchmarks.best_known --update --quick        only those that take seconds

A listed plan stays unless a better one is found; the larger bound stays.  Entries of an instance or planner
options that have changed are made anew.
"""

import argparse
import contextlib
import io
import math
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfedfm_opt.cli import call
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.plan_file import read_plan, write_plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.best_known import (
    PLANS,
    BestKnown,
    better_of,
    faults_of,
    plan_path,
    read_index,
    write_index,
)
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.read import read_instance

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "instances" / "index.json"
EUA = ROOT.parent / "shared" / "data" / "eua"
"""Where public lists of base stations and users lie, if they do."""
IMPORT_EUA = "hfedfm import eua edge-servers.csv users.csv -o eua.json"
CLI = {"allocate": "--nominal-resources", "allocate_d2d": "--nominal-d2d"}
"""Options of the command line that turn a decision off."""


@dataclass(frozen=True)
class Wanted:
    """An instance to be planned: how it is made, by which planner, with which options."""

    name: str
    made_by: str
    planner: str
    options: dict[str, Any] = field(default_factory=dict)
    quick: bool = False
    kept: bool = True

    @property
    def file(self) -> str:
        """Name of the instance's file."""
        return shlex.split(self.made_by)[-1]

    @property
    def command(self) -> str:
        """The command that plans it."""
        words = ["hfedfm", "solve", self.file, "--planner", self.planner]
        for name, value in self.options.items():
            words += [CLI[name]] if name in CLI else ["--time-limit", f"{value:g}"]
        return shlex.join([*words, "-o", "plan.json.gz"])


PAPER = "hfedfm generate paper -o paper-40.json"
CAMPUS = "hfedfm generate campus -o campus.json"
WANTED = (
    *(
        Wanted(f"paper-40-{period}", PAPER, f"optimised:{period}", quick=True)
        for period in ("1", "2", "8", "never")
    ),
    Wanted("paper-40-2-nominal", PAPER, "optimised:2", {"allocate": False}, quick=True),
    *(
        Wanted(f"campus-{period}", CAMPUS, f"optimised:{period}", {"time_limit_s": 60.0})
        for period in ("1", "2", "8", "never")
    ),
    Wanted("campus-2-nominal", CAMPUS, "optimised:2", {"allocate": False, "time_limit_s": 30.0}),
    Wanted(
        "campus-servers-train-2",
        "hfedfm generate campus --train-on device,edge -o campus-servers-train.json",
        "optimised:2",
        {"time_limit_s": 60.0},
        kept=False,
    ),
    Wanted(
        "city-60-12-0-2",
        "hfedfm generate city --devices 60 --edges 12 --seed 0 -o city.json",
        "optimised:2",
        {"time_limit_s": 60.0},
        kept=False,
    ),
    Wanted("eua-2", IMPORT_EUA, "optimised:2", {"time_limit_s": 60.0}, kept=False),
)


def made(made_by: str) -> Instance | None:
    """Return the instance that a command makes; ``None`` where the lists that it needs are absent."""
    program, *arguments = shlex.split(made_by)
    assert program == "hfedfm", f"{made_by!r} is no command of hfedfm"
    if made_by == IMPORT_EUA:
        if not EUA.is_dir():
            return None
        arguments = [str(EUA / word) if word.endswith(".csv") else word for word in arguments]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / arguments[-1]
        status = call([*arguments[:-1], str(path)])
        assert status == 0, f"{made_by!r} failed"
        return read_instance(path)


def found_now(wanted: Wanted, instance: Instance) -> tuple[BestKnown, Plan] | None:
    """Return an entry of a plan that is made now, with the plan; ``None`` without one."""
    begun = time.process_time()
    result = plan(instance, wanted.planner, PlannerOptions(**wanted.options))
    spent_s = time.process_time() - begun
    if result.plan is None:
        print(f"{wanted.name}: no plan: {result.explanation}")
        return None
    proven = math.isfinite(result.bound)
    entry = BestKnown(
        name=wanted.name,
        instance_file=wanted.file if wanted.kept else None,
        made_by=wanted.made_by,
        instance_sha256=instance_digest(instance),
        planner=wanted.planner,
        options=wanted.options,
        command=wanted.command,
        objective=result.objective,
        latency_s=result.latency_s,
        energy_j=result.energy_j,
        bound=result.bound if proven else None,
        gap=result.gap if proven else None,
        proof=result.proof,
        plan_file=f"{PLANS}/{wanted.name}.plan.json.gz",
        process_s=round(spent_s, 1),
        quick=wanted.quick,
    )
    return entry, result.plan


def update(chosen: list[Wanted], index: Path) -> None:
    """Plan what is wanted, and list what is better than what is listed."""
    known = {entry.name: entry for entry in read_index(index)} if index.exists() else {}
    (index.parent / PLANS).mkdir(exist_ok=True)
    print(f"{'name':<24} {'objective':>12} {'bound':>12} {'gap':>9} {'cpu s':>7}")
    for wanted in chosen:
        instance = made(wanted.made_by)
        if instance is None:
            print(f"{wanted.name}: left out, the lists that it is made of are absent")
            continue
        now = found_now(wanted, instance)
        if now is None:
            continue
        entry, planned = now
        best = better_of(known.get(wanted.name), entry)
        is_new = (best.objective, best.process_s) == (entry.objective, entry.process_s)
        if is_new or not plan_path(best, index).exists():
            kept = index.parent / wanted.file if wanted.kept else None
            write_plan(planned, plan_path(best, index), instance_file=kept)
        known[wanted.name] = best
        names = [one.name for one in WANTED]
        listed = sorted(known.values(), key=lambda one: names.index(one.name))
        write_index(listed, index)
        gap = math.nan if best.gap is None else best.gap
        bound = math.nan if best.bound is None else best.bound
        news = "new" if is_new else "kept"
        print(
            f"{wanted.name:<24} {entry.objective:12.6g} {bound:12.6g} {gap:9.2e} "
            f"{entry.process_s:7.1f} {news}",
            flush=True,
        )


def check(index: Path) -> int:
    """Print what is wrong with what is listed; return how many faults there are."""
    faults = []
    for entry in read_index(index):
        instance = made(entry.made_by)
        if instance is not None:
            faults += list(faults_of(entry, instance, read_plan(plan_path(entry, index), instance)))
    print("\n".join(faults) or f"{index.name}: all as listed")
    return len(faults)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of entries")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    parser.add_argument("--update", action="store_true", help="plan anew")
    parser.add_argument("--index", type=Path, default=INDEX)
    asked = parser.parse_args()
    if not asked.update:
        sys.exit(min(check(asked.index), 1))
    chosen = [w for w in WANTED if (not asked.only or w.name in asked.only) and (w.quick or not asked.quick)]
    update(chosen, asked.index)


if __name__ == "__main__":
    main()
