"""What the clock needs to know of a kind of round: what each step costs, holds and waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fl_runtime import physics
from fl_runtime.schedule import (
    Aggregate,
    Compute,
    Cpu,
    Deliver,
    FixedSpeed,
    Merge,
    Mix,
    Node,
    RoundKind,
    Schedule,
    Step,
    Transfer,
    Wireless,
)

EVERYBODY = -1
"""Pseudo node: a step without nodes waits for the earlier rounds of all."""

Demand = tuple[int, float]
"""A resource and the part of it, in (0, 1], that a step holds while it lasts."""


class StepCost(NamedTuple):
    """Seconds of a step and the joules of its node and of its peer (the receiver of a transfer)."""

    seconds: float
    node_j: float
    peer_j: float


@dataclass(frozen=True, kw_only=True)
class CompiledKind:
    """A kind of round, each list with one entry per step in list order.

    Parameters
    ----------
    steps : tuple of Step
        The steps themselves.
    members : list of tuple of int
        Nodes whose later rounds wait for the step.
    successors : list of tuple of int
        Steps of the same round that wait for the step.
    num_waits : list of int
        For how many earlier steps and nodes' earlier rounds the step waits.
    demands : list of tuple of Demand
        Resources that the step holds; none for a step that takes no time.
    costs : list of StepCost
        On a still channel.
    gated : dict
        For each node: the steps that wait for its earlier rounds.
    num_steps_of_node : dict
        For each node: in how many steps it takes part.
    """

    steps: tuple[Step, ...]
    members: list[tuple[int, ...]]
    successors: list[tuple[int, ...]]
    num_waits: list[int]
    demands: list[tuple[Demand, ...]]
    costs: list[StepCost]
    gated: dict[int, list[int]]
    num_steps_of_node: dict[int, int]


def nodes_of_step(step: Step) -> tuple[str, ...]:
    """Return the names of the nodes that take part in ``step``; none for an Evaluate."""
    match step:
        case Compute() | Merge() | Aggregate():
            return (step.node,)
        case Transfer():
            return (step.source, step.target)
        case Mix() | Deliver():
            return step.nodes
        case _:
            return ()


def cost_of_step(
    step: Step, node_of_id: Mapping[str, Node], power_gain: float = 1.0, extra_bits: float = 0.0
) -> StepCost:
    """Return the seconds and joules of ``step``.

    Parameters
    ----------
    step : Step
        Any step; those that neither compute nor transfer cost nothing.
    node_of_id : mapping of str to Node
        The nodes by name.
    power_gain : float
        Small-scale fading: multiplies the gain of a wireless link, >= 0.
    extra_bits : float
        Bits that a transfer carries besides its own.
    """
    if isinstance(step, Compute):
        return _compute_cost(step, node_of_id[step.node])
    if not isinstance(step, Transfer):
        return StepCost(0.0, 0.0, 0.0)
    medium, bits = step.medium, step.bits + extra_bits
    if isinstance(medium, Wireless):
        sender, receiver = node_of_id[step.source], node_of_id[step.target]
        rate_bps = physics.shannon_rate_bps(
            medium.band_hz, medium.power_w, medium.gain * power_gain, medium.noise_w_per_hz
        )
        seconds = physics.transfer_seconds(bits, rate_bps)
        sender_j = physics.sender_joules(
            seconds, medium.power_w, sender.amplifier_efficiency, sender.circuit_power_w
        )
        return StepCost(seconds, sender_j, physics.receiver_joules(seconds, receiver.receive_power_w))
    rate_bps = float("inf") if medium.rate_bps is None else medium.rate_bps
    seconds = physics.transfer_seconds(bits, rate_bps, medium.delay_s)
    return StepCost(seconds, physics.wired_joules(seconds, medium.power_w), 0.0)


def _compute_cost(step: Compute, node: Node) -> StepCost:
    processor = node.processor
    if isinstance(processor, FixedSpeed):
        seconds = physics.reserved_compute_seconds(step.flops, processor.flops_per_s, step.share)
        return StepCost(seconds, physics.reserved_compute_joules(seconds, processor.power_w, step.share), 0.0)
    if isinstance(processor, Cpu) and step.frequency_hz is not None:
        cycles = physics.cycles_of(step.flops, processor.flops_per_cycle)
        seconds = physics.compute_seconds(cycles, step.frequency_hz)
        joules = physics.compute_joules(cycles, step.frequency_hz, processor.effective_capacitance)
        return StepCost(seconds, joules, 0.0)
    return StepCost(0.0, 0.0, 0.0)


class Resources:
    """The resources of a schedule by number, each of capacity one: radios, bands and processors."""

    def __init__(self, schedule: Schedule) -> None:
        self._node_of_id = {node.id: node for node in schedule.nodes}
        self._width_hz = {band.id: band.band_hz for band in schedule.bands}
        self._number_of: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._number_of)

    def demands_of(self, step: Step) -> tuple[Demand, ...]:
        """Return what ``step`` holds while it lasts, numbering resources as they first occur."""
        if isinstance(step, Compute):
            processor = self._node_of_id[step.node].processor
            if processor is None:
                return ()
            share = step.share if isinstance(processor, FixedSpeed) else 1.0
            return ((self._number("processor", step.node), share),)
        if not isinstance(step, Transfer) or not isinstance(step.medium, Wireless):
            return ()
        part = min(1.0, step.medium.band_hz / self._width_hz[step.medium.band])
        radios = tuple(
            (self._number("radio", name), 1.0)
            for name in (step.source, step.target)
            if self._node_of_id[name].half_duplex
        )
        return (*radios, (self._number("band", step.medium.band), part))

    def _number(self, kind: str, name: str) -> int:
        return self._number_of.setdefault((kind, name), len(self._number_of))


def compile_kind(
    kind: RoundKind, node_of_id: Mapping[str, Node], index_of_node: Mapping[str, int], resources: Resources
) -> CompiledKind:
    """Return ``kind`` as lists over its steps.

    Parameters
    ----------
    kind : RoundKind
        Checked steps, each after those that it names in ``after``.
    node_of_id : mapping of str to Node
        The nodes by name.
    index_of_node : mapping of str to int
        Their numbers.
    resources : Resources
        Numbers the resources of all kinds alike.
    """
    position_of = {step.id: position for position, step in enumerate(kind.steps)}
    successors: list[list[int]] = [[] for _ in kind.steps]
    members: list[tuple[int, ...]] = []
    num_waits: list[int] = []
    gated: dict[int, list[int]] = {}
    num_steps_of_node: dict[int, int] = {}
    for position, step in enumerate(kind.steps):
        predecessors = {position_of[name] for name in step.after}
        for predecessor in predecessors:
            successors[predecessor].append(position)
        nodes = tuple(dict.fromkeys(index_of_node[name] for name in nodes_of_step(step)))
        gates = nodes or (EVERYBODY,)
        members.append(nodes)
        num_waits.append(len(predecessors) + len(gates))
        for node in gates:
            gated.setdefault(node, []).append(position)
        for node in nodes:
            num_steps_of_node[node] = num_steps_of_node.get(node, 0) + 1
    costs = [cost_of_step(step, node_of_id) for step in kind.steps]
    demands = [
        resources.demands_of(step) if cost.seconds > 0 else ()
        for step, cost in zip(kind.steps, costs, strict=True)
    ]
    return CompiledKind(
        steps=kind.steps,
        members=members,
        successors=[tuple(later) for later in successors],
        num_waits=num_waits,
        demands=demands,
        costs=costs,
        gated=gated,
        num_steps_of_node=num_steps_of_node,
    )
