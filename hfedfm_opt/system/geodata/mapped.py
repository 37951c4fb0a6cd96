"""Any list of nodes, and optionally of links, as CSV with columns named by a mapping."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from hfedfm_opt.system.check_instance import check_instance
from hfedfm_opt.system.defects import Defect, InstanceError, Spelling, shown
from hfedfm_opt.system.files import StrPath
from hfedfm_opt.system.geodata.build import CLOUD, network_instance
from hfedfm_opt.system.geodata.csv_table import LATITUDE, LONGITUDE, CsvTable, FloatArray, Range, read_csv
from hfedfm_opt.system.geodata.explicit_links import ExplicitLinks
from hfedfm_opt.system.geodata.maps import far_rows, mapped_positions, said_error
from hfedfm_opt.system.geodata.places import Places
from hfedfm_opt.system.geodata.projection import largest_error
from hfedfm_opt.system.geodata.settings import ImportSettings
from hfedfm_opt.system.instance import Instance, WiredLink

NODE_FIELDS = {
    "id": "name of the node, unique",
    "tier": "edge (a base station with an edge server) or device",
    "latitude": "degrees, north positive",
    "longitude": "degrees, east positive",
    "x_m": "east, m, in place of latitude and longitude",
    "y_m": "north, m",
    "height_m": "height of the antenna, m",
    "parent": "site that serves the device",
    "max_power_w": "highest radiated power, W",
    "max_power_dbm": "the same in dBm",
    "memory_bytes": "memory for module replicas, byte",
}
"""Fields of a list of nodes; ``id``, ``tier`` and a position are required."""
LINK_FIELDS = {
    "source": "id of the sender",
    "target": "id of the receiver",
    "gain": "power gain of a wireless link, linear",
    "gain_db": "the same in dB, minus the path loss",
    "rate_bps": "rate of a wired link, bit/s",
    "delay_s": "delay of a wired link, s",
    "power_w": "power of a wired link, W",
}
"""Fields of a list of links; the ends are required, and a gain or a rate in each row."""
TIERS = ("edge", "device")

_POSITIVE, _NOT_NEGATIVE, _ANY = Range(above_zero=True), Range(low=0.0), Range()


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of the lists are called.

    Parameters
    ----------
    nodes, links : mapping of str to str
        Name of the column by field, see ``NODE_FIELDS`` and ``LINK_FIELDS``; a field that is not named has
        the column of its own name.
    tiers : mapping of str to str
        What the tiers are called in the list, by ``edge`` and ``device``.
    """

    nodes: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)


def csv_instance(
    nodes: StrPath,
    links: StrPath | None = None,
    columns: Columns | None = None,
    settings: ImportSettings | None = None,
) -> Instance:
    """Return the instance of a list of nodes, and of links that are known.

    Parameters
    ----------
    nodes : str or path-like
        CSV file with a row for each base station and device.
    links : str or path-like or None
        CSV file with a row for each link in one direction that is known.
    columns : Columns or None
        What the columns are called; ``None``: as the fields.
    settings : ImportSettings or None
        What is assumed; ``None``: the defaults.

    Raises
    ------
    InstanceError
        With all defects of the mapping, or of both files.
    FileError
        If a file itself cannot be read.
    """
    columns, settings = columns or Columns(), settings or ImportSettings()
    _refuse_unknown_fields(columns)
    table = read_csv(nodes)
    network = _Nodes(table, columns)
    rest = None if links is None else read_csv(links)
    known_links = ExplicitLinks() if rest is None else _links(rest, columns, {*network.ids, CLOUD})
    defects = [*table.defects, *(rest.defects if rest is not None else ())]
    source = table.source if rest is None else f"{table.source}, {rest.source}"
    if defects:
        raise InstanceError(defects, source)
    sites, devices = network.places("edge"), network.places("device")
    numbers = f"{len(sites.ids):,} base stations, each with an edge server, and {len(devices.ids):,} devices"
    origin = f"{numbers} ({source})."
    if network.geographic:
        origin += " " + said_error(largest_error(network.positions_m))
    instance = network_instance(sites, devices, settings, origin, known_links)
    found = check_instance(instance)
    if found:
        raise InstanceError(found, source)
    return instance


