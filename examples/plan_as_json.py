"""A plan and its schedule as JSON for a system in another language: ``python examples/plan_as_json.py``.

Only the first lines need hfedfm-opt.  The rest reads the files as any other program would.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp()) if len(sys.argv) < 2 else Path(sys.argv[1])
hfedfm = [sys.executable, "-c", "from hfedfm_opt.cli import main; main()"]
plan_file = str(folder / "plan.json")
subprocess.run(
    [*hfedfm, "solve", "instances/paper-40.json", "--planner", "optimised:2", "-o", plan_file], check=True
)
subprocess.run([*hfedfm, "export", plan_file, "-o", str(folder)], check=True)

# From here on no hfedfm-opt: what a coordinator in another language does with the files.
schedule = json.loads((folder / "schedule.json").read_text())
kind = next(kind for kind in schedule["kinds"] if kind["name"] == schedule["cycle"][0])
device = schedule["routes"][0]["device"]
print(f"In a round of kind {kind['name']!r}, {device} does:")
for step in kind["steps"]:
    if device in (step.get("node"), step.get("source"), step.get("target")):
        partner = f"{step['source']} -> {step['target']}" if step["type"] == "transfer" else device
        print(f"  {step['type']:9} {partner:12} after {', '.join(step['after']) or 'nothing'}")
for name in ("plan", "schedule"):
    schema = json.loads((folder / f"{name}.schema.json").read_text())
    content = json.loads((folder / f"{name}.json").read_text())
    print(f"{name}: has what the schema requires:", set(schema["required"]) <= content.keys())
