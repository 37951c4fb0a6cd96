"""CPUs slowed down so that updates over nominal uplinks are just in time for a common deadline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.computing import Computing
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray


@dataclass(frozen=True)
class Slack:
    """Members of a cluster that may slow down their CPUs, n of them.

    A device that trains in S seconds with J joules at full frequency and then sends for s seconds is just in
    time for a deadline t where it trains in ``c = t - s``, which takes ``J (S / c)^2`` joules.

    Parameters
    ----------
    devices : tuple of str
        Ids.
    seconds, joules : (n,) float
        S and J of a round.
    after_s : (n,) float
        How long each sends.
    max_frequency_hz : (n,) float
        Full frequency.
    least_s : float
        Deadline before which the cluster cannot be ready.
    """

    devices: tuple[str, ...]
    seconds: FloatArray
    joules: FloatArray
    after_s: FloatArray
    max_frequency_hz: FloatArray
    least_s: float

    def part(self, deadline_s: float) -> FloatArray:
        """Return the parts of their full frequencies at which the devices are just in time, (n,)."""
        return self.seconds / np.maximum(deadline_s - self.after_s, self.seconds)


def slack_of(
    network: Network,
    members: Sequence[str],
    server: str,
    work: Computing,
    after_s: Sequence[float],
    least_s: float,
) -> Slack | None:
    """Return what members of a star save by waiting; ``None`` if nobody can, or at a half-duplex server.

    Parameters
    ----------
    network : Network
        The network.
    members : sequence of str
        The cluster.
    server : str
        Where they send.
    work : Computing
        Their training.
    after_s : sequence of float
        How long each member sends.
    least_s : float
        When the cluster is ready if nobody slows down.
    """
    at = [row for row, device in enumerate(members) if device in work.scaled and work.cycles[row] > 0]
    if not at or network.is_half_duplex(server):
        return None
    cycles, highest_hz = work.cycles[at], work.max_frequency_hz[at]
    return Slack(
        devices=tuple(members[row] for row in at),
        seconds=cycles / highest_hz,
        joules=work.capacitance[at] * cycles * highest_hz**2,
        after_s=np.array(after_s)[at],
        max_frequency_hz=highest_hz,
        least_s=least_s,
    )


class SlackCurves:
    """Energy of many clusters' slowed CPUs as functions of their deadlines, priced in one go."""

    def __init__(self, slacks: Sequence[Slack]) -> None:
        sizes = [len(slack.devices) for slack in slacks]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._of = np.repeat(np.arange(len(sizes)), sizes)
        none = np.zeros(0)
        self._seconds = np.concatenate([none, *(slack.seconds for slack in slacks)])
        self._joules = np.concatenate([none, *(slack.joules for slack in slacks)])
        self._after_s = np.concatenate([none, *(slack.after_s for slack in slacks)])
        self.least_s = np.array([slack.least_s for slack in slacks])

    def price(self, deadline_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return joules and slopes (W, not above zero) of all clusters, each at its deadline; (n,) both.

        Joules are ``inf`` before a cluster can be ready.
        """
        computes_s = np.maximum(deadline_s[self._of] - self._after_s, self._seconds)
        joules = self._joules * (self._seconds / computes_s) ** 2
        slope_w = -2.0 * joules / computes_s
        in_time = deadline_s >= self.least_s * (1 - 1e-15)
        total = np.add.reduceat(joules, self._starts)
        return np.where(in_time, total, np.inf), np.where(
            in_time, np.add.reduceat(slope_w, self._starts), 0.0
        )
