"""Critical paths of one cluster: when its training, its way up and its way down end, and what they cost."""

import heapq
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fl_runtime import physics
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
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Consensus, Hop, Serving
from hfedfm_opt.system.instance import Cpu, FixedSpeed
from hfedfm_opt.system.network import Content, Network, WirelessEdge

ONE_MOMENT = 1e-12
"""Relative distance of times below which they are one moment, so that rounding decides no contest."""


Uses = Mapping[tuple[str, str, str], "array[float]"]
"""Uses of shares of bands by (cluster, phase, band): band_hz, start_s and end_s of one after another, from
the start of the phase, a cluster's way up or down."""


@dataclass
class Ledger:
    """Joules by node and uses of bands, as they are booked."""

    energy_j: dict[str, float] = field(default_factory=dict)
    uses: "dict[tuple[str, str, str], array[float]]" = field(default_factory=dict)

    def spend(self, node: str, joules: float) -> None:
        """Add joules to a node's account."""
        self.energy_j[node] = self.energy_j.get(node, 0.0) + joules

    def use(self, place: tuple[str, str, str], figures: Iterable[float]) -> None:
        """Add uses of a (cluster, phase, band): band_hz, start_s and end_s of each."""
        uses = self.uses.get(place)
        if uses is None:
            uses = self.uses[place] = array("d")
        uses.extend(figures)


