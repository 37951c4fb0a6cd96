"""What optimised plans save against the random-aggregator scheme: its best, its mean and its printed row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hfedfm_opt.planning.precision import BitsBothWays
from hfedfm_opt.planning.recipes import RECIPES, period_name
from hfedfm_opt.study.comparison import Row, row_key
from hfedfm_opt.study.comparison_parts import Gain, TrainingRun
from hfedfm_opt.study.measure import Figure
from hfedfm_opt.study.published import PrintedRow
from hfedfm_opt.study.spread import AggregatorSpread, NoSpread, aggregator_spread
from hfedfm_opt.study.train import accuracies_at_sync
from hfedfm_opt.system.instance import Instance


def scheme_of(period: int | None) -> str:
    """Return the random-aggregator planner of a period."""
    return "edge-only+d2d" if period is None else f"hierarchical+d2d:{period_name(period)}"


def is_optimised(row: Row) -> bool:
    """Return whether the row is a plan of the optimised planner."""
    return RECIPES[row.planner.partition(":")[0]].arrangement == "optimised" and row.latency_s is not None


def spreads_for(
    instance: Instance, rows: Iterable[Row], transport_bits: BitsBothWays | Mapping[str, BitsBothWays]
) -> tuple[AggregatorSpread, ...]:
    """Return the spread of each random scheme that a row is, or that an optimised row is compared with."""
    wanted: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.latency_s is not None and (is_optimised(row) or row.planner == scheme_of(row.period)):
            wanted.setdefault((scheme_of(row.period), row.duplex), row)
    found = []
    for (scheme, _), row in wanted.items():
        try:
            found.append(aggregator_spread(instance, scheme, row.duplex, transport_bits))
        except NoSpread:  # no D2D links, or too many devices: there is nothing to compare with
            continue
    return tuple(found)


def gains_of(
    rows: Sequence[Row],
    spreads: Sequence[AggregatorSpread],
    printed: Sequence[PrintedRow],
    run_of: Mapping[str, TrainingRun],
) -> tuple[Gain, ...]:
    """Return the gains of all optimised rows; never against the worst choice of aggregators.

    Parameters
    ----------
    rows : sequence of Row
        All rows.
    spreads : sequence of AggregatorSpread
        Costs of the random schemes over all choices.
    printed : sequence of PrintedRow
        The printed table, if the instance is the published network.
    run_of : mapping of str to TrainingRun
        Training run of each row, by key.
    """
    gains: list[Gain] = []
    for row in filter(is_optimised, rows):
        scheme = scheme_of(row.period)
        for against, latency_s, energy_j in _references(row, scheme, rows, spreads, printed):
            difference = None
            other = run_of.get(row_key(scheme, row.duplex))
            if against == "row" and other is not None and row.key in run_of:
                own = accuracies_at_sync(run_of[row.key]).mean(axis=1)
                difference = Figure.of((own - accuracies_at_sync(other).mean(axis=1)).tolist())
            gains.append(
                Gain(
                    label=row.label,
                    duplex=row.duplex,
                    scheme=scheme,
                    against=against,
                    scheme_latency_s=latency_s,
                    scheme_energy_j=energy_j,
                    latency_saved=_saved(row.latency_s, latency_s),
                    energy_saved=_saved(row.energy_j, energy_j),
                    accuracy_difference=None if difference is None else difference.mean,
                    accuracy_difference_sd=None if difference is None else difference.sd,
                )
            )
    return tuple(gains)


def _references(
    row: Row,
    scheme: str,
    rows: Sequence[Row],
    spreads: Sequence[AggregatorSpread],
    printed: Sequence[PrintedRow],
) -> Iterator[tuple[str, float, float]]:
    for spread in spreads:
        if (spread.planner, spread.duplex) == (scheme, row.duplex):
            yield "best", spread.latency_s.least, spread.energy_j.least
            yield "mean", spread.latency_s.mean, spread.energy_j.mean
    for other in rows:
        if other.key == row_key(scheme, row.duplex) and other.latency_s is not None:
            yield "row", other.latency_s, other.energy_j or 0.0
    for line in printed:
        if line.method == scheme:
            yield "printed", line.latency_s, line.energy_j


def _saved(own: float | None, other: float) -> float:
    return 1.0 - (own or 0.0) / other if other > 0 else 0.0
