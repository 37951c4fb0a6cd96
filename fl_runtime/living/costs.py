"""What the steps of living rounds cost: attempts, slow work, gains, and bits that differ from the schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fl_runtime.compiled import CompiledKind, StepCost, cost_of_step
from fl_runtime.link_gains import Link, wireless_links
from fl_runtime.living.draws import FloatArray
from fl_runtime.living.loads import Extra
from fl_runtime.living.record import RoundPlay
from fl_runtime.schedule import Node, Schedule, Transfer


@dataclass(frozen=True)
class RoundCost:
    """Costs of the steps of a round and the bits that travelled, (steps,)."""

    costs: list[StepCost]
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
        self._moving = [(position, link) for position, _, link in wireless_links(kind.steps) if link in gains]

    def price(self, index: int, play: RoundPlay, extra: Extra) -> RoundCost:
        """Return what round ``index`` costs, if nothing of it is called off."""
        times = play.flow.takes_place[:, play.row] * play.attempts * play.slowness
        costs: npt.NDArray[np.float64] = self._base * times[:, None]
        bits = self._bits * times
        changed = {position: self._gains[link][index] for position, link in self._moving}
        for position in changed.keys() | extra.keys():
            if times[position]:
                costs[position] = times[position] * np.array(
                    self.attempt(position, changed.get(position, 1.0), extra.get(position, 0.0))
                )
                bits[position] = times[position] * (self._bits[position] + extra.get(position, 0.0))
        return RoundCost([StepCost(*row) for row in costs.tolist()], bits)

    def attempt(self, position: int, gain: float, extra_bits: float) -> StepCost:
        """Return what a step costs once, at a factor on its link's gain and with other bits."""
        return cost_of_step(self._kind.steps[position], self._node_of_id, gain, extra_bits)

    def gain(self, index: int, position: int) -> float:
        """Return the factor on the gain of a step's link in a round."""
        return next((self._gains[link][index] for place, link in self._moving if place == position), 1.0)
