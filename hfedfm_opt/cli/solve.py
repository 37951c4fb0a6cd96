"""``hfedfm solve``: from an instance file to a plan file, a summary, or JSON."""

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hfedfm_opt.cli.again import (
    FromInstanceOption,
    FromOption,
    MovingPriceOption,
    moved,
    moved_lines,
    planned_again,
    refuse_wrong_moves,
)
from hfedfm_opt.cli.engine_options import Engine, EngineChoice, Jobs, engine_of
from hfedfm_opt.cli.outputs import require_writable
from hfedfm_opt.cli.terminal import CommandError, complain, figure, say_facts, say_json

if TYPE_CHECKING:
    from hfedfm_opt.planning.association_rules import AssociationRule
    from hfedfm_opt.planning.plan import PlanResult
    from hfedfm_opt.system.instance import Instance
    from hfedfm_opt.system.network import Duplex


class DuplexChoice(StrEnum):
    """How the devices' radios are taken."""

    AS_GIVEN = "as-given"
    FULL = "full"
    HALF = "half"


class TransportBits(StrEnum):
    """Bits a parameter on links."""

    AS_THEY_ARE = "32"
    SIXTEEN = "16"
    EIGHT = "8"
    FOUR = "4"
    THREE = "3"
    TWO = "2"
    ONE = "1"


class AssociationChoice(StrEnum):
    """Which server each device belongs to."""

    GIVEN = "given"
    STRONGEST = "strongest"
    BALANCED = "balanced"
    DECIDED = "decided"


def association_of(choice: AssociationChoice) -> "AssociationRule":
    """Return the planning layer's word for a choice of the command line."""
    words: dict[AssociationChoice, AssociationRule] = {
        AssociationChoice.GIVEN: "given",
        AssociationChoice.STRONGEST: "strongest",
        AssociationChoice.BALANCED: "balanced",
        AssociationChoice.DECIDED: "decided",
    }
    return words[choice]


def duplex_of(choice: DuplexChoice) -> "Duplex":
    """Return the planning layer's word for a choice of the command line."""
    words: dict[DuplexChoice, Duplex] = {
        DuplexChoice.AS_GIVEN: "as given",
        DuplexChoice.FULL: "full",
        DuplexChoice.HALF: "half",
    }
    return words[choice]


