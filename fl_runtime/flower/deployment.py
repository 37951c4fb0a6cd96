"""A SuperLink and SuperNodes of Flower on this machine, over TLS, started and ended here."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from fl_runtime.clock import play
from fl_runtime.device import part_of, training_devices
from fl_runtime.flower.app_files import write_app
from fl_runtime.flower.certificates import make_certificates
from fl_runtime.flower.client import NUM_SHARES, SHARE
from fl_runtime.flower.leftovers import end_marked
from fl_runtime.flower.record import FlowerRun, NodeFailure, RoundOnFlower
from fl_runtime.flower.server_app import ERROR, RESULT, STATE
from fl_runtime.learning_curve import LearningCurve
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.measurements import Measurements
from fl_runtime.round_report import Reporter, RoundObserver
from fl_runtime.run import DEFAULT_LEARNING
from fl_runtime.schedule import Schedule
from fl_runtime.schedule_json import write_schedule

_HERE = "127.0.0.1"
_END_S = 5.0  # for processes to end by themselves before they are killed


@dataclass(frozen=True, kw_only=True)
class DeployedNodes:
    """What a deployment starts, and how patient it is.

    Parameters
    ----------
    num_nodes : int
        SuperNodes, >= 1; each trains an equal share of the devices.
    round_s : float or None
        How long to wait for the replies of a round, s; the devices of a SuperNode that has not replied are
        missing in it.  ``None``: until Flower gives it up, about a minute after it was last heard of.
    """

    num_nodes: int = 4
    round_s: float | None = None


def deploy(
    schedule: Schedule,
    seed: int = 0,
    *,
    learning: LearningSettings = DEFAULT_LEARNING,
    nodes: DeployedNodes | None = None,
    observer: RoundObserver | None = None,
    on_start: "Callable[[Deployment], None] | None" = None,
) -> FlowerRun:
    """Return what ``schedule`` costs and learns, its devices trained by SuperNodes of this machine.

    A SuperLink and SuperNodes are started, each a process of its own, and end with this call.  They speak
    over TLS on the loopback, with certificates that are made for it, and train on the data of the package.

    Parameters
    ----------
    schedule, seed
        As of :func:`fl_runtime.run`.
    learning : LearningSettings
        The precision, and where to keep states.
    nodes : DeployedNodes or None
        What to start; ``None``: four SuperNodes.
    observer : callable or None
        Told of all rounds at the end.
    on_start : callable or None
        Given the :class:`Deployment` once the run is submitted.

    Raises
    ------
    ValueError
        If ``learning`` names what SuperNodes do not take: a model, a device or a local training.
    NodeFailure
        If a process cannot be started or ends too early, or the ServerApp fails; with what it wrote.
    """
    for name in ("model", "device", "local"):
        if getattr(learning, name) is not None:
            raise ValueError(
                f"learning.{name} is given, but SuperNodes train the compact model, on processors: omit it"
            )
    nodes = nodes or DeployedNodes()
    timeline = play(schedule, seed=seed)
    part_of(schedule, training_devices(schedule))  # before anything starts
    with Deployment(nodes.num_nodes) as deployment:
        deployment.submit(schedule, seed, learning, nodes.round_s)
        if on_start is not None:
            on_start(deployment)
        facts, state = deployment.result()
    curve = LearningCurve(
        tasks=tuple(facts["tasks"]),
        accuracy=np.array(facts["accuracy"]),
        reached_cloud=np.array(facts["reached_cloud"]),
        state=MappingProxyType({name: state[name] for name in facts["modules"]}),
    )
    if observer is not None:
        reporter = Reporter(schedule, timeline, observer)
        for index, of_round in enumerate(facts["accuracy"]):
            reporter.tell(index, dict(zip(curve.tasks, of_round, strict=True)))
    return FlowerRun(
        measurements=Measurements(schedule_name=schedule.name, seed=seed, timeline=timeline, learning=curve),
        rounds=tuple(RoundOnFlower(**round_) for round_ in facts["rounds"]),
        wall_s=facts["wall_s"],
    )


class Deployment:
    """A SuperLink and SuperNodes; a context manager that ends every process that it started.

    Parameters
    ----------
    num_nodes : int
        How many SuperNodes, >= 1.
    """

    def __init__(self, num_nodes: int) -> None:
        self._num_nodes = num_nodes
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory(prefix="hfedfm-", ignore_cleanup_errors=True)
            self.folder = Path(stack.enter_context(temporary))
            stack.callback(self._end_all)
            self._certificates = make_certificates(self.folder)
            self.port = _free_port()
            self._start_superlink()
            for number in range(self._num_nodes):
                self.start_node(number)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_node(self, number: int) -> None:
        """Start the SuperNode that trains share ``number``, anew if it was killed."""
        self._start(
            f"supernode-{number}",
            "flower-supernode",
            *("--root-certificates", str(self._certificates.authority)),
            *("--superlink", f"{_HERE}:{self.port}", "--host", _HERE, "--port", str(_free_port())),
            *("--node-config", f"{SHARE}={number} {NUM_SHARES}={self._num_nodes}"),
        )

    def kill_node(self, number: int) -> None:
        """Kill a SuperNode with all that it started, as a loss of power would."""
        process = self._processes.pop(f"supernode-{number}")
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def submit(
        self,
        schedule: Schedule,
        seed: int,
        learning: LearningSettings = DEFAULT_LEARNING,
        round_s: float | None = None,
    ) -> None:
        """Hand a run to the SuperLink."""
        folder = learning.checkpoint
        write_schedule(schedule, self.folder / "schedule.json")
        app = write_app(
            self.folder / "app",
            {
                "schedule": str(self.folder / "schedule.json"),
                "output": str(self.folder),
                "seed": seed,
                "num-nodes": self._num_nodes,
                "round-s": float(round_s or 0.0),
                "checkpoint": "" if folder is None else str(Path(folder).absolute()),
                "resume": learning.resume,
                "precision": learning.precision,
            },
        )
        (self.folder / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "{_HERE}:{self.port}"\n'
            f'root-certificates = "{self._certificates.authority}"\n'
        )
        done = subprocess.run(
            [_program("flwr"), "run", str(app), "here"],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NodeFailure(f"the SuperLink took no run: {(done.stderr or done.stdout).strip()}")

    def result(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Wait for the end of the run; return what the ServerApp wrote, and the final state."""
        from safetensors.numpy import load

        while not (self.folder / RESULT).exists():
            if (self.folder / ERROR).exists():
                raise NodeFailure(f"the ServerApp failed: {(self.folder / ERROR).read_text().strip()}")
            self._require_alive("superlink")
            time.sleep(0.1)
        return json.loads((self.folder / RESULT).read_text()), load((self.folder / STATE).read_bytes())

    def _start_superlink(self) -> None:
        files = self._certificates
        self._start(
            "superlink",
            "flower-superlink",
            *("--ssl-ca-certfile", str(files.authority), "--ssl-certfile", str(files.certificate)),
            *("--ssl-keyfile", str(files.key), "--host", _HERE, "--port", str(self.port)),
            "--disable-runtime-dependency-installation",
        )
        deadline_s = time.monotonic() + 60.0
        while not _listens(self.port):
            self._require_alive("superlink")
            if time.monotonic() > deadline_s:
                raise NodeFailure(f"the SuperLink does not listen after 60 s: {self._log('superlink')}")
            time.sleep(0.1)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [_program(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        return {
            **os.environ,
            "PATH": os.pathsep.join(paths),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "FLWR_HOME": str(self.folder),
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
        }

    def _require_alive(self, name: str) -> None:
        if self._processes[name].poll() is not None:
            raise NodeFailure(f"the {name} ended too early: {self._log(name)}")

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:].strip()

    def _end_all(self) -> None:
        for process in reversed(self._processes.values()):
            _signal_group(process, signal.SIGTERM)
        deadline_s = time.monotonic() + _END_S
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        end_marked("FLWR_HOME", str(self.folder))


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # where it has ended with all that it started
        os.killpg(process.pid, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HERE, port)) == 0
