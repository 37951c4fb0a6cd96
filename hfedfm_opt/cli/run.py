"""``hfedfm run``: executes a plan and measures latency, energy and accuracy."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hfedfm_opt.cli.check import refuse_violations
from hfedfm_opt.cli.living import (
    AttemptsOption,
    DeadlineOption,
    DropOutOption,
    LossOption,
    MergeDeadlineOption,
    QuorumOption,
    ReplanOption,
    RoundsAwayOption,
    StillOption,
    StragglingOption,
    TraceOption,
    WalkOption,
    Wanted,
    missing,
    scheduled,
)
from hfedfm_opt.cli.on_flower import (
    Engine,
    EngineOption,
    OnFlower,
    PatienceOption,
    SupernodesOption,
    flower_facts,
    flower_options,
    run_on_flower,
)
from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.own_data import DataOption, ModelOption, data_facts, learned_from
from hfedfm_opt.cli.terminal import CommandError, figure, say_facts, say_json
from hfedfm_opt.cli.watching import watched

if TYPE_CHECKING:
    from fl_runtime import Measurements, Schedule
    from fl_runtime.flower.record import FlowerRun
    from fl_runtime.round_report import RoundObserver
    from hfedfm_opt.planning.plan import Plan
    from hfedfm_opt.study.train import OwnData


class Precision(Enum):
    """Of products in training."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def run(
    plan: Annotated[Path, typer.Argument(help="The plan file.", show_default=False)],
    instance: Annotated[
        Path | None, typer.Option(help="The instance file; default: the one that the plan names.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds; default: the instance's.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that chance decides.")] = 0,
    no_learning: Annotated[
        bool, typer.Option("--no-learning", help="Measure time and energy only; needs no torch.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the states; default with --resume: checkpoint in -o."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep states, and go on from the newest if there is one.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for summary.json, rounds.csv, timeline.csv and schedule.json."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Log directory for TensorBoard.")
    ] = None,
    data: DataOption = None,
    model: ModelOption = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where training computes: cpu, cuda or cuda:N; default: cuda if there is some."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of products in training; bfloat16 changes what is learned a little.")
    ] = Precision.FLOAT32,
    drop_out: DropOutOption = None,
    rounds_away: RoundsAwayOption = None,
    straggling: StragglingOption = None,
    loss: LossOption = None,
    attempts: AttemptsOption = None,
    walk: WalkOption = None,
    trace: TraceOption = None,
    replan_every: ReplanOption = None,
    deadline: DeadlineOption = None,
    merge_deadline: MergeDeadlineOption = None,
    quorum: QuorumOption = None,
    still: StillOption = False,
    engine: EngineOption = Engine.LOCAL,
    supernodes: SupernodesOption = None,
    patience: PatienceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Run a plan: play it on the clock, train as it says, and measure.

    Exit status 0: it ran; 1: the plan breaks limits; 2: wrong use or an invalid file.
    """
    if resume and checkpoint is None and output is not None:
        checkpoint = output / "checkpoint"
    _refuse_wrong_checkpoint(_Kept(checkpoint, resume), not no_learning)
    how = flower_options(
        engine,
        supernodes,
        patience,
        plain=not (no_learning or data or device) and precision is Precision.FLOAT32,
    )
    if output is not None:
        make_folder(output)
    from hfedfm_opt.planning.plan_file import read_plan
    from hfedfm_opt.system.read import read_instance

    found = read_plan(plan, None if instance is None else read_instance(instance))
    refuse_violations(plan, [str(violation) for violation in found.violations])
    wanted = Wanted(
        drop_out=drop_out,
        rounds_away=rounds_away,
        straggling=straggling,
        loss=loss,
        attempts=attempts,
        walk=walk,
        deadline=deadline,
        merge_deadline=merge_deadline,
        quorum=quorum,
        replan_every=replan_every,
    )
    schedule = scheduled(found, rounds, wanted, seed, trace=trace, still=still)
    learned = learned_from(data, model, not no_learning)
    kept = _Kept(checkpoint, resume)
    computing = _Computing(device, precision)
    rounds_csv = None if output is None else output / "rounds.csv"
    with watched(not no_learning, rounds_csv, tensorboard) as observer:
        measured = _measured(schedule, seed, not no_learning, kept, observer, learned, computing, how)
    if output is not None:
        _write(measured, schedule, output)
    if as_json:
        say_json(_document(found, measured))
    else:
        _say(found, measured, data_facts(learned), output)
    return 0


class _Computing(NamedTuple):
    """Where and how training computes."""

    device: str | None
    precision: Precision


class _Kept(NamedTuple):
    """Where states are kept, and whether to go on from them."""

    folder: Path | None
    resume: bool


def _refuse_wrong_checkpoint(kept: _Kept, learn: bool) -> None:
    if kept.resume and kept.folder is None:
        raise CommandError("--resume needs a folder for the states: give -o DIR or --checkpoint DIR as well")
    if kept.folder is not None and not learn:
        raise CommandError(
            "states keep what was learned: leave out --no-learning, or --checkpoint and --resume"
        )


def _measured(
    schedule: "Schedule",
    seed: int,
    learn: bool,
    kept: _Kept,
    observer: "RoundObserver",
    learned: "OwnData",
    computing: "_Computing",
    how: OnFlower | None,
) -> "Measurements | FlowerRun":
    from fl_runtime import CheckpointError
    from fl_runtime import run as execute

    try:
        if how is not None:
            return run_on_flower(
                schedule,
                seed,
                how,
                observer=observer,
                checkpoint=kept.folder,
                resume=kept.resume,
            )
        return execute(
            schedule,
            learned.workload,
            seed,
            learn=learn,
            observer=observer,
            checkpoint=kept.folder,
            resume=kept.resume,
            model=learned.model,
            device=computing.device,
            precision=computing.precision.value,
        )
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{error}, or run with --no-learning") from error
    except ValueError as error:
        remedy = "; --no-learning measures time and energy only" if learn else ""
        raise CommandError(f"{error}{remedy}") from error


def _write(measured: "Measurements | FlowerRun", schedule: "Schedule", folder: Path) -> None:
    from fl_runtime import Measurements, write_events_csv, write_rows_csv, write_schedule, write_summary_json

    write_summary_json(measured, folder / "summary.json")
    if not isinstance(measured, Measurements):
        measured.write_rounds_csv(folder / "flower.csv")
        measured = measured.measurements
    write_rows_csv(measured.timeline, folder / "timeline.csv")
    if measured.timeline.record is not None:
        write_events_csv(measured.timeline, folder / "events.csv")
    write_schedule(schedule, folder / "schedule.json")


def _document(plan: "Plan", measured: "Measurements | FlowerRun") -> dict[str, Any]:
    return {
        "planner": plan.decisions.planner,
        "predicted_latency_s": plan.prediction.latency_s,
        "predicted_energy_j": plan.prediction.energy_j,
        **measured.summary(),
    }


def _say(
    plan: "Plan",
    measured: "Measurements | FlowerRun",
    of_data: list[tuple[str, str]],
    folder: Path | None,
) -> None:
    from fl_runtime import Measurements

    summary, predicted, real = measured.summary(), plan.prediction, []
    if not isinstance(measured, Measurements):
        real = flower_facts(measured)
        measured = measured.measurements
    facts = [
        ("schedule", summary["schedule"]),
        ("rounds", str(summary["rounds"])),
        (
            "latency",
            f"{figure(measured.latency_s, 's per round')} (predicted {figure(predicted.latency_s, 's')})",
        ),
        (
            "energy",
            f"{figure(measured.energy_j, 'J per round')} (predicted {figure(predicted.energy_j, 'J')})",
        ),
        ("in all", f"{figure(summary['makespan_s'], 's')}, {figure(summary['total_energy_j'], 'J')}"),
    ]
    if measured.timeline.record is not None:
        facts.append(("missing", missing(measured)))
    if measured.learning is not None:
        facts += of_data
        facts.append(("accuracy", f"{summary['accuracy']:.4f}, mean over tasks after the last cloud round"))
        facts += [(f"  {task}", f"{value:.4f}") for task, value in summary["accuracy_of_task"].items()]
    say_facts([*facts, *real, ("files", "" if folder is None else str(folder))])