def solve(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    planner: Annotated[str, typer.Option(help="Name of a planner, see hfedfm planners.")] = "optimised",
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds after which the best plan so far is taken.")
    ] = None,
    gap: Annotated[float, typer.Option(metavar="G", help="Relative gap that is called optimal.")] = 1e-6,
    energy_weight: Annotated[
        float | None, typer.Option(metavar="W", help="Price of a joule; default: the instance's.")
    ] = None,
    time_weight: Annotated[
        float | None, typer.Option(metavar="W", help="Price of a second; default: the instance's.")
    ] = None,
    max_latency: Annotated[
        float | None, typer.Option("--max-latency-s", metavar="S", help="Longest round, s.")
    ] = None,
    fairness_weight: Annotated[
        float | None,
        typer.Option(
            metavar="W", help="Price of a joule of the device that spends most; default: the instance's."
        ),
    ] = None,
    max_energy: Annotated[
        float | None, typer.Option("--max-energy-j", metavar="J", help="Most energy of a round, J.")
    ] = None,
    max_device_energy: Annotated[
        float | None,
        typer.Option("--max-device-energy-j", metavar="J", help="Most energy of a device in a round, J."),
    ] = None,
    duplex: Annotated[
        DuplexChoice, typer.Option(help="Radios of the devices: as the instance says, or all of one kind.")
    ] = DuplexChoice.AS_GIVEN,
    nominal_resources: Annotated[
        bool, typer.Option("--nominal-resources", help="Allocate no bandwidth, power or CPU frequency.")
    ] = False,
    nominal_d2d: Annotated[
        bool, typer.Option("--nominal-d2d", help="Allocate nothing to D2D links: channel and full power.")
    ] = False,
    association: Annotated[
        AssociationChoice,
        typer.Option(help="Server of each device: the file's, by a rule, or decided (optimised planner)."),
    ] = AssociationChoice.GIVEN,
    period: Annotated[
        list[str] | None,
        typer.Option(metavar="E|never", help="Rounds between cloud averages; repeated: the best is taken."),
    ] = None,
    transport_bits: Annotated[
        TransportBits, typer.Option(help="Bits a parameter with which updates and models travel.")
    ] = TransportBits.AS_THEY_ARE,
    cloud_momentum: Annotated[
        float, typer.Option(metavar="M", help="Momentum of the cloud's averages, at least 0 and below 1.")
    ] = 0.0,
    jobs: Jobs = None,
    engine: Engine = EngineChoice.PROCESSES,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random choices.")] = 0,
    from_plan: FromOption = None,
    from_instance: FromInstanceOption = None,
    moving_price: MovingPriceOption = 0.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The plan file to write.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Plan for an instance: who runs, sends, merges and averages what, with which resources.

    Exit status 0: a plan was found; 1: none; 2: wrong use or an invalid file.
    """
    weights = {"energy": energy_weight, "time": time_weight, "fairness": fairness_weight}
    _refuse_wrong_numbers(time_limit, gap, weights)
    refuse_wrong_momentum(cloud_momentum)
    for option, limit in (
        ("--max-latency-s", max_latency),
        ("--max-energy-j", max_energy),
        ("--max-device-energy-j", max_device_energy),
    ):
        if limit is not None and not 0 < limit < math.inf:
            raise CommandError(f"{option} is {limit:g}, must be a finite number > 0")
    if output is not None:
        require_writable(output)
    refuse_wrong_moves(from_plan, from_instance, moving_price)
    from hfedfm_opt.planning.plan_file import write_plan
    from hfedfm_opt.planning.planner import plan
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.system.read import read_instance

    name, periods = _periods(planner, period or [])
    instance = read_instance(file)
    _refuse_no_price(instance, weights)
    options = PlannerOptions(
        time_limit_s=time_limit,
        gap=gap,
        seed=seed,
        duplex=duplex_of(duplex),
        allocate=not nominal_resources,
        allocate_d2d=not nominal_d2d,
        periods=periods,
        energy_weight_per_j=energy_weight,
        time_weight_per_s=time_weight,
        fairness_weight_per_j=fairness_weight,
        max_latency_s=max_latency,
        max_energy_j=max_energy,
        max_device_energy_j=max_device_energy,
        transport_bits=int(transport_bits.value),
        cloud_momentum=cloud_momentum,
        jobs=jobs,
        engine=engine_of(engine),
        association=association_of(association),
    )
    again = None
    if from_plan is not None:
        again = planned_again(instance, name, options, from_plan, from_instance, moving_price)
    result = plan(instance, name, options) if again is None else again.result
    if output is not None and result.plan is not None:
        write_plan(result.plan, output, instance_file=file)
    written = output if result.plan is not None else None
    if as_json:
        say_json(_document(result, instance.name, written) | ({} if again is None else moved(again)))
    else:
        _say(result, instance.name, written, [] if again is None else moved_lines(again))
    if result.plan is None:
        complain(f"no plan for {str(file)!r}: {result.explanation or result.stop_reason}")
        return 1
    return 0


def _refuse_wrong_numbers(time_limit: float | None, gap: float, weights: Mapping[str, float | None]) -> None:
    if time_limit is not None and not time_limit > 0:
        raise CommandError(f"--time-limit is {time_limit:g}, must be > 0 seconds")
    if not 0 <= gap < 1:
        raise CommandError(f"--gap is {gap:g}, must be at least 0 and below 1")
    for name, weight in weights.items():
        if weight is not None and not 0 <= weight < math.inf:
            raise CommandError(f"--{name}-weight is {weight:g}, must be a finite number >= 0")


def refuse_wrong_momentum(momentum: float) -> None:
    """Refuse a momentum that is not in [0, 1)."""
    if not 0 <= momentum < 1:
        raise CommandError(f"--cloud-momentum is {momentum:g}, must be at least 0 and below 1")


def _refuse_no_price(instance: "Instance", weights: Mapping[str, float | None]) -> None:
    objective = instance.objective
    given = {
        "energy": objective.energy_weight_per_j,
        "time": objective.time_weight_per_s,
        "fairness": objective.fairness_weight_per_j,
    }
    if not any(given[name] if weight is None else weight for name, weight in weights.items()):
        raise CommandError("both weights are 0, must be > 0 at least one: --energy-weight or --time-weight")


def _periods(planner: str, asked: list[str]) -> tuple[str, tuple[int | None, ...]]:
    """Return the planner's name and the candidate periods; a single one goes into the name."""
    from hfedfm_opt.planning.recipes import NEVER, recipe_of

    recipe = recipe_of(planner, 1)
    if not asked:
        return planner, ()
    if ":" in planner:
        raise CommandError(f"planner {planner!r} has its period in its name: leave --period out")
    names = [f"{planner}:{period}" for period in asked]
    for name in names:
        recipe_of(name, 1)
    if len(names) == 1:
        return names[0], ()
    if recipe.arrangement != "optimised":
        raise CommandError(f"planner {planner!r} does not choose between periods: give --period once")
    return planner, tuple(None if period == NEVER else int(period) for period in asked)


