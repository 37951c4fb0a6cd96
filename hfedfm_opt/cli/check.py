"""``hfedfm check``: all defects of an instance, or all violations of a plan."""

from pathlib import Path
from typing import Annotated

import typer

from hfedfm_opt.cli.terminal import CommandError, figure


def check(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    plan: Annotated[Path | None, typer.Argument(help="A plan for it.", show_default=False)] = None,
) -> int:
    """Check an instance, or a plan for it: every defect, every violation.

    Exit status 0: all is well; 1: the plan breaks limits; 2: a file is not valid.
    """
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.planning.plan_file import read_plan
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    if plan is None:
        print(f"{file}: valid: {described(instance)}")
        return 0
    found = read_plan(plan, instance)
    refuse_violations(plan, [str(violation) for violation in found.violations])
    cost = found.prediction
    print(f"{plan}: keeps all limits of {instance.name!r}")
    print(f"per round: {figure(cost.latency_s, 's')}, {figure(cost.energy_j, 'J')}")
    device, joules = found.largest_device_energy
    print(f"devices: at most {figure(joules, 'J')} per round ({device})")
    return 0


def refuse_violations(plan: Path, violations: list[str]) -> None:
    """Raise :class:`CommandError` with all violations of a plan, if there are any.

    Parameters
    ----------
    plan : Path
        The plan's file.
    violations : list of str
        One line each.
    """
    if violations:
        count = f"{len(violations)} violation{'s' if len(violations) != 1 else ''}"
        raise CommandError("\n".join([f"{plan}: {count}", *violations]), status=1)
