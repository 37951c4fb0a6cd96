"""The best that any placement could do for each device: what makes a bound hold for all placements."""

from hfedfm_opt.planning.cluster_options import Readiness
from hfedfm_opt.planning.formulate_placement import Candidate, formulate_placement
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network


def optimistic_readiness(network: Network) -> Readiness:
    """Return a lower bound on each device's seconds, joules and own work, over all placements.

    Each demand takes its best host as if memories were unlimited and the host's whole processor were its
    own.  A module that may run elsewhere is no work of the device, and costs nothing on a CPU, which may run
    slower.

    Parameters
    ----------
    network : Network
        The network.
    """
    task = formulate_placement(network)
    choices: dict[int, list[Candidate]] = {}
    for demand, candidate in zip(task.problem.pair_demand.tolist(), task.candidates, strict=True):
        choices.setdefault(demand, []).append(candidate)
    seconds = dict.fromkeys(network.devices, 0.0)
    joules = dict.fromkeys(network.devices, 0.0)
    own_flops = dict.fromkeys(network.devices, 0.0)
    for found in choices.values():
        device = found[0].device
        seconds[device] += min(candidate.least_seconds for candidate in found)
        if len(found) == 1 and found[0].host == device:
            joules[device] += found[0].joules
            own_flops[device] += found[0].flops
        else:
            joules[device] += min(_least_joules(network, candidate) for candidate in found)
    return Readiness(seconds, joules, own_flops, frozenset())


def _least_joules(network: Network, candidate: Candidate) -> float:
    return 0.0 if isinstance(network.nodes[candidate.host].processor, Cpu) else candidate.joules
