"""``hfedfm planners`` and ``hfedfm backends``: what there is to choose from."""

from hfedfm_opt.cli.terminal import say_table


def planners() -> int:
    """List all planners; E stands for a period: a whole number of rounds, or never."""
    from hfedfm_opt.planning.planner import planners as summaries

    say_table(("planner", "what it does"), summaries().items())
    return 0


def backends() -> int:
    """List all methods of the solvers, and what is missing for those that cannot run here."""
    from solvers import allocation, clusters, consensus, placement, relaying

    rows = []
    for problem, table in (
        ("placement", placement.METHODS),
        ("relaying", relaying.METHODS),
        ("allocation", allocation.METHODS),
        ("clusters", clusters.METHODS),
        ("consensus", consensus.METHODS),
    ):
        for name, method in table.items():
            missing = method.missing()
            what = f"'hfedfm-opt[{method.extra}]'" if method.extra else " ".join(missing)
            state = f"pip install {what}" if missing else "installed"
            rows.append((problem, name, "yes" if method.exact else "no", state, method.summary))
    say_table(("problem", "method", "exact", "state", "what it does"), rows)
    return 0
