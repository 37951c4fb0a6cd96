"""Those who work for the planner: their answers, and that none of them is left behind."""

import math
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.planning import engines
from hfedfm_opt.planning.tree_prices import TreeTask, price_trees
from hfedfm_opt.planning.workers import ALONE, hired
from solvers.common import InvalidProblem, MissingBackend
from solvers.relaying import RelayingProblem

NUMBERS = [float(number) for number in range(23)]
ROOTS = [math.sqrt(number) for number in NUMBERS]
SLEEPERS = """
import time
from hfedfm_opt.planning.workers import hired

if __name__ == "__main__":
    with hired(2, "processes") as workers:
        workers.map(abs, [1, 2])
        print("ready", flush=True)
        workers.map(time.sleep, [60.0] * 4)
"""


def processes_below(pid: int) -> set[int]:
    """Return the living processes that a process began, but for trackers of resources."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == pid and fields[0] != "Z" and b"resource_tracker" not in command:
            found.add(int(stat.parent.name))
    return found


def test_answers_come_in_the_order_of_the_items_and_nobody_is_left():
    before = processes_below(os.getpid())
    with hired(3, "processes") as workers:
        assert workers.map(math.sqrt, NUMBERS) == ROOTS
        assert workers.map(math.sqrt, NUMBERS[:1]) == ROOTS[:1]
        assert workers.jobs == 3
        assert processes_below(os.getpid()) - before
    assert processes_below(os.getpid()) == before


def test_an_error_in_a_piece_of_work_is_raised_here_and_ends_all_workers():
    before = processes_below(os.getpid())
    with pytest.raises(ValueError, match="math domain error"), hired(2, "processes") as workers:
        workers.map(math.sqrt, [1.0, -1.0, 4.0])
    assert processes_below(os.getpid()) == before


@pytest.mark.parametrize("whom", ["the process", "its group"])
def test_after_an_interrupt_no_worker_is_left(tmp_path, whom):
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        workers = processes_below(process.pid)
        assert len(workers) == 2
        (os.kill if whom == "the process" else os.killpg)(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) != 0
    still = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert still == []


def test_one_job_hires_nobody():
    with hired(None, "processes") as workers:
        assert workers is ALONE
    with hired(1, "processes") as workers:
        assert workers.map(math.sqrt, NUMBERS) == ROOTS


@pytest.mark.parametrize(
    ("jobs", "engine", "words"), [(0, "processes", "jobs is 0"), (2, "mpi", "engine is 'mpi'")]
)
def test_wrong_words_are_refused(jobs, engine, words):
    with pytest.raises(InvalidProblem, match=words), hired(jobs, engine):
        pass


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_missing_engine_names_its_extra(monkeypatch, engine):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(MissingBackend, match=rf"pip install 'hfedfm-opt\[{engine}\]'"), hired(2, engine):
        pass


def tree_tasks():
    """Return clusters of three in a line, each longer than the one before."""
    source, target = np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1])
    return [
        TreeTask(
            RelayingProblem(
                num_nodes=3,
                link_source=source,
                link_target=target,
                link_rate_bps=1e6,
                link_power_w=0.5,
                item_bits=np.array([1e6 * factor]),
                node_item_start=np.arange(4),
                node_item=np.zeros(3, dtype=np.int64),
            ),
            math.inf,
        )
        for factor in (1, 2, 3)
    ]


def latencies(found):
    return [[front.latency_s.tolist() for front in fronts] for fronts in found]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_workers_of_a_cluster_on_this_machine_give_the_same_answers(engine, package):
    pytest.importorskip(package, reason=f"the package {package} (extra {engine!r}) is not installed")
    before = processes_below(os.getpid())
    with hired(2, engine) as workers:
        assert latencies(workers.map(price_trees, tree_tasks())) == latencies(map(price_trees, tree_tasks()))
        assert workers.map(math.sqrt, NUMBERS) == ROOTS
        assert workers.jobs == 2
    assert processes_below(os.getpid()) == before


def test_trees_of_three_in_a_line_by_hand():
    first, *_ = latencies(map(price_trees, tree_tasks()))
    assert first == [[4.0], [2.0], [4.0]]  # two hops up and two back, or one and one in parallel, 1 s each


def test_pieces_of_work_travel():
    from hfedfm_opt.planning import joint_group, joint_search, tree_prices

    for function in (
        joint_group.begin,
        joint_group.solve_limits,
        joint_search.search_trees,
        tree_prices.price_trees,
    ):
        assert pickle.loads(pickle.dumps(function)) is function
