"""Defects of single steps: names, order, numbers and matrices."""

from collections.abc import Collection
from dataclasses import dataclass

from fl_runtime import physics
from fl_runtime.compiled import nodes_of_step
from fl_runtime.defects import Defects, exceeds, nearest
from fl_runtime.schedule import (
    Band,
    Compute,
    Cpu,
    Deliver,
    Evaluate,
    FixedSpeed,
    Mix,
    Node,
    RoundKind,
    Schedule,
    Step,
    Transfer,
    Wired,
    Wireless,
)

WEIGHT_TOLERANCE = 1e-9
"""How far the sums of a mixing matrix may be from one."""

CAP_TOLERANCE = 1e-9
"""Part by which a share of a band, or a frequency, may exceed its cap: rounding of a planner's sums."""


@dataclass(frozen=True)
class _World:
    nodes: dict[str, Node]
    bands: dict[str, Band]
    modules: Collection[str]
    hosted: Collection[str]


def check_steps(schedule: Schedule, kind: RoundKind, defects: Defects) -> None:
    """Add the defects of each step of ``kind`` by itself, and of the order of the steps.

    Parameters
    ----------
    schedule : Schedule
        Whose nodes, bands, modules and replicas the steps name.
    kind : RoundKind
        The steps.
    defects : Defects
        Takes the lines.
    """
    world = _World(
        {node.id: node for node in schedule.nodes},
        {band.id: band for band in schedule.bands},
        {module.id for module in schedule.modules},
        {replica.module for replica in schedule.replicas},
    )
    place = f"kind {kind.name!r}"
    defects.unique(place, "step", (step.id for step in kind.steps))
    if not kind.steps:
        defects.add(place, "steps is empty, must hold at least one step")
    all_ids = {step.id for step in kind.steps}
    earlier: set[str] = set()
    for step in kind.steps:
        where = f"{place}: step {step.id!r}"
        _check_order(step, where, earlier, all_ids, defects)
        earlier.add(step.id)
        _check_names(step, where, world, defects)
        match step:
            case Compute():
                _check_compute(step, where, world, defects)
            case Transfer():
                _check_transfer(step, where, world, defects)
            case Mix():
                _check_mix(step, where, defects)
            case _:
                pass


def _check_order(
    step: Step, where: str, earlier: Collection[str], all_ids: Collection[str], defects: Defects
) -> None:
    for name in step.after:
        if name == step.id:
            defects.add(where, "after names the step itself; remove it")
        elif name not in all_ids:
            defects.add(where, f"after names {name!r}, which is no step of this kind{nearest(name, all_ids)}")
        elif name not in earlier:
            defects.add(where, f"after names {name!r}, which stands later in the list; move it before")


def _check_names(step: Step, where: str, world: _World, defects: Defects) -> None:
    nodes = nodes_of_step(step)
    fields = (
        {"source": nodes[0], "target": nodes[1]}.items()
        if isinstance(step, Transfer)
        else (("node" if hasattr(step, "node") else "nodes", name) for name in nodes)
    )
    for field, name in fields:
        defects.name(where, field, name, world.nodes, "node")
    if isinstance(step, Transfer) and step.origin is not None:
        defects.name(where, "origin", step.origin, world.nodes, "node")
        if step.content != "update":
            defects.add(where, f"origin is {step.origin!r}, must be null: only updates are passed on")
    if isinstance(step, Compute | Evaluate):
        return
    if not nodes:
        defects.add(where, "nodes is empty, must name at least one node")
    may_be_empty = isinstance(step, Deliver) or (isinstance(step, Transfer) and step.content == "activation")
    if not step.modules and not may_be_empty:
        defects.add(where, "modules is empty, must name at least one module")
    defects.unique(where, "module", step.modules)
    if not isinstance(step, Transfer):
        defects.unique(where, "node", nodes)
    for module in step.modules:
        known = defects.name(where, "modules", module, world.modules, "module")
        if known and module not in world.hosted:
            defects.add(where, f"nobody hosts module {module!r}; add a replica of it or leave it out")


def _check_compute(step: Compute, where: str, world: _World, defects: Defects) -> None:
    defects.number(where, "flops", step.flops)
    defects.part(where, "share", step.share)
    if step.node not in world.nodes:
        return
    processor = world.nodes[step.node].processor
    if not isinstance(processor, FixedSpeed) and step.share != 1:
        defects.add(where, f"share is {step.share!r}, must be 1 unless the processor has a fixed speed")
    if not isinstance(processor, Cpu):
        if step.frequency_hz is not None:
            defects.add(
                where, f"frequency_hz is {step.frequency_hz!r}, must be None: {step.node!r} has no cpu"
            )
        return
    if defects.number(where, "frequency_hz", step.frequency_hz, positive=True):
        cap_hz = processor.max_frequency_hz
        if exceeds(step.frequency_hz, cap_hz, CAP_TOLERANCE):
            defects.add(
                where, f"frequency_hz is {step.frequency_hz!r}, must be <= {cap_hz!r}, the highest of its cpu"
            )


def _check_transfer(step: Transfer, where: str, world: _World, defects: Defects) -> None:
    defects.number(where, "bits", step.bits)
    if step.source == step.target:
        defects.add(where, f"source and target are both {step.source!r}, must differ")
    medium = step.medium
    if isinstance(medium, Wired):
        if medium.rate_bps is not None:
            defects.number(where, "rate_bps", medium.rate_bps, positive=True)
        defects.number(where, "delay_s", medium.delay_s)
        defects.number(where, "power_w", medium.power_w)
        return
    _check_wireless(medium, where, world, defects)


def _check_wireless(medium: Wireless, where: str, world: _World, defects: Defects) -> None:
    fine = True
    for field in ("band_hz", "power_w", "gain", "noise_w_per_hz"):
        fine &= defects.number(where, field, getattr(medium, field), positive=True)
    if defects.name(where, "band", medium.band, world.bands, "band"):
        width_hz = world.bands[medium.band].band_hz
        if fine and exceeds(medium.band_hz, width_hz, CAP_TOLERANCE):
            defects.add(
                where,
                f"band_hz is {medium.band_hz!r}, must be <= {width_hz!r}, the width of {medium.band!r}",
            )
    if fine and not physics.shannon_rate_bps(
        medium.band_hz, medium.power_w, medium.gain, medium.noise_w_per_hz
    ):
        defects.add(where, "the link's rate is 0 bit/s, must be > 0; raise power_w or gain")


def _check_mix(step: Mix, where: str, defects: Defects) -> None:
    defects.count(where, "sweeps", step.sweeps, 1)
    size = len(step.nodes)
    shape = [len(row) for row in step.weights]
    if shape != [size] * size:
        defects.add(
            where, f"weights has rows of {shape} entries, must be {size} rows of {size}: one per node"
        )
        return
    before = len(defects.lines)
    for row, entries in enumerate(step.weights):
        for column, weight in enumerate(entries):
            defects.number(where, f"weights[{row}][{column}]", weight)
    if len(defects.lines) > before:
        return
    columns = zip(*step.weights, strict=True)
    for side, lines in (("row", step.weights), ("column", columns)):
        for index, line in enumerate(lines):
            total = sum(line)
            if abs(total - 1.0) > WEIGHT_TOLERANCE:
                defects.add(where, f"{side} {index} of weights sums to {total!r}, must sum to 1")
