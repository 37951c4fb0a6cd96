"""Layers point down, files form no circle, and heavy packages are imported only where they are used."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("solvers", "fl_runtime", "hfedfm_opt")
LAYERS = ("lazy", "system", "planning", "study", "cli")
"""Folders and files of hfedfm_opt from the lowest layer to the highest."""

HEAVY = {
    "PIL", "clarabel", "cryptography", "cvxpy", "flwr", "highspy", "joblib", "matplotlib", "numba", "ortools",
    "peft", "plotly", "pyomo", "ray", "safetensors", "sklearn", "torch", "transformers",
}  # fmt: skip
MAY_LOAD = {
    "solvers/allocation/loops/": {"numba"},
    "fl_runtime/flower/": {"cryptography", "flwr", "ray"},
    "fl_runtime/modules/": {"torch"},
    "fl_runtime/training/": {"torch"},
    "fl_runtime/tasks/pretrain.py": {"torch"},
}
"""Files that are about one heavy package, and are themselves imported only where they are used."""

NAME_OF_A_MODULE = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+(:\w+)?")


@dataclass(frozen=True)
class Import:
    """A module named by an import statement, or by a text that is imported later."""

    module: str
    line: int
    at_load: bool


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(path: str, source: str) -> Iterator[Import]:
    """Yield what a file imports; ``at_load`` is false within functions and for types only."""
    package = module_of(path) if path.endswith("__init__.py") else module_of(path).rpartition(".")[0]
    stack: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while stack:
        node, at_load = stack.pop()
        for module in _named_by(node, package):
            yield Import(module, getattr(node, "lineno", 0), at_load)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        stack += [(child, at_load and not later and not typing_only) for child in ast.iter_child_nodes(node)]


def _named_by(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAME_OF_A_MODULE.fullmatch(node.value)
    ):
        yield node.value.replace(":", ".")


def rank_of(module: str) -> int | None:
    """Return the layer of a module of hfedfm_opt; the package itself, which re-exports all, is on top."""
    parts = module.split(".")
    if parts[0] != "hfedfm_opt":
        return None
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else len(LAYERS)


def upward_imports(path: str, source: str) -> list[str]:
    """Return the imports of a file that its layer forbids."""
    own, found = module_of(path), []
    for imported in imports_of(path, source):
        target = imported.module.split(".")[0]
        if target not in PACKAGES:
            continue
        if own.startswith("hfedfm_opt"):
            rank, other = rank_of(own), rank_of(imported.module)
            wrong = other is not None and rank is not None and other > rank
        else:
            wrong = target != own.split(".")[0]
        if wrong:
            found.append(f"{path}:{imported.line}: {own} imports {imported.module}")
    return found


def heavy_imports(path: str, source: str) -> list[str]:
    """Return the heavy packages that a file imports when it is loaded."""
    allowed = next((names for place, names in MAY_LOAD.items() if path.startswith(place)), set())
    return [
        f"{path}:{imported.line}: loads {imported.module}"
        for imported in imports_of(path, source)
        if imported.at_load and imported.module.split(".")[0] in HEAVY - allowed
    ]


def circles(sources: dict[str, str]) -> list[list[str]]:
    """Return groups of files that import each other, in functions and for types too."""
    modules = {module_of(path) for path in sources}
    graph = nx.DiGraph()
    for path, source in sources.items():
        for imported in imports_of(path, source):
            target = imported.module
            while target and target not in modules:
                target = target.rpartition(".")[0]
            if target and target != module_of(path):
                graph.add_edge(module_of(path), target)
    return [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]


def folder_of(module: str) -> str:
    """Return the layer that a module belongs to: a package, or a folder of hfedfm_opt."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "hfedfm_opt" else parts[0]


SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_looked_at(package):
    assert sum(path.startswith(f"{package}/") for path in SOURCES) > 10


def test_no_file_imports_from_a_layer_above_or_beside_its_own():
    assert [line for path, source in SOURCES.items() for line in upward_imports(path, source)] == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(SOURCES) == []


def test_no_folders_import_each_other_in_a_circle():
    graph = nx.DiGraph()
    for path, source in SOURCES.items():
        own = folder_of(module_of(path))
        for imported in imports_of(path, source):
            target = folder_of(imported.module)
            if imported.module.split(".")[0] in PACKAGES and target != own:
                graph.add_edge(own, target)

    assert nx.is_directed_acyclic_graph(graph)
    assert graph.has_edge("hfedfm_opt.planning", "hfedfm_opt.system")


def test_heavy_packages_are_loaded_only_by_files_that_are_about_them():
    assert [line for path, source in SOURCES.items() for line in heavy_imports(path, source)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hfedfm_opt/system/read.py", "from hfedfm_opt.planning.plan import Plan"),
        ("hfedfm_opt/system/read.py", "import hfedfm_opt.study.compare"),
        ("hfedfm_opt/system/read.py", "from hfedfm_opt import plan"),
        ("hfedfm_opt/planning/plan.py", "from ..cli import entry"),
        ("hfedfm_opt/system/generate/city.py", "from ...planning import plan"),
        ("hfedfm_opt/planning/plan.py", "def f():\n    from hfedfm_opt.study import compare"),
        ("hfedfm_opt/system/__init__.py", "HOMES = {'plan': 'hfedfm_opt.planning.planner'}"),
        ("solvers/common/result.py", "import fl_runtime"),
        ("solvers/placement/solve.py", "METHOD = 'hfedfm_opt.planning.place:place'"),
        ("fl_runtime/run.py", "from solvers.common import Status"),
        ("fl_runtime/run.py", "if TYPE_CHECKING:\n    from hfedfm_opt.system.instance import Instance"),
    ],
)
def test_an_import_upwards_is_found(path, source):
    assert len(upward_imports(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hfedfm_opt/planning/plan.py", "from hfedfm_opt.system.read import read_instance"),
        ("hfedfm_opt/system/generate/city.py", "from ..instance import Instance"),
        ("hfedfm_opt/system/files.py", "from fl_runtime.whole_files import write_whole"),
        ("solvers/placement/solve.py", "from solvers.common import Status\nimport numpy"),
        ("hfedfm_opt/__init__.py", "HOMES = {'plan': 'hfedfm_opt.planning.planner'}"),
    ],
)
def test_an_import_downwards_is_allowed(path, source):
    assert upward_imports(path, source) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import torch", 1),
        ("from cvxpy.atoms import log", 1),
        ("class A:\n    import ortools", 1),
        ("try:\n    import plotly\nexcept ImportError:\n    plotly = None", 1),
        ("def f():\n    import torch", 0),
        ("if TYPE_CHECKING:\n    import torch", 0),
        ("import numpy, scipy", 0),
    ],
)
def test_a_heavy_package_is_found_where_it_is_loaded_with_the_file(source, count):
    assert len(heavy_imports("solvers/placement/solve.py", source)) == count


def test_a_circle_is_found_even_if_it_is_closed_within_a_function():
    sources = {
        "solvers/a.py": "from solvers.b import f",
        "solvers/b.py": "def f():\n    from . import a",
        "solvers/c.py": "from solvers import a",
    }

    assert circles(sources) == [["solvers.a", "solvers.b"]]
