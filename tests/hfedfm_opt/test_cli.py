import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hfedfm_opt.cli import call
from hfedfm_opt.planning.planner import planners
from hfedfm_opt.planning.recipes import RECIPES
from hfedfm_opt.system.read import read_instance, write_instance

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny.json"
PAPER = ROOT / "instances" / "paper-40.json"
CAMPUS = ROOT / "instances" / "campus.json"
HEAVY = {
    "cvxpy", "matplotlib", "networkx", "numpy", "ortools", "plotly", "pydantic", "pyomo", "scipy", "sklearn",
    "torch", "transformers",
}  # fmt: skip


@pytest.fixture(scope="module")
def relayed(tmp_path_factory):
    """A plan file of the published scheme for the published network."""
    path = tmp_path_factory.mktemp("plans") / "relayed.json"
    assert call(["solve", str(PAPER), "--planner", "hierarchical+d2d:4", "-o", str(path)]) == 0
    return path


@pytest.fixture
def tampered(relayed, tmp_path):
    """Write the plan with a change and return its path."""

    def change(function):
        content = json.loads(relayed.read_text())
        content["instance_file"] = str(PAPER)
        function(content)
        path = tmp_path / "tampered.json"
        path.write_text(json.dumps(content))
        return path

    return change


def in_a_process(*arguments, **more):
    command = [sys.executable, "-c", "from hfedfm_opt.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, **more)


# start-up


def test_help_is_fast_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom hfedfm_opt.cli import call\nstatus = call(['--help'])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = eval(done.stdout.splitlines()[-1])
    assert set(loaded) & HEAVY == set()
    assert "rich" in loaded


def test_help_costs_less_than_half_a_second_of_processor_time():
    def seconds():
        before = os.times()
        assert in_a_process("--help").returncode == 0
        after = os.times()
        spent = after.children_user + after.children_system
        return spent - before.children_user - before.children_system

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    "command",
    ["generate", "check", "solve", "run", "compare", "report", "planners", "backends", "map", "import"],
)
def test_help_names_each_command_and_each_has_help(hfedfm, command):
    status, out, errors = hfedfm("--help")
    assert (status, errors) == (0, [])
    assert re.search(rf"\b{command}\b", out)

    status, out, errors = hfedfm(command, "--help")
    assert (status, errors) == (0, [])
    assert "Usage: hfedfm " + command in out


def test_the_version_is_that_of_the_package(hfedfm):
    from importlib.metadata import version

    assert hfedfm("--version") == (0, f"hfedfm {version('hfedfm-opt')}\n", [])


