"""Small schedules by hand: one module on some devices, its updates and models sent over wires."""

from fl_runtime.packing import packed_bits
from fl_runtime.schedule import (
    Aggregate,
    Deliver,
    Merge,
    Module,
    Node,
    Replica,
    RoundKind,
    Schedule,
    Transfer,
    Wired,
)
from fl_runtime.server_optimisers import Plain

WIRE = Wired(rate_bps=1e6)


class Steps:
    """Writes the steps of a round one after another, each after the one before."""

    def __init__(self, size, bits):
        self.size, self.bits, self.steps = size, bits, []

    def _add(self, step):
        self.steps.append(step)
        return self

    @property
    def _after(self):
        return (self.steps[-1].id,) if self.steps else ()

    def send(self, content, source, target, bits=None, origin=None):
        bits = self.bits if bits is None else bits
        return self._add(
            Transfer(
                id=f"{content} {origin or source}: {source} > {target}",
                after=self._after,
                source=source,
                target=target,
                content=content,
                origin=origin,
                modules=("m",),
                bits=packed_bits(32.0 * self.size, bits),
                medium=WIRE,
                precision_bits={} if bits == 32 else {"m": bits},
            )
        )

    def up(self, source, target, **options):
        return self.send("update", source, target, **options)

    def down(self, source, target, **options):
        return self.send("model", source, target, **options)

    def merge(self, node):
        return self._add(Merge(id=f"merge {node}", after=self._after, node=node, modules=("m",)))

    def average(self, node, optimiser=None):
        return self._add(
            Aggregate(
                id=f"average {node}",
                after=self._after,
                node=node,
                modules=("m",),
                optimiser=optimiser or Plain(),
            )
        )

    def deliver(self, *nodes):
        return self._add(Deliver(id="deliver", after=self._after, nodes=nodes, modules=("m",)))


def schedule(kinds, weights, size, cycle=None, rounds=1):
    """Return a schedule; ``kinds`` maps names to Steps, ``weights`` devices to weights."""
    names = dict.fromkeys(weights)
    for steps in kinds.values():
        for step in steps.steps:
            for field in ("source", "target", "node"):
                if hasattr(step, field):
                    names.setdefault(getattr(step, field))
    return Schedule(
        name="by hand",
        nodes=tuple(Node(id=name, tier="any") for name in names),
        bands=(),
        modules=(Module(id="m", kind="adapter", update_bits=32.0 * size, trainable=True),),
        replicas=tuple(Replica(module="m", host=host, weight=weight) for host, weight in weights.items()),
        routes=(),
        kinds=tuple(RoundKind(name=name, steps=tuple(steps.steps)) for name, steps in kinds.items()),
        cycle=tuple(cycle or kinds),
        rounds=rounds,
    )


def star(size, bits, devices=("d1", "d2"), missing=(), optimiser=None, down=None):
    """Return a round in which the cloud averages all devices but the missing ones."""
    steps, present = Steps(size, bits), [device for device in devices if device not in missing]
    for device in present:
        steps.up(device, "cloud")
    steps.average("cloud", optimiser)
    for device in present:
        steps.down("cloud", device, bits=down)
    return steps.deliver(*present)
