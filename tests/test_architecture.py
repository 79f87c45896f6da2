"""The floors of the house: imports point down only, modules stay small, and what is public is documented."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ordersetl

HOME = Path(ordersetl.__file__).parent
MODULES = {
    ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__").replace("__init__", ""): path
    for path in sorted(HOME.rglob("*.py"))
}
STAGES = ("extract", "transform", "load", "check")
SHELL = ("cli", "__main__", "_commands", "_hints", "_options", "_process", "_render", "_tables", "_signals")
SHARED = ("errors", "results", "tables", "models", "settings", "resources", "job")
FOLDERS = ("lake", "source", "warehouse")
LONGEST = 300


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of the package that a module imports, wherever in it, type checking alone excepted."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            name = node.module or ""
            found |= {f"{name}.{alias.name}" if _is_module(f"{name}.{alias.name}") else name for alias in node.names}
    inner = (
        name.removeprefix("ordersetl").removeprefix(".") for name in found if name.partition(".")[0] == "ordersetl"
    )
    return frozenset(name for name in inner if name)


def _is_module(name: str) -> bool:
    return name.removeprefix("ordersetl.") in MODULES


def reach(module: str) -> set[str]:
    """All modules that an import of the module brings in."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for name in imports(waiting.pop()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def inside(folder: str) -> Iterator[str]:
    return (module for module in MODULES if module == folder or module.startswith(f"{folder}."))


def test_the_modules_of_the_design_are_there() -> None:
    assert {*STAGES, *SHELL, *SHARED, *FOLDERS, "star", "pipeline"} <= set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_never_go_round(module: str) -> None:
    assert module not in reach(module)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_reach_each_other(stage: str) -> None:
    assert reach(stage).isdisjoint({*STAGES, "pipeline"} - {stage})


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_never_reach_a_stage_or_what_is_above(folder: str) -> None:
    for module in inside(folder):
        assert reach(module).isdisjoint({*STAGES, *SHELL, "pipeline"}), module


@pytest.mark.parametrize(("folder", "others"), [("lake", ("source", "warehouse")), ("warehouse", ("source",))])
def test_folders_stand_side_by_side(folder: str, others: tuple[str, ...]) -> None:
    for module in inside(folder):
        assert not [name for name in reach(module) if name.partition(".")[0] in others], module


@pytest.mark.parametrize("module", SHARED)
def test_what_all_share_reaches_no_stage(module: str) -> None:
    assert reach(module).isdisjoint({*STAGES, *SHELL, "pipeline"})


def test_the_star_is_pure() -> None:
    assert not [name for name in reach("star") if name.partition(".")[0] in {*FOLDERS, *STAGES, "job", "settings"}]


def test_nobody_imports_the_command_line() -> None:
    for module in MODULES:
        if module not in SHELL:
            assert imports(module).isdisjoint(SHELL), module


def test_only_the_command_line_prints_or_exits() -> None:
    for module, path in MODULES.items():
        if module in SHELL or module == "source.demo":  # which is a demonstration server too
            continue
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        assert not {"print", "sys.exit", "exit", "sys.stdout.write", "sys.stderr.write"} & set(calls), module


def test_only_the_disk_writes() -> None:
    writing = {"write_text", "write_bytes", "mkdir", "unlink", "rmdir", "touch", "rmtree", "copytree", "copyfile"}
    for module, path in MODULES.items():
        if module in {"lake.disk", "warehouse.duckdb_files"}:  # the latter clears a temporary folder of its own
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert writing.isdisjoint(call.attr for call in calls if isinstance(call, ast.Attribute)), module


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_stay_small(module: str) -> None:
    lines = MODULES[module].read_text("utf-8").count("\n")
    assert lines <= LONGEST


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_is_public_is_documented(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    assert ast.get_docstring(tree)
    public = _public_names(tree)
    defined = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    }
    for name in public & defined.keys():
        assert ast.get_docstring(defined[name]), f"{module}.{name}"


def _public_names(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return set(names)
    return set()


def test_the_public_api_resolves_and_no_module_hides_it() -> None:
    for name in ordersetl.__all__:
        assert getattr(ordersetl, name)
        assert name not in MODULES
    with pytest.raises(AttributeError):
        _ = ordersetl.no_such_name
