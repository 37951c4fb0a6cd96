"""``hfedfm solve --from``: planning again from an old plan, and what is said of it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hfedfm_opt.cli.terminal import CommandError, figure

if TYPE_CHECKING:
    from hfedfm_opt.planning.replan import Replanned
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.system.instance import Instance

FromOption = Annotated[
    Path | None,
    typer.Option("--from", metavar="PLAN", help="Plan again from this plan for the network before."),
]
FromInstanceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --from: the network before; default: the one that plan names."),
]
MovingPriceOption = Annotated[
    float, typer.Option(metavar="W", help="With --from: price of a byte of a replica on a new host.")
]


def refuse_wrong_moves(old: Path | None, old_instance: Path | None, moving_price: float) -> None:
    """Refuse options of planning again without an old plan, and prices that are none."""
    if old is None and (old_instance is not None or moving_price != 0):
        option = "--from-instance" if old_instance is not None else "--moving-price"
        raise CommandError(f"{option} needs the old plan: --from PLAN")
    if not 0 <= moving_price < math.inf:
        raise CommandError(f"--moving-price is {moving_price:g}, must be a finite number >= 0")


def planned_again(
    instance: "Instance",
    planner: str,
    options: "PlannerOptions",
    old: Path,
    old_instance: Path | None,
    moving_price: float,
) -> "Replanned":
    """Return the plan that starts from the one in a file.

    Parameters
    ----------
    instance : Instance
        The network now.
    planner : str
        Name of the planner.
    options : PlannerOptions
        How to plan; the old plan's duplex, precisions and momentum stand in for defaults.
    old : Path
        File of the old plan.
    old_instance : Path or None
        File of the network before; ``None``: the one that the old plan names.
    moving_price : float
        What a byte of a replica costs on a new host.
    """
    from hfedfm_opt.planning.plan_file import read_plan
    from hfedfm_opt.planning.replan import options_like, replan
    from hfedfm_opt.system.read import read_instance

    found = read_plan(old, None if old_instance is None else read_instance(old_instance))
    if found.violations:
        raise CommandError(f"{str(old)!r} is no plan to start from: {found.violations[0]}")
    if options.periods:
        raise CommandError("--from takes one period: give --period once, or leave it out")
    same = planner == found.decisions.planner.partition(":")[0]  # the old plan's period as well
    like_old = options_like(found, options)
    return replan(instance, found, None if same else planner, like_old, moving_weight_per_byte=moving_price)


def moved(again: "Replanned") -> dict[str, Any]:
    """Return what changed and what must be sent, as plain data."""
    differs, moves = again.changes, again.moves
    return {
        "way": again.way,
        "devices_gone": len(differs.gone),
        "devices_new": len(differs.new),
        "devices_changed": len(differs.changed),
        "clusters_kept": len(differs.kept),
        "replicas_moved": len(moves.moves),
        "moved_bytes": moves.bytes,
        "moving_s": moves.seconds,
        "moving_j": moves.joules,
        "moving_cost": again.moving_cost,
    }


def moved_lines(again: "Replanned") -> list[tuple[str, str]]:
    """Return the same in lines."""
    differs, moves = again.changes, again.moves
    sent = f"{len(moves.moves)} replicas, {figure(moves.bytes / 1e6, 'MB')}"
    if moves.moves:
        sent += f": {figure(moves.seconds, 's')}, {figure(moves.joules, 'J')} once"
    return [
        (
            "changed",
            f"{len(differs.gone)} devices gone, {len(differs.new)} new, {len(differs.changed)} changed; "
            f"{len(differs.kept)} clusters as they were",
        ),
        ("way", "from the old plan" if again.way == "warm" else "anew: the old plan was of no help"),
        ("moves", sent),
    ]