# wrong use


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], r"Missing command"),
        (["slove"], r"No such command 'slove'.*solve"),
        (["solve"], r"Missing argument '(?i:file)'"),
        (["solve", PAPER, "--gab", "1"], r"No such option.*--gab"),
        (["solve", PAPER, "--gap", "x"], r"'--gap'"),
        (["solve", PAPER, "--gap", "1"], r"--gap is 1, must be at least 0 and below 1"),
        (["solve", PAPER, "--gap", "nan"], r"--gap is nan, must be"),
        (["solve", PAPER, "--time-limit", "0"], r"--time-limit is 0, must be > 0 seconds"),
        (["solve", PAPER, "--time-limit", "nan"], r"--time-limit is nan, must be > 0 seconds"),
        (["solve", PAPER, "--energy-weight", "-1"], r"--energy-weight is -1, must be a finite number >= 0"),
        (["solve", PAPER, "--time-weight", "inf"], r"--time-weight is inf, must be a finite number >= 0"),
        (
            ["solve", PAPER, "--fairness-weight", "-2"],
            r"--fairness-weight is -2, must be a finite number >= 0",
        ),
        (
            ["solve", PAPER, "--max-device-energy-j", "0"],
            r"--max-device-energy-j is 0, must be a finite number",
        ),
        (["solve", PAPER, "--energy-weight", "0", "--time-weight", "0"], r"both weights are 0"),
        (["solve", PAPER, "--seed", "-1"], r"'--seed'"),
        (["solve", PAPER, "--duplex", "both"], r"'--duplex'.*as-given"),
        (["solve", PAPER, "--planner", "optimized"], r"no planner 'optimized'; did you mean 'optimised'\?"),
        (["solve", PAPER, "--planner", "star:2"], r"planner 'star' takes no period"),
        (["solve", PAPER, "--planner", "optimised:2", "--period", "4"], r"has its period in its name"),
        (["solve", PAPER, "--period", "0"], r"is '0', must be a whole number >= 1 or 'never'"),
        (["solve", PAPER, "--planner", "star", "--period", "2"], r"planner 'star' takes no period"),
        (
            ["solve", PAPER, "--planner", "hierarchical", "--period", "2", "--period", "4"],
            r"does not choose between periods: give --period once",
        ),
        (["generate", "town", "-o", "x.json"], r"'town' is not one of 'paper', 'campus', 'city'"),
        (["generate", "city", "-o", "x.json"], r"a city needs its number of devices: --devices N"),
        (["generate", "city", "--devices", "0", "-o", "x.json"], r"'--devices'"),
        (["generate", "paper", "--devices", "3", "-o", "x.json"], r"--devices has no meaning for paper"),
        (["generate", "campus", "--edges", "3", "-o", "x.json"], r"--edges has no meaning for campus"),
        (["generate", "city", "--train-on", "edge", "-o", "x.json"], r"--train-on has no meaning for city"),
        (["generate", "paper", "--train", "lora", "-o", "x.json"], r"--train has no meaning for paper"),
        (["generate", "campus", "--train", "adapters", "-o", "x.json"], r"--train names 'adapters', must be"),
        (
            ["generate", "campus", "--train-on", "fog", "-o", "x.json"],
            r"--train-on names 'fog', must be one or",
        ),
        (["generate", "paper"], r"Missing option.*--output"),
        (["generate", "paper", "-o", "/nowhere/x.json"], r"there is no folder '/nowhere'; create it"),
        (["solve", PAPER, "-o", "/nowhere/x.json"], r"there is no folder '/nowhere'; create it"),
        (["solve", PAPER, "-o", ROOT], r"is a folder, must be a file"),
    ],
)
def test_wrong_use_is_said_on_stderr_with_status_2(hfedfm, tmp_path, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)

    status, out, errors = hfedfm(*arguments)

    assert (status, out) == (2, "")
    assert errors[0].startswith("hfedfm: ")
    assert re.search(line, errors[0])
    assert not any("Traceback" in error for error in errors)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_offers_the_nearest(hfedfm, tmp_path):
    write_instance(read_instance(TINY), tmp_path / "tiny.json")

    for command in ("check", "solve", "compare"):
        status, out, errors = hfedfm(command, tmp_path / "tyny.json")
        assert (status, out, len(errors)) == (2, "", 1)
        assert re.search(r"there is no such file; did you mean '.*tiny.json'\?", errors[0])


@pytest.mark.parametrize("command", ["check", "solve", "compare"])
def test_a_file_that_is_no_json_says_where(hfedfm, tmp_path, command):
    broken = tmp_path / "broken.json"
    broken.write_text(TINY.read_text().replace('"name":', '"name"', 1))

    status, out, errors = hfedfm(command, broken)

    assert (status, out) == (2, "")
    assert errors[0] == f"hfedfm: {broken}: 1 defect"
    assert "line 4, column" in errors[1]


def test_all_defects_of_an_instance_are_listed_a_line_each(hfedfm, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text(TINY.read_text().replace('"max_power_w": 0.2', '"max_power_w": -0.2'))

    status, out, errors = hfedfm("check", broken)

    assert (status, out) == (2, "")
    assert errors[0] == f"hfedfm: {broken}: 3 defects"
    assert errors[1:] == [f"  node 'd{i}': radio.max_power_w is -0.2, must be > 0" for i in (1, 2, 3)]


def test_an_unknown_fault_is_one_line_with_a_way_to_see_more(tmp_path):
    code = (
        "import sys, hfedfm_opt.cli.entry as entry\n"
        "def fault(arguments): raise ZeroDivisionError('division\\nby zero')\n"
        "entry.call = fault\nsys.argv = ['hfedfm']\nentry.main()"
    )
    quiet, loud = (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=env)
        for env in (os.environ, {**os.environ, "HFEDFM_TRACEBACK": "1"})
    )

    assert quiet.returncode == 1
    assert quiet.stderr == (
        "hfedfm: internal error: ZeroDivisionError: division by zero; please report it with what "
        "HFEDFM_TRACEBACK=1 shows\n"
    )
    assert "Traceback" in loud.stderr


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from hfedfm_opt.cli import main; main()", "planners"],
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)

    assert done.stderr == ""
    assert done.returncode == 1


