"""From an instance to a checked plan with a bound."""

from typing import TYPE_CHECKING

from hfedfm_opt.lazy import lazy_exports

if TYPE_CHECKING:
    from hfedfm_opt.planning.check import check_plan
    from hfedfm_opt.planning.front import FrontOptions, PlanFront, plan_front
    from hfedfm_opt.planning.plan import Plan, PlanResult
    from hfedfm_opt.planning.plan_file import PlanFileError, plan_schema, read_plan, write_plan
    from hfedfm_opt.planning.planner import planners
    from hfedfm_opt.planning.recipes import UnknownPlanner
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.planning.violations import PlanViolation

__all__ = [
    "FrontOptions",
    "Plan",
    "PlanFileError",
    "PlanFront",
    "PlanResult",
    "PlanViolation",
    "PlannerOptions",
    "UnknownPlanner",
    "check_plan",
    "plan_front",
    "plan_schema",
    "planners",
    "read_plan",
    "write_plan",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "FrontOptions": "hfedfm_opt.planning.front",
        "Plan": "hfedfm_opt.planning.plan",
        "PlanFileError": "hfedfm_opt.planning.plan_file",
        "PlanFront": "hfedfm_opt.planning.front",
        "PlanResult": "hfedfm_opt.planning.plan",
        "PlanViolation": "hfedfm_opt.planning.violations",
        "PlannerOptions": "hfedfm_opt.planning.settings",
        "UnknownPlanner": "hfedfm_opt.planning.recipes",
        "check_plan": "hfedfm_opt.planning.check",
        "plan_front": "hfedfm_opt.planning.front",
        "plan_schema": "hfedfm_opt.planning.plan_file",
        "planners": "hfedfm_opt.planning.planner",
        "read_plan": "hfedfm_opt.planning.plan_file",
        "write_plan": "hfedfm_opt.planning.plan_file",
    },
)
