"""``hfedfm export``: writes a plan for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from hfedfm_opt.cli.check import refuse_violations
from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.terminal import say_facts


def export(
    plan: Annotated[Path, typer.Argument(help="The plan file.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.", show_default=False),
    ],
    instance: Annotated[
        Path | None, typer.Option(help="The instance file; default: the one that the plan names.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds; default: the instance's.")] = None,
) -> int:
    """Write a plan's schedule, transfers, network and trees, and the JSON Schemas, for other programs.

    Exit status 0: written; 1: the plan breaks limits; 2: wrong use or an invalid file.
    """
    make_folder(output)
    from fl_runtime import write_schedule, write_transfers_csv
    from fl_runtime.schedule_json import schedule_schema_text
    from fl_runtime.whole_files import write_whole
    from hfedfm_opt.planning.graphs import network_graph, trees_graph, write_graphml
    from hfedfm_opt.planning.plan_file import plan_schema_text, read_plan
    from hfedfm_opt.system.read import read_instance

    found = read_plan(plan, None if instance is None else read_instance(instance))
    refuse_violations(plan, [str(violation) for violation in found.violations])
    schedule, network, trees = found.compile(rounds), network_graph(found.network), trees_graph(found)
    num_transfers = sum(step.type == "transfer" for kind in schedule.kinds for step in kind.steps)
    write_schedule(schedule, output / "schedule.json")
    write_transfers_csv(schedule, output / "transfers.csv")
    write_graphml(network, output / "network.graphml")
    write_graphml(trees, output / "trees.graphml")
    write_whole(output / "plan.schema.json", plan_schema_text().encode())
    write_whole(output / "schedule.schema.json", schedule_schema_text().encode())
    say_facts(
        [
            ("schedule.json", f"{len(schedule.kinds)} kinds of round, {schedule.rounds} rounds"),
            ("transfers.csv", f"{num_transfers} transfers"),
            ("network.graphml", f"{len(network)} nodes, {network.number_of_edges()} links"),
            ("trees.graphml", f"{trees.number_of_edges()} hops of the plan"),
            ("plan.schema.json", "JSON Schema of plans"),
            ("schedule.schema.json", "JSON Schema of schedules"),
            ("files", str(output)),
        ]
    )
    return 0
