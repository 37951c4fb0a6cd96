"""Finds all defects of a schedule before anything is played or trained."""

from fl_runtime.check_flow import check_flow
from fl_runtime.check_living import check_living
from fl_runtime.check_split import check_split
from fl_runtime.check_steps import check_steps
from fl_runtime.check_transport import check_transport
from fl_runtime.defects import Defects
from fl_runtime.schedule import Cpu, Node, Schedule, Training

MODULE_KINDS = ("adapter", "backbone", "encoder", "expert", "gate", "head", "lora", "prompt")
"""What a module can be."""


def check_schedule(schedule: Schedule) -> tuple[str, ...]:
    """Return all defects of ``schedule``, each as one readable line; none for a schedule that can run.

    Checked are names and their uniqueness, numbers, the order of the steps, who hosts what, whether updates
    and models can be where a step needs them, whether activations reach the hosts of trained replicas and
    come back, the precisions with which modules travel, and what is said of a living network.

    Parameters
    ----------
    schedule : Schedule
        What to check.

    Returns
    -------
    tuple of str
        Lines such as ``kind 'edge': step 'up-d1': target names 'edeg', which is no node; did you mean
        'edge'?``
    """
    defects = Defects()
    _check_world(schedule, defects)
    _check_placement(schedule, defects)
    _check_calendar(schedule, defects)
    for kind in schedule.kinds:
        check_steps(schedule, kind, defects)
    for kind in schedule.kinds:
        check_flow(schedule, kind, defects)
        check_split(schedule, kind, defects)
        check_transport(schedule, kind, defects)
    check_living(schedule, defects)
    return tuple(defects.lines)


def _check_world(schedule: Schedule, defects: Defects) -> None:
    defects.unique("nodes", "id", (node.id for node in schedule.nodes))
    defects.unique("bands", "id", (band.id for band in schedule.bands))
    defects.unique("modules", "id", (module.id for module in schedule.modules))
    for node in schedule.nodes:
        _check_node(node, defects)
    for band in schedule.bands:
        defects.number(f"band {band.id!r}", "band_hz", band.band_hz, positive=True)
    for module in schedule.modules:
        where = f"module {module.id!r}"
        defects.number(where, "update_bits", module.update_bits)
        defects.name(where, "kind", module.kind, MODULE_KINDS, "kind of module")
        if module.expert_group is not None and module.kind not in ("expert", "gate"):
            got = f"expert_group is {module.expert_group!r}"
            defects.add(where, f"{got}, must be left out for the kind {module.kind!r}")


def _check_node(node: Node, defects: Defects) -> None:
    where = f"node {node.id!r}"
    defects.part(where, "amplifier_efficiency", node.amplifier_efficiency)
    defects.number(where, "circuit_power_w", node.circuit_power_w)
    defects.number(where, "receive_power_w", node.receive_power_w)
    processor = node.processor
    if processor is None:
        return
    where = f"{where}: processor"
    if isinstance(processor, Cpu):
        defects.number(where, "flops_per_cycle", processor.flops_per_cycle, positive=True)
        defects.number(where, "max_frequency_hz", processor.max_frequency_hz, positive=True)
        defects.number(where, "effective_capacitance", processor.effective_capacitance)
    else:
        defects.number(where, "flops_per_s", processor.flops_per_s, positive=True)
        defects.number(where, "power_w", processor.power_w)


def _check_placement(schedule: Schedule, defects: Defects) -> None:
    nodes = {node.id for node in schedule.nodes}
    modules = {module.id for module in schedule.modules}
    replicas = {(replica.module, replica.host) for replica in schedule.replicas}
    defects.unique("replicas", "(module, host)", ((r.module, r.host) for r in schedule.replicas))
    defects.unique("routes", "(device, task)", ((r.device, r.task) for r in schedule.routes))
    for replica in schedule.replicas:
        where = f"replica of {replica.module!r} on {replica.host!r}"
        defects.name(where, "module", replica.module, modules, "module")
        defects.name(where, "host", replica.host, nodes, "node")
        defects.number(where, "weight", replica.weight)
    for route in schedule.routes:
        where = f"route of {route.device!r} for {route.task!r}"
        defects.name(where, "device", route.device, nodes, "node")
        defects.count(where, "samples", route.samples, 0)
        for module, host in route.hosts.items():
            known = defects.name(where, "hosts", module, modules, "module")
            known &= defects.name(where, f"hosts[{module!r}]", host, nodes, "node")
            if known and (module, host) not in replicas:
                defects.add(where, f"{host!r} has no replica of {module!r}; add one or name another host")


def _check_calendar(schedule: Schedule, defects: Defects) -> None:
    where = f"schedule {schedule.name!r}"
    kinds = [kind.name for kind in schedule.kinds]
    defects.unique("kinds", "name", kinds)
    defects.count(where, "rounds", schedule.rounds, 1)
    if not schedule.cycle:
        defects.add(where, "cycle is empty, must name at least one kind of round")
    for name in schedule.cycle:
        defects.name(where, "cycle", name, kinds, "kind of round")
    _check_training(schedule.training, defects)


def _check_training(training: Training, defects: Defects) -> None:
    defects.count("training", "local_steps", training.local_steps, 1)
    defects.count("training", "batch_size", training.batch_size, 1)
    defects.number("training", "learning_rate", training.learning_rate, positive=True)
    defects.number("training", "encoder_rate", training.encoder_rate, positive=True)
    defects.number("training", "backbone_rate", training.backbone_rate, positive=True)
    defects.count("training", "experts_per_token", training.experts_per_token, 1)
    defects.number("training", "balance_weight", training.balance_weight)
    if training.label_skew is not None:
        defects.number("training", "label_skew", training.label_skew, positive=True)
    if training.num_shards is not None:
        defects.count("training", "num_shards", training.num_shards, 1)
    if training.quantity_skew is not None:
        defects.number("training", "quantity_skew", training.quantity_skew, positive=True)
