"""Checks the tree of nodes: ids, tiers, parents, and what devices hold."""

from collections import Counter
from collections.abc import Iterator, Sequence

from hfedfm_opt.system.defects import Defect, Spelling, listed, shown
from hfedfm_opt.system.draft import Draft, has_name
from hfedfm_opt.system.instance import Node, Task


def check_nodes(draft: Draft, spelling: Spelling) -> Iterator[Defect]:
    """Yield what is wrong with tiers, ids, parents, and data of nodes.

    Parameters
    ----------
    draft : Draft
        What could be read.
    spelling : Spelling
        Offers known names.
    """
    for name, count in Counter(draft.tiers or ()).items():
        if count > 1:
            yield Defect(f"tiers: number of {name!r}", f"{count}", "1", "rename one")
    yield from repeated_ids(draft, "nodes", "node")
    if draft.tiers is None:
        return
    yield from _check_ends_of_tree(draft)
    cycles = _cycles(draft)
    in_cycle = {name for cycle in cycles for name in cycle}
    for cycle in cycles:
        way = " -> ".join(repr(name) for name in (*cycle, cycle[0]))
        yield Defect("nodes: chain of parents", f"a cycle {way}", "a tree", "give one of them another parent")
    for node in draft.nodes:
        level = draft.level_of_tier.get(node.tier)
        if level is None:
            remedy = spelling.remedy(node.tier, draft.level_of_tier)
            yield Defect(f"node {node.id!r}: tier", shown(node.tier), "one of the tiers", remedy)
            continue
        if node.id not in in_cycle:
            yield from _check_parent(draft, spelling, node, level)
        if level < len(draft.tiers) - 1:
            yield from _check_holds_nothing(node, draft.tiers[-1])
        else:
            yield from _check_data(draft, spelling, node)


def repeated_ids(draft: Draft, key: str, what: str) -> Iterator[Defect]:
    """Yield the ids that more than one element of a list has.

    Parameters
    ----------
    draft : Draft
        What could be read.
    key : str
        Key of the list, such as ``"nodes"``.
    what : str
        What an element is called, such as ``"node"``.
    """
    for name, count in Counter(draft.ids(key)).items():
        if count > 1:
            yield Defect(
                f"{what} {name!r}: number of {key} with this id", f"{count}", "1", "rename the others"
            )


def _check_ends_of_tree(draft: Draft) -> Iterator[Defect]:
    assert draft.tiers is not None
    if "nodes" in draft.unreadable:
        return
    by_level: dict[int, list[str]] = {}
    for name, level in draft.level_of_node.items():
        by_level.setdefault(level, []).append(name)
    tops = by_level.get(0, [])
    is_all_known = all(name in draft.level_of_node for name in draft.ids("nodes")) and all(
        has_name(raw) for raw in draft.invalid.get("nodes", ())
    )
    if len(tops) > 1 or (not tops and is_all_known):
        names = f" ({listed(tops)})" if tops else ""
        yield Defect(f"nodes: number of nodes in the top tier {draft.tiers[0]!r}", f"{len(tops)}{names}", "1")
    if len(draft.tiers) - 1 not in by_level and is_all_known:
        where = f"nodes: number of devices (nodes in the last tier {draft.tiers[-1]!r})"
        yield Defect(where, "0", ">= 1")
    elif draft.is_whole("nodes") and not any(node.data for node in draft.nodes):
        yield Defect("nodes: number of devices with data", "0", ">= 1", 'add "data" to a device')


def _check_parent(draft: Draft, spelling: Spelling, node: Node, level: int) -> Iterator[Defect]:
    path = f"node {node.id!r}: parent"
    if level == 0:
        if node.parent is not None:
            yield Defect(path, shown(node.parent), "left out", "it is the node of the top tier")
        return
    expected = f"the id of a node in a tier above {node.tier!r}"
    if node.parent is None:
        yield Defect(path, "missing", expected)
    elif draft.node_names is not None and node.parent not in draft.node_names:
        yield Defect(
            path, shown(node.parent), expected, spelling.remedy(node.parent, draft.names_above[level])
        )
    elif draft.level_of_node.get(node.parent, -1) >= level:
        parent = draft.node_of_id.get(node.parent)
        tier = f" of the tier {parent.tier!r}" if parent else ""
        yield Defect(path, f"{node.parent!r}{tier}", expected)


def _cycles(draft: Draft) -> list[Sequence[str]]:
    """Return the cycles of parents, each from its first node in the order of the file."""
    cycles: list[Sequence[str]] = []
    done: set[str] = set()
    for node in draft.nodes:
        way: dict[str, None] = {}  # an ordered set
        name: str | None = node.id
        while name is not None and name in draft.node_of_id and name not in done and name not in way:
            way[name] = None
            name = draft.node_of_id[name].parent
        if name is not None and name in way:
            names = list(way)
            cycles.append(names[names.index(name) :])
        done.update(way)
    return cycles


def _check_holds_nothing(node: Node, device_tier: str) -> Iterator[Defect]:
    limit = node.max_energy_j
    for field, value in (("data", node.data), ("modalities", node.modalities), ("max_energy_j", limit)):
        if value:
            remedy = f"only devices (nodes of the tier {device_tier!r}) have {field}"
            yield Defect(f"node {node.id!r}: {field}", shown(value), "left out", remedy)


def _check_data(draft: Draft, spelling: Spelling, node: Node) -> Iterator[Defect]:
    path = f"node {node.id!r}"
    for modality, count in _repeated(node.modalities):
        yield Defect(f"{path}: number of {modality!r} in modalities", f"{count}", "1", "name it once")
    for name, count in _repeated([data.task for data in node.data]):
        yield Defect(f"{path}: number of entries of {name!r} in data", f"{count}", "1", "add them up")
    tasks = draft.task_of_id
    for index, data in enumerate(node.data):
        where = f"{path}: data[{index}].task"
        if draft.task_names is not None and data.task not in draft.task_names:
            remedy = spelling.remedy(data.task, draft.task_names)
            yield Defect(where, shown(data.task), "the id of a task", remedy)
        elif data.task in tasks and not set(node.modalities) & set(tasks[data.task].modalities):
            yield _no_modality(where, tasks[data.task])


def _repeated(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return the names that come more than once, with how often."""
    if len(set(names)) == len(names):  # nearly always, and faster told than by counting
        return []
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def _no_modality(where: str, task: Task) -> Defect:
    names = " or ".join(repr(modality) for modality in task.modalities)
    expected = "a task that uses a modality of the device"
    return Defect(where, shown(task.id), expected, f"add {names} to its modalities")
