"""Runs a schedule on Flower's simulation: SuperNodes in this machine's processes, by Ray."""

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FrameType

import ray
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from fl_runtime.device import part_of, training_devices
from fl_runtime.fading import Fading
from fl_runtime.flower.client import client_app
from fl_runtime.flower.leftovers import end_marked
from fl_runtime.flower.record import FlowerRun, NodeFailure
from fl_runtime.flower.server import GridTraining
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.measurements import Measurements
from fl_runtime.round_report import RoundObserver
from fl_runtime.run import DEFAULT_LEARNING, run
from fl_runtime.schedule import Schedule
from fl_runtime.tasks.workload import Workload

MARK = "HFEDFM_SIMULATION"
"""Variable in the environment of all that is started for a simulation; it names its temporary folder."""

OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Memory that Ray's processes share; a message of the compact model has 20 to 50 kB."""


@dataclass(frozen=True, kw_only=True)
class SimulatedNodes:
    """What a simulation starts.

    Parameters
    ----------
    client : ClientApp
        From :func:`fl_runtime.flower.make_client_app`; its data and model must be those of the run.
    num_nodes : int or None
        Number of SuperNodes; ``None``: one for each device that trains.
    num_cpus : int
        Processes that train, >= 1.
    """

    client: ClientApp = client_app
    num_nodes: int | None = None
    num_cpus: int = 2


def simulate(
    schedule: Schedule,
    workload: Workload | None = None,
    seed: int = 0,
    *,
    learning: LearningSettings = DEFAULT_LEARNING,
    fading: Fading | None = None,
    observer: RoundObserver | None = None,
    nodes: SimulatedNodes | None = None,
) -> FlowerRun:
    """Return what ``schedule`` costs and learns, its devices trained on Flower's simulation.

    All processes that are started have ended when this returns or raises, after Ctrl-C too.

    Parameters
    ----------
    schedule, workload, seed, fading, observer
        As of :func:`fl_runtime.run`.
    learning : LearningSettings
        How to learn.  SuperNodes train on processors; ``device`` says where models are tested.
    nodes : SimulatedNodes or None
        What to start; ``None``: nodes with the data and the model that come with the package.

    Raises
    ------
    ScheduleError, ValueError, CheckpointError
        As :func:`fl_runtime.run`; and ``ValueError`` if ``learning`` has a ``local`` training already.
    NodeFailure
        If a ClientApp fails.
    """
    if learning.local is not None:
        raise ValueError("learning.local is given, but SuperNodes train here: leave it out, or call run")
    nodes = nodes or SimulatedNodes()
    devices = training_devices(schedule)
    part_of(schedule, devices)
    num_nodes = nodes.num_nodes or len(devices)
    found: list[tuple[Measurements, GridTraining]] = []
    stop = threading.Event()
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        training = GridTraining(
            grid, schedule, seed, num_nodes=num_nodes, precision=learning.precision, stop=stop
        )
        on_nodes = replace(learning, local=training)
        measured = run(schedule, workload, seed, learning=on_nodes, fading=fading, observer=observer)
        found.append((measured, training))

    start_s = time.perf_counter()
    run_server(server, nodes.client, num_nodes, num_cpus=nodes.num_cpus, stop=stop)
    ((measurements, training),) = found
    return FlowerRun(
        measurements=measurements, rounds=tuple(training.rounds), wall_s=time.perf_counter() - start_s
    )


def run_server(
    server: ServerApp, client: ClientApp, num_nodes: int, *, num_cpus: int = 2, stop: threading.Event
) -> None:
    """Run apps on Flower's simulation, quietly, and leave nothing behind.

    Parameters
    ----------
    server, client
        The apps.
    num_nodes : int
        Number of SuperNodes, >= 1.
    num_cpus : int
        Processes that train, >= 1.
    stop : Event
        It is set on Ctrl-C; the ServerApp must then end.
    """
    if ray.is_initialized():
        raise NodeFailure("Ray runs already in this process: end it by ray.shutdown() first")
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="hfedfm-", ignore_cleanup_errors=True)
        )
        interrupts = stack.enter_context(_interrupts(stop))
        stack.enter_context(_quiet())
        stack.callback(end_marked, MARK, folder)
        stack.enter_context(_same_environment())
        stack.callback(ray.shutdown)
        os.environ[MARK] = folder
        run_simulation(
            server,
            client,
            num_nodes,
            backend_config={
                "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
                "init_args": {
                    "num_cpus": num_cpus,
                    "num_gpus": 0,
                    "object_store_memory": OBJECT_STORE_BYTES,
                    "logging_level": logging.ERROR,
                    "log_to_driver": False,
                    "_temp_dir": folder,
                },
            },
        )
        if interrupts:
            raise KeyboardInterrupt


@contextmanager
def _interrupts(stop: threading.Event) -> Iterator[list[int]]:
    """Let Ctrl-C set ``stop`` in place of breaking what waits for the ServerApp; give what came."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def take(number: int, frame: FrameType | None) -> None:
        came.append(number)
        stop.set()

    before = signal.signal(signal.SIGINT, take)
    try:
        yield came
    except NodeFailure as error:
        if came:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # errors come back as exceptions
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _same_environment() -> Iterator[None]:
    """Take back what Flower and Ray write into the environment."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
