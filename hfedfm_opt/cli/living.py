"""The living network of ``hfedfm run``: that of the instance, with what the command line says instead."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from fl_runtime import Measurements, Schedule
    from hfedfm_opt.planning.plan import Plan
    from hfedfm_opt.system.instance import Living


DropOutOption = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Share of the rounds in which a device is away.")
]
RoundsAwayOption = Annotated[
    float | None, typer.Option(metavar="N", help="With --drop-out: rounds that it stays away.")
]
StragglingOption = Annotated[
    float | None, typer.Option(metavar="SPREAD", help="Training takes 1 + SPREAD x exponential.")
]
LossOption = Annotated[
    float | None, typer.Option(metavar="P", help="Probability that a wireless transfer fails.")
]
AttemptsOption = Annotated[int | None, typer.Option(metavar="N", help="With --loss: most attempts.")]
WalkOption = Annotated[
    float | None, typer.Option(metavar="SPEED", help="Devices walk, at SPEED / 2 to SPEED, in m/s.")
]
TraceOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="CSV of positions: time_s,node,x_m,y_m.")
]
DeadlineOption = Annotated[
    float | None, typer.Option(metavar="S", help="Averages wait so long from the round's begin.")
]
ReplanOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Plan again every N rounds, as devices move.")
]
MergeDeadlineOption = Annotated[
    float | None, typer.Option(metavar="S", help="Servers that merge for the cloud wait so long.")
]
QuorumOption = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Averages and merges take this share of updates.")
]
StillOption = Annotated[
    bool, typer.Option("--still", help="Leave out what the instance says of a living network.")
]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Options of the command line; ``None``: as the instance says."""

    drop_out: float | None
    rounds_away: float | None
    straggling: float | None
    loss: float | None
    attempts: int | None
    walk: float | None
    deadline: float | None
    merge_deadline: float | None
    quorum: float | None
    replan_every: int | None


def scheduled(
    plan: "Plan", rounds: int | None, wanted: Wanted, seed: int, *, trace: Path | None, still: bool
) -> "Schedule":
    """Return the schedule of a plan in the living network that is wanted.

    Parameters
    ----------
    plan : Plan
        What to run.
    rounds : int or None
        Number of rounds; ``None``: the instance's.
    wanted : Wanted
        What goes before the instance's own.
    seed : int
        Keys walks.
    trace : Path or None
        A file of positions.
    still : bool
        Whether what the instance says of a living network is left out; its fading stays.
    """
    from fl_runtime import check_schedule
    from hfedfm_opt.study.living import living_schedule

    living = _with(None if still else plan.instance.living, wanted)
    try:
        schedule = living_schedule(plan, rounds, living, seed, trace)
    except OSError as error:
        raise CommandError(f"{str(trace)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    defects = check_schedule(schedule)
    if defects:
        raise CommandError("; ".join(defects))
    return schedule


def missing(measured: "Measurements") -> str:
    """Return who was missing, in a line."""
    record = measured.timeline.record
    if record is None:
        return "nobody"
    counts, rounds = record.summary(), measured.timeline.num_rounds
    facts = [
        (counts["away"] / rounds, "devices away a round"),
        (counts["lost"], "transfers lost"),
        (counts["repeated"], "repeated"),
        (counts["called off"], "steps called off"),
        (counts["nothing to average"], "averages of nothing"),
        (counts["no model"], "devices without a model"),
    ]
    said = [
        f"{number:.3g} {what}" if number % 1 else f"{number:,.0f} {what}" for number, what in facts if number
    ]
    if counts["slowest"] > 1:
        said.append(f"slowest work {counts['slowest']:.3g} times its time")
    return ", ".join(said) or "nobody"


def _with(living: "Living | None", wanted: Wanted) -> "Living | None":
    """Return the instance's living network with the options of the command line in place of its parts."""
    from pydantic import ValidationError

    from hfedfm_opt.system.instance import Living

    raw: dict[str, Any] = {} if living is None else living.model_dump()
    _need(wanted.rounds_away, "--rounds-away", wanted.drop_out, "--drop-out")
    _need(wanted.attempts, "--attempts", wanted.loss, "--loss")
    if wanted.drop_out is not None:
        raw["drop_out"] = {"share": wanted.drop_out, "mean_rounds_away": wanted.rounds_away}
    if wanted.straggling is not None:
        raw["straggling"] = {"spread": wanted.straggling}
    if wanted.loss is not None:
        limit = {} if wanted.attempts is None else {"max_attempts": wanted.attempts}
        raw["losses"] = {"probability": wanted.loss, **limit}
    if wanted.replan_every is not None:
        raw["replanning"] = {**(raw.get("replanning") or {}), "every_rounds": wanted.replan_every}
    if wanted.walk is not None:
        raw["mobility"] = {"min_speed_m_per_s": wanted.walk / 2, "max_speed_m_per_s": wanted.walk}
    policy = {
        "deadline_s": wanted.deadline,
        "merge_deadline_s": wanted.merge_deadline,
        "share": wanted.quorum,
        "merge_share": wanted.quorum,
    }
    if any(value is not None for value in policy.values()):
        raw["policy"] = policy
    try:
        return Living(**raw) if raw else None
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise CommandError("; ".join(lines)) from error


def _need(value: object, name: str, other: object, other_name: str) -> None:
    if value is not None and other is None:
        raise CommandError(f"{name} needs {other_name}")
