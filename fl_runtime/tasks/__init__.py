"""Data sets as tasks, and how devices draw their samples from them."""

from fl_runtime.tasks.digits import digits_workload
from fl_runtime.tasks.workload import Samples, Task, Workload

__all__ = ["Samples", "Task", "Workload", "digits_workload"]
