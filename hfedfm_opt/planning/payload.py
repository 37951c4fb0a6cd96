"""Which modules travel where: the one rule that predictions and schedules must share."""

from collections.abc import Mapping

from hfedfm_opt.planning.rounds import Kind
from hfedfm_opt.planning.trees import Modules
from hfedfm_opt.system.decisions import Cluster
from hfedfm_opt.system.network import Network


def kept_modules(network: Network, cluster: Cluster, kind: Kind) -> Mapping[str, Modules]:
    """Return what each member must get of the average that stays in its cluster.

    A server sends each device the modules that it trains.  Over D2D links the whole average travels to
    every member, whatever the member trains, so that any of them can pass it on.

    Parameters
    ----------
    network : Network
        The network.
    cluster : Cluster
        The cluster.
    kind : Kind
        The kind of round; its due modules go to the cloud instead.
    """
    own = {device: frozenset(network.trained_on[device]) - kind.due for device in cluster.members}
    if cluster.aggregator not in cluster.members:
        return own
    union = frozenset[str]().union(*own.values())
    return dict.fromkeys(cluster.members, union)
