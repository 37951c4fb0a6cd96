"""Lists of positions become instances: public ones, any with a mapping, and broken ones."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.system.defects import InstanceError
from hfedfm_opt.system.geodata import Columns, ImportSettings, csv_instance, eua_instance
from hfedfm_opt.system.geodata.association import balanced_site, strongest_site
from hfedfm_opt.system.geodata.cells import carriers_of
from hfedfm_opt.system.network import WiredEdge, resolve_network
from hfedfm_opt.system.read import instance_text, parse_instance

EUA = Path(__file__).parents[4] / "shared" / "data" / "eua"
SERVERS = "SITE_ID,LATITUDE,LONGITUDE,NAME\n1,-37.8100,144.9600,a\n2,-37.8120,144.9620,b\n"
USERS = "Latitude,Longitude\n-37.8101,144.9601\n-37.8102,144.9602\n-37.8119,144.9621\n-37.8110,144.9610\n"


@pytest.fixture
def listed(tmp_path):
    """Return an importer of two texts."""

    def make(servers=SERVERS, users=USERS, **settings):
        (tmp_path / "s.csv").write_text(servers, encoding="utf-8")
        (tmp_path / "u.csv").write_text(users, encoding="utf-8")
        return eua_instance(tmp_path / "s.csv", tmp_path / "u.csv", ImportSettings(**settings))

    return make


@pytest.fixture
def table(tmp_path):
    """Return an importer of a table of nodes and one of links."""

    def make(rows, links=None, **columns):
        (tmp_path / "n.csv").write_text(rows, encoding="utf-8")
        if links is not None:
            (tmp_path / "l.csv").write_text(links, encoding="utf-8")
        return csv_instance(
            tmp_path / "n.csv", None if links is None else tmp_path / "l.csv", Columns(**columns)
        )

    return make


@pytest.fixture(scope="module")
def melbourne():
    if not EUA.is_dir():
        pytest.skip("the folder ../shared/data/eua with public lists is absent")
    return eua_instance(EUA / "edge-servers.csv", EUA / "users.csv")


def test_public_lists_become_a_valid_instance(melbourne):
    tiers = Counter(node.tier for node in melbourne.nodes)

    assert tiers == {"cloud": 1, "edge": 125, "device": 816}
    assert parse_instance(instance_text(melbourne)) == melbourne


def test_devices_reach_several_sites_and_their_parent_is_one_of_them(melbourne):
    network = resolve_network(melbourne)
    sites = {node.id for node in melbourne.nodes if node.tier == "edge"}
    reached = {device: set() for device in network.devices}
    for source, target in network.edges:
        if source in reached and target in sites:
            reached[source].add(target)

    assert all(network.parent(device) in found for device, found in reached.items())
    assert sum(len(found) > 1 for found in reached.values()) > 800
    assert max(len(found) for found in reached.values()) == 4


def test_balanced_cells_have_at_most_seven_devices_and_every_device_a_site(melbourne):
    sizes = Counter(node.parent for node in melbourne.nodes if node.tier == "device")

    assert max(sizes.values()) == 7
    assert len(sizes) == 125


def test_d2d_links_are_within_range_and_cell(melbourne):
    network = resolve_network(melbourne)
    devices = set(network.devices)
    links = [(s, t) for s, t in network.edges if s in devices and t in devices]

    assert len(links) > 800
    for source, target in links:
        a, b = (np.array(network.nodes[end].position_m) for end in (source, target))
        assert np.hypot(*(a - b)[:2]) <= 100.0
        assert network.parent(source) == network.parent(target)


def test_the_same_lists_and_seed_give_the_same_bytes(listed):
    assert instance_text(listed(seed=3)) == instance_text(listed(seed=3))
    assert instance_text(listed(seed=3)) != instance_text(listed(seed=4))


def test_columns_are_found_in_any_case_order_and_with_other_separators(listed):
    plain = listed()
    other = listed(
        "name;Longitude;site_id;latitude\na;144.9600;1;-37.8100\n\nb;144.9620;2;-37.8120\n",
        USERS.replace(",", "\t"),
    )

    assert other == plain


def test_all_defects_of_both_lists_are_reported_with_their_lines(listed):
    servers = 'SITE_ID,LATITUDE,LONGITUDE\n1,-37.8,144.9\n\n1,-97.8,144.9\n,x,144.9\n3,"-37,8",nan\n4,-37.8\n'
    with pytest.raises(InstanceError) as caught:
        listed(servers, "Lattitude,Longitude\n-37,144\n")

    assert str(caught.value).splitlines() == [
        "s.csv, u.csv: 8 defects",
        "s.csv, line 7 is a row of 2 cells, must be of 3, one for each column",
        "s.csv, line 4: SITE_ID is '1', must be unique, but line 2 has it too",
        "s.csv, line 5: SITE_ID is empty, must be a name",
        "s.csv, line 4: LATITUDE is -97.8, must be a number from -90 to 90",
        "s.csv, line 5: LATITUDE is 'x', must be a number from -90 to 90",
        "s.csv, line 6: LATITUDE is '-37,8', must be a number from -90 to 90; write decimals with a point",
        "s.csv, line 6: LONGITUDE is nan, must be a number from -180 to 180",
        "u.csv: column 'LATITUDE' is missing, must be a column; did you mean 'Lattitude'?",
    ]


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        ("", "s.csv is empty, must be a line of column names and rows below it"),
        (
            "SITE_ID,LATITUDE,LONGITUDE\n",
            "s.csv: the table is without rows, must be at least one row",
        ),
        (
            'SITE_ID,LATITUDE,LONGITUDE\n"1,-37.8,144.9\n',
            "s.csv, line 2 is unexpected end of data, must be cells in closed quotes",
        ),
        (
            "SITE_ID,LATITUDE,LATITUDE,LONGITUDE\n1,-37.8,-37.8,144.9\n",
            "s.csv, line 1: column 'LATITUDE' is given twice, must be given once",
        ),
        (
            SERVERS + "3,37.8,144.96,c\n",
            "s.csv, line 4: position is 7,777 km from the centre of all, must be at most 200 km from it, one "
            "local network; is a sign wrong, or are latitude and longitude exchanged?",
        ),
    ],
)
def test_a_broken_list_is_one_readable_error(listed, servers, line):
    with pytest.raises(InstanceError) as caught:
        listed(servers)

    assert str(caught.value).splitlines()[1:] == [line]


NODES = """name;kind;lat;lon;dbm;mem
A;BS;-37.81;144.96;40;1e9
B;BS;-37.812;144.962;;
u1;UE;-37.8101;144.9602;;
u2;UE;-37.8102;144.9603;20;
u3;UE;-37.8121;144.9621;;
"""
NAMES = {
    "nodes": {
        "id": "name",
        "tier": "kind",
        "latitude": "lat",
        "longitude": "lon",
        "max_power_dbm": "dbm",
        "memory_bytes": "mem",
    },
    "tiers": {"edge": "BS", "device": "UE"},
}


def test_any_table_is_read_by_a_mapping(table):
    node_of = {node.id: node for node in table(NODES, **NAMES).nodes}

    assert set(node_of) == {"cloud", "A", "B", "u1", "u2", "u3"}
    assert node_of["A"].radio.max_power_w == pytest.approx(10.0)
    assert node_of["A"].memory_bytes == 1e9
    assert node_of["u2"].radio.max_power_w == pytest.approx(0.1)
    assert node_of["u1"].radio.max_power_w == pytest.approx(0.19953, rel=1e-4)
    assert (node_of["u1"].parent, node_of["u3"].parent) == ("A", "B")


def test_metres_parents_and_heights_are_taken_as_they_are(table):
    instance = table(
        "id,tier,x_m,y_m,height_m,parent\nA,edge,0,0,30,\nB,edge,100,0,,cloud\nu,device,99,5,2,A\n"
    )
    node_of = {node.id: node for node in instance.nodes}

    assert node_of["A"].position_m == (0.0, 0.0, 30.0)
    assert node_of["B"].position_m == (100.0, 0.0, 10.0)
    assert node_of["u"].position_m == (99.0, 5.0, 2.0)
    assert node_of["u"].parent == "A"
    assert ("u", "A") in resolve_network(instance).edges


def test_known_links_go_before_assumed_ones(table):
    links = "source,target,gain_db,gain,rate_bps,delay_s\nu1,A,-80,,,\nu1,u2,,1e-6,,\nA,cloud,,,1e9,0.5\n"
    edges = resolve_network(table(NODES, links, **NAMES)).edges

    assert edges["u1", "A"].gain == pytest.approx(1e-8)
    assert edges["u1", "A"].band == "cell-A"
    assert edges["A", "u1"].gain != edges["u1", "A"].gain
    assert (edges["u1", "u2"].gain, edges["u1", "u2"].band) == (1e-6, "d2d-A")
    assert edges["A", "cloud"] == WiredEdge("A", "cloud", 1e9, 0.5, 0.0)
    assert edges["cloud", "A"].rate_bps == 200e6


def test_all_defects_of_nodes_and_links_are_reported_together(table):
    nodes = "id,tier,x_m,y_m,parent,max_power_w\nA,edge,0,0,B,-1\nu,device,1,1,a,\nc,cloud,0,0,,\n"
    links = "source,target,gain,rate_bps\nu,A,,\nu,X,1e-9,\nu,A,1e-9,1e6\nu,X,1e-9,\n"
    with pytest.raises(InstanceError) as caught:
        table(nodes, links)

    assert str(caught.value).splitlines()[1:] == [
        "n.csv, line 4: tier is 'cloud', must be 'edge' or 'device'; leave it out: a cloud is added",
        "n.csv, line 2: max_power_w is -1, must be a number > 0",
        "n.csv, line 2: parent is 'B', must be empty or 'cloud' on a site",
        "n.csv, line 3: parent is 'a', must be the id of a site; did you mean 'A'?",
        "l.csv, line 2: link is with neither a gain nor a rate, must be wireless with a gain, or wired with "
        "rate_bps",
        "l.csv, line 3: target is 'X', must be the id of a node; known: 'A', 'c', 'cloud', 'u'",
        "l.csv, line 4: link is with a gain and a rate, must be wireless with a gain, or wired with rate_bps",
        "l.csv, line 5: target is 'X', must be the id of a node; known: 'A', 'c', 'cloud', 'u'",
        "l.csv, line 5: link is 'u' -> 'X' again, must be one link for each direction of a pair",
    ]


def test_a_field_that_is_not_known_is_offered_the_nearest(table):
    with pytest.raises(InstanceError, match=r"field 'latitud' is unknown.*did you mean 'latitude'"):
        table(NODES, nodes={"latitud": "lat"})


def upload_ends(rate, chosen):
    """Return the sum of the times at which uploads end: in each cell one after another, the fastest first."""
    total = 0.0
    for site in set(chosen):
        times = sorted(1 / rate[device, site] for device in range(len(chosen)) if chosen[device] == site)
        total += sum(np.cumsum(times))
    return total


@pytest.mark.parametrize("seed", range(6))
def test_balanced_association_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(size=(6, 3)))
    links = [(d, s) for d in range(6) for s in range(3) if s == d % 3 or rng.random() < 0.7]
    device, site = np.array(links).T
    chosen = balanced_site(device, site, rate[device, site], 6, 6)

    ways = [way for way in product(range(3), repeat=6) if all((d, s) in links for d, s in enumerate(way))]
    best = min(upload_ends(rate, way) for way in ways)
    assert all((d, s) in links for d, s in enumerate(chosen.tolist()))
    assert upload_ends(rate, chosen.tolist()) == pytest.approx(best, rel=1e-12)


def test_a_site_serves_more_only_where_the_others_have_no_room():
    device, site = np.array([0, 1, 2, 3, 3]), np.array([0, 0, 0, 0, 1])
    chosen = balanced_site(device, site, np.ones(5), 4, 2)

    assert chosen.tolist() == [0, 0, 0, 1]


def test_the_strongest_site_is_that_of_the_highest_rate():
    chosen = strongest_site(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([1.0, 2.0, 1.0]), 2)

    assert chosen.tolist() == [1, 0]


def test_near_sites_have_different_carriers():
    sites_m = np.array([[x * 100.0, y * 100.0] for x in range(6) for y in range(6)])
    carriers = carriers_of(sites_m)
    apart = np.hypot(*np.moveaxis(sites_m[:, None] - sites_m[None], 2, 0))
    same = (carriers[:, None] == carriers[None]) & (apart > 0)

    assert set(carriers.tolist()) == set(range(5))
    assert apart[same].min() > 100.0
