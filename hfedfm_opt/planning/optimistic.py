"""The best that any placement could do for each device: what makes a bound hold for all placements."""

from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.system.network import Network


def optimistic_readiness(network: Network, task: PlacementTask) -> Readiness:
    """Return a lower bound on each device's seconds and joules of training, over all placements.

    Each demand takes its best host as if memories were unlimited and the host's whole processor were its own.
    A device counts as helped unless it can hold all that it runs: only then may its CPU be slowed down.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    """
    choices: dict[int, list[Candidate]] = {}
    for demand, candidate in zip(task.problem.pair_demand.tolist(), task.candidates, strict=True):
        choices.setdefault(demand, []).append(candidate)
    seconds = dict.fromkeys(network.devices, 0.0)
    joules = dict.fromkeys(network.devices, 0.0)
    own_flops = dict.fromkeys(network.devices, 0.0)
    own_bytes = dict.fromkeys(network.devices, 0.0)
    helped: set[str] = set()
    for found in choices.values():
        device, module = found[0].device, found[0].module
        seconds[device] += min(candidate.link_seconds + candidate.host_seconds for candidate in found)
        joules[device] += min(candidate.joules for candidate in found)
        own_flops[device] += found[0].flops
        own_bytes[device] += network.modules[module].memory_bytes
        if all(candidate.host != device for candidate in found):
            helped.add(device)
    for device, needed in own_bytes.items():
        memory = network.nodes[device].memory_bytes
        if memory is not None and needed > memory:
            helped.add(device)
    return Readiness(seconds, joules, own_flops, frozenset(helped), frozenset())
