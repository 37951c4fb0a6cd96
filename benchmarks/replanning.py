"""Time planning again after some devices changed, beside planning anew, on the same instances.

    python benchmarks/replanning.py instances/paper-40.json instances/campus.json
    python benchmarks/replanning.py city.json --part 0.05 --time-limit 60 --kinds gone,worse
    python benchmarks/replanning.py instances/campus.json --walk 0.1,0.5 --every 12,4,2

For each kind of change: seconds of processor time of both, their ratio, the objective of the new plan over
that of planning anew, and what must be sent.  The first plan of all is made once more where it was the first
call of the process, which compiles loops.  With --walk devices walk at half to all of these speeds, and what
the clock measures of a run is shown with one plan and with plans made again.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fl_runtime import play
from hfedfm_opt import Instance, plan, read_instance, read_plan, replan, write_plan
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.living import living_schedule
from hfedfm_opt.system.instance import Living, Mobility, Node, Replanning, WirelessLink
from hfedfm_opt.system.network import WirelessEdge, resolve_network

TEN_DB = 0.1
"""Factor on the gains of the links of a device that a wall came before."""
MORE = 1.5
"""Factor on the samples of a device."""
AWAY_M = 5.0
"""How far from another device a new one stands."""


def chosen(instance: Instance, part: float, seed: int) -> list[Node]:
    """Return the devices that change: a part of all, at least one, at random."""
    devices = [node for node in instance.nodes if node.tier == instance.tiers[-1]]
    count = max(1, round(part * len(devices)))
    places = np.random.default_rng(seed).choice(len(devices), count, replace=False)
    return [devices[place] for place in sorted(places.tolist())]


def gone(instance: Instance, part: float, seed: int) -> Instance:
    """Return the instance without some devices."""
    names = {node.id for node in chosen(instance, part, seed)}
    groups = []
    for group in instance.wireless_groups:
        sources = tuple(name for name in group.sources if name not in names)
        targets = tuple(name for name in group.targets if name not in names)
        if sources and targets:
            groups.append(group.model_copy(update={"sources": sources, "targets": targets}))
    changes = {
        "nodes": tuple(node for node in instance.nodes if node.id not in names),
        "wireless_groups": tuple(groups),
        "wireless_links": tuple(
            link for link in instance.wireless_links if not {link.source, link.target} & names
        ),
        "wired_links": tuple(link for link in instance.wired_links if not {link.source, link.target} & names),
    }
    return instance.model_copy(update=changes)


def new(instance: Instance, part: float, seed: int) -> Instance:
    """Return the instance with more devices: each like another, a few metres away, with its links."""
    name_of = {node.id: f"{node.id}-new" for node in chosen(instance, part, seed)}
    nodes = list(instance.nodes)
    for node in chosen(instance, part, seed):
        x_m, y_m, z_m = node.position_m or (0.0, 0.0, 0.0)
        nodes.append(node.model_copy(update={"id": name_of[node.id], "position_m": (x_m + AWAY_M, y_m, z_m)}))

    def longer(names: tuple[str, ...]) -> tuple[str, ...]:
        return names + tuple(name_of[name] for name in names if name in name_of)

    groups = tuple(
        group.model_copy(update={"sources": longer(group.sources), "targets": longer(group.targets)})
        for group in instance.wireless_groups
    )
    wireless, wired = list(instance.wireless_links), list(instance.wired_links)
    for links in (wireless, wired):
        for link in tuple(links):
            source, target = name_of.get(link.source), name_of.get(link.target)
            ends = [{"source": source}] if source else []
            ends += [{"target": target}] if target else []
            ends += [{"source": source, "target": target}] if source and target else []
            links.extend(link.model_copy(update=update) for update in ends)
    return instance.model_copy(
        update={
            "nodes": tuple(nodes),
            "wireless_groups": groups,
            "wireless_links": tuple(wireless),
            "wired_links": tuple(wired),
        }
    )


def worse(instance: Instance, part: float, seed: int) -> Instance:
    """Return the instance in which all links of some devices are 10 dB worse."""
    names = {node.id for node in chosen(instance, part, seed)}
    edges = resolve_network(instance).edges.values()
    again = {
        (edge.source, edge.target): WirelessLink(
            source=edge.source, target=edge.target, band=edge.band, gain=TEN_DB * edge.gain
        )
        for edge in edges
        if isinstance(edge, WirelessEdge) and {edge.source, edge.target} & names
    }
    links = tuple(link for link in instance.wireless_links if (link.source, link.target) not in again)
    return instance.model_copy(update={"wireless_links": links + tuple(again.values())})


def more(instance: Instance, part: float, seed: int) -> Instance:
    """Return the instance in which some devices have more samples."""
    names = {node.id for node in chosen(instance, part, seed)}

    def grown(node: Node) -> Node:
        data = tuple(each.model_copy(update={"samples": round(MORE * each.samples)}) for each in node.data)
        return node.model_copy(update={"data": data}) if node.id in names else node

    return instance.model_copy(update={"nodes": tuple(map(grown, instance.nodes))})


KINDS: dict[str, Callable[[Instance, float, int], Instance]] = {
    "gone": gone,
    "new": new,
    "worse": worse,
    "more": more,
}


def main() -> None:
    """Print a line for each instance and kind of change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=[Path("instances/paper-40.json")])
    parser.add_argument("--part", type=float, default=0.05, help="part of the devices that change")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--time-limit", type=float, default=None, help="wall seconds for planning anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--walk", default="", help="largest speeds, m/s, with commas")
    parser.add_argument("--every", default="12,4,2", help="with --walk: rounds from plan to plan")
    parser.add_argument("--rounds", type=int, default=24, help="with --walk: rounds of a run")
    parser.add_argument("--old", type=Path, help="file of the first plan: read if it is there, else written")
    asked = parser.parse_args()
    if asked.walk:
        for file in asked.files:
            old = _old_plan(read_instance(file), asked.old, asked.time_limit)
            _walk(old, asked)
        return
    print(f"{'instance':14} {'kind':6} {'anew s':>8} {'again s':>8} {'ratio':>7} {'objective':>10} "
          f"{'of anew':>8} {'way':5} {'kept':>9} {'moved MB':>9}", flush=True)  # fmt: skip
    for file in asked.files:
        instance = read_instance(file)
        old = _old_plan(instance, asked.old, asked.time_limit)
        for kind in asked.kinds.split(","):
            changed = KINDS[kind](instance, asked.part, asked.seed)
            replan(changed, old)  # compiles what it needs
            began = time.process_time()
            again = replan(changed, old)
            again_s = time.process_time() - began
            began = time.process_time()
            anew = plan(changed, time_limit_s=asked.time_limit)
            anew_s = time.process_time() - began
            total = len({node.parent for node in changed.nodes if node.tier == changed.tiers[-1]})
            print(f"{instance.name:14} {kind:6} {anew_s:8.2f} {again_s:8.2f} {again_s / anew_s:7.3f} "
                  f"{again.result.objective:10.5g} {again.result.objective / anew.objective:8.4f} "
                  f"{again.way:5} {len(again.changes.kept):4}/{total:<4} {again.moves.bytes / 1e6:9.3g}",
                  flush=True)  # fmt: skip


