"""Trees of hops: order, payloads and what is no tree."""

import pytest

from hfedfm_opt.planning.trees import (
    TreeError,
    deliver_order,
    gather_order,
    modules_down,
    modules_up,
    ways_up,
)
from hfedfm_opt.system.decisions import Hop


def hops(*pairs: str) -> tuple[Hop, ...]:
    return tuple(Hop(source=pair[0], target=pair[1]) for pair in pairs)


def shown(ordered: tuple[Hop, ...]) -> list[str]:
    return [hop.source + hop.target for hop in ordered]


def test_a_node_receives_before_it_sends_up() -> None:
    ordered = shown(gather_order(hops("ba", "ca", "db", "ed"), "a"))
    assert ordered.index("ed") < ordered.index("db") < ordered.index("ba")
    assert sorted(ordered) == ["ba", "ca", "db", "ed"]


def test_a_node_receives_before_it_sends_down_and_siblings_keep_their_order() -> None:
    assert shown(deliver_order(hops("bd", "ac", "ab", "de"), "a")) == ["ac", "ab", "bd", "de"]


def test_a_payload_is_the_union_of_the_subtree() -> None:
    own = {"b": frozenset({"x"}), "c": frozenset({"y"}), "d": frozenset({"z", "x"})}
    union = modules_up(gather_order(hops("ba", "ca", "db"), "a"), own)
    assert union["b"] == {"x", "z"}
    assert union["c"] == {"y"}
    assert union["a"] == {"x", "y", "z"}


def test_a_node_receives_what_its_subtree_needs() -> None:
    own = {"b": frozenset({"x"}), "c": frozenset({"y"}), "d": frozenset({"z"})}
    needed = modules_down(deliver_order(hops("ab", "ac", "bd"), "a"), own)
    assert needed["b"] == {"x", "z"}
    assert needed["d"] == {"z"}


def test_ways_lead_to_the_root() -> None:
    ways = ways_up(hops("ba", "db"), "a", ["a", "b", "d"])
    assert {node: shown(way) for node, way in ways.items()} == {"a": [], "b": ["ba"], "d": ["db", "ba"]}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (("ba", "bc", "ca"), "node 'b' has more than one way to 'a'"),
        (("ab", "ba"), "node 'a' has more than one way to 'a'"),
        (("bc", "cb"), "nodes b, c have no way to 'a'"),
    ],
)
def test_what_is_no_tree_is_told(pairs: tuple[str, ...], message: str) -> None:
    with pytest.raises(TreeError, match=message):
        gather_order(hops(*pairs), "a")
