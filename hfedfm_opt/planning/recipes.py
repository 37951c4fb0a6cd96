"""All planners, by name: how each arranges clusters, places modules and allocates resources."""

import difflib
from dataclasses import dataclass, replace
from typing import Literal

ArrangementName = Literal["star", "servers", "alone", "published-d2d", "consensus", "relayed", "optimised"]
NEVER = "never"


class UnknownPlanner(ValueError):
    """A name that no planner has, or a period that makes no sense; the message lists what there is."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A planner, as data.

    Parameters
    ----------
    summary : str
        What it does, in one line.
    arrangement : str
        How clusters average.
    placement : str
        Method of ``solvers.placement``; where a heuristic finds none, an exact method stands in.
    relaying : str
        Method of ``solvers.relaying`` for the arrangement ``relayed``.
    takes_period : bool
        Whether the name may carry a period, as in ``hierarchical:8``.
    reaches_cloud : bool
        Whether the cloud averages at all.
    period : int or None
        Every how many rounds; ``None`` means never.
    """

    summary: str
    arrangement: ArrangementName
    placement: str = "greedy_regret"
    relaying: str = ""
    takes_period: bool = False
    reaches_cloud: bool = True
    period: int | None = 1


RECIPES: dict[str, Recipe] = {
    "optimised": Recipe(
        summary="exact placement; best trees, aggregators and uplinks under a common deadline, with a bound",
        arrangement="optimised",
        placement="auto",
        takes_period=True,
    ),
    "star": Recipe(
        summary="every device to the cloud in each round, over its server where it has no direct link",
        arrangement="star",
    ),
    "edge-only": Recipe(
        summary="servers average their clusters, the cloud never", arrangement="servers", reaches_cloud=False
    ),
    "edge-only+d2d": Recipe(
        summary="a random member of each cluster averages over D2D links, the cloud never",
        arrangement="published-d2d",
        reaches_cloud=False,
    ),
    "hierarchical": Recipe(
        summary="servers average in each round, the cloud in each E-th",
        arrangement="servers",
        takes_period=True,
    ),
    "hierarchical+d2d": Recipe(
        summary="a random member averages over D2D links in each round, the cloud in each E-th",
        arrangement="published-d2d",
        takes_period=True,
    ),
    "consensus": Recipe(
        summary="members mix with D2D neighbours by consensus in each round, the cloud in each E-th",
        arrangement="consensus",
        takes_period=True,
    ),
    "local-only": Recipe(summary="nobody averages", arrangement="alone", reaches_cloud=False),
    "shortest-paths": Recipe(
        summary="relays over shortest paths to the best aggregator, the cloud in each E-th round",
        arrangement="relayed",
        relaying="shortest_paths",
        takes_period=True,
    ),
    "spanning-tree": Recipe(
        summary="relays over the minimum spanning tree, the cloud in each E-th round",
        arrangement="relayed",
        relaying="minimum_spanning_tree",
        takes_period=True,
    ),
    "arborescence": Recipe(
        summary="relays over the tree of least energy, the cloud in each E-th round",
        arrangement="relayed",
        relaying="minimum_arborescence",
        takes_period=True,
    ),
    "random-placement": Recipe(
        summary="as hierarchical, with modules placed at random",
        arrangement="servers",
        placement="random",
        takes_period=True,
    ),
    "greedy-placement": Recipe(
        summary="as hierarchical, with modules placed greedily by cost",
        arrangement="servers",
        placement="greedy",
        takes_period=True,
    ),
    "nearest-placement": Recipe(
        summary="as hierarchical, with each module on its cheapest node as long as memories allow",
        arrangement="servers",
        placement="nearest",
        takes_period=True,
    ),
}


def recipe_of(name: str, default_period: int | None) -> Recipe:
    """Return the recipe of a planner's name, with its period.

    Parameters
    ----------
    name : str
        Such as ``"star"``, ``"hierarchical:8"`` or ``"optimised:never"``.
    default_period : int or None
        Period of a name that takes one and carries none.

    Raises
    ------
    UnknownPlanner
        For an unknown name or a period that is neither a whole number >= 1 nor ``never``.
    """
    base, colon, suffix = name.partition(":")
    if base not in RECIPES:
        near = difflib.get_close_matches(base, RECIPES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownPlanner(f"there is no planner {name!r}; {hint}known: {', '.join(RECIPES)}")
    recipe = RECIPES[base]
    if colon and not recipe.takes_period:
        raise UnknownPlanner(f"planner {base!r} takes no period, got {name!r}: use {base!r}")
    if not recipe.reaches_cloud:
        return replace(recipe, period=None)
    if not recipe.takes_period:
        return recipe
    if not colon:
        return replace(recipe, period=default_period)
    if suffix == NEVER:
        return replace(recipe, period=None)
    if not suffix.isdecimal() or int(suffix) < 1:
        raise UnknownPlanner(
            f"the period of {name!r} is {suffix!r}, must be a whole number >= 1 or {NEVER!r}"
        )
    return replace(recipe, period=int(suffix))


def period_name(period: int | None) -> str:
    """Return a period as planners' names carry it."""
    return NEVER if period is None else str(period)