def test_an_interrupt_is_one_line_with_status_130():
    code = (
        "import sys, hfedfm_opt.planning.planner as planner\n"
        "def wait(*arguments):\n"
        "    import time\n"
        "    print('ready', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "planner.plan = wait\n"
        "from hfedfm_opt.cli import main\nmain()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "solve", str(TINY)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGINT)

    assert process.stderr.read() == "hfedfm: interrupted\n"
    assert process.wait(timeout=30) == 130
    process.stderr.close()


# generate


@pytest.mark.parametrize(
    ("arguments", "shipped"), [(["paper"], PAPER), (["campus"], CAMPUS), (["campus", "--seed", "15"], CAMPUS)]
)
def test_the_shipped_instances_are_what_is_generated(hfedfm, tmp_path, arguments, shipped):
    status, out, errors = hfedfm("generate", *arguments, "-o", tmp_path / "x.json")

    assert (status, errors) == (0, [])
    assert (tmp_path / "x.json").read_bytes() == shipped.read_bytes()
    assert out.startswith(f"{tmp_path / 'x.json'}: ")


def test_a_city_has_the_size_that_was_asked_for(hfedfm, tmp_path):
    path = tmp_path / "city.json.gz"
    status, out, _ = hfedfm("generate", "city", "--devices", 20, "--edges", 3, "--seed", 5, "-o", path)

    assert status == 0
    assert "24 nodes (1 cloud, 3 edge, 20 device)" in out
    assert read_instance(path).name == "city-20-3-5"


# check


def test_a_valid_instance_is_described(hfedfm):
    assert hfedfm("check", TINY) == (
        0,
        f"{TINY}: valid: 'tiny', 5 nodes (1 cloud, 1 edge, 3 device), 7 modules, 2 tasks\n",
        [],
    )


def test_a_plan_that_keeps_all_limits_is_said_to(hfedfm, relayed):
    status, out, errors = hfedfm("check", PAPER, relayed)

    assert (status, errors) == (0, [])
    assert out.splitlines()[0] == f"{relayed}: keeps all limits of 'paper-40'"
    claim = json.loads(relayed.read_text())["claim"]
    assert out.splitlines()[1] == f"per round: {claim['latency_s']:.6g} s, {claim['energy_j']:.6g} J"


def _first_wireless(content):
    return next(h for c in content["clusters"] for h in c["gather"] if "power_w" in h)


def _too_much_power(content):
    for cluster in content["clusters"]:
        for hop in cluster["gather"]:
            if hop == _first_wireless(content):
                hop["power_w"] = 100.0
                return


def _too_much_band(content):
    _first_wireless(content)["band_hz"] = 1e12


def _missing_hop(content):
    next(c for c in content["clusters"] if len(c["gather"]) > 1)["gather"].pop()


def _wrong_claim(content):
    content["claim"]["latency_s"] *= 0.5


def _false_bound(content):
    content["claim"]["bound"] = 1e9


def _unknown_link(content):
    _first_wireless(content)["target"] = "nobody"


def _other_instance(content):
    content["instance_sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _too_much_power,
            r"hop 'd\d+' -> 'd\d+': power_w is 100 W, must be at most [\d.]+ W \(.* by [\d.]+ W\)",
        ),
        (
            _too_much_band,
            r"band '.*': use at one moment is 1.*e\+12 Hz, must be at most .* Hz \(exceeded by .* Hz\)",
        ),
        (_missing_hop, r"cluster '.*' gather: leaves out 'd\d+', must start at it"),
        (_wrong_claim, r"claim: latency_s is said to be .*, recomputed .* \(exceeded by [\d.]+ s\)"),
        (_false_bound, r"claim: bound 1000000000.0 is above the objective"),
        (_unknown_link, r"hop 'd\d+' -> 'nobody': there is no such link"),
        (_other_instance, r"plan: made for another instance \(digest 000000000000, .*plan again"),
    ],
)
def test_a_violated_plan_is_refused_with_place_amount_and_unit(hfedfm, tampered, change, line):
    path = tampered(change)

    status, out, errors = hfedfm("check", PAPER, path)

    assert (status, out) == (1, "")
    assert re.match(rf"hfedfm: {path}: \d+ violations?$", errors[0])
    assert any(re.search(line, error) for error in errors[1:]), errors


