"""Links that a list gives: gains of wireless ones, rates of wired ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hfedfm_opt.system.instance import Band, WiredLink, WirelessLink


@dataclass(frozen=True)
class ExplicitLinks:
    """Links by their ends, (source, target).

    Parameters
    ----------
    gains : mapping of (str, str) to float
        Power gains of wireless links, linear.
    wired : mapping of (str, str) to WiredLink
        Links of fixed rate.
    """

    gains: Mapping[tuple[str, str], float] = field(default_factory=dict)
    wired: Mapping[tuple[str, str], WiredLink] = field(default_factory=dict)

    def wireless(self, parent_of: Mapping[str, str], bands: Sequence[Band]) -> tuple[WirelessLink, ...]:
        """Return the wireless links: with a site in the band of its cell, between devices in a D2D band.

        Parameters
        ----------
        parent_of : mapping of str to str
            The site of each device; a link between devices takes the D2D band of its sender's cell.
        bands : sequence of Band
            Bands of the cells.
        """
        known = {band.id for band in bands}
        found = []
        for (source, target), gain in self.gains.items():
            if source in parent_of and target in parent_of:
                band = f"d2d-{parent_of[source]}"
            else:
                band = f"cell-{target}" if f"cell-{target}" in known else f"cell-{source}"
            found.append(WirelessLink(source=source, target=target, band=band, gain=gain))
        return tuple(found)

    def wired_or(self, assumed: Sequence[WiredLink]) -> tuple[WiredLink, ...]:
        """Return the wired links, after those assumed that they do not replace."""
        kept = [link for link in assumed if (link.source, link.target) not in self.wired]
        return (*kept, *self.wired.values())
