"""Options that belong together as one parameter of a command: a frozen dataclass, each field an option."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

Command = Callable[..., int]


def with_groups(command: Command) -> Command:
    """Return a command that takes the options of its groups one by one, as typer wants them.

    Parameters
    ----------
    command : callable
        A parameter whose type is a dataclass is a group: each field becomes an option at its place, with what
        its annotation says and its default.  All are given by name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _options(groups[parameter.name])
        else:
            parameters.append(
                parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
            )

    @wraps(command)
    def one_by_one(**given: Any) -> int:
        whole = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**given, **whole)

    one_by_one.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(one_by_one)["__signature__"] = inspect.Signature(parameters, return_annotation=int)
    return one_by_one


def _options(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