def test_a_memory_that_is_too_small_for_the_plan_is_a_violation(hfedfm, tampered, tmp_path):
    from hfedfm_opt.planning.digest import instance_digest

    instance = read_instance(PAPER)
    nodes = tuple(n.model_copy(update={"memory_bytes": 10.0}) if n.id == "d7" else n for n in instance.nodes)
    small = instance.model_copy(update={"nodes": nodes})
    write_instance(small, tmp_path / "small.json")
    path = tampered(lambda content: content.update(instance_sha256=instance_digest(small)))

    status, _, errors = hfedfm("check", tmp_path / "small.json", path)

    assert status == 1
    assert errors[0].endswith("1 violation")
    assert re.search(
        r"node 'd7': memory is .* byte, must be at most 10 byte \(exceeded by .* byte\)", errors[1]
    )


def test_run_refuses_a_plan_that_breaks_limits(hfedfm, tampered):
    status, out, errors = hfedfm("run", tampered(_too_much_power), "--no-learning")

    assert (status, out) == (1, "")
    assert "power_w is 100 W" in errors[1]


@pytest.mark.parametrize("command", [["check", PAPER], ["run"]])
def test_a_plan_file_that_is_not_valid_is_wrong_use(hfedfm, tampered, command):
    path = tampered(lambda content: content.pop("periods"))

    status, _, errors = hfedfm(*command, path)

    assert status == 2
    assert errors[1].strip().startswith("periods is missing, must be given")


# solve


def test_solve_prints_a_summary_and_writes_the_plan(hfedfm, tmp_path):
    status, out, errors = hfedfm("solve", PAPER, "-o", tmp_path / "plan.json", "--time-limit", 60)

    assert (status, errors) == (0, [])
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert facts["status"] == "optimal (gap reached)"
    assert facts["latency"].endswith("s per round")
    assert facts["energy"].endswith("J per round")
    assert "/J * energy + " in facts["objective"]
    assert float(facts["gap"]) <= 1e-6
    assert "period 2" in facts["proof"]
    assert facts["plan"] == str(tmp_path / "plan.json")
    assert hfedfm("check", PAPER, tmp_path / "plan.json")[0] == 0


def test_solve_json_has_the_keys_that_scripts_rely_on(hfedfm):
    status, out, errors = hfedfm("solve", PAPER, "--json", "--planner", "star")

    document = json.loads(out)
    assert (status, errors) == (0, [])
    keys = "planner status stop_reason objective bound gap energy_j latency_s seconds"
    assert set(keys.split()) <= set(document)
    assert document["planner"] == "star"
    assert document["bound"] is None  # JSON has no infinity
    assert document["objective"] == pytest.approx(1597.2)
    assert document["plan"] is None


def test_weights_replace_those_of_the_instance(hfedfm):
    def solved(*more):
        return json.loads(hfedfm("solve", PAPER, "--json", "--planner", "edge-only", *more)[1])

    energy = solved("--energy-weight", "2", "--time-weight", "0")
    seconds = solved("--energy-weight", "0", "--time-weight", "3")
    fair = solved("--energy-weight", "0", "--time-weight", "0", "--fairness-weight", "5")

    assert energy["objective"] == pytest.approx(2 * energy["energy_j"])
    assert seconds["objective"] == pytest.approx(3 * seconds["latency_s"])
    assert fair["objective"] == pytest.approx(5 * fair["largest_device_energy_j"])


def test_a_single_period_goes_into_the_name_and_several_are_compared(hfedfm):
    def solved(*more):
        return json.loads(hfedfm("solve", PAPER, "--json", *more)[1])

    one, two = solved("--period", "1"), solved("--period", "never")
    best = solved("--period", "1", "--period", "never")

    assert (one["planner"], two["planner"]) == ("optimised:1", "optimised:never")
    assert best["objective"] == min(one["objective"], two["objective"])
    assert solved("--planner", "hierarchical", "--period", "8")["planner"] == "hierarchical:8"


