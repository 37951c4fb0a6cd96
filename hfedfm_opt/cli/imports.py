"""``hfedfm import``: public lists of base stations, users and links become instance files."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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


OUTPUT = Annotated[Path, typer.Option("-o", "--output", help="The instance file to write.")]
NAME = Annotated[str | None, typer.Option(help="Name of the instance.")]
SEED = Annotated[int, typer.Option(min=0, help="Seed of channels, hardware, tasks and samples.")]
CHANNEL = Annotated[
    Channel, typer.Option(help="umi: street-level sites 10 m high; uma: rooftop sites 25 m high.")
]
SITES = Annotated[int, typer.Option(min=1, help="Most sites in reach of a device.")]
MIN_RATE = Annotated[
    float, typer.Option(metavar="BPS", help="Rate over the whole band below which a site is out of reach.")
]
ASSOCIATE = Annotated[
    Associate, typer.Option(help="balanced: uploads end soonest on the average; strongest: the best site.")
]
MOST = Annotated[int, typer.Option(metavar="N", min=1, help="balanced: most devices of a site.")]
D2D_RANGE = Annotated[float, typer.Option(metavar="M", help="Reach of D2D links, m.")]
D2D_NEIGHBOURS = Annotated[int, typer.Option(metavar="N", min=1, help="Nearest devices with D2D links.")]


@app.command()
def eua(
    servers: Annotated[Path, typer.Argument(help="Base stations: SITE_ID, LATITUDE, LONGITUDE.")],
    users: Annotated[Path, typer.Argument(help="Users: Latitude, Longitude.")],
    output: OUTPUT,
    name: NAME = None,
    seed: SEED = 0,
    channel: CHANNEL = Channel.UMI,
    sites_in_reach: SITES = 4,
    min_rate: MIN_RATE = 20e6,
    association: ASSOCIATE = Associate.BALANCED,
    most_per_site: MOST = 7,
    d2d_range: D2D_RANGE = 100.0,
    d2d_neighbours: D2D_NEIGHBOURS = 6,
) -> int:
    """Make an instance of base stations and users with latitude and longitude, as in the EUA data sets."""
    require_writable(output)
    settings = _settings(
        name, seed, channel, sites_in_reach, min_rate, association, most_per_site, d2d_range, d2d_neighbours
    )
    from hfedfm_opt.system.geodata import eua_instance

    return _written(eua_instance(servers, users, settings), output)


@app.command("csv")
def from_csv(
    nodes: Annotated[Path, typer.Argument(help="A row for each base station and device.")],
    output: OUTPUT,
    links: Annotated[Path | None, typer.Option(help="A row for each link that is known.")] = None,
    map_: Annotated[
        str, typer.Option("--map", metavar="FIELD=COLUMN,...", help="Columns of the nodes.")
    ] = "",
    map_links: Annotated[str, typer.Option(metavar="FIELD=COLUMN,...", help="Columns of the links.")] = "",
    tiers: Annotated[str, typer.Option(metavar="edge=NAME,device=NAME", help="Names of the tiers.")] = "",
    name: NAME = None,
    seed: SEED = 0,
    channel: CHANNEL = Channel.UMI,
    sites_in_reach: SITES = 4,
    min_rate: MIN_RATE = 20e6,
    association: ASSOCIATE = Associate.BALANCED,
    most_per_site: MOST = 7,
    d2d_range: D2D_RANGE = 100.0,
    d2d_neighbours: D2D_NEIGHBOURS = 6,
) -> int:
    """Make an instance of any list of nodes, and optionally of links, with columns named by a mapping."""
    require_writable(output)
    settings = _settings(
        name, seed, channel, sites_in_reach, min_rate, association, most_per_site, d2d_range, d2d_neighbours
    )
    given = [
        _pairs(option, text) for option, text in (("map", map_), ("map-links", map_links), ("tiers", tiers))
    ]
    from hfedfm_opt.system.geodata import Columns, csv_instance

    columns = Columns(nodes=given[0], links=given[1], tiers=given[2])
    return _written(csv_instance(nodes, links, columns, settings), output)


def _settings(
    name: str | None,
    seed: int,
    channel: Channel,
    sites_in_reach: int,
    min_rate: float,
    association: Associate,
    most_per_site: int,
    d2d_range: float,
    d2d_neighbours: int,
) -> "ImportSettings":
    for option, value in (("min-rate", min_rate), ("d2d-range", d2d_range)):
        if not 0 < value < float("inf"):
            raise CommandError(f"--{option} is {value:g}, must be a finite number > 0")
    from hfedfm_opt.system.geodata import ImportSettings

    return ImportSettings(
        seed=seed,
        name=name,
        channel=channel.value,
        sites_in_reach=sites_in_reach,
        min_rate_bps=min_rate,
        association=association.value,
        max_devices_per_site=most_per_site,
        d2d_range_m=d2d_range,
        d2d_neighbours=d2d_neighbours,
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
