"""What users import: sorted, complete, documented, and quick to import."""

import importlib
import inspect
import json
import subprocess
import sys

import pytest

LAZY = ("hfedfm_opt", "hfedfm_opt.system", "hfedfm_opt.planning")
HEAVY = (
    "cvxpy", "highspy", "joblib", "matplotlib", "networkx", "numpy", "ortools", "pandas", "plotly",
    "pydantic", "pyomo", "scipy", "sklearn", "torch", "transformers",
)  # fmt: skip


def loaded_by(statement):
    """Return the names of the top-level packages that a fresh interpreter holds after a statement."""
    code = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("package", LAZY)
def test_all_names_are_sorted_unique_and_there(package):
    module = importlib.import_module(package)

    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        value = getattr(module, name)
        assert value.__name__ == name
        assert inspect.getdoc(value)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", LAZY)
def test_a_star_import_brings_all_names(package):
    names = {}
    exec(f"from {package} import *", names)

    assert set(importlib.import_module(package).__all__) <= set(names)


def test_the_names_that_users_rely_on_are_public():
    import hfedfm_opt

    promised = {"Instance", "Plan", "compare", "plan", "planners", "read_instance", "read_plan"}
    assert promised | {"write_instance", "write_plan"} <= set(hfedfm_opt.__all__)


def test_an_unknown_name_is_an_attribute_error_that_says_whose():
    import hfedfm_opt

    with pytest.raises(AttributeError, match=r"module 'hfedfm_opt' has no attribute 'solve_it'"):
        hfedfm_opt.solve_it  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'solve_it'"):
        from hfedfm_opt import solve_it  # noqa: F401


@pytest.mark.parametrize("package", LAZY)
def test_importing_a_package_loads_nothing_heavy(package):
    assert loaded_by(f"import {package}") & set(HEAVY) == set()


def test_planning_loads_neither_torch_nor_a_modelling_language():
    loaded = loaded_by("import hfedfm_opt.planning.planner, hfedfm_opt.planning.plan_file")

    assert (
        loaded & {"cvxpy", "highspy", "matplotlib", "ortools", "plotly", "pyomo", "sklearn", "torch"} == set()
    )
    assert "numpy" in loaded


def test_a_name_is_looked_up_once_and_then_held():
    import hfedfm_opt

    first = hfedfm_opt.read_instance

    assert vars(hfedfm_opt)["read_instance"] is first