class _Nodes:
    """The list of nodes, read column by column; what is wrong is in the table's defects."""

    def __init__(self, table: CsvTable, columns: Columns) -> None:
        self.table = table
        self.column = {name: columns.nodes.get(name, name) for name in NODE_FIELDS}
        self.ids = table.unique_texts(self.column["id"])
        self.tiers = self._tiers({**{name: name for name in TIERS}, **columns.tiers})
        self.geographic = not table.has(self.column["x_m"]) or table.has(self.column["latitude"])
        self.positions_m = self._positions_m()
        self.height_m = self._optional("height_m", _POSITIVE)
        self.memory_bytes = self._optional("memory_bytes", _NOT_NEGATIVE)
        self.max_power_w = self._power_w()
        self.parents = self._parents(set(columns.nodes))

    def places(self, tier: str) -> Places:
        """Return the nodes of a tier."""
        at = [row for row, found in enumerate(self.tiers) if found == tier]

        def part(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[at]

        return Places(
            ids=tuple(self.ids[row] for row in at),
            positions_m=self.positions_m[at],
            height_m=part(self.height_m),
            max_power_w=part(self.max_power_w),
            memory_bytes=part(self.memory_bytes),
            parent_of={self.ids[row]: self.parents[row] for row in at if self.parents[row]},
        )

    def _tiers(self, names: Mapping[str, str]) -> list[str]:
        column = self.column["tier"]
        texts = self.table.texts(column)
        if not self.table.has(column):
            return texts
        tier_of = {name.casefold(): tier for tier, name in names.items()}
        expected = " or ".join(repr(name) for name in names.values())
        for row, text in enumerate(texts):
            if text.casefold() not in tier_of:
                remedy = "leave it out: a cloud is added" if text.casefold() == CLOUD else ""
                self.table.refuse(row, column, shown(text), expected, remedy)
        tiers = [tier_of.get(text.casefold(), "") for text in texts]
        for tier in TIERS:
            if self.table.rows and tier not in tiers and not self.table.defects:
                where = f"{self.table.source}: column {column!r}"
                self.table.defects.append(Defect(where, f"without {names[tier]!r}", "on one row at least"))
        return tiers

    def _positions_m(self) -> FloatArray:
        table = self.table
        if not self.geographic:
            pair = [table.numbers(self.column[name], _ANY) for name in ("x_m", "y_m")]
            given: FloatArray = np.stack(pair, axis=1).round(2)
            return given
        latitude = table.numbers(self.column["latitude"], LATITUDE)
        longitude = table.numbers(self.column["longitude"], LONGITUDE)
        degrees = np.stack([latitude, longitude], axis=1)
        right = ~np.isnan(degrees).any(axis=1)
        positions = np.full(degrees.shape, np.nan)
        if right.any():
            positions[right], distances_m = mapped_positions(degrees[right])
            far_rows(table, np.flatnonzero(right).tolist(), distances_m)
        return positions

    def _optional(self, name: str, allowed: Range) -> FloatArray | None:
        column = self.column[name]
        if not self.table.has(column) and column == name:
            return None
        return self.table.numbers(column, allowed, may_be_empty=True)

    def _power_w(self) -> FloatArray | None:
        watts, dbm = self._optional("max_power_w", _POSITIVE), self._optional("max_power_dbm", _ANY)
        if dbm is None:
            return watts
        converted: FloatArray = np.asarray(1e-3 * 10.0 ** (dbm / 10.0), dtype=np.float64)
        if watts is not None:
            converted[~np.isnan(watts)] = watts[~np.isnan(watts)]
        return converted

    def _parents(self, named: set[str]) -> list[str]:
        column = self.column["parent"]
        if not self.table.has(column) and "parent" not in named:
            return [""] * len(self.table.rows)
        texts = self.table.texts(column)
        sites = {name for name, tier in zip(self.ids, self.tiers, strict=True) if tier == "edge"}
        spelling = Spelling()
        for row, (text, tier) in enumerate(zip(texts, self.tiers, strict=True)):
            if tier == "device" and text and text not in sites:
                self.table.refuse(row, column, shown(text), "the id of a site", spelling.remedy(text, sites))
            if tier == "edge" and text not in ("", CLOUD):
                self.table.refuse(row, column, shown(text), f"empty or {CLOUD!r} on a site")
        return texts


def _links(table: CsvTable, columns: Columns, known: set[str]) -> ExplicitLinks:
    column = {name: columns.links.get(name, name) for name in LINK_FIELDS}
    ends = [table.texts(column["source"]), table.texts(column["target"])]
    figures = {
        name: table.numbers(column[name], allowed, may_be_empty=True)
        if table.has(column[name]) or name in columns.links
        else np.full(len(table.rows), np.nan)
        for name, allowed in (
            ("gain", _POSITIVE),
            ("gain_db", _ANY),
            ("rate_bps", _POSITIVE),
            ("delay_s", _NOT_NEGATIVE),
            ("power_w", _NOT_NEGATIVE),
        )
    }
    gains = np.where(np.isnan(figures["gain"]), 10.0 ** (figures["gain_db"] / 10.0), figures["gain"])
    wireless: dict[tuple[str, str], float] = {}
    wired: dict[tuple[str, str], WiredLink] = {}
    spelling = Spelling()
    for row, (source, target) in enumerate(zip(*ends, strict=True)):
        for name, end in (("source", source), ("target", target)):
            if table.has(column[name]) and end not in known:
                table.refuse(row, column[name], shown(end), "the id of a node", spelling.remedy(end, known))
        if (source, target) in wireless or (source, target) in wired:
            table.refuse(
                row, "link", f"{source!r} -> {target!r} again", "one link for each direction of a pair"
            )
        gain, rate = float(gains[row]), float(figures["rate_bps"][row])
        if np.isnan(gain) == np.isnan(rate):
            got = "with neither a gain nor a rate" if np.isnan(gain) else "with a gain and a rate"
            table.refuse(row, "link", got, "wireless with a gain, or wired with rate_bps")
        elif np.isnan(rate):
            wireless[source, target] = gain
        else:
            delay, power = (float(np.nan_to_num(figures[name][row])) for name in ("delay_s", "power_w"))
            wired[source, target] = WiredLink.model_construct(
                source=source, target=target, rate_bps=rate, delay_s=delay, power_w=power
            )
    return ExplicitLinks(wireless, wired)


def _refuse_unknown_fields(columns: Columns) -> None:
    defects = []
    fields: tuple[tuple[Mapping[str, str], Collection[str]], ...] = (
        (columns.nodes, NODE_FIELDS),
        (columns.links, LINK_FIELDS),
        (columns.tiers, TIERS),
    )
    for given, known in fields:
        for name in given:
            if name not in known:
                remedy = Spelling().remedy(name, known) or f"fields: {', '.join(known)}"
                defects.append(Defect(f"field {name!r}", "unknown", "a field of the list", remedy))
    if defects:
        raise InstanceError(defects, "the mapping")
