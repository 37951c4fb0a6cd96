"""Cities of any size: cells of street-level servers, devices meeting in spots, D2D links within a spot."""

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.generate.campus import backhaul, draw_in_disc, rounded_m
from hfedfm_opt.system.generate.compact_model import compact_modules, compact_tasks
from hfedfm_opt.system.generate.drawn_devices import drawn_devices
from hfedfm_opt.system.generate.hardware import (
    CLOUD_PROCESSOR,
    EDGE_MEMORY_BYTES,
    EDGE_PROCESSORS,
    SERVER_RADIO,
)
from hfedfm_opt.system.instance import (
    Band,
    ChannelModel,
    Instance,
    Node,
    Objective,
    Training,
    WirelessGroup,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DEVICES_PER_EDGE = 6
"""Devices per server where their number is not given."""
MIN_SPOT, MAX_SPOT = 4, 8
"""Devices that meet in one spot."""
SERVER_SPACING_M = 300.0
SPOT_DISTANCE_M, SPOT_RADIUS_M = 140.0, 20.0
SERVERS_IN_REACH = 3
CELL_REACH_M, D2D_REACH_M = 500.0, 40.0
SERVER_HEIGHT_M, DEVICE_HEIGHT_M = 10.0, 1.5
REUSE_CARRIERS_HZ = (3.42e9, 3.46e9, 3.50e9, 3.54e9, 3.58e9)
"""Five carriers, 40 MHz apart: a cell and its four neighbours on the grid all differ."""
CELL_BAND_HZ = 40e6
D2D_CARRIERS_HZ = (1.95e9, 1.97e9, 1.99e9, 2.01e9, 2.03e9)
D2D_BAND_HZ = 20e6

_DESCRIPTION = (
    "A city of {devices} devices and {edges} edge servers (seed {seed}). Servers stand about 300 m apart; "
    "devices meet in spots of 4 to 8 about them (the last spot may have fewer). Each device reaches its "
    "own server and the two next nearest within 500 m by TR 38.901 UMi, and devices of the same cell "
    "within 40 m by TR 36.843. Each cell has bands of its own; five carriers are reused over the city, "
    "and interference between cells of the same carrier is not counted. Hardware and model are those of "
    "the campus."
)


def city_instance(num_devices: int, num_edges: int | None = None, seed: int = 0) -> Instance:
    """Return a city; the same arguments give the same instance.

    Parameters
    ----------
    num_devices : int
        Number of devices, >= 1.
    num_edges : int, optional
        Number of edge servers, >= 1; a sixth of the devices, rounded up, where not given.
    seed : int
        Seed of positions, hardware, tasks, samples and channels, >= 0.

    Raises
    ------
    ValueError
        If a number is below 1.
    """
    num_edges = -(-num_devices // DEVICES_PER_EDGE) if num_edges is None else num_edges
    if num_devices < 1 or num_edges < 1:
        raise ValueError(f"a city needs devices and edge servers, got {num_devices} and {num_edges}")
    rng = np.random.default_rng(seed)
    cell_of_grid = _grid(num_edges)
    servers_m = rounded_m(SERVER_SPACING_M * (cell_of_grid + rng.uniform(-0.2, 0.2, size=(num_edges, 2))))
    home, devices_m = _place_devices(rng, num_devices, servers_m)
    return Instance(
        format="hfedfm-instance",
        version=1,
        name=f"city-{num_devices}-{num_edges}-{seed}",
        description=_DESCRIPTION.format(devices=num_devices, edges=num_edges, seed=seed),
        tiers=("cloud", "edge", "device"),
        nodes=(
            Node(id="cloud", tier="cloud", processor=CLOUD_PROCESSOR),
            *_servers(servers_m),
            *_devices(rng, home.tolist(), devices_m.tolist()),
        ),
        bands=_bands(cell_of_grid),
        wireless_groups=(*_cells(home, devices_m, servers_m, seed), *_d2d_groups(home, num_edges, seed)),
        wired_links=backhaul([f"s{index}" for index in range(num_edges)]),
        modules=compact_modules(),
        tasks=compact_tasks(),
        training=Training(rounds=24, period=2),
        objective=Objective(energy_weight_per_j=1.0, time_weight_per_s=5.0),
    )


def _grid(num_edges: int) -> IntArray:
    """Return the column and row of each server, row by row on a square, (E, 2)."""
    columns = int(np.ceil(np.sqrt(num_edges)))
    index = np.arange(num_edges)
    return np.stack([index % columns, index // columns], axis=1)


def _place_devices(
    rng: np.random.Generator, num_devices: int, servers_m: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return each device's server (D,) and position (D, 2): spots are dealt to the servers in turn."""
    sizes = rng.integers(MIN_SPOT, MAX_SPOT, size=num_devices // MIN_SPOT + 1, endpoint=True)
    spot_of_device = np.repeat(np.arange(len(sizes)), sizes)[:num_devices]
    num_spots = int(spot_of_device[-1]) + 1
    server_of_spot = rng.permutation(np.arange(num_spots) % len(servers_m))
    spots_m = draw_in_disc(rng, servers_m[server_of_spot], SPOT_DISTANCE_M)
    return server_of_spot[spot_of_device], draw_in_disc(rng, spots_m[spot_of_device], SPOT_RADIUS_M)


def _servers(servers_m: FloatArray) -> list[Node]:
    return [
        Node(
            id=f"s{index}",
            tier="edge",
            parent="cloud",
            position_m=(x, y, SERVER_HEIGHT_M),
            memory_bytes=EDGE_MEMORY_BYTES[index % len(EDGE_MEMORY_BYTES)],
            processor=EDGE_PROCESSORS[index % len(EDGE_PROCESSORS)],
            radio=SERVER_RADIO,
        )
        for index, (x, y) in enumerate(servers_m.tolist())
    ]


def _devices(rng: np.random.Generator, home: list[int], devices_m: list[list[float]]) -> list[Node]:
    return drawn_devices(
        rng,
        [f"d{index}" for index in range(len(home))],
        [f"s{server}" for server in home],
        [(x, y, DEVICE_HEIGHT_M) for x, y in devices_m],
    )


def _bands(cell_of_grid: IntArray) -> tuple[Band, ...]:
    colours = ((cell_of_grid[:, 0] + 2 * cell_of_grid[:, 1]) % len(REUSE_CARRIERS_HZ)).tolist()
    cells = [
        Band(id=f"cell-s{index}", band_hz=CELL_BAND_HZ, carrier_hz=REUSE_CARRIERS_HZ[colour])
        for index, colour in enumerate(colours)
    ]
    d2d = [
        Band(id=f"d2d-s{index}", band_hz=D2D_BAND_HZ, carrier_hz=D2D_CARRIERS_HZ[colour])
        for index, colour in enumerate(colours)
    ]
    return (*cells, *d2d)


def _cells(home: IntArray, devices_m: FloatArray, servers_m: FloatArray, seed: int) -> list[WirelessGroup]:
    """Return a group for each server: the devices at home in its cell or that have it among the nearest."""
    from scipy.spatial import KDTree

    near = min(SERVERS_IN_REACH, len(servers_m))
    found = np.array(KDTree(servers_m).query(devices_m, k=[*range(1, near + 1)])[1])  # (D, near)
    found[:, -1] = np.where((found == home[:, None]).any(axis=1), found[:, -1], home)
    distance = np.hypot(*np.moveaxis(servers_m[found] - devices_m[:, None], 2, 0))
    device, rank = np.nonzero((distance <= CELL_REACH_M) | (found == home[:, None]))
    members = _grouped(found[device, rank], device, len(servers_m))
    return [
        WirelessGroup(
            sources=tuple(f"d{device}" for device in devices),
            targets=(f"s{server}",),
            band=f"cell-s{server}",
            channel=ChannelModel(model="tr38901-umi", seed=seed),
            both_ways=True,
        )
        for server, devices in enumerate(members)
        if devices
    ]


def _d2d_groups(home: IntArray, num_edges: int, seed: int) -> list[WirelessGroup]:
    groups = []
    for server, devices in enumerate(_grouped(home, np.arange(len(home)), num_edges)):
        members = tuple(f"d{device}" for device in devices)
        if len(members) > 1:
            groups.append(
                WirelessGroup(
                    sources=members,
                    targets=members,
                    band=f"d2d-s{server}",
                    channel=ChannelModel(model="tr36843-d2d", seed=seed),
                    max_distance_m=D2D_REACH_M,
                )
            )
    return groups


def _grouped(keys: IntArray, values: IntArray, num_keys: int) -> list[list[int]]:
    """Return the values of each key, in order."""
    order = np.argsort(keys, kind="stable")
    ends = np.cumsum(np.bincount(keys, minlength=num_keys))
    return [part.tolist() for part in np.split(values[order], ends[:-1])]
