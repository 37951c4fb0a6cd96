"""What a second of training is worth on each device, so that a placement keeps nobody waiting."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hfedfm_opt.system.decisions import Serving
from hfedfm_opt.system.network import Network


@dataclass(frozen=True)
class TimePrices:
    """What a second of training costs, by device.

    Devices work side by side, and a round waits for the slowest: ``max_d s_d`` is the largest of all
    ``sum_d w_d s_d`` with weights that sum to one.  So any weights give a lower bound, and the right ones
    press on the devices that hold the others up.

    Parameters
    ----------
    device_weight : mapping of str to float
        w_d, >= 0, summing to one.
    pressure : mapping of str to float
        For each host, the sum of w_d over the devices that it serves: a host's work delays all of them.
        A host that is absent delays only the device served, as if its whole processor were free.
    """

    device_weight: Mapping[str, float]
    pressure: Mapping[str, float]


def even_prices(network: Network) -> TimePrices:
    """Return equal weights, and hosts that serve all devices below them."""
    weight = 1.0 / max(len(network.devices), 1)
    below: dict[str, float] = {}
    for device in network.devices:
        for host in network.path_up(device)[1:]:
            below[host] = below.get(host, 0.0) + weight
    return TimePrices(dict.fromkeys(network.devices, weight), below)


def repriced(
    prices: TimePrices, seconds: Mapping[str, float], servings: Iterable[Serving], step: float
) -> TimePrices:
    """Return prices that press more on slow devices: ``w_d`` times ``exp(step * s_d / max s)``, normalised.

    That is the multiplicative-weights step for the maximum over the devices (Freund and Schapire 1999).

    Parameters
    ----------
    prices : TimePrices
        What a second cost.
    seconds : mapping of str to float
        How long each device then took to train.
    servings : iterable of Serving
        Who then worked for whom: a host is pressed by all whom it serves.
    step : float
        How strongly to change, > 0.
    """
    longest = max(seconds.values(), default=0.0) or 1.0
    raw = {
        device: weight * math.exp(step * (seconds[device] / longest - 1.0))
        for device, weight in prices.device_weight.items()
    }
    total = sum(raw.values())
    weights = {device: weight / total for device, weight in raw.items()}
    pressure = dict.fromkeys(prices.pressure, 0.0)
    for device, host in {(serving.device, serving.host) for serving in servings}:
        pressure[host] += weights[device]
    idle = {host: before for host, before in prices.pressure.items() if pressure[host] == 0.0}
    return TimePrices(weights, {**pressure, **idle})
