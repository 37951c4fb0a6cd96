"""The tables of a comparison as text in cells, for the terminal and for the report alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.study.comparison import Comparison, Row
from hfedfm_opt.study.published import TITLE as PUBLISHED_TITLE
from hfedfm_opt.study.spread import Spread

NONE = "–"
RADIOS = {"as given": "radios as the instance gives them", "full": "full duplex", "half": "half duplex"}
AGAINST = {"best": "best", "mean": "mean", "row": "row", "printed": "printed"}
"""What a gain is against, as heads of columns name it."""


@dataclass(frozen=True)
class Column:
    """Head of a column; numbers are set to the right, and a narrow terminal leaves out what it can spare."""

    head: str
    number: bool = True
    spare: bool = False


@dataclass(frozen=True)
class TableText:
    """A table: title, columns, cells and a caption that says how to read it.

    ``marked`` are the rows that the tool itself proposes.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    marked: frozenset[int] = field(default_factory=frozenset)


def tables_of(comparison: Comparison) -> list[TableText]:
    """Return all tables of a comparison: methods by kind of radio, gains, spreads, and the published one."""
    tables = [methods_table(comparison, duplex) for duplex in comparison.settings.duplexes]
    if comparison.gains:
        tables.append(gains_table(comparison))
    if comparison.spreads:
        tables.append(spreads_table(comparison))
    if comparison.published:
        tables.append(published_table(comparison))
    return tables


def methods_table(comparison: Comparison, duplex: str) -> TableText:
    """Return one row per method on one kind of radio, in the physical accounting."""
    rows = [row for row in comparison.rows if row.duplex == duplex]
    faded = any(row.faded_latency_s is not None for row in rows)
    trained = any(row.accuracy is not None for row in rows)
    columns = [Column("method", number=False), Column("s / round"), Column("J / round")]
    columns += [Column("faded s"), Column("faded J")] if faded else []
    columns += [Column("J of a device", spare=True)]
    columns += [Column("cost", spare=True), Column("bound", spare=True), Column("gap %")]
    columns += [Column("accuracy %"), Column("late acc. %")] if trained else []
    columns += [Column("status", number=False, spare=True), Column("wall s", spare=True)]
    cells = []
    for row in rows:
        line = [row.label, figure(row.latency_s), figure(row.energy_j)]
        if faded:
            line += [
                with_sd(row.faded_latency_s, row.faded_latency_sd_s),
                with_sd(row.faded_energy_j, row.faded_energy_sd_j),
            ]
        line += [figure(row.largest_device_energy_j)]
        line += [figure(row.objective), figure(row.bound), percent(row.gap, 3)]
        if trained:
            line += [
                percent_sd(row.accuracy, row.accuracy_sd),
                percent_sd(row.late_accuracy, row.late_accuracy_sd),
            ]
        line += [row.status, f"{comparison.wall_seconds.planning[row.key]:.2f}"]
        cells.append(tuple(line))
    own = frozenset(index for index, row in enumerate(rows) if row.allocate is not None)
    title = f"{comparison.settings.instance}: physical accounting, {RADIOS[duplex]}"
    bits = comparison.settings.options.get("transport_bits", FULL_BITS)
    if bits != FULL_BITS:
        title += f", {bits} bits a parameter"
    return TableText(title, tuple(columns), tuple(cells), _methods_caption(comparison, rows), own)


def gains_table(comparison: Comparison) -> TableText:
    """Return what the optimised plans save against the random-aggregator scheme of their period."""
    against = [name for name in AGAINST if any(gain.against == name for gain in comparison.gains)]
    gains = {(gain.label, gain.duplex, gain.against): gain for gain in comparison.gains}
    rows = list(dict.fromkeys((gain.label, gain.duplex) for gain in comparison.gains))
    cells = []
    for row in rows:
        found = [gains.get((*row, name)) for name in against]
        seconds = [percent(gain.latency_saved) if gain else NONE for gain in found]
        joules = [percent(gain.energy_saved) if gain else NONE for gain in found]
        cells.append((*row, *seconds, *joules))
    columns = [Column("optimised plan", number=False), Column("duplex", number=False)]
    for unit in ("s:", "J:"):
        columns += [Column(f"{unit} {name}", spare=name in ("row", "printed")) for name in against]
    return TableText(
        "What optimising saves against random aggregators of the same period, %",
        tuple(columns),
        tuple(cells),
        "s: latency, J: energy. Against the scheme's best (each figure for itself over all choices of "
        "aggregators), its mean over all choices, its row in the table"
        + (", and its printed row, which is in the published accounting" if "printed" in against else "")
        + "; never against its worst.",
    )


