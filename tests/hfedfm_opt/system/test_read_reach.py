"""Ways up and down, on chains of devices whose reach is known by hand."""

import json
from pathlib import Path

import pytest

from hfedfm_opt.system.defects import InstanceError
from hfedfm_opt.system.read import parse_instance

TINY = json.loads((Path(__file__).parents[2] / "data" / "tiny.json").read_text())
SPACING_M = 50.0


def chain(num_devices: int, reach_m: float | None, *, both_ways: bool = True, **changes: object) -> str:
    """Return an instance whose devices stand in a row; only the first one is linked to the server."""
    raw = json.loads(json.dumps(TINY)) | {"wireless_links": []}
    server, device = raw["nodes"][1], raw["nodes"][4]
    names = [f"d{index}" for index in range(num_devices)]
    raw["nodes"] = [raw["nodes"][0], server]
    for index, name in enumerate(names):
        raw["nodes"].append({**device, "id": name, "position_m": [SPACING_M * index, 0.0, 1.5]})
    raw["wireless_groups"] = [
        {
            "sources": names,
            "targets": names,
            "band": "d2d",
            "channel": {"model": "tr36843-d2d"},
            "both_ways": both_ways,
            **({} if reach_m is None else {"max_distance_m": reach_m}),
        }
    ]
    raw["wired_links"] = [
        *TINY["wired_links"][:2],
        {"source": "d0", "target": "e1"},
        {"source": "e1", "target": "d0"},
    ]
    return json.dumps(raw | changes)


def stranded(text: str) -> list[str]:
    try:
        parse_instance(text)
    except InstanceError as error:
        return [defect.path for defect in error.defects]
    return []


@pytest.mark.parametrize("reach_m", [50.0, 51.0, 1e9, None])
def test_devices_in_reach_of_each_other_relay_for_the_last_one(reach_m):
    assert stranded(chain(8, reach_m)) == []


def test_devices_beyond_reach_are_stranded_both_ways():
    assert stranded(chain(3, 49.999)) == [
        "node 'd1': way up to and down from its parent 'e1'",
        "node 'd2': way up to and down from its parent 'e1'",
    ]


def test_a_link_to_the_top_node_is_a_way_too():
    ends = [("d1", "cloud"), ("cloud", "d1")]
    links = [*TINY["wired_links"][:2], {"source": "d0", "target": "e1"}, {"source": "e1", "target": "d0"}]
    links += [{"source": source, "target": target} for source, target in ends]

    assert stranded(chain(2, 1.0, wired_links=links)) == []


def test_a_link_in_one_direction_is_no_way_back():
    links = [*TINY["wired_links"][:2], {"source": "d0", "target": "e1"}]

    assert stranded(chain(2, 60.0, wired_links=links)) == [
        "node 'd0': way down from its parent 'e1'",
        "node 'd1': way down from its parent 'e1'",
    ]


def test_devices_of_another_server_do_not_relay():
    raw = json.loads(chain(2, 60.0))
    raw["nodes"].insert(2, {"id": "e2", "tier": "edge", "parent": "cloud"})
    raw["wired_links"] += [{"source": "e2", "target": "cloud"}, {"source": "cloud", "target": "e2"}]
    raw["nodes"][-1]["parent"] = "e2"

    assert stranded(json.dumps(raw)) == ["node 'd1': way up to and down from its parent 'e2'"]


def test_explicit_links_relay_as_groups_do():
    raw = json.loads(chain(4, 60.0))
    raw["wireless_groups"] = []
    raw["wireless_links"] = [
        {"source": f"d{source}", "target": f"d{target}", "band": "d2d", "gain": 1e-9}
        for source, target in [(3, 2), (2, 1), (1, 0), (0, 1), (1, 2)]
    ]

    assert stranded(json.dumps(raw)) == ["node 'd3': way down from its parent 'e1'"]


def test_nothing_is_said_of_ways_where_a_link_cannot_be_read():
    raw = json.loads(chain(3, 1.0))
    raw["wired_links"].append({"source": "d11", "target": "e1"})

    with pytest.raises(InstanceError) as caught:
        parse_instance(json.dumps(raw))

    assert [str(defect) for defect in caught.value.defects] == [
        "wired link 'd11' -> 'e1': source is 'd11', must be the id of a node; did you mean 'd1'?"
    ]
