"""The map of a network: nodes where they are, colours that tell near cells apart, and a plan's ways."""

from collections import Counter
from xml.etree import ElementTree

import pytest

from hfedfm_opt.planning.planner import plan
from hfedfm_opt.study.map_picture import NothingToDraw, map_text
from hfedfm_opt.system.generate import campus_instance, city_instance, paper_instance

SVG = "{http://www.w3.org/2000/svg}"


def drawn(instance, found=None):
    return ElementTree.fromstring(map_text(instance, found))


def titled(root, tag):
    return {
        element.find(f"{SVG}title").text: element
        for element in root.iter(f"{SVG}{tag}")
        if element.find(f"{SVG}title") is not None
    }


def test_every_device_and_site_stands_where_it_is():
    instance = campus_instance()
    root = drawn(instance)
    circles, squares = titled(root, "circle"), titled(root, "rect")
    at = {node.id: node.position_m for node in instance.nodes if node.position_m}

    assert set(circles) | set(squares) == set(at)
    per_m = {
        (float(circles[a].get("cx")) - float(circles[b].get("cx"))) / (at[a][0] - at[b][0])
        for a, b in (("d0", "d10"), ("d3", "d20"), ("d7", "d23"))
    }
    assert max(per_m) == pytest.approx(min(per_m), rel=5e-3)
    north, south = sorted(circles, key=lambda name: at[name][1])[:: len(circles) - 1][::-1]
    assert float(circles[north].get("cy")) < float(circles[south].get("cy"))


def test_members_of_a_cell_share_its_colour_and_near_cells_differ():
    instance = city_instance(60, 9)
    circles = titled(drawn(instance), "circle")
    colours = {}
    for node in instance.nodes:
        if node.tier == "device":
            colours.setdefault(node.parent, set()).add(circles[node.id].get("fill"))

    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(colours)


def test_a_plan_is_drawn_with_its_hops_and_aggregators():
    instance = paper_instance()
    found = plan(instance, "optimised:2").plan
    root = drawn(instance, found)
    devices = {node.id for node in instance.nodes if node.tier == "device"}
    clusters = found.decisions.clusters
    hops = {
        (cluster.id, hop.source, hop.target)
        for cluster in clusters
        for hop in (*cluster.gather, *(cluster.gather_to_cloud or ()), *cluster.uplink)
    }
    d2d = [hop for hop in hops if hop[2] in devices]
    widths = Counter(path.get("stroke-width") for path in root.iter(f"{SVG}path"))
    rings = [c for c in titled(root, "circle").values() if c.get("stroke")]

    assert widths["1.8"] == len(d2d) + 1  # one in the legend
    assert widths["1"] == len(hops) - len(d2d)
    assert len(rings) == sum(cluster.aggregator in devices for cluster in clusters)


def test_the_same_network_gives_the_same_picture():
    assert map_text(campus_instance()) == map_text(campus_instance())


def test_a_network_without_positions_is_refused():
    instance = campus_instance()
    nodes = tuple(node.model_copy(update={"position_m": None}) for node in instance.nodes)
    with pytest.raises(NothingToDraw, match="a map needs position_m of every device"):
        map_text(instance.model_copy(update={"nodes": nodes}))
