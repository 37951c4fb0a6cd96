"""A network in which some nodes' joules cost more: the same decisions, the same seconds, weighted joules.

A node whose joules cost x times as much is a node with x times the circuit power, receive power, capacitance
and power of its processor and of its wired links, and 1/x of the amplifier's efficiency.  Every way of
planning then minimises the weighted sum without knowing of it.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from hfedfm_opt.system.instance import Cpu, FixedSpeed, Limits, Node, Objective, Radio
from hfedfm_opt.system.network import Edge, Network, WiredEdge

Processor = Cpu | FixedSpeed | None


def with_joule_prices(network: Network, joule_prices: Mapping[str, float], all_others: float) -> Network:
    """Return a network whose energy, at its own price of a joule, is the energy of all nodes at given prices.

    The price of a joule of the new network is the lowest of the devices', so that no device's amplifier is
    better than a perfect one.  The latency of decisions, its price, and the limits on latency and hops are
    those of the network given; it has no limits on energy, and no price of fairness.

    Parameters
    ----------
    network : Network
        The network.
    joule_prices : mapping of str to float
        Price of a joule of some nodes; > 0 for devices, >= 0 for others.
    all_others : float
        Price of a joule of all other nodes, >= 0; > 0 unless ``joule_prices`` names every device.
    """
    price = {node: joule_prices.get(node, all_others) for node in network.nodes}
    base = min(price[device] for device in network.devices)
    factor = {node: amount / base for node, amount in price.items()}
    given = network.instance
    nodes = tuple(_priced(node, factor[node.id]) for node in given.nodes)
    limits = Limits(max_latency_s=given.limits.max_latency_s, max_relay_hops=given.limits.max_relay_hops)
    objective = Objective(energy_weight_per_j=base, time_weight_per_s=given.objective.time_weight_per_s)
    changes = {"nodes": nodes, "limits": limits, "objective": objective}
    edges = {ends: _priced_edge(edge, factor[edge.source]) for ends, edge in network.edges.items()}
    return replace(
        network,
        instance=given.model_copy(update=changes),
        nodes={node.id: node for node in nodes},
        edges=edges,
    )


def without_device_limits(network: Network) -> Network:
    """Return the network without limits and price of the energy of single devices: a relaxation."""
    given = network.instance
    nodes = tuple(node.model_copy(update={"max_energy_j": None}) for node in given.nodes)
    changes = {
        "nodes": nodes,
        "limits": given.limits.model_copy(update={"max_device_energy_j": None}),
        "objective": given.objective.model_copy(update={"fairness_weight_per_j": 0.0}),
    }
    return replace(
        network, instance=given.model_copy(update=changes), nodes={node.id: node for node in nodes}
    )


def _priced(node: Node, factor: float) -> Node:
    if factor == 1.0 and node.max_energy_j is None:
        return node
    changes = {
        "max_energy_j": None,
        "processor": _priced_processor(node.processor, factor),
        "radio": None if node.radio is None else _priced_radio(node.radio, factor),
    }
    return node.model_copy(update=changes)


def _priced_processor(processor: Processor, factor: float) -> Processor:
    if isinstance(processor, Cpu):
        capacitance = factor * processor.effective_capacitance
        return processor.model_copy(update={"effective_capacitance": capacitance})
    if isinstance(processor, FixedSpeed):
        return processor.model_copy(update={"power_w": factor * processor.power_w})
    return None


def _priced_radio(radio: Radio, factor: float) -> Radio:
    """Return the radio with dearer joules; where joules are free, the amplifier draws nothing."""
    changes = {
        "amplifier_efficiency": radio.amplifier_efficiency / factor if factor > 0 else math.inf,
        "circuit_power_w": factor * radio.circuit_power_w,
        "receive_power_w": factor * radio.receive_power_w,
    }
    return radio.model_copy(update=changes)


def _priced_edge(edge: Edge, factor: float) -> Edge:
    if isinstance(edge, WiredEdge) and factor != 1.0:
        return replace(edge, power_w=factor * edge.power_w)
    return edge
