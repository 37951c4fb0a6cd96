"""What chance decides in a living network: keyed by the seed, the round and names, and by nothing else.

Fewer rounds draw a prefix of the same numbers, and no node, step or link changes the draws of another.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fl_runtime.schedule import (
    Compute,
    DropOut,
    LivingNetwork,
    Losses,
    RoundKind,
    Schedule,
    Straggling,
    Transfer,
    Wired,
)

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KindDraws:
    """How often each step of a kind is sent, whether it arrives, and its slowness, each (steps, rounds)."""

    attempts: IntArray
    arrives: BoolArray
    slowness: FloatArray

    def of_round(self, row: int) -> "KindDraws":
        """Return the draws of one round, each (steps,)."""
        return KindDraws(self.attempts[:, row], self.arrives[:, row], self.slowness[:, row])


@dataclass(frozen=True)
class Draws:
    """All draws of a schedule's living network.

    Parameters
    ----------
    schedule : Schedule
        Whose nodes and steps name the draws.
    seed : int
        >= 0.
    num_rounds : int
        Number of rounds.
    away : array of bool, shape (rounds, nodes)
        Who is away, in the order of the schedule's nodes.
    """

    schedule: Schedule
    seed: int
    num_rounds: int
    away: BoolArray

    @classmethod
    def of(cls, schedule: Schedule, seed: int, num_rounds: int) -> "Draws":
        """Return the draws of ``num_rounds`` rounds."""
        away = np.zeros((num_rounds, len(schedule.nodes)), dtype=np.bool_)
        drop_out = _living(schedule).drop_out
        if drop_out is not None:
            chosen = set(drop_out.nodes or devices_of(schedule))
            places = [place for place, node in enumerate(schedule.nodes) if node.id in chosen]
            names = [schedule.nodes[place].id for place in places]
            away[:, places] = rounds_away(drop_out, seed, names, num_rounds)
        return cls(schedule, seed, num_rounds, away)

    def of_kind(self, kind: RoundKind, rounds: IntArray) -> KindDraws:
        """Return what chance does to the steps of a kind in some rounds."""
        shape = (len(kind.steps), len(rounds))
        attempts, arrives = np.ones(shape, dtype=np.int64), np.ones(shape, dtype=np.bool_)
        slowness = np.ones(shape)
        for position, step in enumerate(kind.steps):
            if isinstance(step, Transfer):
                number, success = self.attempts(step)
                attempts[position], arrives[position] = number[rounds], success[rounds]
            elif isinstance(step, Compute):
                slowness[position] = self.slowness(step)[rounds]
        return KindDraws(attempts, arrives, slowness)

    def slowness(self, step: Compute) -> FloatArray:
        """Return the factor on the time of a computation, (rounds,)."""
        straggling = _living(self.schedule).straggling
        if straggling is None or step.node not in (straggling.nodes or devices_of(self.schedule)):
            return np.ones(self.num_rounds)
        return slow_factors(straggling, self.seed, step.node, step.id, self.num_rounds)

    def attempts(self, step: Transfer) -> tuple[IntArray, BoolArray]:
        """Return how often a transfer is sent and whether it arrives at last, each (rounds,)."""
        losses = _living(self.schedule).losses
        if losses is None or (isinstance(step.medium, Wired) and not losses.wired):
            return np.ones(self.num_rounds, dtype=np.int64), np.ones(self.num_rounds, dtype=np.bool_)
        return attempts_of(losses, self.seed, step, self.num_rounds)


def devices_of(schedule: Schedule) -> tuple[str, ...]:
    """Return the nodes that routes name; where there are no routes, those that host replicas."""
    if schedule.routes:
        return tuple(dict.fromkeys(route.device for route in schedule.routes))
    return tuple(dict.fromkeys(replica.host for replica in schedule.replicas))


def rounds_away(drop_out: DropOut, seed: int, nodes: Sequence[str], num_rounds: int) -> BoolArray:
    """Return in which rounds each node is away, (rounds, nodes)."""
    stay = drop_out.mean_rounds_away or 1.0 / (1.0 - drop_out.share)
    comes_back, leaves = 1.0 / stay, drop_out.share / (1.0 - drop_out.share) / stay
    away = np.zeros((num_rounds, len(nodes)), dtype=np.bool_)
    if not nodes:
        return away
    uniform = np.stack([_generator(seed, "away", node).random(num_rounds) for node in nodes], axis=1)
    for index in range(num_rounds):
        if index == 0:
            away[0] = uniform[0] < drop_out.share
        else:
            away[index] = np.where(away[index - 1], uniform[index] >= comes_back, uniform[index] < leaves)
    return away


def slow_factors(straggling: Straggling, seed: int, node: str, step: str, num_rounds: int) -> FloatArray:
    """Return the factors on the time of a computation, (rounds,)."""
    generator = _generator(seed, "slow", node, step)
    if straggling.law == "log-normal":
        return np.exp(straggling.spread * generator.standard_normal(num_rounds))
    return 1.0 + straggling.spread * generator.standard_exponential(num_rounds)


def attempts_of(losses: Losses, seed: int, step: Transfer, num_rounds: int) -> tuple[IntArray, BoolArray]:
    """Return how often a transfer is sent, and whether it arrives at last, each (rounds,).

    The first attempt that succeeds has a geometric distribution: more than k are needed with p^k.
    """
    if not losses.probability:
        return np.ones(num_rounds, dtype=np.int64), np.ones(num_rounds, dtype=np.bool_)
    uniform = 1.0 - _generator(seed, "lost", step.source, step.target, step.id).random(num_rounds)  # (0, 1]
    needed = 1 + np.floor(np.log(uniform) / np.log(losses.probability)).astype(np.int64)
    if losses.max_attempts is None:
        return needed, np.ones(num_rounds, dtype=np.bool_)
    return np.minimum(needed, losses.max_attempts), needed <= losses.max_attempts


def is_living(schedule: Schedule) -> bool:
    """Return whether more than fading and gains may change what happens in a round, or when it ends."""
    living = _living(schedule)
    parts = (living.drop_out, living.straggling, living.losses)
    return closes(schedule) or any(part is not None for part in parts)


def closes(schedule: Schedule) -> bool:
    """Return whether some kind of round that is played does not wait for all."""
    return any(not kind.policy.waits_for_all for kind in schedule.kinds if kind.name in schedule.cycle)


def _living(schedule: Schedule) -> LivingNetwork:
    return schedule.living or LivingNetwork()


def _generator(seed: int, *names: str) -> np.random.Generator:
    digest = hashlib.sha256("\0".join(("living", *names)).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4")
    return np.random.Generator(np.random.PCG64([seed, *(int(word) for word in words)]))
