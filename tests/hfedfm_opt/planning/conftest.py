"""Small random instances for the planning tests."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.planning.hops import from_server, to_server
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.decisions import Cluster, Frequency, Hop
from hfedfm_opt.system.generate import paper_instance
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
from hfedfm_opt.system.network import Network, WirelessEdge

MakeInstance = Callable[..., Instance]


@pytest.fixture(scope="session")
def paper() -> Instance:
    return paper_instance()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data with public check data is absent")
    return folder


@pytest.fixture(scope="session")
def make_instance() -> MakeInstance:
    """Return a maker of random instances: two servers, a few devices each, all links with explicit gains."""
    return random_instance


@pytest.fixture(scope="session")
def draw_plan() -> Callable[[Plan, np.random.Generator], Plan]:
    """Return a maker of random plans: any trees, bands, powers and CPU frequencies that the limits allow."""
    return random_plan


def random_instance(
    seed: int,
    *,
    devices_per_server: tuple[int, ...] = (3, 2),
    split: bool = False,
    computing: bool = True,
    overhead: bool = True,
    duplex: str = "full",
    fog: bool = False,
) -> Instance:
    generator = np.random.default_rng(seed)
    servers = [f"s{index}" for index in range(len(devices_per_server))]
    top = "fog" if fog else "cloud"
    nodes = [Node(id="cloud", tier="cloud", processor=FixedSpeed(flops_per_s=1e13, power_w=300.0))]
    if fog:
        nodes.append(Node(id="fog", tier="fog", parent="cloud"))
    nodes += [
        Node(
            id=server,
            tier="edge",
            parent=top,
            memory_bytes=2e9 if split else None,
            processor=FixedSpeed(flops_per_s=float(generator.uniform(2e11, 1e12)), power_w=40.0),
            radio=Radio(max_power_w=2.0, receive_power_w=0.3 if overhead else 0.0),
        )
        for server in servers
    ]
    cluster_of = [
        server for server, count in zip(servers, devices_per_server, strict=True) for _ in range(count)
    ]
    for index, server in enumerate(cluster_of):
        tasks = [Data(task="read", samples=int(generator.integers(5, 40)))]
        if generator.random() < 0.6:
            tasks.append(Data(task="spoken", samples=int(generator.integers(5, 40))))
        nodes.append(
            Node(
                id=f"d{index}",
                tier="device",
                parent=server,
                memory_bytes=float(generator.choice([2e8, 1.2e9])) if split else None,
                processor=Cpu(
                    flops_per_cycle=8.0,
                    max_frequency_hz=float(generator.uniform(5e8, 2e9)),
                    effective_capacitance=1e-28,
                )
                if computing
                else None,
                radio=Radio(
                    max_power_w=float(generator.uniform(0.1, 0.5)),
                    amplifier_efficiency=float(generator.uniform(0.3, 1.0)) if overhead else 1.0,
                    circuit_power_w=0.05 if overhead else 0.0,
                    receive_power_w=0.1 if overhead else 0.0,
                    duplex=duplex,
                ),
                modalities=("image", "audio", "text"),
                data=tuple(tasks),
            )
        )
    bands = [Band(id=f"up-{server}", band_hz=5e6, channel_hz=1e6) for server in servers]
    bands += [Band(id=f"d2d-{server}", band_hz=2e7) for server in servers]
    return Instance(
        format="hfedfm-instance",
        version=1,
        name=f"random-{seed}",
        tiers=("cloud", "fog", "edge", "device") if fog else ("cloud", "edge", "device"),
        nodes=tuple(nodes),
        bands=tuple(bands),
        wireless_links=tuple(_wireless(cluster_of, generator)),
        wired_links=tuple(_wired(servers, top, fog=fog, generator=generator)),
        modules=_modules(split=split),
        tasks=(
            Task(id="read", modalities=("image", "text"), modules=("backbone", "adapter", "head-read")),
            Task(id="spoken", modalities=("audio",), modules=("backbone", "adapter", "head-spoken")),
        ),
        training=Training(rounds=4, period=2),
        objective=Objective(energy_weight_per_j=1.0, time_weight_per_s=float(generator.uniform(0.1, 10.0))),
    )


def _wireless(cluster_of: list[str], generator: np.random.Generator) -> list[WirelessLink]:
    links = []
    for index, server in enumerate(cluster_of):
        gain = float(10 ** generator.uniform(-12, -9))
        links.append(WirelessLink(source=f"d{index}", target=server, band=f"up-{server}", gain=gain))
        links.append(WirelessLink(source=server, target=f"d{index}", band=f"up-{server}", gain=gain))
        for other, its_server in enumerate(cluster_of):
            if other != index and its_server == server:
                gain = float(10 ** generator.uniform(-11, -7))
                links.append(
                    WirelessLink(source=f"d{index}", target=f"d{other}", band=f"d2d-{server}", gain=gain)
                )
    return links


def _wired(servers: list[str], top: str, *, fog: bool, generator: np.random.Generator) -> list[WiredLink]:
    pairs = [(server, top) for server in servers] + ([("fog", "cloud")] if fog else [])
    links = []
    for low, high in pairs:
        rate_bps = float(generator.uniform(2e7, 2e8))
        links.append(WiredLink(source=low, target=high, rate_bps=rate_bps, delay_s=0.02, power_w=3.0))
        links.append(WiredLink(source=high, target=low, rate_bps=2 * rate_bps, delay_s=0.02, power_w=2.0))
    return links


def _modules(*, split: bool) -> tuple[Module, ...]:
    places = ("device", "edge", "cloud") if split else ()
    return (
        Module(
            id="backbone",
            kind="backbone",
            parameters=1_000_000,
            trainable=False,
            memory_bytes=1e9 if split else 4e6,
            forward_flops_per_sample=2e9,
            backward_flops_per_sample=2e9,
            activation_bits_per_sample=2e5,
            may_run_on=places,
        ),
        Module(
            id="adapter",
            kind="adapter",
            parameters=100_000,
            trainable=True,
            memory_bytes=1.6e6,
            forward_flops_per_sample=1e7,
            backward_flops_per_sample=2e7,
        ),
        Module(id="head-read", kind="head", parameters=5_000, trainable=True, task="read"),
        Module(id="head-spoken", kind="head", parameters=7_000, trainable=True, task="spoken"),
    )


def random_plan(plan: Plan, generator: np.random.Generator) -> Plan:
    """Return a plan with the placement and periods of another one, and everything else drawn at random."""
    network = plan.network
    helped = {serving.device for serving in plan.decisions.servings}
    clusters = tuple(
        _random_cluster(network, cluster, generator, own_band=not helped & set(cluster.members))
        for cluster in plan.decisions.clusters
    )
    frequencies = tuple(
        Frequency(device=device, frequency_hz=processor.max_frequency_hz * float(generator.uniform(0.2, 1.0)))
        for device in network.devices
        if isinstance(processor := network.nodes[device].processor, Cpu) and device not in helped
    )
    changes = {"clusters": clusters, "frequencies": frequencies, "claim": None}
    return Plan(plan.instance, plan.decisions.model_copy(update=changes))


def _random_cluster(
    network: Network, cluster: Cluster, generator: np.random.Generator, *, own_band: bool
) -> Cluster:
    """Return a cluster with random trees; uplinks of all members are nominal without a band of their own."""
    members = cluster.members
    reached = [device for device in members if (device, cluster.id) in network.edges]
    if len(members) == 1 or (len(reached) == len(members) and generator.random() < 0.3):
        up = to_server(network, members, cluster.id)
        if own_band:
            up = _allocated(network, [(device, cluster.id) for device in members], generator)
        return cluster.model_copy(
            update={
                "aggregator": cluster.id,
                "gather": up,
                "gather_to_cloud": None,
                "deliver": from_server(network, members, cluster.id),
                "uplink": (),
                "downlink": from_server(network, members, cluster.id),
            }
        )
    root = str(generator.choice(reached))
    up = _allocated(network, _random_tree(members, root, generator), generator)
    down = _allocated(
        network, [(high, low) for low, high in _random_tree(members, root, generator)], generator
    )
    to_cloud = bool(cluster.downlink) and bool(cluster.uplink or cluster.aggregator == cluster.id)
    return cluster.model_copy(
        update={
            "aggregator": root,
            "gather": up,
            "gather_to_cloud": None,
            "deliver": down,
            "uplink": _allocated(network, [(root, cluster.id)], generator) if to_cloud else (),
            "downlink": from_server(network, members, cluster.id) if to_cloud else (),
        }
    )


def _random_tree(members: Sequence[str], root: str, generator: np.random.Generator) -> list[tuple[str, str]]:
    """Return (node, parent) pairs: each node hangs under one that was there before."""
    others = [member for member in generator.permutation(list(members)).tolist() if member != root]
    there, pairs = [root], []
    for node in others:
        pairs.append((node, str(generator.choice(there))))
        there.append(node)
    return pairs


def _allocated(
    network: Network, pairs: Sequence[tuple[str, str]], generator: np.random.Generator
) -> tuple[Hop, ...]:
    shares = generator.dirichlet(np.full(len(pairs), 2.0))
    hops = []
    for (source, target), share in zip(pairs, shares.tolist(), strict=True):
        edge, radio = network.edges[source, target], network.nodes[source].radio
        if not isinstance(edge, WirelessEdge):
            hops.append(Hop(source=source, target=target))
            continue
        assert radio is not None
        power_w = radio.max_power_w * float(generator.uniform(0.05, 1.0))
        band_hz = max(share, 1e-3) / 1.01 * network.bands[edge.band].band_hz
        hops.append(Hop(source=source, target=target, band_hz=band_hz, power_w=power_w))
    return tuple(hops)
