"""Replicas that a new plan needs where the old one had none: how much must be sent, over which ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.system.decisions import Hop, Hosting
from hfedfm_opt.system.network import Network

BITS_PER_BYTE = 8.0


@dataclass(frozen=True)
class Move:
    """A replica on its way: the module, over which hops from which node to which, and how much it is."""

    module: str
    source: str
    target: str
    bytes: float
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True)
class Moves:
    """All replicas that are sent when one plan follows another.

    Parameters
    ----------
    moves : tuple of Move
        Each replica from the nearest node above its host that held one, or from the root.
    seconds : float
        Until the last is there: all begin at once, over hops at nominal resources; a link carries one after
        another, in the order of the list, and a node passes on what it has whole.
    joules : float
        Of all transfers.
    unreached : tuple of str
        Hosts to which no way leads from above; nothing is billed for them.
    """

    moves: tuple[Move, ...] = ()
    seconds: float = 0.0
    joules: float = 0.0
    unreached: tuple[str, ...] = ()

    @property
    def bytes(self) -> float:
        """All bytes that must be sent, each replica once."""
        return sum((move.bytes for move in self.moves), 0.0)


def replica_bytes(network: Network, module: str) -> float:
    """Return the bytes of a module's parameters, as they are sent to a new host."""
    return network.modules[module].parameters * network.instance.training.bits_per_parameter / BITS_PER_BYTE


def moves_between(network: Network, held: Iterable[Hosting], wanted: Iterable[Hosting]) -> Moves:
    """Return what must be sent so that all replicas of a new plan are there.

    Parameters
    ----------
    network : Network
        The network in which they are sent.
    held, wanted : iterable of Hosting
        Replicas of the old plan and of the new one.
    """
    there = {(entry.module, entry.node) for entry in held}
    ledger = Ledger()
    phase = Phase(network, ledger, network.root, "moves")
    free_s: dict[tuple[str, str], float] = {}
    last_s = 0.0
    moves, unreached = [], []
    for entry in wanted:
        if (entry.module, entry.node) in there:
            continue
        path = network.path_up(entry.node)
        source = next((node for node in path[1:] if (entry.module, node) in there), network.root)
        size = replica_bytes(network, entry.module)
        try:
            way = _way_down(network, path[: path.index(source) + 1])
        except MissingLink:
            unreached.append(entry.node)
            way = ()
        moves.append(Move(entry.module, source, entry.node, size, way))
        arrived_s = 0.0
        for hop in way:
            link = hop.source, hop.target
            arrived_s = phase.transfer(hop, BITS_PER_BYTE * size, max(arrived_s, free_s.get(link, 0.0)))
            free_s[link] = arrived_s
        last_s = max(last_s, arrived_s)
    return Moves(tuple(moves), last_s, sum(ledger.energy_j.values(), 0.0), tuple(dict.fromkeys(unreached)))


def _way_down(network: Network, path: tuple[str, ...]) -> tuple[Hop, ...]:
    """Return nominal hops from the last node of a path to its first; devices share their server's band."""
    steps = list(pairwise(reversed(path)))
    return tuple(
        nominal_hop(network, high, low, len(network.members.get(high, (low,)))) for high, low in steps
    )
