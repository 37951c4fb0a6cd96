"""Decisions that the optimised planner leaves to a baseline, to see what each of them is worth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.arrange import arrange
from hfedfm_opt.planning.cluster_options import Option, Rhythm
from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.recipes import recipe_of
from hfedfm_opt.system.decisions import Cluster
from hfedfm_opt.system.network import Network
from solvers.clusters import ClusterProblem

NO_BOUND = "no bound: some decisions are left to a baseline"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What is not decided.

    Parameters
    ----------
    trees : str or None
        Name of the planner whose aggregators and trees are taken; ``None``: they are decided.
    uplinks : bool
        Whether uplinks keep their nominal channel and power.
    cpu : bool
        Whether all CPUs run at their highest frequency.
    seed : int
        Seed of random aggregators.
    """

    trees: str | None = None
    uplinks: bool = False
    cpu: bool = False
    seed: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether everything is decided."""
        return self.trees is None and not self.uplinks and not self.cpu


def given_clusters(
    network: Network, placed: Placed, rhythm: Rhythm, left_out: LeftOut
) -> Mapping[str, Cluster] | None:
    """Return the clusters, by server, whose aggregators and trees are taken; ``None`` if these are decided.

    Parameters
    ----------
    network : Network
        The network, with who trains what.
    placed : Placed
        Who runs what.
    rhythm : Rhythm
        How often the cloud averages.
    left_out : LeftOut
        What is not decided.

    Raises
    ------
    MissingLink
        If the planner's arrangement needs a link that there is not.
    """
    if left_out.trees is None:
        return None
    recipe = replace(recipe_of(left_out.trees, 1), period=rhythm.period)
    return {cluster.id: cluster for cluster in arrange(network, recipe, placed, left_out.seed).clusters}


def with_given_trees(network: Network, given: Mapping[str, Cluster] | None) -> Network:
    """Return the network without the D2D links that given trees do not use.

    Parameters
    ----------
    network : Network
        The network.
    given : mapping of str to Cluster or None
        As :func:`given_clusters` returns them.
    """
    if given is None:
        return network
    used = {
        (hop.source, hop.target) for c in given.values() for hops in (c.gather, c.deliver) for hop in hops
    }
    devices = frozenset(network.devices)
    edges = {
        pair: edge for pair, edge in network.edges.items() if pair in used or not devices.issuperset(pair)
    }
    return replace(network, edges=edges)


def at_full_frequency(network: Network, ready: Readiness) -> Readiness:
    """Return readiness in which all devices count as helped, so that none is slowed down."""
    return replace(ready, helped=frozenset(network.devices))


def without_left_out(
    network: Network, options: Sequence[Option], given: Mapping[str, Cluster] | None, left_out: LeftOut
) -> list[Option]:
    """Return the options that decide nothing that is left out.

    Parameters
    ----------
    network : Network
        The network, with given trees only.
    options : sequence of Option
        Options of all clusters.
    given : mapping of str to Cluster or None
        As :func:`given_clusters` returns them.
    left_out : LeftOut
        What is not decided.
    """
    kept = list(options)
    if given is not None:
        rooted = (_rooted(option, given[option.plan.id].aggregator) for option in kept)
        kept = [option for option in rooted if option is not None]
    if left_out.uplinks:
        nominal = (_with_nominal_uplink(network, option) for option in kept)
        kept = [option for option in nominal if option is not None]
    return kept


def _rooted(option: Option, aggregator: str) -> Option | None:
    """Return an option if it averages at the given node, or where it can be told to."""
    if option.joint is None:
        return option if option.plan.aggregator == aggregator else None
    members = option.plan.members
    if aggregator not in members:
        return None
    at = np.array([member == aggregator for member in members])
    if not (at & option.joint.problem.roots).any():
        return None
    return _changed(option, lambda problem: replace(problem, roots=at))


def _with_nominal_uplink(network: Network, option: Option) -> Option | None:
    """Return an option with its uplinks at nominal resources; ``None`` where another option is just that."""
    if option.cell is not None:
        return None
    if option.joint is None or not option.joint.problem.has_leg:
        return option
    seconds, joules = np.zeros((2, len(option.plan.members)))
    modules = frozenset(name for device in option.plan.members for name in network.trained_on[device])
    for place in np.flatnonzero(option.joint.problem.roots).tolist():
        ledger = Ledger()
        hop = nominal_hop(network, option.plan.members[place], option.plan.id, 1)
        seconds[place] = Phase(network, ledger, option.plan.id, "nominal").send(hop, modules, 0.0)
        joules[place] = sum(ledger.energy_j.values())
    none = np.zeros(len(option.plan.members))

    def fixed(problem: ClusterProblem) -> ClusterProblem:
        return replace(problem, leg_gain=none, root_seconds=seconds, root_joules=joules)

    changed = _changed(option, fixed)
    assert changed.joint is not None, "a joint option stays one"
    return replace(changed, joint=replace(changed.joint, uplink_hz={}))


def _changed(option: Option, change: Callable[[ClusterProblem], ClusterProblem]) -> Option:
    """Return a joint option with its problem, and its relaxed one, changed."""
    joint = option.joint
    assert joint is not None, "only joint options are changed"
    problem = change(joint.problem)
    relaxed = problem if joint.relaxed is joint.problem else change(joint.relaxed)
    return replace(option, joint=JointCluster(problem, relaxed, joint.uplink_hz, joint.scaled))
