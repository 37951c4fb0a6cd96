"""Options of ``hfedfm run`` that let Flower train, and what Flower saw."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.terminal import CommandError, figure

if TYPE_CHECKING:
    from flwr.clientapp import ClientApp

    from fl_runtime import LearningSettings, Schedule
    from fl_runtime.data import DataFile
    from fl_runtime.flower.record import FlowerRun
    from fl_runtime.round_report import RoundObserver
    from fl_runtime.tasks.workload import Workload


class Engine(StrEnum):
    """What trains."""

    LOCAL = "local"
    FLOWER = "flower"


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What trains, and how Flower does."""

    engine: Annotated[
        Engine, typer.Option(help="What trains: this process, or Flower's simulation (extra flower).")
    ] = Engine.LOCAL
    supernodes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="With --engine flower: start a SuperLink and N SuperNodes here, in place of the simulation.",
        ),
    ] = None
    patience: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            metavar="SECONDS",
            help="With --supernodes: how long a round waits for replies; default: until Flower gives a "
            "node up.",
        ),
    ] = None


def refuse_wrong_engine(
    options: EngineOptions, *, learn: bool, device: str | None, data: list[str] | None
) -> None:
    """Refuse what does not go with the engine.

    Raises
    ------
    CommandError
        If options do not fit together.
    """
    if options.engine is Engine.LOCAL:
        if options.supernodes is not None or options.patience is not None:
            raise CommandError("--supernodes and --patience go with --engine flower: give it as well")
        return
    if not learn:
        raise CommandError("--engine flower trains: leave out --no-learning, or --engine")
    if device is not None:
        raise CommandError("--engine flower trains on processors: leave out --device")
    if options.patience is not None and options.supernodes is None:
        raise CommandError("--patience goes with --supernodes: the simulation loses no node")
    if data and options.supernodes is not None:
        raise CommandError(
            "SuperNodes that are processes of their own train on the data of the package: leave out --data, "
            "or --supernodes"
        )


def run_on_flower(
    schedule: "Schedule",
    workload: "Workload | None",
    seed: int,
    *,
    learning: "LearningSettings",
    observer: "RoundObserver",
    options: EngineOptions,
    named: "DataFile | None",
) -> "FlowerRun":
    """Return what a schedule costs and learns, and what Flower saw.

    Parameters
    ----------
    schedule, workload, seed, learning, observer
        As of :func:`fl_runtime.run`.
    options : EngineOptions
        Checked.
    named : DataFile or None
        What ``workload`` and the model were loaded from: each process that trains loads it for itself.

    Raises
    ------
    CommandError
        If Flower is not installed, or its nodes fail.
    """
    try:
        from fl_runtime import flower
    except ImportError as error:
        raise CommandError(f"{error}, or run with --engine local") from error
    try:
        if options.supernodes is not None:
            started = flower.DeployedNodes(num_nodes=options.supernodes, round_s=options.patience)
            return flower.deploy(schedule, seed, learning=learning, nodes=started, observer=observer)
        nodes = flower.SimulatedNodes(client=_client(named))
        return flower.simulate(schedule, workload, seed, learning=learning, observer=observer, nodes=nodes)
    except flower.NodeFailure as error:
        raise CommandError(str(error), status=1) from error


def _client(named: "DataFile | None") -> "ClientApp":
    from fl_runtime.data import load_named
    from fl_runtime.flower import client_app, own_client_app

    return client_app if named is None else own_client_app(partial(load_named, named))


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
