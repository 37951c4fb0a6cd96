"""From sites and devices on a map to an instance: channels, cells, D2D links, hardware and demands."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.system.generate.campus import backhaul
from hfedfm_opt.system.generate.compact_model import compact_modules, compact_tasks
from hfedfm_opt.system.generate.drawn_devices import drawn_devices
from hfedfm_opt.system.generate.hardware import (
    CLOUD_PROCESSOR,
    EDGE_MEMORY_BYTES,
    EDGE_PROCESSORS,
    SERVER_RADIO,
)
from hfedfm_opt.system.geodata.cells import (
    bands_of,
    carriers_of,
    cell_group,
    d2d_groups,
    parents_of,
    reach_of,
)
from hfedfm_opt.system.geodata.explicit_links import ExplicitLinks
from hfedfm_opt.system.geodata.places import Places
from hfedfm_opt.system.geodata.settings import ImportSettings
from hfedfm_opt.system.instance import Instance, Node, Objective, Radio, Training, WirelessGroup

CLOUD = "cloud"
SITE_HEIGHT_M = {"umi": 10.0, "uma": 25.0}
DEVICE_HEIGHT_M = 1.5

_ASSOCIATION = {
    "balanced": "so that uploads end soonest on the average and no site serves more than {most}",
    "strongest": "its strongest site",
}


def network_instance(
    sites: Places,
    devices: Places,
    settings: ImportSettings,
    origin: str,
    links: ExplicitLinks | None = None,
) -> Instance:
    """Return the instance of a network whose positions are known; the same arguments give the same bytes.

    Parameters
    ----------
    sites, devices : Places
        Base stations with an edge server each, and devices.
    settings : ImportSettings
        All that is assumed.
    origin : str
        Where the positions come from, the first sentence of the description.
    links : ExplicitLinks or None
        Links that are known; they go before those that are assumed.
    """
    links = links if links is not None else ExplicitLinks()
    rng = np.random.default_rng(settings.seed)
    servers = _servers(sites, settings)
    orphans = _devices(rng, devices)
    carriers = carriers_of(sites.positions_m)
    bands = bands_of(sites.ids, carriers)
    reach = reach_of(servers, orphans, bands, settings)
    chosen = parents_of(reach, len(orphans), settings).tolist()
    nodes = [
        device if device.parent is not None else device.model_copy(update={"parent": sites.ids[site]})
        for device, site in zip(orphans, chosen, strict=True)
    ]
    parent_of = {node.id: node.parent or CLOUD for node in nodes}
    in_reach: list[list[str]] = [[] for _ in servers]
    for device, site in zip(reach.device.tolist(), reach.site.tolist(), strict=True):
        in_reach[site].append(devices.ids[device])
    cells = [
        cell_group(site, names, settings) for site, names in zip(sites.ids, in_reach, strict=True) if names
    ]
    return Instance(
        format="hfedfm-instance",
        version=1,
        name=settings.name or f"network-{len(servers)}-{len(nodes)}-{settings.seed}",
        description=f"{origin} {_description(nodes, settings)}",
        tiers=("cloud", "edge", "device"),
        nodes=(Node(id=CLOUD, tier="cloud", processor=CLOUD_PROCESSOR), *servers, *nodes),
        bands=bands,
        wireless_groups=(*cells, *_d2d(servers, nodes, devices, settings)),
        wireless_links=links.wireless(parent_of, bands),
        wired_links=links.wired_or(backhaul(sites.ids)),
        modules=compact_modules(),
        tasks=compact_tasks(),
        training=Training(rounds=24, period=2),
        objective=Objective(energy_weight_per_j=1.0, time_weight_per_s=5.0),
    )


def _servers(sites: Places, settings: ImportSettings) -> list[Node]:
    default_m = SITE_HEIGHT_M[settings.channel]
    servers = []
    for index, (name, (x, y)) in enumerate(zip(sites.ids, sites.positions_m.tolist(), strict=True)):
        memory = sites.known("memory_bytes", index)
        servers.append(
            Node(
                id=name,
                tier="edge",
                parent=CLOUD,
                position_m=(x, y, sites.known("height_m", index) or default_m),
                memory_bytes=EDGE_MEMORY_BYTES[index % len(EDGE_MEMORY_BYTES)] if memory is None else memory,
                processor=EDGE_PROCESSORS[index % len(EDGE_PROCESSORS)],
                radio=_radio(SERVER_RADIO, sites.known("max_power_w", index)),
            )
        )
    return servers


def _devices(rng: np.random.Generator, devices: Places) -> list[Node]:
    """Return the devices with their own figures and parents where they are known."""
    at = [
        (x, y, devices.known("height_m", index) or DEVICE_HEIGHT_M)
        for index, (x, y) in enumerate(devices.positions_m.tolist())
    ]
    parents = [devices.parent_of.get(name) for name in devices.ids]
    drawn = drawn_devices(rng, devices.ids, parents, at)
    made = []
    for index, node in enumerate(drawn):
        assert node.radio is not None, "drawn devices have radios"
        memory = devices.known("memory_bytes", index)
        changes = {
            "radio": _radio(node.radio, devices.known("max_power_w", index)),
            "memory_bytes": node.memory_bytes if memory is None else memory,
        }
        made.append(node.model_copy(update=changes))
    return made


def _radio(radio: Radio, max_power_w: float | None) -> Radio:
    return radio if max_power_w is None else radio.model_copy(update={"max_power_w": max_power_w})


def _d2d(
    servers: Sequence[Node], nodes: Sequence[Node], devices: Places, settings: ImportSettings
) -> list[WirelessGroup]:
    members: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        members.setdefault(node.parent or CLOUD, []).append(index)
    groups: list[WirelessGroup] = []
    for server in servers:
        own = members.get(server.id, [])
        names = [nodes[index].id for index in own]
        groups += d2d_groups(server.id, names, devices.positions_m[own], settings)
    return groups


def _description(nodes: Sequence[Node], settings: ImportSettings) -> str:
    served = {node.parent: 0 for node in nodes}
    for node in nodes:
        served[node.parent] += 1
    parent = _ASSOCIATION[settings.association].format(most=max(served.values()))
    model = {"umi": "UMi", "uma": "UMa"}[settings.channel]
    return (
        f"Everything else is assumed (seed {settings.seed}). Each device reaches at most "
        f"{settings.sites_in_reach} sites, the strongest by TR 38.901 {model} at 3.5 GHz that give "
        f"{settings.min_rate_bps / 1e6:g} Mbit/s at full power over the whole band of 40 MHz; its parent is "
        f"{parent}. Each cell has bands of its own; five carriers are reused, and interference between cells "
        f"of the same carrier is not counted. D2D links by TR 36.843 at 2 GHz with the "
        f"{settings.d2d_neighbours} nearest devices of the cell within {settings.d2d_range_m:g} m. Hardware, "
        "tasks and the model are those of the campus."
    )
