"""``hfedfm front``: all plans of an instance that no other plan betters in both latency and energy."""

import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.engine_options import Engine, EngineChoice, Jobs, engine_of
from hfedfm_opt.cli.outputs import require_writable
from hfedfm_opt.cli.solve import DuplexChoice, TransportBits, duplex_of
from hfedfm_opt.cli.terminal import CommandError, figure, say_facts, say_json, say_table

if TYPE_CHECKING:
    from hfedfm_opt.planning.front import PlanFront
    from hfedfm_opt.study.beside_front import Beside
    from hfedfm_opt.system.instance import Instance

FASTEST, FRUGAL = "fastest", "frugal"
CSV, SVG = ".csv", ".svg"
ROWS_SHOWN = 9
"""Points of a front that a terminal shows."""


class UplinksChoice(StrEnum):
    """What an aggregator's own uplink gets."""

    NOMINAL = "nominal"
    WHOLE_BAND = "whole-band"
    ALLOCATED = "allocated"


def front(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    period: Annotated[
        str | None,
        typer.Option(metavar="E|never", help="Rounds between cloud averages; default: the instance's."),
    ] = None,
    duplex: Annotated[
        DuplexChoice, typer.Option(help="Radios of the devices: as the instance says, or all of one kind.")
    ] = DuplexChoice.AS_GIVEN,
    uplinks: Annotated[
        UplinksChoice,
        typer.Option(help="An aggregator's uplink: its channel, the server's whole band, or allocated."),
    ] = UplinksChoice.NOMINAL,
    points: Annotated[
        int, typer.Option(min=2, metavar="N", help="Latencies at which allocated uplinks are priced.")
    ] = 25,
    transport_bits: Annotated[
        TransportBits, typer.Option(help="Bits a parameter with which updates and models travel.")
    ] = TransportBits.AS_THEY_ARE,
    jobs: Jobs = None,
    engine: Engine = EngineChoice.PROCESSES,
    at: Annotated[
        str | None,
        typer.Option(metavar="S|fastest|frugal", help="The plan to write: of least energy within S seconds."),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="A file: .csv points, .svg picture, else the plan of --at."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show the front of latency and energy: every plan that no other plan betters in both.

    Exit status 0: there is a front; 1: no plan, or none so fast; 2: wrong use or an invalid file.
    """
    outputs = _outputs(output or [], at)
    latency_s = _latency(at)
    from hfedfm_opt.planning.front import FrontOptions, Uplinks, plan_front
    from hfedfm_opt.planning.hops import MissingLink
    from hfedfm_opt.planning.place import NoPlacement
    from hfedfm_opt.study.beside_front import beside_front
    from hfedfm_opt.study.front_table import front_document
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    options = FrontOptions(
        period=_period(instance, period),
        duplex=duplex_of(duplex),
        uplinks=Uplinks(uplinks.value),
        num_points=points,
        at_latency_s=latency_s if latency_s is not None and math.isfinite(latency_s) else None,
        transport_bits=int(transport_bits.value),
        jobs=jobs,
        engine=engine_of(engine),
    )
    try:
        found = plan_front(instance, options)
    except (MissingLink, NoPlacement) as error:
        raise CommandError(f"no plan for {str(file)!r}: {error}", status=1) from error
    chosen = None if latency_s is None else _point(found, latency_s)
    beside = beside_front(found)
    for path in outputs:
        _write(found, beside, chosen, path, file)
    if as_json:
        say_json(front_document(found, beside) | {"files": [str(path) for path in outputs]})
    else:
        _say(found, beside, chosen, outputs)
    return 0


def _outputs(paths: Sequence[Path], at: str | None) -> list[Path]:
    for path in paths:
        require_writable(path)
        if path.suffix not in (CSV, SVG) and at is None:
            raise CommandError(f"{path}: would be a plan: say which, --at fastest, frugal or seconds")
    if at is not None and all(path.suffix in (CSV, SVG) for path in paths):
        raise CommandError("--at says which plan to write: give its file, -o PLAN")
    return list(paths)


def _latency(at: str | None) -> float | None:
    if at is None or at in (FASTEST, FRUGAL):
        return {None: None, FASTEST: -math.inf, FRUGAL: math.inf}[at]
    try:
        seconds = float(at)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise CommandError(f"--at is {at!r}, must be seconds > 0, {FASTEST} or {FRUGAL}")
    return seconds


def _period(instance: "Instance", asked: str | None) -> int | None:
    from hfedfm_opt.planning.recipes import recipe_of

    name = "optimised" if asked is None else f"optimised:{asked}"
    return recipe_of(name, instance.training.period).period


def _point(found: "PlanFront", latency_s: float) -> int:
    point = 0 if latency_s == -math.inf else found.within(latency_s)
    if point is None:
        raise CommandError(
            f"no plan takes at most {latency_s:g} s per round: the fastest takes {found.latency_s[0]:.6g} s",
            status=1,
        )
    return point


def _write(
    found: "PlanFront", beside: Sequence["Beside"], chosen: int | None, path: Path, instance_file: Path
) -> None:
    from hfedfm_opt.planning.plan_file import write_plan
    from hfedfm_opt.study.front_picture import front_picture
    from hfedfm_opt.study.front_table import front_csv
    from hfedfm_opt.system.files import write_text

    if path.suffix == CSV:
        write_text(path, front_csv(found))
    elif path.suffix == SVG:
        write_text(path, front_picture(found, beside))
    elif chosen is not None:
        plan = found.plan(chosen)
        if plan.violations:
            lines = [str(violation) for violation in plan.violations]
            raise CommandError("\n".join([f"{path}: not written: the plan breaks limits", *lines]), status=1)
        write_plan(plan, path, instance_file=instance_file)


def _say(found: "PlanFront", beside: Sequence["Beside"], chosen: int | None, outputs: Sequence[Path]) -> None:
    from hfedfm_opt.planning.recipes import period_name
    from hfedfm_opt.study.front_table import points_to_show

    last = len(found) - 1
    plans = [str(path) for path in outputs if path.suffix not in (CSV, SVG)]
    files = [str(path) for path in outputs if path.suffix in (CSV, SVG)]
    if found.exact:
        count = f"{len(found)} plans, {len(found.supported())} of them best at some prices"
    else:
        more = (
            "shown, more lie between"
            if found.options.uplinks.value == UplinksChoice.ALLOCATED.value
            else "found"
        )
        count = f"{len(found)} plans {more}"
    say_facts(
        [
            ("instance", found.instance.name),
            ("period", period_name(found.options.period)),
            ("radios", found.options.duplex),
            ("uplinks", found.options.uplinks.value),
            ("front", count),
            ("fastest", _cost(found, 0)),
            ("frugal", _cost(found, last)),
            ("proof", found.proof),
            ("time", f"{found.seconds:.2f} s"),
            ("plan", "" if chosen is None else f"{', '.join(plans)}: {_cost(found, chosen)}"),
            ("files", ", ".join(files)),
        ]
    )
    print()
    say_table(
        ("s / round", "J / round", "J at least"),
        [
            tuple(figure(float(values[point])) for values in (found.latency_s, found.energy_j, found.bound_j))
            for point in points_to_show(found, ROWS_SHOWN)
        ],
        numbers=("s / round", "J / round", "J at least"),
    )
    print()
    say_table(
        ("other plan", "s / round", "J / round", "front within its time, J"),
        [
            (other.planner, figure(other.latency_s), figure(other.energy_j), figure(other.front_energy_j))
            for other in beside
        ],
        numbers=("s / round", "J / round", "front within its time, J"),
    )


def _cost(found: "PlanFront", point: int) -> str:
    return f"{found.latency_s[point]:.6g} s, {found.energy_j[point]:.6g} J per round"
