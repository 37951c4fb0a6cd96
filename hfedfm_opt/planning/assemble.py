"""From a placement and an arrangement of clusters to all decisions of a plan."""

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.hops import backhaul
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.system.decisions import Decisions, ModulePeriod, ModuleTransport
from hfedfm_opt.system.network import Network


def assemble(
    network: Network,
    planner: str,
    period: int | None,
    placed: Placed,
    arrangement: Arrangement,
    transport_bits: tuple[ModuleTransport, ...] = (),
    cloud_momentum: float = 0.0,
) -> Decisions:
    """Return the decisions of a plan, without a claim yet.

    Parameters
    ----------
    network : Network
        The network, with the plan's duplex.
    planner : str
        Name of the planner.
    period : int or None
        Every how many rounds the cloud averages every trainable module; ``None``: never.
    placed : Placed
        Who runs what.
    arrangement : Arrangement
        How clusters average.
    transport_bits : tuple of ModuleTransport
        With how many bits a parameter modules travel, as the network has it.
    cloud_momentum : float
        Momentum of the cloud's averages, in [0, 1).
    """
    trainable = [module.id for module in network.instance.modules if module.trainable]
    servers = [cluster.id for cluster in arrangement.clusters]
    up, down = backhaul(network, servers) if period is not None else ((), ())
    return Decisions(
        planner=planner,
        instance=network.instance.name,
        instance_sha256=instance_digest(network.instance),
        duplex=network.duplex,
        periods=tuple(ModulePeriod(module=name, period=period) for name in trainable),
        transport_bits=transport_bits,
        cloud_momentum=cloud_momentum,
        hosted=placed.hosted,
        servings=placed.servings,
        frequencies=arrangement.frequencies,
        clusters=arrangement.clusters,
        backhaul_up=up,
        backhaul_down=down,
    )
