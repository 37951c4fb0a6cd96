"""Executes schedules of federated training and measures energy, latency and accuracy."""

from fl_runtime.activations import ActivationBits, activation_bits
from fl_runtime.check import check_schedule
from fl_runtime.clock import play
from fl_runtime.errors import CheckpointError, ScheduleError, ScheduleFileError
from fl_runtime.fading import Fading
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.measurements import (
    Measurements,
    write_events_csv,
    write_rows_csv,
    write_rows_json,
    write_summary_json,
)
from fl_runtime.observers import RoundCsv, RoundTensorBoard
from fl_runtime.round_report import RoundReport
from fl_runtime.run import run
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    DropOut,
    Evaluate,
    FixedSpeed,
    LinkGains,
    LivingNetwork,
    Losses,
    Merge,
    Mix,
    Module,
    Node,
    Policy,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Straggling,
    Training,
    Transfer,
    Wired,
    Wireless,
)
from fl_runtime.schedule_json import read_schedule, schedule_schema, write_schedule
from fl_runtime.server_optimisers import Adam, Momentum, Plain
from fl_runtime.timeline import Timeline
from fl_runtime.transfers import write_transfers_csv
from fl_runtime.variants import with_precision, with_server_optimiser

__all__ = [
    "ActivationBits",
    "Adam",
    "Aggregate",
    "Band",
    "CheckpointError",
    "Compute",
    "Cpu",
    "Deliver",
    "DropOut",
    "Evaluate",
    "Fading",
    "FixedSpeed",
    "LearningSettings",
    "LinkGains",
    "LivingNetwork",
    "Losses",
    "Measurements",
    "Merge",
    "Mix",
    "Module",
    "Momentum",
    "Node",
    "Plain",
    "Policy",
    "Replica",
    "RoundCsv",
    "RoundKind",
    "RoundReport",
    "RoundTensorBoard",
    "Route",
    "Schedule",
    "ScheduleError",
    "ScheduleFileError",
    "Straggling",
    "Timeline",
    "Training",
    "Transfer",
    "Wired",
    "Wireless",
    "activation_bits",
    "check_schedule",
    "play",
    "read_schedule",
    "run",
    "schedule_schema",
    "with_precision",
    "with_server_optimiser",
    "write_events_csv",
    "write_rows_csv",
    "write_rows_json",
    "write_schedule",
    "write_summary_json",
    "write_transfers_csv",
]
