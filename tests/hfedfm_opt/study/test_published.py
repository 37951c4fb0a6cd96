import json
from pathlib import Path

import pytest

from hfedfm_opt.study.published import (
    PRINTED,
    NotPublishedShape,
    PublishedRow,
    printed_rows,
    published_rows,
)
from hfedfm_opt.study.spread import Spread
from hfedfm_opt.system.generate.paper import paper_instance
from hfedfm_opt.system.instance import Cpu, Instance

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT.parent / "shared" / "data" / "paper" / "table.json"


@pytest.fixture(scope="module")
def rows() -> dict[str, PublishedRow]:
    return {row.method: row for row in published_rows(paper_instance())}


def reference(part: str) -> dict[str, dict[str, object]]:
    if not TABLE.exists():
        pytest.skip(f"{TABLE} is not there: it holds the published figures")
    table = json.loads(TABLE.read_text())
    return {row["method"].replace(" E=", ":"): row for row in table[part]}


def test_rows_without_randomness_are_reproduced_to_four_decimals(rows: dict[str, PublishedRow]) -> None:
    fixed = {name: row for name, row in reference("reproduced").items() if "d2d" not in name}
    assert len(fixed) == 4
    for name, row in fixed.items():
        assert rows[name].published_latency_s.mean == pytest.approx(row["latency_s"], abs=5e-5)
        assert rows[name].published_energy_j.mean == pytest.approx(row["energy_j"], abs=5e-5)


def test_d2d_rows_are_reproduced_over_all_aggregators(rows: dict[str, PublishedRow]) -> None:
    random = {name: row for name, row in reference("reproduced").items() if "d2d" in name}
    assert len(random) == 3
    for name, row in random.items():
        latency, energy = rows[name].published_latency_s, rows[name].published_energy_j
        assert [latency.least, latency.largest] == pytest.approx(
            [row["latency_s"][0], row["latency_s"][2]], abs=5e-5
        )
        assert latency.mean == pytest.approx(row["latency_s"][1], abs=5e-5)
        assert [energy.least, energy.mean, energy.largest] == pytest.approx(row["energy_j"], abs=6e-3)


def test_printed_constants_are_the_published_table() -> None:
    table = reference("published")
    assert {row.method for row in PRINTED} == set(table)
    for row in PRINTED:
        expected = table[row.method]
        found = (row.latency_s, row.energy_j, row.accuracy_percent)
        assert found == (expected["latency_s"], expected["energy_j"], expected["accuracy"])


def test_printed_random_rows_lie_within_the_reproduced_range(rows: dict[str, PublishedRow]) -> None:
    for row in PRINTED:
        latency, energy = rows[row.method].published_latency_s, rows[row.method].published_energy_j
        assert latency.least - 0.01 <= row.latency_s <= latency.largest + 0.01
        assert energy.least - 0.01 <= row.energy_j <= energy.largest + 0.01


def test_two_devices_are_counted_by_hand() -> None:
    rows = {row.method: row for row in published_rows(wired_pair(), periods=(4,))}
    # an update is 8 bit: 1 s and 2 s up to the server, 4 s at 3 W to the cloud, D2D 0.5 s at 2 W and 0.25 s
    assert rows["star"] == PublishedRow("star", Spread(4.0, 4.0, 4.0), Spread(24.0, 24.0, 24.0))
    assert rows["hierarchical:4"].published_latency_s.mean == (4 + 4 * 2) / 4
    assert rows["hierarchical:4"].published_energy_j.mean == (12 + 4 * (1 + 2)) / 4
    assert rows["edge-only"].published_latency_s.mean == (4 + 200 * 2) / 200
    assert rows["edge-only"].published_energy_j.mean == 3.0
    relayed = rows["hierarchical+d2d:4"].published_latency_s
    to_a, to_b = (4 * 0.25 + 3 * 0.5 + 1.5 + 4) / 4, (4 * 0.5 + 3 * 0.25 + 1.5 + 4) / 4
    assert (relayed.least, relayed.mean, relayed.largest) == (to_a, (to_a + to_b) / 2, to_b)


def test_printed_rows_belong_to_the_published_network_only() -> None:
    paper = paper_instance()
    assert printed_rows(paper) == PRINTED
    assert printed_rows(paper.model_copy(update={"wired_links": paper.wired_links[:-1]})) == ()


def test_instance_with_processors_is_refused() -> None:
    paper = paper_instance()
    cpu = Cpu(flops_per_cycle=1.0, max_frequency_hz=1.0, effective_capacitance=0.0)
    nodes = (*paper.nodes[:-1], paper.nodes[-1].model_copy(update={"processor": cpu}))
    with pytest.raises(NotPublishedShape, match="knows no compute, the instance has processors"):
        published_rows(paper.model_copy(update={"nodes": nodes}))


def test_missing_link_is_refused_by_name() -> None:
    paper = paper_instance()
    links = tuple(link for link in paper.wired_links if link.source != "d7")
    with pytest.raises(NotPublishedShape, match="no link from 'd7' to 'cloud'"):
        published_rows(paper.model_copy(update={"wired_links": links}))


def wired_pair() -> Instance:
    """Two devices below a server below a cloud, all links wired, an update of 8 bit."""
    links = [
        ("a", "s", 8.0, 1.0),
        ("b", "s", 4.0, 1.0),
        ("s", "c", 2.0, 3.0),
        ("a", "c", 2.0, 3.0),
        ("b", "c", 2.0, 3.0),
        ("a", "b", 16.0, 2.0),
        ("b", "a", 32.0, 2.0),
    ]
    return Instance.model_validate_json(
        json.dumps(
            {
                "format": "hfedfm-instance",
                "version": 1,
                "name": "pair",
                "tiers": ["cloud", "edge", "device"],
                "nodes": [
                    {"id": "c", "tier": "cloud"},
                    {"id": "s", "tier": "edge", "parent": "c"},
                    *(
                        {
                            "id": name,
                            "tier": "device",
                            "parent": "s",
                            "modalities": ["text"],
                            "data": [{"task": "t", "samples": 1}],
                        }
                        for name in "ab"
                    ),
                ],
                "wired_links": [
                    {"source": a, "target": b, "rate_bps": rate, "power_w": power}
                    for a, b, rate, power in links
                ],
                "modules": [
                    {"id": "m", "kind": "adapter", "parameters": 1, "trainable": True, "update_bits": 8.0}
                ],
                "tasks": [{"id": "t", "modalities": ["text"], "modules": ["m"]}],
            }
        )
    )
