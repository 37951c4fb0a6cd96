"""Links kept in arrays are those that the groups and lists of an instance make, one by one."""

import pytest

from hfedfm_opt.system.edges import WiredEdge, WirelessEdge, edges_of
from hfedfm_opt.system.generate import campus_instance, city_instance
from hfedfm_opt.system.instance import Instance, WirelessLink
from hfedfm_opt.system.propagation import links_of_group


def one_by_one(instance: Instance) -> dict[tuple[str, str], WirelessEdge | WiredEdge]:
    """Return all links in a dictionary: wired ones, then those of groups, then explicit ones."""
    nodes = {node.id: node for node in instance.nodes}
    bands = {band.id: band for band in instance.bands}

    def noise(band: str, target: str) -> float:
        return bands[band].noise_w_per_hz * 10 ** (nodes[target].radio.noise_figure_db / 10)

    found = {}
    for wire in instance.wired_links:
        pair = wire.source, wire.target
        found[pair] = WiredEdge(*pair, wire.rate_bps, wire.delay_s, wire.power_w)
    for group in instance.wireless_groups:
        for source, target, gain in zip(*links_of_group(group, nodes, bands), strict=True):
            found[source, target] = WirelessEdge(source, target, group.band, gain, noise(group.band, target))
    for link in instance.wireless_links:
        pair = link.source, link.target
        found[pair] = WirelessEdge(*pair, link.band, link.gain, noise(link.band, link.target))
    return found


def mixed() -> Instance:
    """Return a city with an explicit link in place of one of a group, one beside, and a second group."""
    city = city_instance(60, 4, seed=3)
    link, other = city.wireless_groups[0], city.wireless_groups[1]
    again = link.model_copy(update={"band": other.band})
    explicit = (
        WirelessLink(source=link.sources[0], target=link.targets[0], band=link.band, gain=1e-7),
        WirelessLink(source=link.sources[0], target="s3", band=link.band, gain=2e-7),
    )
    groups = (*city.wireless_groups, again)
    return city.model_copy(update={"wireless_groups": groups, "wireless_links": explicit})


@pytest.mark.parametrize("make", [campus_instance, mixed])
def test_edges_are_those_made_one_by_one(make):
    instance = make()
    edges, expected = edges_of(instance), one_by_one(instance)
    assert len(edges) == len(expected)
    assert dict(edges.items()) == expected
    names = [node.id for node in instance.nodes]
    assert all(((a, b) in edges) == ((a, b) in expected) for a in names for b in names)
    assert all(edges.get((a, b)) == expected.get((a, b)) for a in names[:12] for b in names)
    for source in names:
        assert edges.receivers_of(source) == {b for a, b in expected if a == source}


def test_nodes_that_are_not_there_have_no_links():
    edges = edges_of(city_instance(6, 1))
    assert ("d0", "nobody") not in edges
    assert "d0" not in edges
    with pytest.raises(KeyError):
        edges["nobody", "d0"]
