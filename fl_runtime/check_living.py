"""Defects of the living network and of the policies of rounds."""

from fl_runtime.defects import Defects
from fl_runtime.schedule import DropOut, LivingNetwork, Losses, Policy, Schedule, Straggling


def check_living(schedule: Schedule, defects: Defects) -> None:
    """Add what is wrong with numbers and names of the living network, and with the policies.

    Parameters
    ----------
    schedule : Schedule
        Whose nodes and bands are named.
    defects : Defects
        Takes the lines.
    """
    for kind in schedule.kinds:
        _check_policy(kind.policy, f"kind {kind.name!r}: policy", defects)
    living = schedule.living
    if living is None:
        return
    nodes = {node.id for node in schedule.nodes}
    for name in ("drop_out", "straggling"):
        part = getattr(living, name)
        for node in part.nodes if part is not None else ():
            defects.name(f"living: {name}", "nodes", node, nodes, "node")
    if living.drop_out is not None:
        _check_drop_out(living.drop_out, defects)
    if living.straggling is not None:
        _check_straggling(living.straggling, defects)
    if living.losses is not None:
        _check_losses(living.losses, defects)
    _check_gains(living, nodes, {band.id for band in schedule.bands}, defects)


def _check_drop_out(drop_out: DropOut, defects: Defects) -> None:
    where = "living: drop_out"
    if not _below_one("share", drop_out.share, where, defects) or drop_out.mean_rounds_away is None:
        return
    if defects.number(where, "mean_rounds_away", drop_out.mean_rounds_away, positive=True):
        least = max(1.0, drop_out.share / (1.0 - drop_out.share))
        if drop_out.mean_rounds_away < least * (1.0 - 1e-12):
            defects.add(
                where,
                f"mean_rounds_away is {drop_out.mean_rounds_away!r}, must be >= {least:g}: "
                "1, and share / (1 - share)",
            )


def _check_straggling(straggling: Straggling, defects: Defects) -> None:
    where = "living: straggling"
    defects.number(where, "spread", straggling.spread)
    defects.name(where, "law", straggling.law, ("shifted-exponential", "log-normal"), "law")


def _check_losses(losses: Losses, defects: Defects) -> None:
    where = "living: losses"
    _below_one("probability", losses.probability, where, defects)
    if losses.max_attempts is not None:
        defects.count(where, "max_attempts", losses.max_attempts, 1)


def _check_gains(living: LivingNetwork, nodes: set[str], bands: set[str], defects: Defects) -> None:
    defects.unique("living", "gains of", ((each.source, each.target, each.band) for each in living.gains))
    for each in living.gains:
        where = f"living: gains of {each.source!r} to {each.target!r}"
        defects.name(where, "source", each.source, nodes, "node")
        defects.name(where, "target", each.target, nodes, "node")
        defects.name(where, "band", each.band, bands, "band")
        if not each.factors:
            defects.add(where, "factors is empty, must hold at least one")
        for index, factor in enumerate(each.factors):
            defects.number(where, f"factors[{index}]", factor, positive=True)


def _check_policy(policy: Policy, where: str, defects: Defects) -> None:
    for name in ("deadline_s", "merge_deadline_s"):
        value = getattr(policy, name)
        if value is not None:
            defects.number(where, name, value, positive=True)
    for name in ("share", "merge_share"):
        value = getattr(policy, name)
        if value is not None:
            defects.part(where, name, value)
    if policy.count is not None:
        defects.count(where, "count", policy.count, 1)


def _below_one(field: str, value: float, where: str, defects: Defects) -> bool:
    if not defects.number(where, field, value):
        return False
    if value >= 1:
        defects.add(where, f"{field} is {value!r}, must be below 1")
        return False
    return True
