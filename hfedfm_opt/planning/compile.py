"""From decisions to the runtime's schedule: one list of steps for each kind of round."""

from collections.abc import Iterable, Mapping

from fl_runtime import schedule as runtime
from hfedfm_opt.planning.association import as_decided
from hfedfm_opt.planning.payload import carried_from, gathered_modules, kept_modules, models_at_hosts
from hfedfm_opt.planning.rounds import Kind, cycle_of
from hfedfm_opt.planning.steps import After, StepWriter
from hfedfm_opt.planning.trained_elsewhere import hosts_above, members_helped
from hfedfm_opt.planning.trees import (
    Modules,
    deliver_order,
    gather_order,
    modules_down,
    modules_up,
)
from hfedfm_opt.system import instance as given
from hfedfm_opt.system.decisions import Cluster, Decisions, Serving
from hfedfm_opt.system.network import Network


def compile_schedule(network: Network, decisions: Decisions, rounds: int) -> runtime.Schedule:
    """Return the schedule that executes a plan.

    Parameters
    ----------
    network : Network
        The network, with the plan's duplex.
    decisions : Decisions
        A checked plan.
    rounds : int
        Number of rounds, >= 1.
    """
    network = as_decided(network, decisions)
    cycle = cycle_of(decisions.periods)
    kinds = {kind.name: _round_kind(network, decisions, kind) for kind in dict.fromkeys(cycle)}
    settings = network.instance.training
    return runtime.Schedule(
        name=f"{network.instance.name}: {decisions.planner}",
        nodes=tuple(_node(network, node) for node in network.instance.nodes),
        bands=tuple(runtime.Band(id=band.id, band_hz=band.band_hz) for band in network.instance.bands),
        modules=tuple(_module(network, module) for module in network.instance.modules),
        replicas=_replicas(network, decisions),
        routes=_routes(network, decisions),
        kinds=tuple(kinds.values()),
        cycle=tuple(kind.name for kind in cycle),
        rounds=rounds,
        training=runtime.Training(
            local_steps=settings.local_steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            label_skew=settings.label_skew,
            encoder_rate=settings.encoder_rate,
            experts_per_token=settings.experts_per_token,
            balance_weight=settings.balance_weight,
            num_shards=settings.num_shards,
            quantity_skew=settings.quantity_skew,
        ),
    )


def _node(network: Network, node: given.Node) -> runtime.Node:
    radio = node.radio
    return runtime.Node(
        id=node.id,
        tier=node.tier,
        processor=_processor(node.processor),
        half_duplex=network.is_half_duplex(node.id),
        amplifier_efficiency=radio.amplifier_efficiency if radio else 1.0,
        circuit_power_w=radio.circuit_power_w if radio else 0.0,
        receive_power_w=radio.receive_power_w if radio else 0.0,
    )


def _processor(processor: given.Cpu | given.FixedSpeed | None) -> runtime.Cpu | runtime.FixedSpeed | None:
    if isinstance(processor, given.Cpu):
        return runtime.Cpu(
            flops_per_cycle=processor.flops_per_cycle,
            max_frequency_hz=processor.max_frequency_hz,
            effective_capacitance=processor.effective_capacitance,
        )
    if isinstance(processor, given.FixedSpeed):
        return runtime.FixedSpeed(flops_per_s=processor.flops_per_s, power_w=processor.power_w)
    return None


def _module(network: Network, module: given.Module) -> runtime.Module:
    return runtime.Module(
        id=module.id,
        kind=module.kind,
        update_bits=network.state_bits(module.id),
        trainable=module.trainable,
        task=module.task,
        modality=module.modality,
        expert_group=module.expert_group,
    )


def _replicas(network: Network, decisions: Decisions) -> tuple[runtime.Replica, ...]:
    weights = {
        (module, node): float(samples)
        for trained in (network.trained_on, network.trained_at)
        for node, found in trained.items()
        for module, samples in found.items()
    }
    return tuple(
        runtime.Replica(
            module=entry.module, host=entry.node, weight=weights.get((entry.module, entry.node), 0.0)
        )
        for entry in decisions.hosted
    )


def _routes(network: Network, decisions: Decisions) -> tuple[runtime.Route, ...]:
    host_of = {(serving.device, serving.module): serving.host for serving in decisions.servings}
    routes = []
    for device in network.devices:
        node = network.nodes[device]
        for data in node.data:
            hosts = {
                module.id: host_of.get((device, module.id), device)
                for module in network.modules_of(device, data.task)
            }
            usable = network.tasks[data.task].modalities
            routes.append(
                runtime.Route(
                    device=device,
                    task=data.task,
                    samples=data.samples,
                    modalities=tuple(modality for modality in node.modalities if modality in usable),
                    hosts=hosts,
                )
            )
    return tuple(routes)


