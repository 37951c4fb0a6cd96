"""What ``hfedfm sweep`` is asked for: candidates, runs, limits and the floor."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hfedfm_opt.cli.engine_options import Engine, EngineChoice, Jobs, engine_of
from hfedfm_opt.cli.solve import DuplexChoice, duplex_of
from hfedfm_opt.cli.sweep_lists import bits_of, candidates_of, floor_of, momenta_of, periods_of
from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from hfedfm_opt.study.sweeping.candidates import Bits, Period
    from hfedfm_opt.study.sweeping.settings import Floor, SweepOptions
    from hfedfm_opt.system.instance import Instance

MEASURED = "measured"


class MetricChoice(StrEnum):
    """Which accuracy decides."""

    SYNC = "sync"
    LATE = "late"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True)
class SweepChoices:
    """What to try, with how many runs, and what to choose."""

    planner: Annotated[
        str, typer.Option(help="A planner that takes a period, without one; see hfedfm planners.")
    ] = "optimised"
    periods: Annotated[
        str, typer.Option(metavar="E,...", help="Rounds between cloud averages, or never.")
    ] = "1,2,4"
    bits: Annotated[
        str, typer.Option(metavar="B,...", help="Bits a parameter; 2/8: of updates and of models.")
    ] = "32,8,4,2"
    momentum: Annotated[str, typer.Option(metavar="M,...", help="Momenta of the cloud's averages.")] = "0,0.6"
    module_periods: Annotated[
        list[str] | None,
        typer.Option(
            metavar="measured|MODULE=E,...",
            help="Candidates with periods of single modules: from what was measured, or these; repeated.",
        ),
    ] = None
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of training; default: the instance's.")
    ] = None
    seeds: Annotated[int, typer.Option(min=1, metavar="K", help="Number of paired seeds: 0 to K - 1.")] = 3
    metric: Annotated[
        MetricChoice, typer.Option(help="Deciding accuracy: at the last cloud round, late, or the worse.")
    ] = MetricChoice.BOTH
    accuracy_floor: Annotated[
        str | None,
        typer.Option(
            metavar="X|reference-P", help="Choose the cheapest of at least X percent, verified by running."
        ),
    ] = None
    max_latency: Annotated[
        float | None, typer.Option(metavar="S", help="Most seconds per round of a candidate.")
    ] = None
    max_energy: Annotated[
        float | None, typer.Option(metavar="J", help="Most joules per round of a candidate.")
    ] = None
    no_race: Annotated[
        bool, typer.Option("--no-race", help="Run all candidates with all seeds: drop none.")
    ] = False
    duplex: Annotated[
        DuplexChoice, typer.Option(help="Radios of the devices: as the instance says, or all of one kind.")
    ] = DuplexChoice.AS_GIVEN
    jobs: Jobs = None
    engine: Engine = EngineChoice.PROCESSES
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds after which no further run is begun.")
    ] = None


class SweepLists(NamedTuple):
    """The lists and the floor among the choices, read."""

    floor: "Floor | None"
    periods: "tuple[Period, ...]"
    bits: "tuple[Bits, ...]"
    momenta: tuple[float, ...]


def read_lists(choices: SweepChoices) -> SweepLists:
    """Return what the lists of the choices say.

    Raises
    ------
    CommandError
        If a list, a limit or the floor makes no sense.
    """
    for option, value in (
        ("--max-latency", choices.max_latency),
        ("--max-energy", choices.max_energy),
        ("--time-limit", choices.time_limit),
    ):
        if value is not None and not 0 < value < math.inf:
            raise CommandError(f"{option} is {value:g}, must be > 0")
    return SweepLists(
        floor=floor_of(choices.accuracy_floor),
        periods=periods_of(choices.periods),
        bits=bits_of(choices.bits),
        momenta=momenta_of(choices.momentum),
    )


def sweep_options(instance: "Instance", choices: SweepChoices, lists: SweepLists) -> "SweepOptions":
    """Return the choices in the words of the study.

    Raises
    ------
    CommandError
        If a candidate names a module that the instance does not have.
    """
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.study.sweeping.settings import SweepOptions

    words = choices.module_periods or []
    explicit = [word for word in words if word != MEASURED]
    return SweepOptions(
        planner=choices.planner,
        periods=lists.periods,
        bits=lists.bits,
        momenta=lists.momenta,
        measure_modules=MEASURED in words,
        rounds=choices.rounds,
        seeds=range(choices.seeds),
        metric=choices.metric.value,
        floor=lists.floor,
        max_latency_s=choices.max_latency,
        max_energy_j=choices.max_energy,
        race=not choices.no_race,
        time_limit_s=choices.time_limit,
        options=PlannerOptions(
            duplex=duplex_of(choices.duplex), jobs=choices.jobs, engine=engine_of(choices.engine)
        ),
        more=candidates_of(instance, explicit, lists.periods, lists.bits, lists.momenta),
    )
