"""Options of ``hfedfm run`` that let Flower train, and what Flower saw."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hfedfm_opt.cli.terminal import CommandError, figure

if TYPE_CHECKING:
    from fl_runtime import LearningSettings, Schedule
    from fl_runtime.flower.record import FlowerRun
    from fl_runtime.round_report import RoundObserver


class Engine(StrEnum):
    """What trains."""

    LOCAL = "local"
    FLOWER = "flower"


EngineOption = Annotated[
    Engine, typer.Option(help="What trains: this process, or Flower's simulation (extra flower).")
]
SupernodesOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="With --engine flower: start a SuperLink and N SuperNodes here, in place of the simulation.",
    ),
]
PatienceOption = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        metavar="SECONDS",
        help="With --supernodes: how long a round waits for replies; default: until Flower gives a node up.",
    ),
]


class OnFlower(NamedTuple):
    """How to run on Flower."""

    supernodes: int | None
    patience_s: float | None


def flower_options(
    engine: Engine, supernodes: int | None, patience_s: float | None, *, plain: bool
) -> OnFlower | None:
    """Return how to run on Flower, or ``None`` if this process trains.

    ``plain`` says whether training with the data and the model of the package is asked for.

    Raises
    ------
    CommandError
        If options do not fit together.
    """
    if engine is Engine.LOCAL:
        if supernodes is not None or patience_s is not None:
            raise CommandError("--supernodes and --patience go with --engine flower: give it as well")
        return None
    if not plain:
        raise CommandError(
            "--engine flower trains on the data of the package, on processors, in float32: leave out --data, "
            "--no-learning, --device and --precision, or take fl_runtime.flower.make_client_app in Python"
        )
    if patience_s is not None and supernodes is None:
        raise CommandError("--patience goes with --supernodes: the simulation loses no node")
    return OnFlower(supernodes, patience_s)


def run_on_flower(
    schedule: "Schedule",
    seed: int,
    learning: "LearningSettings",
    how: OnFlower,
    *,
    observer: "RoundObserver",
) -> "FlowerRun":
    """Return what a schedule costs and learns, and what Flower saw.

    Raises
    ------
    CommandError
        If Flower is not installed, or its nodes fail.
    """
    try:
        from fl_runtime.flower import DeployedNodes, NodeFailure, deploy, simulate
    except ImportError as error:
        raise CommandError(f"{error}, or run with --engine local") from error
    try:
        if how.supernodes is None:
            return simulate(schedule, seed=seed, learning=learning, observer=observer)
        nodes = DeployedNodes(num_nodes=how.supernodes, round_s=how.patience_s)
        return deploy(schedule, seed, learning=learning, nodes=nodes, observer=observer)
    except NodeFailure as error:
        raise CommandError(str(error), status=1) from error


def flower_facts(run: "FlowerRun") -> list[tuple[str, str]]:
    """Return what to tell of a run on Flower: real time and bytes, and who was missing."""
    summary, num_rounds = run.summary(), max(1, len(run.rounds))
    sent, received = (summary[f"message_bytes_{way}_nodes"] / num_rounds for way in ("to", "from"))
    facts = [
        (
            "real time",
            f"{figure(summary['wall_s_per_round'], 's per round')}, {figure(run.wall_s, 's')} in all",
        ),
        (
            "messages",
            f"{figure(sent / 1e6, 'MB')} to nodes, {figure(received / 1e6, 'MB')} from nodes per round",
        ),
    ]
    for index, devices in run.missing.items():
        facts.append((f"no reply, round {index}", ", ".join(devices)))
    return facts
