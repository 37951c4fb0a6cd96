"""The ServerApp for SuperLinks: its configuration names the schedule, and the folder for what comes out."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import cast

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fl_runtime.accelerator import Precision
from fl_runtime.flower.server import GridTraining, Patience
from fl_runtime.learning_curve import LearningCurve
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.run import run
from fl_runtime.schedule_json import read_schedule
from fl_runtime.whole_files import write_whole

RESULT, STATE, ERROR = "result.json", "state.safetensors", "error.txt"
"""Files in the folder ``output``; the result is written last."""

server_app = ServerApp()


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the schedule of the run configuration.

    Keys: ``schedule`` (file), ``output`` (folder), ``seed``, ``num-nodes``, ``round-s`` (how long to wait for
    the replies of a round, s; 0: for ever), ``checkpoint`` (folder; empty: none), ``resume``, ``precision``.
    """
    config = context.run_config
    output, seconds = Path(str(config["output"])), float(config["round-s"])
    with _error_told(output / ERROR):
        schedule, seed = read_schedule(str(config["schedule"])), int(config["seed"])
        precision = cast("Precision", str(config.get("precision", "float32")))
        training = GridTraining(
            grid,
            schedule,
            seed,
            num_nodes=int(config["num-nodes"]),
            precision=precision,
            patience=Patience(round_s=seconds or None),
        )
        start_s = time.perf_counter()
        learning = LearningSettings(
            precision=precision,
            local=training,
            checkpoint=str(config["checkpoint"]) or None,
            resume=bool(config["resume"]),
        )
        measurements = run(schedule, seed=seed, learning=learning)
        assert measurements.learning is not None
        _write(output, measurements.learning, training, time.perf_counter() - start_s)


def _write(output: Path, learning: LearningCurve, training: GridTraining, wall_s: float) -> None:
    from safetensors.numpy import save

    write_whole(output / STATE, save({name: rows.copy() for name, rows in learning.state.items()}))
    facts = {
        "tasks": learning.tasks,
        "accuracy": learning.accuracy.tolist(),
        "reached_cloud": learning.reached_cloud.tolist(),
        "modules": list(learning.state),
        "rounds": [asdict(round_) for round_ in training.rounds],
        "wall_s": wall_s,
    }
    write_whole(output / RESULT, f"{json.dumps(facts, indent=1)}\n".encode())


@contextlib.contextmanager
def _error_told(path: Path) -> Iterator[None]:
    """Leave the text of an error where the one who waits for the result finds it."""
    with contextlib.ExitStack() as stack:

        @stack.push
        def tell(kind: object, error: BaseException | None, trace: object) -> None:
            if error is not None:
                write_whole(path, f"{type(error).__name__}: {error}\n".encode())

        yield
