"""The published network of 40 users in 10 clusters, sampled from its description.

Source: "Hierarchical Federated Foundation Models over Wireless Networks", IEEE Communications Magazine 64(4),
66-72.  Its lengths are m, its powers mW, its bandwidths kHz and its rates kbit/s; here all is SI.
Scalar functions are Python's, because numpy's differ in the last bit between processors.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SEED = 49
AREA_M = 5000.0
NUM_SERVERS = 10
USERS_PER_CLUSTER = 4
SERVER_SPACING_M = 500.0
CENTRE_RADIUS_M = 1000.0
USER_RADIUS_M = 500.0
GAIN_AT_1_M = 1e-3
PATH_LOSS_EXPONENT = 3.0
EFFECTIVE_NOISE_W_PER_HZ = 10.0**-23.4
"""What the published rates amount to: -174 dBm/Hz times a number of kHz, 30 dB below thermal noise."""


@dataclass(frozen=True)
class PublishedNetwork:
    """Positions and power gains, as published.

    Parameters
    ----------
    servers_m : array, shape (10, 2)
        Positions of the edge servers, m.
    centres_m : array, shape (10, 2)
        Centre of each server's cluster, m.
    users_m : array, shape (40, 2)
        Positions of the users, m; cluster c holds users 4c to 4c + 3.
    uplink_gain : array, shape (40,)
        Gain from each user to its server, linear.
    d2d_gain : array, shape (40, 4)
        Gain from each user to each member of its cluster, linear; NaN to itself.  Each direction fades alone.
    """

    servers_m: FloatArray
    centres_m: FloatArray
    users_m: FloatArray
    uplink_gain: FloatArray
    d2d_gain: FloatArray


def sample_published_network() -> PublishedNetwork:
    """Return the published network: geometry and fading come from two generators of the same seed."""
    geometry, fading = np.random.default_rng(SEED), np.random.default_rng(SEED)
    servers = _spaced_points(geometry)
    centres = np.empty((NUM_SERVERS, 2))
    users = np.empty((NUM_SERVERS * USERS_PER_CLUSTER, 2))
    for cluster, server in enumerate(servers):
        centres[cluster] = _point_about(geometry, server, CENTRE_RADIUS_M)
        for user in members_of(cluster):
            users[user] = _point_about(geometry, centres[cluster], USER_RADIUS_M)
    uplink, d2d = _gains(fading, servers, users)
    for array in (servers, centres, users, uplink, d2d):
        array.setflags(write=False)
    return PublishedNetwork(servers, centres, users, uplink, d2d)


def members_of(cluster: int) -> range:
    """Return the users of a cluster."""
    return range(cluster * USERS_PER_CLUSTER, (cluster + 1) * USERS_PER_CLUSTER)


def _gains(
    fading: np.random.Generator, servers: FloatArray, users: FloatArray
) -> tuple[FloatArray, FloatArray]:
    uplink = np.empty(len(users))
    d2d = np.full((len(users), USERS_PER_CLUSTER), np.nan)
    for cluster, server in enumerate(servers):
        for user in members_of(cluster):
            uplink[user] = _faded_gain(fading, users[user], server)
    num_unused_pairs = NUM_SERVERS * USERS_PER_CLUSTER * (USERS_PER_CLUSTER - 1) // 2
    fading.standard_normal(2 * num_unused_pairs)  # the published code draws these links and never uses them
    for cluster in range(NUM_SERVERS):
        for sender in members_of(cluster):
            for column, receiver in enumerate(members_of(cluster)):
                if sender != receiver:
                    d2d[sender, column] = _faded_gain(fading, users[sender], users[receiver])
    return uplink, d2d


def _spaced_points(rng: np.random.Generator) -> FloatArray:
    points: list[FloatArray] = []
    while len(points) < NUM_SERVERS:
        point = np.array([rng.uniform(0.0, AREA_M), rng.uniform(0.0, AREA_M)])
        if all(math.hypot(*(point - other)) >= SERVER_SPACING_M for other in points):
            points.append(point)
    return np.array(points)


def _point_about(rng: np.random.Generator, centre: FloatArray, radius_m: float) -> FloatArray:
    """Return a point uniform on the part of a disc that lies in the area."""
    while True:
        distance = radius_m * math.sqrt(rng.random())
        angle = 2.0 * math.pi * rng.random()
        point: FloatArray = centre + distance * np.array([math.cos(angle), math.sin(angle)])
        if np.all((point >= 0.0) & (point < AREA_M)):
            return point


def _faded_gain(rng: np.random.Generator, sender: FloatArray, receiver: FloatArray) -> float:
    """Return ``1e-3 d^-3 (a^2 + b^2)`` with standard normal a and b: path loss and Rayleigh fading."""
    real, imaginary = rng.standard_normal(), rng.standard_normal()
    distance: float = math.hypot(*(sender - receiver).tolist())
    gain: float = GAIN_AT_1_M * distance**-PATH_LOSS_EXPONENT * (real**2 + imaginary**2)
    return gain
