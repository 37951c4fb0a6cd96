"""How a network is made of positions: what the lists of sites and users do not say."""

from dataclasses import dataclass
from typing import Literal

Channel = Literal["umi", "uma"]
Association = Literal["balanced", "strongest"]


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What is assumed of a network of which positions are known.

    Parameters
    ----------
    seed : int
        Seed of the channels and of everything that is drawn: tasks, samples, hardware; >= 0.
    name : str or None
        Name of the instance; ``None``: made of the numbers of sites and devices.
    channel : "umi" or "uma"
        Street-level sites 10 m high or rooftop sites 25 m high, by TR 38.901.
    sites_in_reach : int
        Most sites that a device has links with, the strongest first, >= 1.
    min_rate_bps : float
        Rate at the device's full power over the whole band of a cell below which a site is not in reach;
        the strongest site always is; > 0.
    association : "balanced" or "strongest"
        How each device gets its parent among the sites in reach.
    max_devices_per_site : int
        balanced: most devices of a site, as long as all devices find a site so, >= 1.
    d2d_range_m : float
        How far devices of a cell reach each other, > 0.
    d2d_neighbours : int
        With how many of the nearest devices of its cell a device has links, both ways, >= 1.
    """

    seed: int = 0
    name: str | None = None
    channel: Channel = "umi"
    sites_in_reach: int = 4
    min_rate_bps: float = 20e6
    association: Association = "balanced"
    max_devices_per_site: int = 7
    d2d_range_m: float = 100.0
    d2d_neighbours: int = 6