def _walk(old: Plan, asked: argparse.Namespace) -> None:
    """Print what a run costs while devices walk, with one plan and with plans made again."""
    prices = old.instance.objective
    print(f"{'m/s':>5} {'plan anew every':>15} {'s/round':>8} {'J/round':>8} {'objective':>10} "
          f"{'of one plan':>11} {'plans':>5} {'moved MB':>8} {'planning s':>10}", flush=True)  # fmt: skip
    for speed in map(float, asked.walk.split(",")):
        mobility = Mobility(min_speed_m_per_s=speed / 2, max_speed_m_per_s=speed)
        alone = 0.0
        for every in (None, *map(int, asked.every.split(","))):
            replanning = None if every is None else Replanning(every_rounds=every)
            began = time.process_time()
            living = Living(mobility=mobility, replanning=replanning)
            schedule = living_schedule(old, asked.rounds, living, asked.seed)
            planning_s = time.process_time() - began
            timeline = play(schedule, seed=asked.seed)
            seconds, joules = timeline.latency_s, timeline.energy_per_round_j
            value = prices.energy_weight_per_j * joules + prices.time_weight_per_s * seconds
            alone = alone or value
            plans = len({name.partition(" of plan ")[2].split(" ")[0] for name in schedule.cycle})
            sent = sum(
                bits for step, bits in zip(timeline.step, timeline.bits, strict=True) if step[:5] == "move "
            )
            print(f"{speed:5g} {every or 'never':>15} {seconds:8.2f} {joules:8.1f} {value:10.2f} "
                  f"{value / alone:11.4f} {plans:5} {sent / 8e6:8.1f} {planning_s:10.1f}",
                  flush=True)  # fmt: skip


def _old_plan(instance: Instance, file: Path | None, time_limit_s: float | None) -> Plan:
    if file is not None and file.exists():
        return read_plan(file, instance)
    found = plan(instance, time_limit_s=time_limit_s).plan
    if found is None:
        raise SystemExit(f"{instance.name}: no plan")
    if file is not None:
        write_plan(found, file)
    return found


if __name__ == "__main__":
    main()
