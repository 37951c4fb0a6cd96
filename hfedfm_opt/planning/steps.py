"""Writes the steps of one kind of round: training, ways up and down, merges and averages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fl_runtime import schedule as runtime
from fl_runtime.packing import FULL_BITS
from fl_runtime.server_optimisers import Momentum, Plain
from hfedfm_opt.planning.payload import exchanged_modules, mixed_modules
from hfedfm_opt.planning.rounds import Kind
from hfedfm_opt.planning.trees import (
    Modules,
    deliver_order,
    gather_order,
    modules_down,
    modules_up,
    ways_up,
)
from hfedfm_opt.planning.work import Load, loads_of
from hfedfm_opt.system import instance as given
from hfedfm_opt.system.decisions import Consensus, Hop, Serving
from hfedfm_opt.system.network import Content, Network, WirelessEdge

After = tuple[str, ...]
"""Ids of the steps that must have ended before."""


@dataclass
class StepWriter:
    """Writes the steps of one kind of round in the order in which they may run."""

    network: Network
    steps: list[runtime.Step] = field(default_factory=list)
    trained: dict[str, After] = field(default_factory=dict)
    tails: dict[str, After] = field(default_factory=dict)

    def add(self, step: runtime.Step) -> str:
        """Append a step; return its id."""
        self.steps.append(step)
        return step.id

    def train(self, device: str, frequency_hz: float | None, servings: Sequence[Serving]) -> None:
        """Write a device's training: its own work, then the modules that run elsewhere, one after another."""
        loads = loads_of(self.network, device)
        remote = {serving.module: serving for serving in servings}
        own = sum(load.flops for module, load in loads.items() if module not in remote)
        processor = self.network.nodes[device].processor
        clock_hz = (frequency_hz or processor.max_frequency_hz) if isinstance(processor, given.Cpu) else None
        after: After = (
            self.add(runtime.Compute(id=f"train {device}", node=device, flops=own, frequency_hz=clock_hz)),
        )
        for module, load in loads.items():
            if module in remote:
                after = self._run_elsewhere(remote[module], load, after)
        self.trained[device] = after

    def _run_elsewhere(self, serving: Serving, load: Load, after: After) -> After:
        name, moved = f"{serving.module} of {serving.device}", {serving.module}
        for hop in serving.out:
            step_id = f"{name}: {_arrow(hop)}"
            after = (self.transfer(step_id, hop, "activation", moved, load.out_bits, after),)
        reserved = isinstance(self.network.nodes[serving.host].processor, given.FixedSpeed)
        step = runtime.Compute(
            id=f"{name} at {serving.host}",
            after=after,
            node=serving.host,
            flops=load.flops,
            share=serving.share if reserved else 1.0,
        )
        after = (self.add(step),)
        for hop in serving.back:
            step_id = f"{name}: {_arrow(hop)}"
            after = (self.transfer(step_id, hop, "activation", moved, load.back_bits, after),)
        return after

    def gather(
        self, hops: Sequence[Hop], root: str, own: Mapping[str, Modules], busy: frozenset[str]
    ) -> tuple[Modules, After]:
        """Write the way up of relays that merge; return the modules at the root and what ends there."""
        ordered = gather_order(hops, root)
        union = modules_up(ordered, own)
        arrivals = {device: list(self.trained[device]) for device in own}
        for hop in ordered:
            modules = union.get(hop.source, frozenset())
            if not modules:
                continue
            after = tuple(arrivals[hop.source])
            if len(after) > len(self.trained.get(hop.source, ())):
                after = (self.merge(f"merge at {hop.source}", hop.source, after, modules),)
            if hop.target in busy and self.network.is_half_duplex(hop.target):
                after += self.trained[hop.target]
            arrivals.setdefault(hop.target, []).append(self.send("gather", hop, "update", modules, after))
        return union.get(root, frozenset()), tuple(arrivals.get(root, ()))

    def forward(
        self, hops: Sequence[Hop], root: str, own: Mapping[str, Modules], busy: frozenset[str]
    ) -> tuple[Modules, After]:
        """Write the way up of relays that pass each update on; return as :meth:`gather` does."""
        arrivals = list(self.trained.get(root, ()))
        for device, way in ways_up(hops, root, list(own)).items():
            after = self.trained[device]
            for hop in way if own[device] else ():
                if hop.target in busy and self.network.is_half_duplex(hop.target):
                    after += self.trained[hop.target]
                name = f"gather {device}: {_arrow(hop)}"
                bits = self.network.bits_of(own[device], "update")
                after = (self.transfer(name, hop, "update", own[device], bits, after, origin=device),)
            arrivals.extend(after if way else ())
        return frozenset[str]().union(*own.values()), tuple(dict.fromkeys(arrivals))

    def mix(self, name: str, consensus: Consensus, kind: Kind, busy: frozenset[str]) -> After:
        """Write the sweeps of consensus of a cluster; return the mixings that end them."""
        mixings = mixed_modules(consensus, kind)
        hops = exchanged_modules(consensus, kind)
        ends: After = ()
        for sweep in range(1, consensus.sweeps + 1 if mixings else 1):
            sent: list[str] = []
            for hop, modules in hops:
                after = self.trained[hop.source]
                if sweep == 1 and hop.target in busy and self.network.is_half_duplex(hop.target):
                    after += self.trained[hop.target]
                sent.append(self.send(f"sweep {sweep}", hop, "update", modules, after))
            mixed: dict[str, list[str]] = {}
            for mixing, modules in mixings:
                before = [step for node in mixing.nodes for step in self.trained[node]]
                step = runtime.Mix(
                    id=f"mix {sweep} of {name}: {'+'.join(sorted(modules))} on {mixing.nodes[0]}",
                    after=tuple(dict.fromkeys([*sent, *before])),
                    nodes=mixing.nodes,
                    modules=tuple(sorted(modules)),
                    weights=mixing.matrix(),
                )
                self.add(step)
                for node in mixing.nodes:
                    mixed.setdefault(node, []).append(step.id)
            self.trained |= {node: tuple(steps) for node, steps in mixed.items()}
            ends = tuple(dict.fromkeys(step for steps in mixed.values() for step in steps))
        return ends

    def deliver(
        self, label: str, hops: Sequence[Hop], root: str, after: After, own: Mapping[str, Modules]
    ) -> list[str]:
        """Write the way down from a root; return the transfers that end it."""
        ordered = deliver_order(hops, root)
        needed = modules_down(ordered, own)
        arrived = {root: after}
        ends: list[str] = []
        for hop in ordered:
            arrived[hop.target] = arrived[hop.source]
            if needed.get(hop.target):
                arrived[hop.target] = (
                    self.send(label, hop, "model", needed[hop.target], arrived[hop.source]),
                )
                ends.extend(arrived[hop.target])
        return ends

    def send(self, label: str, hop: Hop, content: Content, modules: Modules, after: After) -> str:
        """Write a transfer of updates or models; return its id."""
        name = f"{label}: {_arrow(hop)}"
        return self.transfer(name, hop, content, modules, self.network.bits_of(modules, content), after)

    def _precision_bits(self, content: runtime.Content, modules: Iterable[str]) -> dict[str, int]:
        if content == "activation":
            return {}
        bits_of = {name: self.network.precision_bits(name, content) for name in sorted(modules)}
        return {name: bits for name, bits in bits_of.items() if bits != FULL_BITS}

    def transfer(
        self,
        step_id: str,
        hop: Hop,
        content: runtime.Content,
        modules: Iterable[str],
        bits: float,
        after: After,
        origin: str | None = None,
    ) -> str:
        """Write a transfer of any bits; return its id."""
        step = runtime.Transfer(
            id=step_id,
            after=after,
            source=hop.source,
            target=hop.target,
            content=content,
            origin=origin,
            modules=tuple(module.id for module in self.network.instance.modules if module.id in set(modules)),
            bits=bits,
            medium=_medium(self.network, hop),
            precision_bits=self._precision_bits(content, modules),
        )
        return self.add(step)

    def merge(self, step_id: str, node: str, after: After, modules: Modules) -> str:
        """Write a merge; return its id."""
        return self.add(runtime.Merge(id=step_id, after=after, node=node, modules=tuple(sorted(modules))))

    def aggregate(
        self, step_id: str, node: str, after: After, modules: Modules, momentum: float = 0.0
    ) -> str:
        """Write an average, with server momentum if there is any; return its id."""
        step = runtime.Aggregate(
            id=step_id,
            after=after,
            node=node,
            modules=tuple(sorted(modules)),
            optimiser=Momentum(momentum=momentum) if momentum else Plain(),
        )
        return self.add(step)


def _medium(network: Network, hop: Hop) -> runtime.Wireless | runtime.Wired:
    edge = network.edges[hop.source, hop.target]
    if isinstance(edge, WirelessEdge):
        return runtime.Wireless(
            band=edge.band,
            band_hz=hop.band_hz or 0.0,
            power_w=hop.power_w or 0.0,
            gain=edge.gain,
            noise_w_per_hz=edge.noise_w_per_hz,
        )
    return runtime.Wired(rate_bps=edge.rate_bps, delay_s=edge.delay_s, power_w=edge.power_w)


def _arrow(hop: Hop) -> str:
    return f"{hop.source} -> {hop.target}"
