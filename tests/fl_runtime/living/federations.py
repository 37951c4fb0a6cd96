"""Random federations for the laws: devices over relays and servers, on a shared band with few radios."""

from hypothesis import strategies as st

from fl_runtime.packing import packed_bits
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    DropOut,
    Evaluate,
    LivingNetwork,
    Losses,
    Merge,
    Module,
    Node,
    Policy,
    Replica,
    RoundKind,
    Schedule,
    Straggling,
    Transfer,
    Wireless,
)

SIZE = 40
CPU = Cpu(flops_per_cycle=1.0, max_frequency_hz=1e9, effective_capacitance=1e-27)
BAND_HZ = 1e6
POWER_W = 0.5
MODULES = ("a", "b")


def _send(name, content, source, target, after, share, modules, bits):
    medium = Wireless(
        band="air", band_hz=share * BAND_HZ, power_w=POWER_W, gain=1.0, noise_w_per_hz=1.0 / BAND_HZ
    )
    return Transfer(
        id=name, after=tuple(after), source=source, target=target, content=content, modules=modules,
        bits=sum(packed_bits(32.0 * SIZE, bits) for _ in modules), medium=medium,
        precision_bits={} if bits == 32 else dict.fromkeys(modules, bits),
    )  # fmt: skip


class _Writer:
    """Writes a round in which devices send over relays to servers, and servers to the cloud or not."""

    def __init__(self, hosted, bits, share):
        self.hosted, self.bits, self.share, self.steps = hosted, bits, share, []

    def add(self, step):
        self.steps.append(step)
        return step.id

    def send(self, content, source, target, after, modules):
        name = f"{content} {source} > {target}"
        return self.add(_send(name, content, source, target, after, self.share, modules, self.bits))

    def cell(self, server, ways, to_cloud):
        """Write a cell; ``ways`` maps devices to a relay or to the server. Return what ends its way up."""
        arrivals, carried = {server: []}, {server: set()}
        for device in ways:
            self.add(Compute(id=f"train {device}", node=device, flops=1e5 * len(device), frequency_hz=1e8))
        for device, above in sorted(ways.items(), key=lambda way: way[1] == server):
            after, modules = [f"train {device}"], set(self.hosted[device])
            if device in arrivals:
                modules |= carried[device]
                after = [self.add(Merge(
                    id=f"merge {device}", after=(*after, *arrivals[device]), node=device,
                    modules=tuple(sorted(modules)),
                ))]  # fmt: skip
            up = self.send("update", device, above, after, tuple(sorted(modules)))
            arrivals.setdefault(above, []).append(up)
            carried.setdefault(above, set()).update(modules)
        modules = tuple(sorted(carried[server]))
        make = Merge if to_cloud else Aggregate
        made = self.add(
            make(id=f"gather {server}", after=tuple(arrivals[server]), node=server, modules=modules)
        )
        return made, modules

    def back(self, server, ways, after):
        ends, after_of = [], {server: after}
        for device, above in sorted(ways.items(), key=lambda way: way[1] != server):
            down = self.send("model", above, device, [after_of[above]], MODULES)
            after_of[device] = down
            ends.append(down)
        return ends


def _kind(name, cells, hosted, bits, share, to_cloud, policy):
    writer, made = _Writer(hosted, bits, share), {}
    for server, ways in cells.items():
        made[server] = writer.cell(server, ways, to_cloud)
    if to_cloud:
        ups = [writer.send("update", s, "cloud", [done], modules) for s, (done, modules) in made.items()]
        top = writer.add(Aggregate(id="average", after=tuple(ups), node="cloud", modules=MODULES))
        made = {s: (writer.send("model", "cloud", s, [top], MODULES), MODULES) for s in cells}
    last = []
    for server, ways in cells.items():
        ends = writer.back(server, ways, made[server][0])
        last.append(writer.add(
            Deliver(id=f"deliver {server}", after=tuple(ends), nodes=tuple(ways), modules=MODULES)
        ))  # fmt: skip
    writer.add(Evaluate(id="test", after=tuple(last)))
    return RoundKind(name=name, steps=tuple(writer.steps), reaches_cloud=to_cloud, policy=policy)


@st.composite
def living_networks(draw):
    """Draw faults of any strength."""
    part = st.sampled_from([0.0, 0.2, 0.6])
    return LivingNetwork(
        drop_out=draw(st.sampled_from([None, DropOut(share=0.3), DropOut(share=0.4, mean_rounds_away=3.0)])),
        straggling=draw(st.sampled_from([None, Straggling(spread=1.0), Straggling(law="log-normal")])),
        losses=Losses(probability=draw(part), max_attempts=draw(st.sampled_from([1, 2, None]))),
    )


POLICIES = st.sampled_from([
    Policy(deadline_s=0.004), Policy(deadline_s=0.01, merge_deadline_s=0.005), Policy(count=1),
    Policy(share=0.5, merge_share=0.5), Policy(share=0.7, deadline_s=0.02), Policy(merge_deadline_s=0.003),
])  # fmt: skip


@st.composite
def federations(draw, bits=32, policies=None):
    """Draw a schedule of an edge round and a cloud round; all devices host ``a``, some ``b``."""
    policy = draw(policies) if policies is not None else Policy()
    cells, hosted, number = {}, {}, 0
    for server in ("e", "f"):
        names = [f"d{number + i}" * (1 + i) for i in range(draw(st.integers(1, 3)))]
        number += len(names)
        first = names[0]
        cells[server] = {
            name: server if name == first else draw(st.sampled_from([server, first])) for name in names
        }
        for name in names:
            hosted[name] = ("a", "b") if name == first else draw(st.sampled_from([("a",), ("a", "b")]))
    share = draw(st.sampled_from([1.0, 0.5, 0.2]))
    half = draw(st.booleans())
    names = [*hosted, "e", "f", "cloud"]
    kinds = tuple(
        _kind(name, cells, hosted, bits, share, to_cloud, policy)
        for name, to_cloud in (("edge", False), ("cloud", True))
    )
    return Schedule(
        name="random",
        nodes=tuple(
            Node(id=name, tier="any", processor=CPU if name in hosted else None, half_duplex=half,
                 circuit_power_w=0.1, receive_power_w=0.2)
            for name in names
        ),
        bands=(Band(id="air", band_hz=BAND_HZ),),
        modules=tuple(
            Module(id=m, kind="adapter", update_bits=32.0 * SIZE, trainable=True) for m in MODULES
        ),
        replicas=tuple(
            Replica(module=m, host=d, weight=float(draw(st.integers(1, 9))))
            for d in hosted for m in hosted[d]
        ),
        routes=(),
        kinds=kinds,
        cycle=("edge", "cloud"),
        rounds=draw(st.integers(1, 5)),
        living=draw(living_networks()),
    )  # fmt: skip
