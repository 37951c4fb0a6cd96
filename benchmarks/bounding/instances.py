"""Small random instances with every kind of network, model, price and limit that a planner may meet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hfedfm_opt.system.instance import (
    Band,
    Cpu,
    Data,
    FixedSpeed,
    Instance,
    Module,
    Node,
    Objective,
    Radio,
    Task,
    Training,
    WiredLink,
    WirelessLink,
)

PERIODS = ("1", "2", "3", "8", "never")
MAX_SERVERS = 3
MAX_MEMBERS = 5
TRANSPORTS = (32, 32, 32, 8, (32, 4), (4, 32), {"adapter": 4})
BITS_PER_SAMPLE = {"encoder": 4e5, "backbone": 2e5, "adapter": 3e4, "head-read": 1e3, "head-spoken": 2e3}


@dataclass(frozen=True)
class Case:
    """An instance, the period of its plans as planners' names carry it, and options that all planners get."""

    instance: Instance
    period: str
    options: dict[str, Any]
    traits: tuple[str, ...]


@dataclass
class _Draw:
    """What is drawn first, because several parts of an instance depend on it."""

    generator: np.random.Generator
    traits: list[str] = field(default_factory=list)

    def chance(self, trait: str, probability: float) -> bool:
        """Return whether an instance has a trait, and note it."""
        has = bool(self.generator.random() < probability)
        if has:
            self.traits.append(trait)
        return has

    def between(self, low: float, high: float) -> float:
        """Return a number drawn evenly between two."""
        return float(self.generator.uniform(low, high))

    def log_between(self, low: float, high: float) -> float:
        """Return a number whose logarithm is drawn evenly between two exponents of ten."""
        return float(10 ** self.generator.uniform(low, high))


def random_case(seed: int) -> Case:
    """Return the case of a seed: 1 to 3 servers with 1 to 5 devices each, without limits of a round.

    Parameters
    ----------
    seed : int
        Same seed, same case.
    """
    draw = _Draw(np.random.default_rng([7, seed]))
    generator = draw.generator
    count = int(generator.integers(1, MAX_SERVERS + 1))
    largest = (MAX_MEMBERS, 4, 3)[count - 1]
    sizes = [int(generator.integers(1, largest + 1)) for _ in range(count)]
    servers = [f"s{index}" for index in range(count)]
    cluster_of = [server for server, size in zip(servers, sizes, strict=True) for _ in range(size)]
    fog = draw.chance("fog", 0.2)
    modules = _modules(draw, fog=fog)
    nodes = _nodes(draw, servers, cluster_of, fog=fog)
    bands, wireless, wired = _links(draw, servers, cluster_of, fog=fog)
    weights: dict[str, tuple[float, float]] = {
        "both": (1.0, draw.log_between(-1.5, 1.5)),
        "time only": (0.0, 1.0),
        "energy only": (1.0, 0.0),
    }
    prices = str(generator.choice(list(weights), p=[0.7, 0.15, 0.15]))
    if prices != "both":
        draw.traits.append(prices)
    transport = TRANSPORTS[int(generator.integers(len(TRANSPORTS)))]
    if transport != 32:
        draw.traits.append("transport")
    instance = Instance(
        format="hfedfm-instance",
        version=1,
        name=f"bounds-{seed}",
        tiers=("cloud", "fog", "edge", "device") if fog else ("cloud", "edge", "device"),
        nodes=nodes,
        bands=bands,
        wireless_links=wireless,
        wired_links=wired,
        modules=modules,
        tasks=(
            Task(id="read", modalities=("image",), modules=("encoder", "backbone", "adapter", "head-read")),
            Task(id="spoken", modalities=("audio",), modules=("backbone", "adapter", "head-spoken")),
        ),
        training=Training(rounds=4, period=2),
        objective=Objective(energy_weight_per_j=weights[prices][0], time_weight_per_s=weights[prices][1]),
    )
    period = str(generator.choice(PERIODS))
    return Case(instance, period, {"transport_bits": transport}, tuple(draw.traits))


def _modules(draw: _Draw, *, fog: bool) -> tuple[Module, ...]:
    above = ("device", "edge", "fog", "cloud") if fog else ("device", "edge", "cloud")
    frozen = above if draw.chance("movable", 0.55) else ()
    trained: tuple[str, ...] = ()
    if draw.chance("trained elsewhere", 0.25):
        trained = above if draw.chance("trained above", 0.4) else ("device", "edge")
    works = {"encoder": 4e8, "backbone": 2e9, "adapter": 1e7}
    kinds: dict[str, Literal["encoder", "backbone", "adapter", "head"]] = {
        "encoder": "encoder",
        "backbone": "backbone",
        "adapter": "adapter",
        "head-read": "head",
        "head-spoken": "head",
    }
    parameters = {"encoder": 400_000, "backbone": 1_000_000, "adapter": 100_000, "head-read": 5_000}
    return tuple(
        Module(
            id=name,
            kind=kind,
            parameters=parameters.get(name, 30_000),
            trainable=kind in ("adapter", "head"),
            memory_bytes={"encoder": 3e8, "backbone": 1e9}.get(name, 2e6),
            modality="image" if kind == "encoder" else None,
            task=name.removeprefix("head-") if kind == "head" else None,
            forward_flops_per_sample=works.get(name, 1e6) * draw.between(0.5, 1.0),
            backward_flops_per_sample=works.get(name, 1e6) * draw.between(0.5, 2.0),
            activation_bits_per_sample=BITS_PER_SAMPLE[name] * draw.log_between(-1.0, 0.3),
            may_run_on=trained if kind in ("adapter", "head") else frozen,
        )
        for name, kind in kinds.items()
    )


