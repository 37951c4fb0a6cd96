"""Executes schedules of federated training and measures energy, latency and accuracy."""

from fl_runtime.check import check_schedule
from fl_runtime.clock import play
from fl_runtime.errors import ScheduleError, ScheduleFileError
from fl_runtime.fading import Fading
from fl_runtime.measurements import Measurements, write_rows_csv, write_rows_json, write_summary_json
from fl_runtime.run import run
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    Evaluate,
    FixedSpeed,
    Merge,
    Mix,
    Module,
    Node,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Training,
    Transfer,
    Wired,
    Wireless,
)
from fl_runtime.schedule_json import read_schedule, schedule_schema, write_schedule
from fl_runtime.timeline import Timeline

__all__ = [
    "Aggregate",
    "Band",
    "Compute",
    "Cpu",
    "Deliver",
    "Evaluate",
    "Fading",
    "FixedSpeed",
    "Measurements",
    "Merge",
    "Mix",
    "Module",
    "Node",
    "Replica",
    "RoundKind",
    "Route",
    "Schedule",
    "ScheduleError",
    "ScheduleFileError",
    "Timeline",
    "Training",
    "Transfer",
    "Wired",
    "Wireless",
    "check_schedule",
    "play",
    "read_schedule",
    "run",
    "schedule_schema",
    "write_rows_csv",
    "write_rows_json",
    "write_schedule",
    "write_summary_json",
]
