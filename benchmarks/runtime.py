"""Measures the runtime's learning: accuracy of four ways to federate, and the speed of the stacked engine.

Run it with ``python benchmarks/runtime.py accuracy|speed``.
"""

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

LINK = Wired(rate_bps=1e7)
PAIRS = (("read", "spoken"), ("spoken", "cmp"), ("cmp", "read"))
MODALITIES = {"read": ("image", "text"), "spoken": ("audio", "text"), "cmp": ("image", "audio", "text")}


def federation(cycle, *, clusters=10, size=4, rounds=24, samples=96, training=None):
    """Return a schedule: devices under edge servers under a cloud, two of three tasks on each device.

    ``cycle`` names round kinds: ``edge`` (servers average), ``cloud`` (the cloud averages), ``local`` (nobody).
    """
    cells = {f"e{c}": [f"d{c * size + i}" for i in range(size)] for c in range(clusters)}
    devices = [device for cell in cells.values() for device in cell]
    tasks = {device: PAIRS[index % 3] for index, device in enumerate(devices)}
    modules = [Module(id="adapter", kind="adapter", update_bits=1e5, trainable=True)]
    modules += [
        Module(id=f"head-{t}", kind="head", update_bits=1e4, trainable=True, task=t) for t in MODALITIES
    ]
    replicas = [Replica(module="adapter", host=d, weight=2 * samples) for d in devices]
    replicas += [Replica(module=f"head-{t}", host=d, weight=samples) for d in devices for t in tasks[d]]
    routes = [
        Route(
            device=d, task=t, samples=samples, modalities=MODALITIES[t], hosts={"adapter": d, f"head-{t}": d}
        )
        for d in devices
        for t in tasks[d]
    ]
    held = {d: ("adapter", *(f"head-{t}" for t in tasks[d])) for d in devices}
    kinds = {
        "local": RoundKind(
            name="local", steps=tuple(Compute(id=f"work-{d}", node=d, flops=1.0) for d in devices)
        ),
        "edge": RoundKind(name="edge", steps=_steps(cells, held, to_cloud=False)),
        "cloud": RoundKind(name="cloud", steps=_steps(cells, held, to_cloud=True), reaches_cloud=True),
    }
    return Schedule(
        name="-".join(cycle),
        nodes=tuple(Node(id=n, tier="any") for n in (*devices, *cells, "cloud")),
        bands=(),
        modules=tuple(modules),
        replicas=tuple(replicas),
        routes=tuple(routes),
        kinds=tuple(kinds[name] for name in sorted(set(cycle))),
        cycle=tuple(cycle),
        rounds=rounds,
        training=training or Training(),
    )


def _steps(cells, held, to_cloud):
    steps: list[Step] = []
    for server, cell in cells.items():
        everything = tuple(sorted({module for device in cell for module in held[device]}))
        for d in cell:
            steps.append(Compute(id=f"work-{d}", node=d, flops=1.0))
            steps.append(_send(f"up-{d}", f"work-{d}", d, server, held[d], "update"))
        ups = tuple(f"up-{d}" for d in cell)
        steps.append(Aggregate(id=f"average-{server}", after=ups, node=server, modules=everything))
        ready = f"average-{server}"
        if to_cloud:
            steps.append(_send(f"up-{server}", ready, server, "cloud", everything, "update"))
            steps.append(_send(f"down-{server}", "average-cloud", "cloud", server, everything, "model"))
            ready = f"down-{server}"
        steps.extend(_send(f"down-{d}", ready, server, d, held[d], "model") for d in cell)
    if to_cloud:
        ups = tuple(f"up-{server}" for server in cells)
        every = tuple(sorted({module for modules in held.values() for module in modules}))
        steps.append(Aggregate(id="average-cloud", after=ups, node="cloud", modules=every))
    downs = tuple(f"down-{d}" for d in held)
    every = tuple(sorted({module for modules in held.values() for module in modules}))
    steps.append(Deliver(id="deliver", after=downs, nodes=tuple(held), modules=every))
    return tuple(steps)


def _send(name, after, source, target, modules, content):
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