def test_full_duplex_and_allocated_resources_never_cost_more(hfedfm):
    def cost(*more):
        return json.loads(hfedfm("solve", PAPER, "--json", *more)[1])["objective"]

    assert cost("--duplex", "full") <= cost("--duplex", "half") * (1 + 1e-6)
    assert cost() <= cost("--nominal-resources") * (1 + 1e-6)


def test_an_infeasible_instance_is_status_1_and_says_which_limit_to_relax(hfedfm, tmp_path):
    instance = read_instance(CAMPUS)
    devices = [node.id for node in instance.nodes if node.tier == "device"]
    nodes = tuple(
        n.model_copy(update={"memory_bytes": 1000.0}) if n.id == devices[3] else n for n in instance.nodes
    )
    write_instance(instance.model_copy(update={"nodes": nodes}), tmp_path / "small.json")

    status, out, errors = hfedfm("solve", tmp_path / "small.json", "-o", tmp_path / "plan.json")

    assert status == 1
    assert "infeasible (proven infeasible)" in out
    assert len(errors) == 1
    assert re.search(rf"relax memory of node '{devices[3]}' by at least [\d.e+]+ byte", errors[0])
    assert not (tmp_path / "plan.json").exists()


def test_an_infeasible_instance_is_json_too(hfedfm):
    status, out, errors = hfedfm("solve", TINY, "--planner", "star", "--json")

    document = json.loads(out)
    assert status == 1
    assert document["status"] == "infeasible"
    assert document["objective"] is None
    assert document["explanation"] == "there is no link from 'd3' to 'e1'"
    assert errors == [f"hfedfm: no plan for '{TINY}': there is no link from 'd3' to 'e1'"]


# run


def test_run_measures_what_was_predicted_and_writes_its_files(hfedfm, relayed, tmp_path):
    folder = tmp_path / "out"

    status, out, errors = hfedfm("run", relayed, "--no-learning", "--rounds", 8, "-o", folder, "--json")

    document = json.loads(out)
    assert (status, errors) == (0, [])
    assert document["rounds"] == 8
    assert document["latency_s"] == pytest.approx(document["predicted_latency_s"], rel=1e-9)
    assert document["energy_j"] == pytest.approx(document["predicted_energy_j"], rel=1e-9)
    assert document["accuracy"] is None
    names = {path.name for path in folder.iterdir()}
    assert names == {"rounds.csv", "schedule.json", "summary.json", "timeline.csv"}
    assert len((folder / "rounds.csv").read_text().splitlines()) == 1 + 8
    assert json.loads((folder / "summary.json").read_text())["rounds"] == 8


