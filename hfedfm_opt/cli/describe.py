"""An instance in one line."""

from collections import Counter

from hfedfm_opt.system.defects import counted
from hfedfm_opt.system.instance import Instance


def described(instance: Instance) -> str:
    """Return the name of an instance and how many of everything it has.

    Parameters
    ----------
    instance : Instance
        A valid instance.
    """
    of_tier = Counter(node.tier for node in instance.nodes)
    tiers = ", ".join(f"{of_tier[tier]:,} {tier}" for tier in instance.tiers)
    nodes = counted(len(instance.nodes), "node")
    modules = counted(len(instance.modules), "module")
    return f"{instance.name!r}, {nodes} ({tiers}), {modules}, {counted(len(instance.tasks), 'task')}"