def spreads_table(comparison: Comparison) -> TableText:
    """Return what the random-aggregator schemes cost over all choices."""
    cells = [
        (
            spread.planner,
            spread.duplex,
            f"{spread.num_choices:,}",
            *_ends(spread.latency_s),
            *_ends(spread.energy_j),
        )
        for spread in comparison.spreads
    ]
    heads = ("s least", "s mean", "s largest", "J least", "J mean", "J largest")
    columns = (
        Column("random scheme", number=False),
        Column("duplex", number=False),
        Column("choices", spare=True),
        *(Column(head, spare=head.endswith("largest")) for head in heads),
    )
    return TableText(
        "Random aggregators over all choices: physical accounting",
        columns,
        tuple(cells),
        "Exact, not sampled: least, mean and largest over every combination of aggregators.",
    )


def published_table(comparison: Comparison) -> TableText:
    """Return the table of the published accounting beside the printed figures."""
    printed = {row.method: row for row in comparison.printed}
    cells = []
    for row in comparison.published:
        line = [
            row.method,
            *_mean_and_range(row.published_latency_s),
            *_mean_and_range(row.published_energy_j),
        ]
        if printed:
            known = printed.get(row.method)
            line += (
                [f"{known.latency_s:.2f}", f"{known.energy_j:.2f}", f"{known.accuracy_percent:.2f}"]
                if known
                else [NONE] * 3
            )
        cells.append(tuple(line))
    columns = [Column("method", number=False), Column("s"), Column("s over all choices", spare=True)]
    columns += [Column("J"), Column("J over all choices", spare=True)]
    if printed:
        columns += [Column("printed s"), Column("printed J"), Column("printed acc. %", spare=True)]
    return TableText(
        PUBLISHED_TITLE,
        tuple(columns),
        tuple(cells),
        "After IEEE Communications Magazine 64(4), 66-72. D2D rows are means over all choices of "
        "aggregators, with least and largest; a printed D2D row is one draw. "
        "Not comparable with the other tables.",
    )


def figure(value: float | None, digits: int = 4) -> str:
    """Return a number with that many significant digits, without exponents from 1e-3 to 1e7."""
    if value is None:
        return NONE
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        whole = len(str(int(abs(value)))) if abs(value) >= 1 else 1
        return f"{value:,.{max(0, digits - whole)}f}"
    return f"{value:.{digits - 1}e}"


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share as a percentage without its sign."""
    return NONE if share is None else f"{100 * share:.{decimals}f}"


def with_sd(value: float | None, sd: float | None) -> str:
    """Return mean and standard deviation."""
    return figure(value) if sd is None else f"{figure(value)} ± {figure(sd, 2)}"


def percent_sd(share: float | None, sd: float | None) -> str:
    """Return mean and standard deviation of a share in percent."""
    return percent(share) if sd is None else f"{percent(share)} ± {percent(sd)}"


def _methods_caption(comparison: Comparison, rows: Iterable[Row]) -> str:
    settings, objective = comparison.settings, comparison.instance.objective
    names = ("energy_weight_per_j", "time_weight_per_s", "fairness_weight_per_j")
    asked = [settings.options.get(name) for name in names]
    prices = [
        getattr(objective, name) if price is None else price for name, price in zip(names, asked, strict=True)
    ]
    fairness = f" + {prices[2]:g} J of the device that spends most" if prices[2] else ""
    parts = [
        f"Per round over whole cycles, predicted and confirmed by the clock to 1e-9; "
        f"cost = {prices[0]:g} J + {prices[1]:g} s{fairness}."
    ]
    if any(row.accuracy is not None for row in rows):
        seeds = ", ".join(map(str, settings.seeds))
        parts.append(
            "Accuracy after the last round at the cloud, and averaged over the last third of "
            f"{settings.rounds} rounds: mean ± standard deviation over seeds {seeds}."
        )
    missing = [f"{row.label}: {row.explanation}." for row in rows if row.latency_s is None]
    return " ".join([*parts, *missing, *(f"{note}." for note in comparison.notes)])


def _ends(spread: Spread) -> Sequence[str]:
    return figure(spread.least), figure(spread.mean), figure(spread.largest)


def _mean_and_range(spread: Spread) -> tuple[str, str]:
    if spread.least == spread.largest:
        return f"{spread.mean:.4f}", NONE
    return f"{spread.mean:.4f}", f"{spread.least:.4f} to {spread.largest:.4f}"
