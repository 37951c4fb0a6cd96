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


@dataclass(frozen=True, kw_only=True)
class LivingOptions:
    """What changes from round to round; ``None``: as the instance says."""

    drop_out: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of the rounds in which a device is away.")
    ] = None
    rounds_away: Annotated[
        float | None, typer.Option(metavar="N", help="With --drop-out: rounds that it stays away.")
    ] = None
    straggling: Annotated[
        float | None, typer.Option(metavar="SPREAD", help="Training takes 1 + SPREAD x exponential.")
    ] = None
    loss: Annotated[
        float | None, typer.Option(metavar="P", help="Probability that a wireless transfer fails.")
    ] = None
    attempts: Annotated[int | None, typer.Option(metavar="N", help="With --loss: most attempts.")] = None
    walk: Annotated[
        float | None, typer.Option(metavar="SPEED", help="Devices walk, at SPEED / 2 to SPEED, in m/s.")
    ] = None
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV of positions: time_s,node,x_m,y_m.")
    ] = None
    replan_every: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Plan again every N rounds, as devices move.")
    ] = None
    deadline: Annotated[
        float | None, typer.Option(metavar="S", help="Averages wait so long from the round's begin.")
    ] = None
    merge_deadline: Annotated[
        float | None, typer.Option(metavar="S", help="Servers that merge for the cloud wait so long.")
    ] = None
    quorum: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Averages and merges take this share of updates.")
    ] = None
    still: Annotated[
        bool, typer.Option("--still", help="Leave out what the instance says of a living network.")
    ] = False


def scheduled(plan: "Plan", rounds: int | None, wanted: LivingOptions, seed: int) -> "Schedule":
    """Return the schedule of a plan in the living network that is wanted.

    Parameters
    ----------
    plan : Plan
        What to run.
    rounds : int or None
        Number of rounds; ``None``: the instance's.
    wanted : LivingOptions
        What goes before the instance's own; with ``still`` only that is left out, its fading stays.
    seed : int
        Keys walks.
    """
    from fl_runtime import check_schedule
    from hfedfm_opt.study.living import living_schedule

    living = _with(None if wanted.still else plan.instance.living, wanted)
    try:
        schedule = living_schedule(plan, rounds, living, seed, wanted.trace)
    except OSError as error:
        raise CommandError(f"{str(wanted.trace)!r} cannot be read: {error.strerror}") from error
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


def _with(living: "Living | None", wanted: LivingOptions) -> "Living | None":
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
