"""An ablation as a table, for the terminal, the report and Markdown."""

from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.study.ablation import GROUPS, Ablation, AblationRow
from hfedfm_opt.study.table_text import Column, TableText, figure, percent


def ablation_table(ablation: Ablation) -> TableText:
    """Return an ablation as a table."""
    columns = (
        Column("plan", number=False),
        Column("cost"),
        Column("s / round"),
        Column("J / round"),
        Column("share %"),
    )
    cells = tuple(
        (
            f"{GROUPS[row.group]} {row.decision}".strip(),
            figure(row.objective),
            figure(row.latency_s),
            figure(row.energy_j),
            _share(row) if row.group in ("without", "only") else "",
        )
        for row in ablation.rows
    )
    missing = [f"{row.decision}: {row.explanation}." for row in ablation.rows if row.objective is None]
    caption = (
        "Share: of the saving between nothing and everything decided, what is lost without a decision, or "
        "won by it alone. Another period also changes what is learned."
    )
    title = (
        f"{ablation.instance}: what each decision is worth, period {period_name(ablation.period)}, "
        f"{ablation.transport_bits} bits a parameter"
    )
    marked = frozenset(index for index, row in enumerate(ablation.rows) if row.group == "full")
    return TableText(title, columns, cells, " ".join([caption, *missing]), marked)


def _share(row: AblationRow) -> str:
    return percent(None if row.share is None else round(row.share, 3) + 0.0)  # no minus before a zero


def ablation_markdown(ablation: Ablation) -> str:
    """Return the table of an ablation as Markdown text."""
    table = ablation_table(ablation)
    rules = ["---:" if column.number else "---" for column in table.columns]
    lines = [[column.head for column in table.columns], rules, *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table.title}\n\n{body}\n\n{table.caption}\n"
