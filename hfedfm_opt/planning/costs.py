"""The prediction: seconds and joules of a plan on a still channel, by critical paths through its trees.

It walks the trees of the plan; the runtime's clock instead plays the compiled schedule on a time line.  The
two share only the formulas of ``fl_runtime.physics``, and must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hfedfm_opt.planning.association import as_decided
from hfedfm_opt.planning.payload import carried_from, gathered_modules, kept_modules
from hfedfm_opt.planning.phase import Ledger, Phase, Uses
from hfedfm_opt.planning.rounds import Kind, cycle_of
from hfedfm_opt.planning.trained_elsewhere import hosts_above, members_helped
from hfedfm_opt.planning.trees import Modules, deliver_order, gather_order, modules_down, modules_up
from hfedfm_opt.system.decisions import Cluster, Decisions, Hop, Serving
from hfedfm_opt.system.network import Network


@dataclass(frozen=True)
class Prediction:
    """What a plan will cost on a still channel.

    Parameters
    ----------
    latency_s, energy_j : float
        Seconds and joules per round, averaged over the rounds predicted.
    node_energy_j : mapping of str to float
        Joules per round of each node that spends any.
    uses : mapping of (str, str, str) to array
        When shares of bands are used, by cluster, phase and band, within one round of each kind.
    """

    latency_s: float
    energy_j: float
    node_energy_j: Mapping[str, float]
    uses: Uses


def predict(network: Network, decisions: Decisions, rounds: int | None = None) -> Prediction:
    """Return the cost of a plan on a still channel.

    Parameters
    ----------
    network : Network
        The network, with the plan's duplex.
    decisions : Decisions
        The plan; its trees must be sound (``hfedfm_opt.planning.check`` sees to it).
    rounds : int or None
        Rounds to predict, >= 1; ``None`` means one cycle.
    """
    network = as_decided(network, decisions)
    cycle = cycle_of(decisions.periods)
    played = [cycle[index % len(cycle)] for index in range(rounds or len(cycle))]
    trained = _training(network, decisions)
    cost_of = {kind: _cost_of_round(network, decisions, kind, trained) for kind in dict.fromkeys(played)}
    time_s = {cluster.id: 0.0 for cluster in decisions.clusters}
    energy_j: dict[str, float] = {}
    for kind in played:
        time_s = cost_of[kind].advance(time_s)
        for node, joules in cost_of[kind].ledger.energy_j.items():
            energy_j[node] = energy_j.get(node, 0.0) + joules
    return Prediction(
        latency_s=max(time_s.values()) / len(played),
        energy_j=sum(energy_j.values()) / len(played),
        node_energy_j={node: joules / len(played) for node, joules in energy_j.items()},
        uses={place: uses for cost in cost_of.values() for place, uses in cost.ledger.uses.items()},
    )


@dataclass
class _Round:
    """The cost of one kind of round; clusters may start it at different times.

    ``up_s`` is from a cluster's start to its update at the server, or to the end of its round where nothing
    is due; ``busy_s`` to the end of its D2D traffic; ``down_s`` from its server to its last member.
    ``serves`` has each cluster with the nodes above it that train for its members.
    """

    root: str
    reaches_cloud: bool
    ledger: Ledger = field(default_factory=Ledger)
    up_s: dict[str, float] = field(default_factory=dict)
    busy_s: dict[str, float] = field(default_factory=dict)
    backhaul_up: list[tuple[Hop, float]] = field(default_factory=list)
    backhaul_down: list[tuple[Hop, float]] = field(default_factory=list)
    down_s: dict[str, float] = field(default_factory=dict)
    serves: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def advance(self, start_s: Mapping[str, float]) -> dict[str, float]:
        """Return when each cluster has ended the round, from when each starts it."""
        if not self.reaches_cloud:
            return {cluster: start + self.up_s[cluster] for cluster, start in start_s.items()}
        ready = {cluster: start + self.up_s[cluster] for cluster, start in start_s.items()}
        for cluster, hosts in self.serves.items():
            for host in hosts:
                ready[host] = max(ready.get(host, 0.0), ready[cluster])
        for hop, seconds in self.backhaul_up:
            ready[hop.target] = max(ready.get(hop.target, 0.0), ready[hop.source] + seconds)
        arrived = {self.root: ready.get(self.root, 0.0)}
        for hop, seconds in self.backhaul_down:
            arrived[hop.target] = arrived[hop.source] + seconds
        busy = {cluster: start + self.busy_s[cluster] for cluster, start in start_s.items()}
        end = max(max(arrived[cluster], busy[cluster]) + self.down_s[cluster] for cluster in start_s)
        return dict.fromkeys(start_s, end)


@dataclass(frozen=True)
class _Trained:
    """The training of a cluster, the same in each round: when members are ready, and what was booked."""

    ready_s: Mapping[str, float]
    ledger: Ledger


def _training(network: Network, decisions: Decisions) -> dict[str, _Trained]:
    """Return the training of each cluster."""
    servings: dict[str, list[Serving]] = {}
    for serving in decisions.servings:
        servings.setdefault(serving.device, []).append(serving)
    frequency_of = {entry.device: entry.frequency_hz for entry in decisions.frequencies}
    found = {}
    for cluster in decisions.clusters:
        ledger = Ledger()
        phase = Phase(network, ledger, cluster.id, "")
        ready_s = {
            device: phase.train(device, frequency_of.get(device), servings.get(device, ()))
            for device in cluster.members
        }
        found[cluster.id] = _Trained(ready_s, ledger)
    return found


def _cost_of_round(
    network: Network, decisions: Decisions, kind: Kind, trained: Mapping[str, _Trained]
) -> _Round:
    cost = _Round(network.root, reaches_cloud=bool(kind.due))
    busy = frozenset(serving.device for serving in decisions.servings)
    carried: dict[str, Modules] = {}
    for cluster in decisions.clusters:
        phase = Phase(network, cost.ledger, cluster.id, f"{kind.name} up")
        phase.repeat(trained[cluster.id].ledger)
        ready = dict(trained[cluster.id].ready_s)
        carried[cluster.id] = _cluster_round(cost, phase, cluster, kind, ready, busy)
        cost.serves[cluster.id] = hosts_above(network, cluster)
    if kind.due:
        _backhaul(network, cost, decisions, carried_from(network, carried, kind))
    return cost


def _cluster_round(
    cost: _Round, phase: Phase, cluster: Cluster, kind: Kind, ready: dict[str, float], busy: frozenset[str]
) -> Modules:
    """Play a cluster's part of a round; return the modules that it sends to the cloud."""
    network = phase.network
    own = gathered_modules(network, cluster, kind)
    trained_s = [ready[device] for device in members_helped(network, cluster.members)]
    if cluster.consensus is not None:
        ready = phase.mix(cluster.consensus, kind, ready, busy)
    way_up = phase.forward if cluster.relays == "forward" else phase.gather
    merged, union = way_up(cluster.gather_hops(to_cloud=bool(kind.due)), cluster.aggregator, ready, own, busy)
    at_server = merged = max([merged, *trained_s])
    for hop in cluster.uplink if union & kind.due else ():
        at_server = phase.send(hop, union & kind.due, at_server)
    delivered = phase.deliver(
        cluster.deliver, cluster.aggregator, at_server, kept_modules(network, cluster, kind)
    )
    if cluster.consensus is not None:
        delivered = max(delivered, *ready.values())
    cost.up_s[cluster.id] = at_server if kind.due else delivered
    cost.busy_s[cluster.id] = delivered
    if kind.due:
        down = Phase(network, cost.ledger, cluster.id, f"{kind.name} down")
        due = {device: modules & kind.due for device, modules in own.items()}
        cost.down_s[cluster.id] = down.deliver(cluster.downlink, cluster.id, 0.0, due)
    return union & kind.due


def _backhaul(network: Network, cost: _Round, decisions: Decisions, carried: Mapping[str, Modules]) -> None:
    up = gather_order(decisions.backhaul_up, network.root)
    sent = modules_up(up, carried)
    down = deliver_order(decisions.backhaul_down, network.root)
    needed = modules_down(down, carried)
    phase = Phase(network, cost.ledger, network.root, "backhaul")
    for hop in up:
        if sent.get(hop.source):  # the cloud waits for nobody who has nothing to send
            cost.backhaul_up.append((hop, phase.send(hop, sent[hop.source], 0.0)))
    for hop in down:
        modules = needed.get(hop.target)
        cost.backhaul_down.append((hop, phase.send(hop, modules, 0.0, "model") if modules else 0.0))