def _round_kind(network: Network, decisions: Decisions, kind: Kind) -> runtime.RoundKind:
    writer = StepWriter(network)
    servings: dict[str, list[Serving]] = {}
    for serving in decisions.servings:
        servings.setdefault(serving.device, []).append(serving)
    frequency_of = {entry.device: entry.frequency_hz for entry in decisions.frequencies}
    sent: dict[str, After] = {}
    carried: dict[str, Modules] = {}
    last: list[str] = []
    for cluster in decisions.clusters:
        for device in cluster.members:
            writer.train(device, frequency_of.get(device), servings.get(device, ()))
        union, at_server, ends = _cluster_steps(writer, cluster, kind, frozenset(servings))
        sent[cluster.id], carried[cluster.id] = at_server, union & kind.due
        last.extend(ends)
    if kind.due:
        waits = {cluster.id: hosts_above(network, cluster) for cluster in decisions.clusters}
        for cluster_id, hosts in waits.items():
            for host in hosts:
                sent[host] = tuple(dict.fromkeys(sent.get(host, ()) + sent[cluster_id]))
        arrived = _backhaul_steps(writer, decisions, kind, sent, carried_from(network, carried, kind))
        last.extend(step for host in network.trained_at for step in arrived.get(host, ()))
        for cluster in decisions.clusters:
            own = {device: frozenset(network.trained_on[device]) & kind.due for device in cluster.members}
            starts = arrived.get(cluster.id, ()) + writer.tails.get(cluster.id, ())
            last.extend(writer.deliver("downlink", cluster.downlink, cluster.id, starts, own))
        members = tuple(device for cluster in decisions.clusters for device in cluster.members)
        modules = _union(network, members)
        after = tuple(dict.fromkeys(last))
        last = [writer.add(runtime.Deliver(id="deliver", after=after, nodes=members, modules=modules))]
        for host, models in models_at_hosts(network, decisions.clusters, kind).items():
            last.append(_deliver_at(writer, host, models, after))
    reaches = bool(kind.due) or any(cluster.aggregator == network.root for cluster in decisions.clusters)
    writer.add(runtime.Evaluate(id="evaluate", after=tuple(last)))
    return runtime.RoundKind(name=kind.name, steps=tuple(writer.steps), reaches_cloud=reaches)


def _cluster_steps(
    writer: StepWriter, cluster: Cluster, kind: Kind, busy: frozenset[str]
) -> tuple[Modules, After, list[str]]:
    """Write a cluster's part of a round; return its modules, what ends at the server, and all ends."""
    own = gathered_modules(writer.network, cluster, kind)
    trained = [
        step for device in members_helped(writer.network, cluster.members) for step in writer.trained[device]
    ]
    mixed: After = ()
    if cluster.consensus is not None:
        mixed = writer.mix(cluster.id, cluster.consensus, kind, busy)
    way_up = writer.forward if cluster.relays == "forward" else writer.gather
    union, arrivals = way_up(cluster.gather_hops(to_cloud=bool(kind.due)), cluster.aggregator, own, busy)
    arrivals = tuple(dict.fromkeys((*arrivals, *trained)))
    union |= frozenset(writer.network.trained_at.get(cluster.aggregator, {}))
    stays, goes = union - kind.due, union & kind.due
    merged = tuple(dict.fromkeys((*mixed, *trained))) if mixed else arrivals
    if stays and cluster.consensus is None:
        merged = (writer.aggregate(f"average {cluster.id}", cluster.aggregator, arrivals, stays),)
    at_server = arrivals
    if goes and cluster.uplink:
        at_server = (writer.merge(f"merge {cluster.id}", cluster.aggregator, arrivals, goes),)
        for hop in cluster.uplink:
            at_server = (writer.send("uplink", hop, "update", goes, at_server),)
    kept = kept_modules(writer.network, cluster, kind)
    starts = tuple(dict.fromkeys(merged + at_server)) if goes else merged
    ends = writer.deliver("deliver", cluster.deliver, cluster.aggregator, starts, kept)
    writer.tails[cluster.id] = tuple(dict.fromkeys([*ends, *merged]))
    if not kind.due:
        modules = _union(writer.network, cluster.members)
        after = writer.tails[cluster.id]
        writer.add(
            runtime.Deliver(id=f"deliver {cluster.id}", after=after, nodes=cluster.members, modules=modules)
        )
        at_hosts = models_at_hosts(writer.network, (cluster,), kind)
        delivered = [_deliver_at(writer, host, models, after) for host, models in at_hosts.items()]
        return union, at_server, [f"deliver {cluster.id}", *delivered]
    return union, at_server, [*writer.tails[cluster.id], *at_server]


def _backhaul_steps(
    writer: StepWriter,
    decisions: Decisions,
    kind: Kind,
    sent: Mapping[str, After],
    carried: Mapping[str, Modules],
) -> dict[str, After]:
    """Write the way from the servers to the cloud and back; return what ends at each server."""
    root = writer.network.root
    up = gather_order(decisions.backhaul_up, root)
    union = modules_up(up, carried)
    arrivals: dict[str, list[str]] = {node: list(after) for node, after in sent.items()}
    for hop in up:
        modules = union.get(hop.source, frozenset())
        if modules:
            merged = writer.merge(f"merge at {hop.source}", hop.source, tuple(arrivals[hop.source]), modules)
            arrivals.setdefault(hop.target, []).append(
                writer.send("backhaul", hop, "update", modules, (merged,))
            )
    average = writer.aggregate(
        "average at the cloud", root, tuple(arrivals.get(root, ())), kind.due, decisions.cloud_momentum
    )
    arrived: dict[str, After] = {root: (average,)}
    down = deliver_order(decisions.backhaul_down, root)
    needed = modules_down(down, carried)
    for hop in down:
        if needed.get(hop.target):
            arrived[hop.target] = (
                writer.send("backhaul", hop, "model", needed[hop.target], arrived[hop.source]),
            )
    return arrived


def _deliver_at(writer: StepWriter, host: str, modules: Modules, after: After) -> str:
    """Write that replicas which a node trains for others become the models that reached it."""
    known = tuple(module.id for module in writer.network.instance.modules if module.id in modules)
    return writer.add(runtime.Deliver(id=f"deliver at {host}", after=after, nodes=(host,), modules=known))


def _union(network: Network, devices: Iterable[str]) -> tuple[str, ...]:
    found = {module for device in devices for module in network.trained_on[device]}
    return tuple(module.id for module in network.instance.modules if module.id in found)
