"""The valid elements of a file, and the names of the others: what cross-checks look at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from hfedfm_opt.system.instance import (
    Band,
    Instance,
    Module,
    Node,
    Objective,
    Task,
    WiredLink,
    WirelessGroup,
    WirelessLink,
)
from hfedfm_opt.system.json_text import Location

Invalid = Mapping[str, Any]

MAX_NAME_CHARACTERS = 200
"""As :data:`hfedfm_opt.system.instance.Name` has it."""

_MODELS: Mapping[str, type[BaseModel]] = {
    "nodes": Node,
    "bands": Band,
    "wireless_links": WirelessLink,
    "wireless_groups": WirelessGroup,
    "wired_links": WiredLink,
    "modules": Module,
    "tasks": Task,
}


@dataclass(frozen=True)
class Draft:
    """What could be read of an instance.

    Parameters
    ----------
    tiers : tuple of str or None
        Names of the tiers; ``None`` if they could not be read.
    nodes, bands, wireless_links, wired_links, modules, tasks : tuple
        The valid elements.
    wireless_groups : mapping of int to WirelessGroup
        The valid ones, by their place in the file.
    objective : Objective or None
        ``None`` if it is not valid.
    invalid : mapping of str to tuple
        By key of the file: the elements that are not valid, as parsed.
    unreadable : frozenset of str
        Keys whose lists could not be read at all.
    """

    tiers: tuple[str, ...] | None
    nodes: tuple[Node, ...]
    bands: tuple[Band, ...]
    wireless_links: tuple[WirelessLink, ...]
    wireless_groups: Mapping[int, WirelessGroup]
    wired_links: tuple[WiredLink, ...]
    modules: tuple[Module, ...]
    tasks: tuple[Task, ...]
    objective: Objective | None
    invalid: Mapping[str, tuple[Invalid, ...]] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()

    @cached_property
    def node_of_id(self) -> Mapping[str, Node]:
        """The valid nodes by id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def band_of_id(self) -> Mapping[str, Band]:
        """The valid bands by id."""
        return {band.id: band for band in self.bands}

    @cached_property
    def module_of_id(self) -> Mapping[str, Module]:
        """The valid modules by id."""
        return {module.id: module for module in self.modules}

    @cached_property
    def task_of_id(self) -> Mapping[str, Task]:
        """The valid tasks by id."""
        return {task.id: task for task in self.tasks}

    @cached_property
    def silent_nodes(self) -> frozenset[str]:
        """Ids of the valid nodes without a radio."""
        return frozenset(node.id for node in self.nodes if node.radio is None)

    @cached_property
    def lost_nodes(self) -> frozenset[str]:
        """Ids of the valid nodes without a position."""
        return frozenset(node.id for node in self.nodes if node.position_m is None)

    @cached_property
    def node_names(self) -> frozenset[str] | None:
        """Ids of all nodes, valid or not; ``None`` if any name may be one."""
        return self._names("nodes", self.node_of_id)

    @cached_property
    def band_names(self) -> frozenset[str] | None:
        """Ids of all bands; ``None`` if any name may be one."""
        return self._names("bands", self.band_of_id)

    @cached_property
    def module_names(self) -> frozenset[str] | None:
        """Ids of all modules; ``None`` if any name may be one."""
        return self._names("modules", self.module_of_id)

    @cached_property
    def task_names(self) -> frozenset[str] | None:
        """Ids of all tasks; ``None`` if any name may be one."""
        return self._names("tasks", self.task_of_id)

    @cached_property
    def level_of_tier(self) -> Mapping[str, int]:
        """How far each tier is below the top."""
        return {tier: level for level, tier in reversed(list(enumerate(self.tiers or ())))}

    @cached_property
    def level_of_node(self) -> Mapping[str, int]:
        """How far each node's tier is below the top, where that is known; invalid nodes included."""
        pairs = [(node.id, node.tier) for node in self.nodes]
        pairs += [
            (raw["id"], raw["tier"])
            for raw in self.invalid.get("nodes", ())
            if has_name(raw) and isinstance(raw.get("tier"), str)
        ]
        return {name: self.level_of_tier[tier] for name, tier in pairs if tier in self.level_of_tier}

    @cached_property
    def names_above(self) -> Sequence[frozenset[str]]:
        """Ids of the nodes above each level, by level."""
        levels = range(len(self.tiers or ()))
        return [
            frozenset(name for name, other in self.level_of_node.items() if other < level) for level in levels
        ]

    def is_whole(self, key: str) -> bool:
        """Return whether all elements of a list are valid."""
        return key not in self.unreadable and not self.invalid.get(key)

    def ids(self, key: str) -> list[str]:
        """Return the ids of all elements of a list, valid or not, with repetitions."""
        found = [element.id for element in getattr(self, key)]
        return found + [raw["id"] for raw in self.invalid.get(key, ()) if has_name(raw)]

    def _names(self, key: str, valid: Mapping[str, object]) -> frozenset[str] | None:
        raws = self.invalid.get(key, ())
        if key in self.unreadable or not all(map(has_name, raws)):
            return None
        return frozenset(valid).union(raw["id"] for raw in raws)


def has_name(raw: Invalid) -> bool:
    """Return whether the id of an element that is not valid is right all the same."""
    name = raw.get("id")
    return isinstance(name, str) and 1 <= len(name) <= MAX_NAME_CHARACTERS


def draft_of(instance: Instance) -> Draft:
    """Return all of a valid instance."""
    return Draft(
        tiers=instance.tiers,
        nodes=instance.nodes,
        bands=instance.bands,
        wireless_links=instance.wireless_links,
        wireless_groups=dict(enumerate(instance.wireless_groups)),
        wired_links=instance.wired_links,
        modules=instance.modules,
        tasks=instance.tasks,
        objective=instance.objective,
    )


def draft_of_raw(raw: Mapping[str, object], locations: Collection[Location]) -> Draft:
    """Return what could be read of an instance that does not fit the format.

    Parameters
    ----------
    raw : mapping
        The parsed file.
    locations : collection of tuple
        Where pydantic found something, as keys and indices from the top.
    """
    broken = {location[:2] for location in locations if len(location) >= 2}
    broken_keys = {location[0] for location in locations}
    valid: dict[str, dict[int, BaseModel]] = {}
    invalid: dict[str, tuple[Invalid, ...]] = {}
    unreadable: set[str] = set()
    for key, model in _MODELS.items():
        elements = raw.get(key, ())
        if (key,) in locations or not isinstance(elements, tuple):
            unreadable.add(key)
            elements = ()
        valid[key] = {
            index: model.model_validate(element)
            for index, element in enumerate(elements)
            if (key, index) not in broken
        }
        invalid[key] = tuple(
            element if isinstance(element, dict) else {}
            for index, element in enumerate(elements)
            if (key, index) in broken
        )
    tiers, objective = raw.get("tiers"), raw.get("objective", {})
    parts: dict[str, object] = {key: tuple(found.values()) for key, found in valid.items()}
    return Draft(
        **{**parts, "wireless_groups": valid["wireless_groups"]},  # type: ignore[arg-type]
        tiers=tiers if isinstance(tiers, tuple) and "tiers" not in broken_keys else None,
        objective=None if "objective" in broken_keys else Objective.model_validate(objective),
        invalid=invalid,
        unreadable=frozenset(unreadable),
    )
