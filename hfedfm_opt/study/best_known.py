"""The best plans that are known of some instances: an index file, and the plans beside it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.files import StrPath, read_text, write_text
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.json_text import JsonTextError, parse_json
from solvers.common import relative_gap

FORMAT, VERSION = "hfedfm-best-known", 1
PLANS = "plans"
CLOSE = 1e-9
"""Relative difference of figures that is rounding."""


class IndexFileError(ValueError):
    """A file that is no index of best-known plans; the message says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class BestKnown:
    """The best plan that is known of an instance, for one period and one scope.

    Parameters
    ----------
    name : str
        Names the entry, and its plan file.
    instance_file : str or None
        The instance, beside the index; ``None``: it is not kept there.
    made_by : str
        Command that makes the instance.
    instance_sha256 : str
        Digest of the instance.
    planner : str
        Name of the planner.
    options : mapping
        Its options, as :class:`hfedfm_opt.planning.settings.PlannerOptions` has them.
    command : str
        Command that found the plan.
    objective, latency_s, energy_j : float
        Weighted cost, seconds and joules per round.
    bound : float or None
        No plan of the scope costs less; ``None``: none proven.
    gap : float or None
        Relative distance of both.
    proof : str
        What proves the bound, and for which plans.
    plan_file : str
        The plan, beside the index.
    process_s : float
        Seconds of processor time in which it was found.
    quick : bool
        Whether it is found anew in a few seconds.
    """

    name: str
    instance_file: str | None
    made_by: str
    instance_sha256: str
    planner: str
    options: dict[str, Any] = field(default_factory=dict)
    command: str
    objective: float
    latency_s: float
    energy_j: float
    bound: float | None
    gap: float | None
    proof: str
    plan_file: str
    process_s: float
    quick: bool


def read_index(path: StrPath) -> tuple[BestKnown, ...]:
    """Return the entries of an index file.

    Raises
    ------
    FileError
        If it cannot be read.
    IndexFileError
        If it is no index.
    """
    try:
        raw = parse_json(read_text(path))
    except JsonTextError as error:
        raise IndexFileError(f"{path}: is not JSON: {error}") from None
    if not isinstance(raw, dict) or (raw.get("format"), raw.get("version")) != (FORMAT, VERSION):
        raise IndexFileError(f"{path}: is no {FORMAT} of version {VERSION}")
    try:
        return TypeAdapter(tuple[BestKnown, ...]).validate_python(raw.get("entries"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise IndexFileError(f"{path}: entries.{where}: {first['msg']}") from None


def write_index(entries: Iterable[BestKnown], path: StrPath) -> None:
    """Write an index file, whole or not at all."""
    document = {"format": FORMAT, "version": VERSION, "entries": [asdict(entry) for entry in entries]}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def better_of(known: BestKnown | None, found: BestKnown) -> BestKnown:
    """Return which of two entries of the same name to list, with the larger of their bounds.

    A plan for another instance, or by other options, is not compared; nor is a bound of another scope kept.

    Parameters
    ----------
    known : BestKnown or None
        What is listed.
    found : BestKnown
        What was found now.
    """
    scope = ("instance_sha256", "planner", "options")
    if known is None or any(getattr(known, name) != getattr(found, name) for name in scope):
        return found
    best = found if found.objective < known.objective * (1 - CLOSE) else known
    proven = [entry for entry in (known, found) if entry.bound is not None]
    if not proven:
        return best
    highest = max(proven, key=lambda entry: entry.bound or 0.0)
    bound = highest.bound
    assert bound is not None, "only proven ones are compared"
    changes = {"bound": bound, "proof": highest.proof, "gap": relative_gap(best.objective, bound)}
    return BestKnown(**{**asdict(best), **changes})


def faults_of(entry: BestKnown, instance: Instance, plan: Plan) -> Iterator[str]:
    """Yield what an entry says that its instance and plan do not confirm.

    Parameters
    ----------
    entry : BestKnown
        The entry.
    instance : Instance
        Its instance, made or read anew.
    plan : Plan
        Its plan file, for that instance.
    """
    digest = instance_digest(instance)
    if digest != entry.instance_sha256:
        yield f"{entry.name}: the instance has the digest {digest}, listed {entry.instance_sha256}"
    for violation in plan.violations:
        yield f"{entry.name}: {violation}"
    if plan.violations:
        return
    cost = plan.prediction
    for name, listed, is_now in (
        ("objective", entry.objective, plan.objective),
        ("latency_s", entry.latency_s, cost.latency_s),
        ("energy_j", entry.energy_j, cost.energy_j),
    ):
        if abs(listed - is_now) > CLOSE * abs(is_now):
            yield f"{entry.name}: {name} is {is_now!r}, listed {listed!r}"
    if entry.bound is not None and entry.bound > entry.objective * (1 + CLOSE):
        yield f"{entry.name}: the bound {entry.bound!r} is above the objective {entry.objective!r}"


def plan_path(entry: BestKnown, index: StrPath) -> Path:
    """Return where the plan of an entry lies."""
    return Path(index).parent / entry.plan_file
