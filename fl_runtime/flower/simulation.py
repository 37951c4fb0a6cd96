"""Runs a schedule on Flower's simulation: SuperNodes in this machine's processes, by Ray."""

import inspect
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import ray
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from fl_runtime.device import part_of, training_devices
from fl_runtime.flower.client import client_app
from fl_runtime.flower.leftovers import end_marked
from fl_runtime.flower.record import FlowerRun, NodeFailure
from fl_runtime.flower.server import GridTraining
from fl_runtime.measurements import Measurements
from fl_runtime.run import run
from fl_runtime.schedule import Schedule

MARK = "HFEDFM_SIMULATION"
"""Variable in the environment of all that is started for a simulation; it names its temporary folder."""

OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Memory that Ray's processes share; a message of the compact model has 20 to 50 kB."""


def simulate(
    schedule: Schedule,
    seed: int = 0,
    *,
    client: ClientApp = client_app,
    num_nodes: int | None = None,
    num_cpus: int = 2,
    **options: Any,
) -> FlowerRun:
    """Return what ``schedule`` costs and learns, its devices trained on Flower's simulation.

    All processes that are started have ended when this returns or raises, after Ctrl-C too.

    Parameters
    ----------
    schedule : Schedule
        What to run.
    seed : int
        As of :func:`fl_runtime.run`.
    client : ClientApp
        From :func:`fl_runtime.flower.make_client_app`; its data and model must be those in ``options``.
    num_nodes : int or None
        Number of SuperNodes; ``None``: one for each device that trains.
    num_cpus : int
        Processes that train, >= 1.
    **options
        Of :func:`fl_runtime.run`: ``workload``, ``model``, ``fading``, ``observer``, ``checkpoint`` and
        ``resume``.

    Raises
    ------
    ScheduleError, ValueError, CheckpointError
        As :func:`fl_runtime.run`.
    NodeFailure
        If a ClientApp fails.
    """
    inspect.signature(run).bind(schedule, seed=seed, local=None, **options)  # before anything starts
    devices = training_devices(schedule)
    part_of(schedule, devices)
    nodes = num_nodes or len(devices)
    found: list[tuple[Measurements, GridTraining]] = []
    stop = threading.Event()
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        training = GridTraining(grid, schedule, seed, num_nodes=nodes, stop=stop)
        found.append((run(schedule, seed=seed, local=training, **options), training))

    start_s = time.perf_counter()
    run_server(server, client, nodes, num_cpus=num_cpus, stop=stop)
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