def _document(result: "PlanResult", instance: str, written: Path | None) -> dict[str, Any]:
    return {
        "instance": instance,
        "planner": result.planner,
        "status": result.status,
        "stop_reason": result.stop_reason,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "energy_j": result.energy_j,
        "latency_s": result.latency_s,
        **_largest(result),
        "seconds": result.seconds,
        "proof": result.proof,
        "gap_parts": [part.model_dump() for part in result.gap_parts],
        "explanation": result.explanation,
        "plan": None if written is None else str(written),
    }


def _largest(result: "PlanResult") -> dict[str, Any]:
    """Return the device that spends most, and its joules per round."""
    device, joules = (None, None) if result.plan is None else result.plan.largest_device_energy
    return {"largest_device_energy_j": joules, "largest_device": device}


def _gap_lines(result: "PlanResult") -> list[tuple[str, str]]:
    """Return the parts of a gap, as parts of the objective, with what they are left open by."""
    return [
        (f"  {part.part}", f"{figure(part.amount / result.objective)} ({part.proof})")
        for part in result.gap_parts
        if result.objective > 0
    ]


def _say(result: "PlanResult", instance: str, written: Path | None, besides: list[tuple[str, str]]) -> None:
    weights = largest = ""
    if result.plan is not None:
        prices = result.plan.instance.objective
        weights = f" = {prices.energy_weight_per_j:g}/J * energy + {prices.time_weight_per_s:g}/s * latency"
        if prices.fairness_weight_per_j > 0:
            weights += f" + {prices.fairness_weight_per_j:g}/J * largest energy of a device"
        device, joules = result.plan.largest_device_energy
        largest = f"at most {figure(joules, 'J per round')} ({device})"
    say_facts(
        [
            ("instance", instance),
            ("planner", result.planner),
            ("status", f"{result.status} ({result.stop_reason})"),
            ("latency", figure(result.latency_s, "s per round")),
            ("energy", figure(result.energy_j, "J per round")),
            ("devices", largest),
            ("objective", figure(result.objective) + weights),
            ("bound", figure(result.bound)),
            ("gap", figure(result.gap)),
            *_gap_lines(result),
            ("proof", result.proof),
            *besides,
            ("time", f"{result.seconds:.2f} s"),
            ("plan", "" if written is None else str(written)),
        ]
    )
