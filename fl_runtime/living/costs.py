"""What the steps of living rounds cost: attempts, slow work, gains, bits besides those of the schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fl_runtime.compiled import CompiledKind, StepCost, cost_of_step
from fl_runtime.link_gains import Link, wireless_links
from fl_runtime.living.draws import BoolArray, FloatArray
from fl_runtime.living.loads import Extra
from fl_runtime.living.record import Record, RoundPlay
from fl_runtime.schedule import Node, Schedule, Transfer


@dataclass(frozen=True)
class RoundCost:
    """Seconds and joules of the steps of a round, (steps, 3), and the bits that travelled, (steps,)."""

    costs: FloatArray
    bits: FloatArray


class Pricing:
    """Prices rounds of a kind.

    Parameters
    ----------
    schedule : Schedule
        Whose nodes work and send.
    kind : CompiledKind
        The kind, with its costs on a still channel.
    gains : mapping of Link to sequence of float
        Factors on the gains of links that change, one per round of the play.
    """

    def __init__(self, schedule: Schedule, kind: CompiledKind, gains: Mapping[Link, Sequence[float]]) -> None:
        self._kind, self._gains = kind, gains
        self._node_of_id: dict[str, Node] = {node.id: node for node in schedule.nodes}
        self._base = np.array(kind.costs)  # (steps, 3): seconds, joules of node and of peer
        self._bits = np.array([step.bits if isinstance(step, Transfer) else 0.0 for step in kind.steps])
        self._moving = {position: link for position, _, link in wireless_links(kind.steps) if link in gains}

    def price(self, index: int, play: RoundPlay, taken: BoolArray, extra: Extra) -> RoundCost:
        """Return what round ``index`` costs, if the steps ``taken`` take place and nothing is called off."""
        times = taken * play.attempts * play.slowness
        costs: FloatArray = self._base * times[:, None]
        bits = self._bits * times
        for position in self._moving.keys() | extra.keys():
            if times[position]:
                once = self.attempt(index, position, extra.get(position, 0.0))
                costs[position] = times[position] * np.array(once)
                bits[position] = times[position] * (self._bits[position] + extra.get(position, 0.0))
        return RoundCost(costs, bits)

    def attempt(self, index: int, position: int, extra_bits: float) -> StepCost:
        """Return what a step costs once in a round, with other bits."""
        link = self._moving.get(position)
        if link is None and not extra_bits:
            return self._kind.costs[position]
        gain = 1.0 if link is None else self._gains[link][index]
        return cost_of_step(self._kind.steps[position], self._node_of_id, gain, extra_bits)


def price_all(
    kinds: Sequence[CompiledKind],
    pricing: Mapping[int, Pricing],
    record: Record,
    extra: Sequence[Extra],
) -> list[RoundCost]:
    """Return what each round costs; ``pricing`` is that of its kind, by identity."""
    taken_of: dict[int, BoolArray] = {}
    found = []
    for index, (kind, play) in enumerate(zip(kinds, record.plays, strict=True)):
        if id(play.flow) not in taken_of:
            taken_of[id(play.flow)] = play.flow.taken()
        taken = taken_of[id(play.flow)][:, play.row]
        found.append(pricing[id(kind)].price(index, play, taken, extra[index]))
    return found
