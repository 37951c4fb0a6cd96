"""What each decision is worth: taken away from the optimised plan, and added alone to a plain one."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from hfedfm_opt.planning.plan import PlanResult
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.instance import Instance

Group = Literal["full", "without", "plain", "only"]
SERVERS = "hierarchical"
"""The plain baseline: everything fixed by hand, servers average."""
TIME_LIMIT_S = 10.0
"""Wall seconds of each plan, unless asked otherwise."""
GROUPS: Mapping[Group, str] = {
    "full": "everything decided",
    "without": "without",
    "plain": "nothing decided",
    "only": "only",
}


@dataclass(frozen=True)
class Variant:
    """A planner with some decisions: which are left to a baseline, or which alone are made."""

    group: Group
    decision: str
    planner: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AblationRow:
    """What a variant of the planner costs a round; ``None`` stands for what does not exist.

    Parameters
    ----------
    group : "full", "without", "plain" or "only"
        Whether the decision is taken away from all, or made alone.
    decision : str
        What is taken away and by what it is replaced, or what is decided.
    planner : str
        Name of the planner.
    options : mapping
        Its options, besides those of all variants.
    objective, latency_s, energy_j : float or None
        Weighted cost, seconds and joules per round.
    share : float or None
        Part of the saving, from nothing decided to everything decided, that is lost without the decision, or
        won by it alone.
    explanation : str
        Why there is no plan.
    """

    group: Group
    decision: str
    planner: str
    options: Mapping[str, Any]
    objective: float | None = None
    latency_s: float | None = None
    energy_j: float | None = None
    share: float | None = None
    explanation: str = ""


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """All variants on one instance.

    Parameters
    ----------
    instance : str
        Its name.
    period : int or None
        Every how many rounds the cloud averages, in all rows but those that change it.
    transport_bits : str
        With how many bits a parameter updates and models travel, the same in all rows.
    rows : tuple of AblationRow
        One for each variant.
    """

    instance: str
    period: int | None
    transport_bits: str
    rows: tuple[AblationRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"format": "hfedfm-ablation", "version": 1, **asdict(self)}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the rows as CSV text, with all digits."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        names = [field.name for field in fields(AblationRow)]
        writer.writerow(names)
        for row in self.rows:
            values = {**asdict(row), "options": " ".join(f"{k}={v}" for k, v in row.options.items())}
            writer.writerow([values[name] for name in names])
        return stream.getvalue()


def variants_of(period: int | None) -> Iterator[Variant]:
    """Yield all variants: everything, each decision taken away, nothing, each decision alone.

    Parameters
    ----------
    period : int or None
        Every how many rounds the cloud averages; ``None``: never.
    """
    name = f"optimised:{period_name(period)}"
    yield Variant("full", "", name, {})
    for method in ("nearest", "greedy", "random"):
        yield Variant("without", f"placement: {method}", name, {"placement": method})
    for trees, words in (
        (SERVERS, "servers average"),
        ("hierarchical+d2d", "published, random aggregators"),
        ("spanning-tree", "spanning tree"),
        ("shortest-paths", "shortest paths"),
    ):
        yield Variant("without", f"trees: {words}", name, {"trees": trees})
    yield Variant("without", "D2D links: nominal", name, {"allocate_d2d": False})
    yield Variant("without", "uplinks: nominal", name, {"allocate_uplinks": False})
    yield Variant("without", "CPUs: full frequency", name, {"allocate_cpu": False})
    yield Variant("without", "all resources: nominal", name, {"allocate": False})
    if period != 1:
        yield Variant("without", "period: 1", "optimised:1", {})
    yield Variant("plain", "", f"{SERVERS}:{period_name(period)}", {})
    plain = {"placement": "greedy_regret", "trees": SERVERS}
    yield Variant("only", "placement", name, {"trees": SERVERS, "allocate": False})
    yield Variant("only", "trees", name, {"placement": "greedy_regret", "allocate": False})
    yield Variant("only", "uplinks", name, plain | {"allocate_cpu": False})
    yield Variant("only", "uplinks and CPUs", name, plain)
    yield Variant("only", "trees and all resources", name, {"placement": "greedy_regret"})


def ablate(
    instance: Instance,
    *,
    period: int | None,
    options: PlannerOptions | None = None,
    observer: Callable[[str, int, int], None] | None = None,
) -> Ablation:
    """Return what each decision is worth on an instance.

    Parameters
    ----------
    instance : Instance
        What is given.
    period : int or None
        Every how many rounds the cloud averages; ``None``: never.
    options : PlannerOptions or None
        What all variants share: limits, prices, precision; without a time limit, each plan has ten seconds.
    observer : callable or None
        Told of each variant that is done, and how many of how many are.
    """
    common = options or PlannerOptions()
    if common.time_limit_s is None:
        common = replace(common, time_limit_s=TIME_LIMIT_S)
    variants = list(variants_of(period))
    rows = []
    for done, variant in enumerate(variants, start=1):
        result = plan(instance, variant.planner, replace(common, **dict(variant.changes)))
        rows.append(_row(variant, result))
        if observer is not None:
            observer(f"{GROUPS[variant.group]} {variant.decision}".strip(), done, len(variants))
    return Ablation(
        instance=instance.name,
        period=period,
        transport_bits=str(common.transport_bits),
        rows=_with_shares(rows),
    )


def _row(variant: Variant, result: PlanResult) -> AblationRow:
    row = AblationRow(
        group=variant.group,
        decision=variant.decision,
        planner=variant.planner,
        options=dict(variant.changes),
        explanation=result.explanation,
    )
    if result.plan is None:
        return row
    return replace(row, objective=result.objective, latency_s=result.latency_s, energy_j=result.energy_j)


def _with_shares(rows: list[AblationRow]) -> tuple[AblationRow, ...]:
    costs = {row.group: row.objective for row in rows if row.group in ("full", "plain")}
    full, plain = costs["full"], costs["plain"]
    if full is None or plain is None or plain <= full:
        return tuple(rows)
    saving = plain - full

    def share(row: AblationRow) -> float | None:
        if row.objective is None or row.group in ("full", "plain"):
            return None
        return (row.objective - full if row.group == "without" else plain - row.objective) / saving

    return tuple(replace(row, share=share(row)) for row in rows)
