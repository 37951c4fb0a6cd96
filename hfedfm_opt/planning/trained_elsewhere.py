"""Who trains what: modules that train elsewhere than on the devices that use them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hfedfm_opt.system.decisions import Cluster, Serving
from hfedfm_opt.system.network import Network

NOBODY = ""
"""Stands for a host that is not decided yet."""


def with_training(network: Network, servings: Iterable[Serving]) -> Network:
    """Return the network whose trainable modules are trained where a plan's servings place them.

    A device that is served sends no update of the module and gets none; its host trains a replica with the
    samples of all devices that it serves.  Servings of frozen, or of unknown, modules and devices change
    nothing.

    Parameters
    ----------
    network : Network
        The network.
    servings : iterable of Serving
        Modules that run elsewhere.
    """
    known = set(network.devices)
    found = {
        (serving.device, serving.module): serving.host
        for serving in servings
        if serving.device in known
        and serving.module in network.modules
        and network.modules[serving.module].trainable
        and serving.host != serving.device
    }
    return network if found == network.trained_by else replace(network, trained_by=found)


def without_movable(network: Network) -> Network:
    """Return the network whose devices send only what no placement trains elsewhere: for lower bounds."""
    movable = {
        (device, module): NOBODY
        for device in network.devices
        for module in network.trained_on[device]
        if may_leave(network, module)
    }
    return replace(network, trained_by=movable) if movable else network


def may_leave(network: Network, module: str) -> bool:
    """Return whether a trainable module may be trained elsewhere than on the devices that use it."""
    spec = network.modules[module]
    return spec.trainable and any(tier != network.instance.tiers[-1] for tier in spec.may_run_on)


def members_helped(network: Network, members: Sequence[str]) -> tuple[str, ...]:
    """Return those of some devices whose modules are partly trained elsewhere, in their order."""
    return tuple(device for device in members if device in network.trainers_of)


def hosts_above(network: Network, cluster: Cluster) -> tuple[str, ...]:
    """Return the nodes above a cluster that train modules for its members, sorted."""
    hosts = {host for device in cluster.members for host in network.trainers_of.get(device, ())}
    return tuple(sorted(hosts - {cluster.id, NOBODY}))
