"""``hfedfm import``: public lists of base stations, users and links become instance files."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.option_groups import with_groups
from hfedfm_opt.cli.outputs import require_writable
from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from hfedfm_opt.system.geodata import ImportSettings
    from hfedfm_opt.system.instance import Instance

app = typer.Typer(help="Make an instance of lists of base stations and users (CSV).")


class Channel(StrEnum):
    """Where the base stations stand."""

    UMI = "umi"
    UMA = "uma"


class Associate(StrEnum):
    """How each device gets its site."""

    BALANCED = "balanced"
    STRONGEST = "strongest"


OutputOption = Annotated[Path, typer.Option("-o", "--output", help="The instance file to write.")]


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What is assumed of a network of which positions are known."""

    name: Annotated[str | None, typer.Option(help="Name of the instance.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of channels, hardware, tasks and samples.")] = 0
    channel: Annotated[
        Channel, typer.Option(help="umi: street-level sites 10 m high; uma: rooftop sites 25 m high.")
    ] = Channel.UMI
    sites_in_reach: Annotated[int, typer.Option(min=1, help="Most sites in reach of a device.")] = 4
    min_rate: Annotated[
        float,
        typer.Option(metavar="BPS", help="Rate over the whole band below which a site is out of reach."),
    ] = 20e6
    association: Annotated[
        Associate,
        typer.Option(help="balanced: uploads end soonest on the average; strongest: the best site."),
    ] = Associate.BALANCED
    most_per_site: Annotated[
        int, typer.Option(metavar="N", min=1, help="balanced: most devices of a site.")
    ] = 7
    d2d_range: Annotated[float, typer.Option(metavar="M", help="Reach of D2D links, m.")] = 100.0
    d2d_neighbours: Annotated[
        int, typer.Option(metavar="N", min=1, help="Nearest devices with D2D links.")
    ] = 6


@app.command()
@with_groups
def eua(
    servers: Annotated[Path, typer.Argument(help="Base stations: SITE_ID, LATITUDE, LONGITUDE.")],
    users: Annotated[Path, typer.Argument(help="Users: Latitude, Longitude.")],
    output: OutputOption,
    assumed: Assumed,
) -> int:
    """Make an instance of base stations and users with latitude and longitude, as in the EUA data sets."""
    require_writable(output)
    settings = _settings(assumed)
    from hfedfm_opt.system.geodata import eua_instance

    return _written(eua_instance(servers, users, settings), output)


@app.command("csv")
@with_groups
def from_csv(
    nodes: Annotated[Path, typer.Argument(help="A row for each base station and device.")],
    output: OutputOption,
    *,
    links: Annotated[Path | None, typer.Option(help="A row for each link that is known.")] = None,
    map_: Annotated[
        str, typer.Option("--map", metavar="FIELD=COLUMN,...", help="Columns of the nodes.")
    ] = "",
    map_links: Annotated[str, typer.Option(metavar="FIELD=COLUMN,...", help="Columns of the links.")] = "",
    tiers: Annotated[str, typer.Option(metavar="edge=NAME,device=NAME", help="Names of the tiers.")] = "",
    assumed: Assumed,
) -> int:
    """Make an instance of any list of nodes, and optionally of links, with columns named by a mapping."""
    require_writable(output)
    settings = _settings(assumed)
    given = [
        _pairs(option, text) for option, text in (("map", map_), ("map-links", map_links), ("tiers", tiers))
    ]
    from hfedfm_opt.system.geodata import Columns, csv_instance

    columns = Columns(nodes=given[0], links=given[1], tiers=given[2])
    return _written(csv_instance(nodes, links, columns, settings), output)


def _settings(assumed: Assumed) -> "ImportSettings":
    for option, value in (("min-rate", assumed.min_rate), ("d2d-range", assumed.d2d_range)):
        if not 0 < value < float("inf"):
            raise CommandError(f"--{option} is {value:g}, must be a finite number > 0")
    from hfedfm_opt.system.geodata import ImportSettings

    return ImportSettings(
        seed=assumed.seed,
        name=assumed.name,
        channel=assumed.channel.value,
        sites_in_reach=assumed.sites_in_reach,
        min_rate_bps=assumed.min_rate,
        association=assumed.association.value,
        max_devices_per_site=assumed.most_per_site,
        d2d_range_m=assumed.d2d_range,
        d2d_neighbours=assumed.d2d_neighbours,
    )


def _pairs(option: str, text: str) -> dict[str, str]:
    """Return the pairs of a mapping such as ``latitude=lat,longitude=lon``."""
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not (field and equals and column):
            raise CommandError(f"--{option}: {part!r} is no pair, must be FIELD=COLUMN")
        found[field] = column
    return found


def _written(instance: "Instance", output: Path) -> int:
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.system.read import write_instance

    write_instance(instance, output)
    print(f"{output}: {described(instance)}")
    return 0
