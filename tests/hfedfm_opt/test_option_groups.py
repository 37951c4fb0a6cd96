"""Groups of options: a command takes a dataclass, the command line its fields one by one."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hfedfm_opt.cli.living import LivingOptions
from hfedfm_opt.cli.option_groups import with_groups
from hfedfm_opt.cli.run import run


@dataclass(frozen=True, kw_only=True)
class Fruit:
    """Options that belong together."""

    apples: Annotated[int, typer.Option(min=0, help="How many apples.")] = 2
    pear: Annotated[str | None, typer.Option("--pear", "-p", metavar="SORT")] = None


@with_groups
def eat(
    who: Annotated[str, typer.Argument()],
    *,
    loud: Annotated[bool, typer.Option("--loud")] = False,
    fruit: Fruit,
    last: Annotated[int, typer.Option()] = 7,
) -> int:
    """Eat some fruit."""
    print(who, loud, fruit, last)
    return 0


@pytest.fixture
def app():
    app = typer.Typer()
    app.command()(eat)
    return app


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Ann"], "Ann False Fruit(apples=2, pear=None) 7"),
        (["Ann", "--apples", "3", "-p", "long", "--loud"], "Ann True Fruit(apples=3, pear='long') 7"),
        (["--last", "1", "Ann"], "Ann False Fruit(apples=2, pear=None) 1"),
    ],
)
def test_fields_are_options_with_their_defaults(app, arguments, expected):
    result = CliRunner().invoke(app, arguments)

    assert (result.exit_code, result.output.strip()) == (0, expected)


def test_what_a_field_says_of_its_option_holds(app):
    refused = CliRunner().invoke(app, ["Ann", "--apples", "-1"])
    helped = CliRunner().invoke(app, ["--help"]).output

    assert refused.exit_code == 2
    assert "How many apples." in helped
    assert "SORT" in helped
    assert "Eat some fruit." in helped
    assert helped.index("--loud") < helped.index("--apples") < helped.index("--last")


def test_a_group_stands_where_its_parameter_stood():
    names = list(inspect.signature(run).parameters)
    living = list(inspect.signature(LivingOptions).parameters)
    first = names.index(living[0])

    assert names[first : first + len(living)] == living
    assert names[0] == "plan"
    assert "living" not in names