def _nodes(draw: _Draw, servers: Sequence[str], cluster_of: Sequence[str], *, fog: bool) -> tuple[Node, ...]:
    generator = draw.generator
    tight = "movable" in draw.traits and draw.chance("tight memory", 0.8)
    overhead = draw.chance("circuits", 0.6)
    duplex = str(generator.choice(["full", "half", "mixed"], p=[0.45, 0.35, 0.2]))
    draw.traits.append(duplex)
    computing = draw.chance("computing", 0.85)
    nodes = [Node(id="cloud", tier="cloud", processor=FixedSpeed(flops_per_s=1e13, power_w=300.0))]
    if fog:
        nodes.append(
            Node(id="fog", tier="fog", parent="cloud", processor=FixedSpeed(flops_per_s=3e12, power_w=100.0))
        )
    for server in servers:
        nodes.append(
            Node(
                id=server,
                tier="edge",
                parent="fog" if fog else "cloud",
                memory_bytes=float(generator.choice([4e8, 1.1e9, 4e9])) if tight else None,
                processor=FixedSpeed(flops_per_s=draw.between(2e11, 1e12), power_w=40.0),
                radio=Radio(max_power_w=2.0, receive_power_w=0.3 if overhead else 0.0),
            )
        )
    for index, server in enumerate(cluster_of):
        nodes.append(
            Node(
                id=f"d{index}",
                tier="device",
                parent=server,
                memory_bytes=float(generator.choice([3.2e8, 1.2e9, 2e9])) if tight else None,
                processor=_processor(draw) if computing else None,
                radio=Radio(
                    max_power_w=draw.between(0.1, 0.5),
                    amplifier_efficiency=draw.between(0.3, 1.0) if overhead else 1.0,
                    circuit_power_w=0.05 if overhead else 0.0,
                    receive_power_w=0.1 if overhead else 0.0,
                    noise_figure_db=draw.between(0.0, 9.0),
                    duplex=_duplex(draw, duplex),
                ),
                modalities=("image", "audio"),
                data=_data(draw),
            )
        )
    return tuple(nodes)


def _duplex(draw: _Draw, kind: str) -> Literal["full", "half"]:
    half = draw.generator.random() < 0.5 if kind == "mixed" else kind == "half"
    return "half" if half else "full"


def _processor(draw: _Draw) -> Cpu | FixedSpeed:
    if draw.generator.random() < 0.1:
        return FixedSpeed(flops_per_s=draw.between(4e9, 4e10), power_w=draw.between(0.5, 3.0))
    return Cpu(
        flops_per_cycle=8.0,
        max_frequency_hz=draw.between(5e8, 2e9),
        effective_capacitance=draw.log_between(-28.5, -27.0),
    )


def _data(draw: _Draw) -> tuple[Data, ...]:
    generator = draw.generator
    kinds = (("read",), ("spoken",), ("read", "spoken"))[int(generator.integers(3))]
    return tuple(Data(task=task, samples=int(generator.integers(5, 40))) for task in kinds)


def _links(
    draw: _Draw, servers: Sequence[str], cluster_of: Sequence[str], *, fog: bool
) -> tuple[tuple[Band, ...], tuple[WirelessLink, ...], tuple[WiredLink, ...]]:
    generator = draw.generator
    shared = len(servers) > 1 and draw.chance("shared D2D band", 0.2)
    channels = draw.chance("channels", 0.5)
    d2d_of = {server: "d2d" if shared else f"d2d-{server}" for server in servers}
    bands = [Band(id=f"up-{server}", band_hz=5e6, channel_hz=1e6 if channels else None) for server in servers]
    bands += [
        Band(id=name, band_hz=2e7, channel_hz=5e6 if channels else None)
        for name in dict.fromkeys(d2d_of.values())
    ]
    wireless: list[WirelessLink] = []
    wired: list[WiredLink] = []
    missing_up, missing_d2d = draw.chance("missing uplinks", 0.15), draw.chance("missing D2D", 0.4)
    some_wired = draw.chance("wired uplinks", 0.15)
    for server in servers:
        members = [f"d{i}" for i, above in enumerate(cluster_of) if above == server]
        kept = str(generator.choice(members))
        no_d2d = missing_d2d and generator.random() < 0.4
        for device in members:
            if some_wired and generator.random() < 0.4:
                wired += _both_ways(draw, device, server, 6.0, 7.3)
            elif not missing_up or no_d2d or device == kept or generator.random() < 0.6:
                wireless.append(_wireless(draw, device, server, f"up-{server}", -12.0, -9.0))
            if not any((link.source, link.target) == (server, device) for link in wired):
                wireless.append(_wireless(draw, server, device, f"up-{server}", -12.0, -9.0))
            for other in members:
                near = kept in (device, other) or not missing_d2d or generator.random() < 0.5
                if other != device and near and not no_d2d:
                    wireless.append(_wireless(draw, device, other, d2d_of[server], -11.0, -7.0))
    top = "fog" if fog else "cloud"
    for low, high in [(server, top) for server in servers] + ([("fog", "cloud")] if fog else []):
        wired += _both_ways(draw, low, high, 7.3, 8.3)
    return tuple(bands), tuple(wireless), tuple(wired)


def _wireless(draw: _Draw, source: str, target: str, band: str, low: float, high: float) -> WirelessLink:
    return WirelessLink(source=source, target=target, band=band, gain=draw.log_between(low, high))


def _both_ways(draw: _Draw, low: str, high: str, least: float, most: float) -> list[WiredLink]:
    rate_bps = draw.log_between(least, most)
    return [
        WiredLink(source=low, target=high, rate_bps=rate_bps, delay_s=0.02, power_w=3.0),
        WiredLink(source=high, target=low, rate_bps=2 * rate_bps, delay_s=0.02, power_w=2.0),
    ]
