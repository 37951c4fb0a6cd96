"""Plan, run and compare hierarchical federated foundation models over wireless networks."""

from typing import TYPE_CHECKING

from hfedfm_opt.lazy import lazy_exports

if TYPE_CHECKING:
    from hfedfm_opt.planning.front import FrontOptions, PlanFront, plan_front
    from hfedfm_opt.planning.plan import Plan, PlanResult
    from hfedfm_opt.planning.plan_file import PlanFileError, read_plan, write_plan
    from hfedfm_opt.planning.planner import plan, planners
    from hfedfm_opt.planning.recipes import UnknownPlanner
    from hfedfm_opt.planning.replan import Replanned, replan
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.study.compare import compare
    from hfedfm_opt.study.comparison import Comparison
    from hfedfm_opt.study.sweeping.result import Sweep
    from hfedfm_opt.study.sweeping.settings import SweepOptions
    from hfedfm_opt.study.sweeping.sweep import sweep
    from hfedfm_opt.system.check_instance import check_instance
    from hfedfm_opt.system.defects import InstanceError
    from hfedfm_opt.system.files import FileError
    from hfedfm_opt.system.instance import Instance
    from hfedfm_opt.system.read import read_instance, write_instance

__all__ = [
    "Comparison",
    "FileError",
    "FrontOptions",
    "Instance",
    "InstanceError",
    "Plan",
    "PlanFileError",
    "PlanFront",
    "PlanResult",
    "PlannerOptions",
    "Replanned",
    "Sweep",
    "SweepOptions",
    "UnknownPlanner",
    "check_instance",
    "compare",
    "plan",
    "plan_front",
    "planners",
    "read_instance",
    "read_plan",
    "replan",
    "sweep",
    "write_instance",
    "write_plan",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Comparison": "hfedfm_opt.study.comparison",
        "FileError": "hfedfm_opt.system.files",
        "FrontOptions": "hfedfm_opt.planning.front",
        "Instance": "hfedfm_opt.system.instance",
        "InstanceError": "hfedfm_opt.system.defects",
        "Plan": "hfedfm_opt.planning.plan",
        "PlanFileError": "hfedfm_opt.planning.plan_file",
        "PlanFront": "hfedfm_opt.planning.front",
        "PlanResult": "hfedfm_opt.planning.plan",
        "PlannerOptions": "hfedfm_opt.planning.settings",
        "Replanned": "hfedfm_opt.planning.replan",
        "Sweep": "hfedfm_opt.study.sweeping.result",
        "SweepOptions": "hfedfm_opt.study.sweeping.settings",
        "UnknownPlanner": "hfedfm_opt.planning.recipes",
        "check_instance": "hfedfm_opt.system.check_instance",
        "compare": "hfedfm_opt.study.compare",
        "plan": "hfedfm_opt.planning.planner",
        "plan_front": "hfedfm_opt.planning.front",
        "planners": "hfedfm_opt.planning.planner",
        "read_instance": "hfedfm_opt.system.read",
        "read_plan": "hfedfm_opt.planning.plan_file",
        "replan": "hfedfm_opt.planning.replan",
        "sweep": "hfedfm_opt.study.sweeping.sweep",
        "write_instance": "hfedfm_opt.system.read",
        "write_plan": "hfedfm_opt.planning.plan_file",
    },
)
