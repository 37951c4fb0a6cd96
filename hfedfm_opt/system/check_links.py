"""Checks bands and links: ends, radios, positions, duplicates."""

from collections import Counter
from collections.abc import Iterator

from hfedfm_opt.system.check_nodes import repeated_ids
from hfedfm_opt.system.defects import Defect, Spelling, listed, shown
from hfedfm_opt.system.draft import Draft
from hfedfm_opt.system.instance import WiredLink, WirelessGroup, WirelessLink

_NEEDS_NO_CARRIER = frozenset({"exponent", "macro"})


def check_links(draft: Draft, spelling: Spelling) -> Iterator[Defect]:
    """Yield what is wrong with bands, wireless links, groups of them, and wired links.

    Parameters
    ----------
    draft : Draft
        What could be read.
    spelling : Spelling
        Offers known names.
    """
    yield from repeated_ids(draft, "bands", "band")
    for band in draft.bands:
        if band.channel_hz is not None and band.channel_hz > band.band_hz:
            expected = f"<= band_hz, {shown(band.band_hz)}"
            yield Defect(f"band {band.id!r}: channel_hz", shown(band.channel_hz), expected)
    has_wireless = bool(draft.wireless_links or draft.wireless_groups)
    if draft.band_names == frozenset() and has_wireless:
        yield Defect("bands", "an empty list", "the bands that the wireless links share")
    for link in draft.wireless_links:
        yield from _check_ends(draft, spelling, link, f"wireless link {link.source!r} -> {link.target!r}")
    for index, group in draft.wireless_groups.items():
        yield from _check_group(draft, spelling, group, f"wireless_groups[{index}]")
    for wire in draft.wired_links:
        yield from _check_ends(draft, spelling, wire, f"wired link {wire.source!r} -> {wire.target!r}")
    yield from _repeated_links(draft)


def _check_ends(
    draft: Draft, spelling: Spelling, link: WirelessLink | WiredLink, label: str
) -> Iterator[Defect]:
    for end, name in (("source", link.source), ("target", link.target)):
        if draft.node_names is not None and name not in draft.node_names:
            remedy = spelling.remedy(name, draft.node_names)
            yield Defect(f"{label}: {end}", shown(name), "the id of a node", remedy)
        elif isinstance(link, WirelessLink) and name in draft.silent_nodes:
            yield Defect(f"{label}: {end}", shown(name), "a node with a radio", f'give {name!r} a "radio"')
    if link.source == link.target:
        yield Defect(f"{label}: target", shown(link.target), "another node than the source")
    if isinstance(link, WirelessLink):
        yield from _check_band(draft, spelling, link.band, label)


def _check_band(draft: Draft, spelling: Spelling, band: str, label: str) -> Iterator[Defect]:
    if draft.band_names and band not in draft.band_names:
        remedy = spelling.remedy(band, draft.band_names)
        yield Defect(f"{label}: band", shown(band), "the id of a band", remedy)


def _check_group(draft: Draft, spelling: Spelling, group: WirelessGroup, label: str) -> Iterator[Defect]:
    for field, names in (("sources", group.sources), ("targets", group.targets)):
        for name in dict.fromkeys(names):
            if draft.node_names is not None and name not in draft.node_names:
                remedy = spelling.remedy(name, draft.node_names)
                yield Defect(f"{label}.{field}: {shown(name)}", "no node", "the id of a node", remedy)
    members = list(dict.fromkeys((*group.sources, *group.targets)))
    silent = [name for name in members if name in draft.silent_nodes]
    if silent:
        yield Defect(
            f"{label}: radio of {listed(silent)}", "missing", "given", 'the nodes of a group need a "radio"'
        )
    lost = [name for name in members if name in draft.lost_nodes]
    if lost:
        remedy = 'links of a group follow from "position_m"'
        yield Defect(f"{label}: position_m of {listed(lost)}", "missing", "given", remedy)
    yield from _check_band(draft, spelling, group.band, label)
    band = draft.band_of_id.get(group.band)
    if band is not None and band.carrier_hz is None and group.channel.model not in _NEEDS_NO_CARRIER:
        remedy = f"the channel model {group.channel.model!r} of {label} needs it"
        yield Defect(f"band {band.id!r}: carrier_hz", "missing", "given", remedy)


def _repeated_links(draft: Draft) -> Iterator[Defect]:
    """Yield pairs of nodes with more than one explicit link in a direction; only one would count."""
    wireless = [(link.source, link.target) for link in draft.wireless_links]
    wired = [(link.source, link.target) for link in draft.wired_links]
    for kind, pairs in (("wireless", wireless), ("wired", wired)):
        for (source, target), count in Counter(pairs).items():
            if count > 1:
                label = f"{kind} link {source!r} -> {target!r}"
                yield Defect(f"{label}: number of such links", f"{count}", "1", "keep one of them")
    for source, target in sorted(set(wireless) & set(wired)):
        label = f"wired link {source!r} -> {target!r}"
        yield Defect(f"{label}: number of such links", "2 with the wireless one", "1", "keep one of them")