def test_run_learns_and_says_the_accuracy_of_each_task(hfedfm, relayed, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("tensorboard", reason="needs tensorboard")

    status, out, errors = hfedfm(
        "run", relayed, "--rounds", 1, "--seed", 3, "--tensorboard", tmp_path / "log"
    )

    assert (status, errors) == (0, [])
    accuracies = re.findall(r"^(?:accuracy|  \w+) +([\d.]+)", out, flags=re.MULTILINE)
    assert len(accuracies) == 1 + 3
    assert len(list((tmp_path / "log").glob("events.*"))) == 1
    assert all(0 <= float(value) <= 1 for value in accuracies)


def test_a_run_is_resumed_and_says_the_same(hfedfm, relayed, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    kept = tmp_path / "checkpoint"
    command = ("run", str(relayed), "--rounds", "2", "-o", str(tmp_path), "--resume")
    status, whole, err = hfedfm(*command)
    assert status == 0, err
    for path in kept.glob("round-000002.*"):
        path.unlink()
    assert hfedfm(*command)[:2] == (0, whole)
    status, _, err = hfedfm("run", str(relayed), "--rounds", "2", "--checkpoint", str(kept))
    assert (status, len(err)) == (2, 1)
    assert "holds a run already: resume it, or give another folder" in err[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--resume"], "--resume needs a folder for the states: give -o DIR or --checkpoint DIR as well"),
        (
            ["--checkpoint", "kept", "--no-learning"],
            "states keep what was learned: leave out --no-learning",
        ),
    ],
)
def test_checkpoints_that_make_no_sense_are_refused(hfedfm, relayed, arguments, line):
    status, _, err = hfedfm("run", str(relayed), *arguments)
    assert status == 2
    assert line in err[0]


def test_fewer_bits_a_parameter_cost_less_and_are_in_the_plan(hfedfm, tmp_path):
    path = tmp_path / "plan.json"
    asked = ("--planner", "star", "--transport-bits", "4", "--json", "-o", str(path))
    _, out, _ = hfedfm("solve", str(PAPER), *asked)
    assert json.loads(out)["latency_s"] == pytest.approx(0.1 + (6e6 + 96) / 4e6)
    entries = json.loads(path.read_text())["transport_bits"]
    assert {(entry["up"], entry["down"]) for entry in entries} == {(4, 4)}
    assert hfedfm("check", str(PAPER), str(path))[0] == 0
    status, _, err = hfedfm("solve", str(PAPER), "--cloud-momentum", "1")
    assert (status, err) == (2, ["hfedfm: --cloud-momentum is 1, must be at least 0 and below 1"])
    status, _, err = hfedfm("solve", str(PAPER), "--transport-bits", "5")
    assert status == 2
    assert "'5' is not one of '32', '16', '8', '4', '3', '2', '1'" in err[0]


def test_run_takes_another_instance_file(hfedfm, relayed, tmp_path):
    lost = tmp_path / "lost.json"
    content = json.loads(relayed.read_text())
    lost.write_text(json.dumps({**content, "instance_file": "gone.json"}))

    status, _, errors = hfedfm("run", lost, "--no-learning")
    assert status == 2
    assert re.search(r"instance_file is .*which is not there.*--instance FILE", errors[1])

    assert hfedfm("run", lost, "--no-learning", "--instance", PAPER)[0] == 0


def test_run_without_torch_says_what_to_install(hfedfm, relayed, monkeypatch):
    import fl_runtime.learn

    def missing(*_, **__):
        raise ImportError("training needs torch: pip install 'hfedfm-opt[runtime]'")

    monkeypatch.setattr(fl_runtime.learn, "learn", missing)

    status, out, errors = hfedfm("run", relayed)

    assert (status, out) == (2, "")
    assert errors == [
        "hfedfm: training needs torch: pip install 'hfedfm-opt[runtime]', or run with --no-learning"
    ]


def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(hfedfm, relayed, tmp_path):
    (tmp_path / "file").write_text("")

    status, _, errors = hfedfm("run", relayed, "-o", tmp_path / "file")

    assert status == 2
    assert errors == [f"hfedfm: {tmp_path / 'file'}: is a file, must be a folder"]


# planners and backends


def test_planners_lists_each_planner_with_what_it_does(hfedfm):
    status, out, _ = hfedfm("planners")

    assert status == 0
    for name, summary in planners().items():
        assert re.search(rf"^{re.escape(name)} +{re.escape(summary)}$", out, flags=re.MULTILINE)
    assert len(planners()) == len(RECIPES)


def test_backends_lists_each_method_and_what_to_install(hfedfm, monkeypatch):
    from solvers import allocation, clusters, placement, relaying
    from solvers.common import dispatch

    whole = hfedfm("backends")[1]
    for table in (placement.METHODS, relaying.METHODS, allocation.METHODS, clusters.METHODS):
        for name in table:
            assert re.search(rf"^\w+ +{name} +(yes|no) ", whole, flags=re.MULTILINE)
    assert "pip install" not in whole

    monkeypatch.setattr(dispatch, "find_spec", lambda name: None if name == "clarabel" else name)
    assert re.search(r"via_cvxpy +yes +pip install clarabel", hfedfm("backends")[1])


def test_a_terminal_without_the_letters_of_a_name_gets_escapes(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(TINY.read_text().replace('"name": "tiny"', '"name": "na\u00efve"'))

    done = in_a_process("check", path, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert done.returncode == 0
    assert "na\\xefve" in done.stdout


def test_the_same_seed_writes_the_same_plan(hfedfm, tmp_path):
    for name in ("a.json", "b.json"):
        hfedfm("solve", PAPER, "--planner", "hierarchical+d2d:4", "--seed", 7, "-o", tmp_path / name)

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_an_instance_is_no_plan(hfedfm):
    status, _, errors = hfedfm("run", PAPER)

    assert status == 2
    assert "this is an instance: plan for it with hfedfm solve" in errors[1]