@dataclass(frozen=True)
class Phase:
    """Books the transfers and computations of one cluster in one direction of a round."""

    network: Network
    ledger: Ledger
    cluster: str
    name: str

    def repeat(self, booked: Ledger) -> None:
        """Book once more, for this phase, what another ledger of the same times has."""
        for node, joules in booked.energy_j.items():
            self.ledger.spend(node, joules)
        for (_, _, band), figures in booked.uses.items():
            self.ledger.use((self.cluster, self.name, band), figures)

    def send(self, hop: Hop, modules: Modules, start_s: float, content: Content = "update") -> float:
        """Book a transfer of updates or models; return when it ends."""
        return self.transfer(hop, self.network.bits_of(modules, content), start_s)

    def transfer(self, hop: Hop, bits: float, start_s: float) -> float:
        """Book a transfer of any bits; return when it ends."""
        edge = self.network.edges[hop.source, hop.target]
        if not isinstance(edge, WirelessEdge):
            rate = edge.rate_bps if edge.rate_bps is not None else float("inf")
            seconds = physics.transfer_seconds(bits, rate, edge.delay_s)
            self.ledger.spend(hop.source, physics.wired_joules(seconds, edge.power_w))
            return start_s + seconds
        band_hz, power_w = hop.band_hz or 0.0, hop.power_w or 0.0
        seconds = physics.transfer_seconds(bits, edge.rate_bps(band_hz, power_w))
        sender, receiver = self.network.nodes[hop.source].radio, self.network.nodes[hop.target].radio
        if sender is not None:
            joules = physics.sender_joules(
                seconds, power_w, sender.amplifier_efficiency, sender.circuit_power_w
            )
            self.ledger.spend(hop.source, joules)
        if receiver is not None and receiver.receive_power_w > 0:
            self.ledger.spend(hop.target, physics.receiver_joules(seconds, receiver.receive_power_w))
        end_s = start_s + seconds
        self.ledger.use((self.cluster, self.name, edge.band), (band_hz, start_s, end_s))
        return end_s

    def compute(
        self, node: str, flops: float, frequency_hz: float | None, share: float, start_s: float
    ) -> float:
        """Book a computation; return when it ends."""
        processor = self.network.nodes[node].processor
        if isinstance(processor, Cpu):
            cycles = physics.cycles_of(flops, processor.flops_per_cycle)
            clock_hz = frequency_hz or processor.max_frequency_hz
            joules = physics.compute_joules(cycles, clock_hz, processor.effective_capacitance)
            self.ledger.spend(node, joules)
            return start_s + physics.compute_seconds(cycles, clock_hz)
        if isinstance(processor, FixedSpeed):
            seconds = physics.reserved_compute_seconds(flops, processor.flops_per_s, share)
            self.ledger.spend(node, physics.reserved_compute_joules(seconds, processor.power_w, share))
            return start_s + seconds
        return start_s

    def train(self, device: str, frequency_hz: float | None, servings: Iterable[Serving]) -> float:
        """Book a device's training: its own work, then the modules that run elsewhere, one after another."""
        loads = loads_of(self.network, device)
        remote = {serving.module: serving for serving in servings}
        if not remote:
            own = sum([load.flops for load in loads.values()])
            return self.compute(device, own, frequency_hz, 1.0, 0.0)
        own = sum(load.flops for module, load in loads.items() if module not in remote)
        time_s = self.compute(device, own, frequency_hz, 1.0, 0.0)
        for module, load in loads.items():
            if module not in remote:
                continue
            serving = remote[module]
            for hop in serving.out:
                time_s = self.transfer(hop, load.out_bits, time_s)
            time_s = self.compute(serving.host, load.flops, None, serving.share, time_s)
            for hop in serving.back:
                time_s = self.transfer(hop, load.back_bits, time_s)
        return time_s

    def gather(
        self,
        hops: Sequence[Hop],
        root: str,
        ready: Mapping[str, float],
        own: Mapping[str, Modules],
        busy: frozenset[str],
    ) -> tuple[float, Modules]:
        """Book the way up; return when the root has merged all, and the modules that it then has.

        A half-duplex node serves its senders in the order in which they are ready, after its own radio work.
        """
        ordered = gather_order(hops, root)
        union = modules_up(ordered, own)
        senders: dict[str, list[Hop]] = {}
        for hop in ordered:
            senders.setdefault(hop.target, []).append(hop)
        done = dict(ready)
        for node in senders or (root,):
            own_ready = ready.get(node, 0.0)
            half = self.network.is_half_duplex(node)
            listens = free = self._listens(node, ready, busy, 0.0)
            end = own_ready
            for hop in sorted(senders.get(node, ()), key=lambda hop: max(done.get(hop.source, 0.0), listens)):
                if not union.get(hop.source):
                    continue
                start = max(done.get(hop.source, 0.0), free if half else listens)
                free = self.send(hop, union[hop.source], start)
                end = max(end, free)
            done[node] = end
        return done.get(root, 0.0), union.get(root, frozenset())

    def forward(
        self,
        hops: Sequence[Hop],
        root: str,
        ready: Mapping[str, float],
        own: Mapping[str, Modules],
        busy: frozenset[str],
    ) -> tuple[float, Modules]:
        """Book the way up where relays pass each update on; return as :meth:`gather` does."""
        ways = {device: way for device, way in ways_up(hops, root, list(own)).items() if way and own[device]}
        chains = [(ready[device], way, own[device]) for device, way in ways.items()]
        ends_s = self._serve(chains, ready, busy)
        return max([ready.get(root, 0.0), *ends_s]), frozenset[str]().union(*own.values())

    def mix(
        self, consensus: Consensus, kind: Kind, ready: Mapping[str, float], busy: frozenset[str]
    ) -> dict[str, float]:
        """Book the sweeps of consensus; return when each member has mixed for the last time.

        In a sweep each member sends what its neighbours take of it, then all mix once everything has arrived.
        """
        time_s = dict(ready)
        mixings = mixed_modules(consensus, kind)
        for _ in range(consensus.sweeps if mixings else 0):
            chains = [
                (time_s[hop.source], (hop,), modules) for hop, modules in exchanged_modules(consensus, kind)
            ]
            end_s = max([0.0, *self._serve(chains, ready, busy)])
            mixed_s = dict(time_s)
            for mixing, _ in mixings:
                moment = max([end_s, *(time_s[node] for node in mixing.nodes)])
                mixed_s |= {node: max(mixed_s[node], moment) for node in mixing.nodes}
            time_s = mixed_s
        return time_s

    def _serve(
        self,
        chains: Sequence[tuple[float, Sequence[Hop], Modules]],
        ready: Mapping[str, float],
        busy: frozenset[str],
    ) -> list[float]:
        """Book chains of updates, each ready at a time for its first hop; return when each has arrived.

        Transfers that wait for a half-duplex radio are served in the order in which they became ready, ties
        in the order of the chains and of their hops.
        """
        queue = [
            (self._listens(way[0].target, ready, busy, start_s), position, 0)
            for position, (start_s, way, _) in enumerate(chains)
        ]
        heapq.heapify(queue)
        active: list[tuple[float, int, int]] = []
        waiting: list[tuple[float, int, int]] = []
        taken: set[str] = set()
        ends_s = [0.0] * len(chains)
        while queue or active or waiting:
            now = min(entries[0][0] for entries in (queue, active) if entries)
            while active and active[0][0] <= now * (1 + ONE_MOMENT):
                ended_s, position, index = heapq.heappop(active)
                way = chains[position][1]
                taken -= {way[index].source, way[index].target}
                ends_s[position] = ended_s
                if index + 1 < len(way):
                    ready_s = self._listens(way[index + 1].target, ready, busy, ended_s)
                    heapq.heappush(queue, (ready_s, position, index + 1))
            while queue and queue[0][0] <= now * (1 + ONE_MOMENT):
                heapq.heappush(waiting, heapq.heappop(queue))
            blocked = []
            while waiting:
                entry = heapq.heappop(waiting)
                _, position, index = entry
                _, way, modules = chains[position]
                radios = {
                    node
                    for node in (way[index].source, way[index].target)
                    if self.network.is_half_duplex(node)
                }
                if radios & taken:
                    blocked.append(entry)
                    continue
                taken |= radios
                heapq.heappush(active, (self.send(way[index], modules, now), position, index))
            waiting = blocked
        return ends_s

    def _listens(
        self, target: str, ready: Mapping[str, float], busy: frozenset[str], start_s: float
    ) -> float:
        """Return when a transfer may begin: a half-duplex node ends its own radio work before it listens."""
        if target in busy and self.network.is_half_duplex(target):
            return max(start_s, ready.get(target, 0.0))
        return start_s

    def deliver(self, hops: Sequence[Hop], root: str, start_s: float, own: Mapping[str, Modules]) -> float:
        """Book the way down; return when the last node has its modules.

        A half-duplex node serves its receivers one after another, in the order of the plan.
        """
        ordered = deliver_order(hops, root)
        needed = modules_down(ordered, own)
        arrived = {root: start_s}
        free: dict[str, float] = {}
        last = start_s
        for hop in ordered:
            source_s = arrived[hop.source]
            start = (
                max(source_s, free.get(hop.source, 0.0))
                if self.network.is_half_duplex(hop.source)
                else source_s
            )
            modules = needed.get(hop.target)
            arrived[hop.target] = self.send(hop, modules, start, "model") if modules else source_s
            if modules:
                free[hop.source] = arrived[hop.target]
            last = max(last, arrived[hop.target])
        return last
