"""Schedules by hand: devices under edge servers under a cloud, two of three tasks on each device."""

from fl_runtime.schedule import (
    Aggregate,
    Compute,
    Deliver,
    Module,
    Node,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Step,
    Training,
    Transfer,
    Wired,
)
from fl_runtime.variants import with_precision

LINK = Wired(rate_bps=1e7)
PAIRS = (("read", "spoken"), ("spoken", "cmp"), ("cmp", "read"))
MODALITIES = {"read": ("image", "text"), "spoken": ("audio", "text"), "cmp": ("image", "audio", "text")}
KINDS = ("adapter", "lora", "prompt", "experts", "encoder")
"""Kinds of modules that a device may have for all of its tasks, besides a head for each."""


def federation(
    cycle, *, clusters=10, size=4, rounds=24, samples=96, training=None, kinds=("adapter",), transport_bits=32
):
    """Return a schedule: devices under edge servers under a cloud, two of three tasks on each device.

    ``cycle`` names round kinds: ``edge`` (servers average), ``cloud`` (the cloud does), ``local`` (nobody);
    ``kinds`` says which modules of ``KINDS`` each device has.
    """
    cells = {f"e{c}": [f"d{c * size + i}" for i in range(size)] for c in range(clusters)}
    devices = [device for cell in cells.values() for device in cell]
    tasks = {device: PAIRS[index % 3] for index, device in enumerate(devices)}
    modules = [module for kind in kinds for module in _modules_of(kind)]
    shared = [module.id for module in modules]
    held = {d: (*shared, *(f"head-{t}" for t in tasks[d])) for d in devices}
    modules += [
        Module(id=f"head-{task}", kind="head", update_bits=1e4, trainable=True, task=task)
        for task in MODALITIES
    ]
    weight = dict.fromkeys(shared, 2.0 * samples)
    replicas = [
        Replica(module=m, host=d, weight=weight.get(m, float(samples))) for d in devices for m in held[d]
    ]
    routes = [
        Route(
            device=d,
            task=t,
            samples=samples,
            modalities=MODALITIES[t],
            hosts={**dict.fromkeys(shared, d), f"head-{t}": d},
        )
        for d in devices
        for t in tasks[d]
    ]
    works = [Compute(id=f"work-{d}", node=d, flops=1.0) for d in devices]
    kinds_of_round = {
        "local": RoundKind(name="local", steps=tuple(works)),
        "edge": RoundKind(name="edge", steps=(*works, *_averaging(cells, held, to_cloud=False))),
        "cloud": RoundKind(
            name="cloud", steps=(*works, *_averaging(cells, held, to_cloud=True)), reaches_cloud=True
        ),
    }
    schedule = Schedule(
        name="-".join(cycle),
        nodes=tuple(Node(id=n, tier="any") for n in (*devices, *cells, "cloud")),
        bands=(),
        modules=tuple(modules),
        replicas=tuple(replicas),
        routes=tuple(routes),
        kinds=tuple(kinds_of_round[name] for name in sorted(set(cycle))),
        cycle=tuple(cycle),
        rounds=rounds,
        training=training or Training(),
    )
    return schedule if transport_bits == 32 else with_precision(schedule, transport_bits)


def _modules_of(kind):
    sizes = {"update_bits": 1e5, "trainable": True}
    if kind == "experts":
        group = {**sizes, "expert_group": "mixture"}
        experts = [Module(id=f"expert-{number}", kind="expert", **group) for number in range(4)]
        return [*experts, Module(id="gate", kind="gate", **group)]
    if kind == "encoder":
        return [
            Module(id=f"encoder-{name}", kind="encoder", modality=name, **sizes)
            for name in ("audio", "image", "text")
        ]
    return [Module(id=kind, kind=kind, **sizes)]


def _averaging(cells, held, to_cloud):
    steps: list[Step] = []
    everything = tuple(sorted({module for modules in held.values() for module in modules}))
    for server, cell in cells.items():
        of_cell = tuple(sorted({module for device in cell for module in held[device]}))
        steps.extend(_send(f"up-{d}", f"work-{d}", (d, server), held[d], "update") for d in cell)
        arrived = tuple(f"up-{d}" for d in cell)
        steps.append(Aggregate(id=f"average-{server}", after=arrived, node=server, modules=of_cell))
        ready = f"average-{server}"
        if to_cloud:
            steps.append(_send(f"up-{server}", ready, (server, "cloud"), of_cell, "update"))
            ready = f"down-{server}"
            steps.append(_send(ready, "average-cloud", ("cloud", server), of_cell, "model"))
        steps.extend(_send(f"down-{d}", ready, (server, d), held[d], "model") for d in cell)
    if to_cloud:
        arrived = tuple(f"up-{server}" for server in cells)
        steps.append(Aggregate(id="average-cloud", after=arrived, node="cloud", modules=everything))
    downs = tuple(f"down-{d}" for d in held)
    steps.append(Deliver(id="deliver", after=downs, nodes=tuple(held), modules=everything))
    return tuple(steps)


def _send(name, after, ends, modules, content):
    source, target = ends
    return Transfer(
        id=name,
        after=(after,),
        source=source,
        target=target,
        content=content,
        modules=modules,
        bits=1e5,
        medium=LINK,
    )
