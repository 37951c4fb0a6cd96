"""Runs schedules on Flower: its simulation, or its SuperLink and SuperNodes.

A SuperNode trains some devices of the schedule; the ServerApp does what the edge servers, relays and the
cloud do.  It needs the extra ``flower``.  Nothing is reported to anyone: telemetry is off unless the
environment says otherwise.
"""

import os
from importlib.util import find_spec

_MISSING = [name for name in ("flwr", "ray") if find_spec(name) is None]
if _MISSING:
    raise ImportError(f"this engine needs {' and '.join(_MISSING)}: pip install 'hfedfm-opt[flower]'")

for _variable, _value in {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}.items():
    os.environ.setdefault(_variable, _value)

from fl_runtime.flower.client import client_app, make_client_app, own_client_app  # noqa: E402
from fl_runtime.flower.deployment import DeployedNodes, Deployment, deploy  # noqa: E402
from fl_runtime.flower.record import FlowerRun, NodeFailure, RoundOnFlower  # noqa: E402
from fl_runtime.flower.server import GridTraining, Patience  # noqa: E402
from fl_runtime.flower.simulation import SimulatedNodes, simulate  # noqa: E402

__all__ = [
    "DeployedNodes",
    "Deployment",
    "FlowerRun",
    "GridTraining",
    "NodeFailure",
    "Patience",
    "RoundOnFlower",
    "SimulatedNodes",
    "client_app",
    "deploy",
    "make_client_app",
    "own_client_app",
    "simulate",
]
