"""Schedules of the benchmark in which some trained replicas are hosted elsewhere than on the devices."""

from dataclasses import replace

from fl_runtime.order import in_order
from fl_runtime.schedule import Aggregate, Deliver, Replica, Transfer, Wired

LINK = Wired(rate_bps=1e7)


def served(schedule, host_of):
    """The same schedule with modules trained where ``host_of[module]`` says of a device.

    A device that is served elsewhere has no replica and sends none; its activations travel to the host and
    back.  The host's replica is averaged where its updates pass: at the device's or the server's own steps.
    """
    host = {
        (route.device, module): host_of.get(module, lambda device: device)(route.device)
        for route in schedule.routes
        for module in route.hosts
    }
    weights = {}
    for route in schedule.routes:
        for module in route.hosts:
            key = (module, host[route.device, module])
            weights[key] = weights.get(key, 0.0) + route.samples
    away = {pair: where for pair, where in host.items() if where != pair[0]}
    return replace(
        schedule,
        replicas=tuple(Replica(module=m, host=h, weight=w) for (m, h), w in sorted(weights.items())),
        routes=tuple(replace(r, hosts={m: host[r.device, m] for m in r.hosts}) for r in schedule.routes),
        kinds=tuple(_split_kind(kind, away, set(weights)) for kind in schedule.kinds),
    )


def _split_kind(kind, away, hosted):
    steps, renamed = [], {}
    for device in sorted({device for device, _ in away}):
        last = f"work-{device}"
        for module in sorted(name for name, _ in _of(away, device)):
            there, back = (f"{module}-{way}-{device}" for way in ("out", "back"))
            ends = device, away[device, module]
            steps.append(_activations(there, last, ends, module))
            steps.append(_activations(back, there, ends[::-1], module))
            last = back
        renamed[f"work-{device}"] = last
    waits = tuple(step.id for step in steps if step.id in renamed.values())
    below, averaged = {}, {m for step in kind.steps if isinstance(step, Aggregate) for m in step.modules}
    hosted = {(module, host) for module, host in hosted if module in averaged}
    for step in kind.steps:
        if isinstance(step, Transfer) and step.content == "update":
            below.setdefault(step.target, {step.target}).add(step.source)
    for step in in_order(kind.steps):
        after = tuple(renamed.get(name, name) for name in step.after)
        if isinstance(step, Transfer):
            modules = _carried(step, hosted, below)
            if modules:
                steps.append(replace(step, after=after, modules=modules))
            else:
                renamed[step.id] = after[0]
        elif isinstance(step, Aggregate):
            modules = step.modules
            if step.node != "cloud":
                modules = tuple(m for m in modules if any((m, node) in hosted for node in below[step.node]))
            steps.append(replace(step, after=tuple(dict.fromkeys((*after, *waits))), modules=modules))
        elif isinstance(step, Deliver):
            nodes = tuple(dict.fromkeys([*step.nodes, *sorted(host for _, host in hosted)]))
            steps.append(replace(step, after=tuple(dict.fromkeys(after)), nodes=nodes))
        else:
            steps.append(step)
    return replace(kind, steps=in_order(steps))


def _of(away, device):
    return [(module, host) for (who, module), host in away.items() if who == device]


def _activations(name, after, ends, module):
    source, target = ends
    return Transfer(
        id=name,
        after=(after,),
        source=source,
        target=target,
        content="activation",
        modules=(module,),
        bits=1e4,
        medium=LINK,
    )


def _carried(step, hosted, below):
    """A device sends and receives what it hosts; a server what it and its devices host."""
    lower = step.source if step.content == "update" else step.target
    nodes = below.get(lower, {lower})
    return tuple(sorted({module for module, host in hosted if host in nodes}))
