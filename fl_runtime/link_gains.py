"""Factors on the gains of wireless links, round by round: small-scale fading and slow changes."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from fl_runtime.fading import Fading, link_power_gains
from fl_runtime.schedule import LivingNetwork, Step, Transfer, Wireless

Link = tuple[str, str, str]
"""Source, target and band."""


def wireless_links(steps: Sequence[Step]) -> list[tuple[int, Transfer, Link]]:
    """Return place, step and link of each wireless transfer."""
    return [
        (position, step, (step.source, step.target, step.medium.band))
        for position, step in enumerate(steps)
        if isinstance(step, Transfer) and isinstance(step.medium, Wireless)
    ]


def gains_of_links(
    living: LivingNetwork, fading: Fading | None, seed: int, links: Collection[Link], num_rounds: int
) -> Mapping[Link, Sequence[float]]:
    """Return the factors on the gains of links that change, one per round.

    Parameters
    ----------
    living : LivingNetwork
        Whose ``gains`` are the slow changes.
    fading : Fading or None
        Law of block fading, of all links; its factors multiply the slow ones.
    seed : int
        Keys the fading.
    links : collection of Link
        The links in use.
    num_rounds : int
        Number of rounds.
    """
    slow = {(each.source, each.target, each.band): each.factors for each in living.gains}
    found = {}
    for link in links:
        factors = None if fading is None else link_power_gains(fading, seed, *link, num_rounds)
        if link in slow:
            moved = np.resize(np.array(slow[link], dtype=np.float64), num_rounds)
            factors = moved if factors is None else factors * moved
        if factors is not None:
            found[link] = factors.tolist()
    return found
