"""The floors of the house: imports point down only, modules stay small, and what is public is documented."""

import ast
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
FLOORS = (
    ("__main__",),
    ("cli",),
    ("pipeline",),
    ("opening",),
    ("status", "export"),
    (*STAGES, "warehouse"),
    ("executor", "cluster"),
    ("runtime",),
    ("source", "report"),
    ("lake",),
    ("storage", "star"),
    ("settings", "results"),
    ("errors", "unforeseen", "text", "zones", "resources", "version", "window", "url", "currencies"),
)
"""The house from its roof down: a room knows its own floor's rooms not at all, and those below."""
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LONGEST = 300
LONGEST_FUNCTION = 45


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


def room_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_has_a_room_and_every_room_is_there() -> None:
    assert {room_of(module) for module in MODULES if module} == set(ROOMS)


def test_imports_point_down_only() -> None:
    upward = [
        f"{module} imports {name}"
        for module in MODULES
        if module
        for name in imports(module)
        if room_of(name) != room_of(module) and ROOMS[room_of(name)] <= ROOMS[room_of(module)]
    ]
    assert upward == []


def test_imports_never_go_round() -> None:
    assert [module for module in MODULES if module in reach(module)] == []


def test_only_the_command_line_prints_or_exits() -> None:
    for module, path in MODULES.items():
        if room_of(module) in {"cli", "__main__"} or module == "source.sample.__main__":  # a demonstration
            continue
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        assert not {"print", "sys.exit", "exit", "sys.stdout.write", "sys.stderr.write"} & set(calls), module


def test_only_the_disk_writes() -> None:
    writing = {"write_text", "write_bytes", "mkdir", "unlink", "rmdir", "touch", "rmtree", "copytree", "copyfile"}
    for module, path in MODULES.items():
        if module in {
            "storage.disk",
            "storage.new_file",
            "storage.objects",
            "check.tables",
            "check.groups",
        }:  # all but the first two: temporary folders
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert writing.isdisjoint(call.attr for call in calls if isinstance(call, ast.Attribute)), module


FILE_CALLS = frozenset(
    [
        "open",
        "read_bytes",
        "stat",
        "lstat",
        "exists",
        "lexists",
        "is_dir",
        "is_file",
        "is_symlink",
        "islink",
        "isdir",
        "isfile",
        "iterdir",
        "scandir",
        "listdir",
        "glob",
        "rglob",
        "walk",
        "resolve",
        "realpath",
    ]
)
OWN_FILES = (
    "cli",
    "settings",
    "resources",
    "zones",
    "extract.bounded_file",
    "check.groups",
    "source.description.loading",
    "source.sample",
)
"""Modules that read files of the user, of the package or of the system, or of their own, none of them of an output."""


def test_only_the_storage_reads_an_output() -> None:
    found = []
    for module, path in MODULES.items():
        if room_of(module) == "storage" or module.startswith(OWN_FILES):
            continue
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "open":
                found.append(f"{module}: {ast.unparse(call)}")
            elif isinstance(call.func, ast.Attribute) and call.func.attr in FILE_CALLS:
                owner = ast.unparse(call.func.value)
                if not owner.endswith(("storage", "looks")) and "locate('sql')" not in owner:
                    found.append(f"{module}: {ast.unparse(call)}")
    assert found == []


def test_modules_and_functions_stay_small() -> None:
    found = []
    for module, path in MODULES.items():
        text = path.read_text("utf-8")
        if (lines := text.count("\n")) > LONGEST:
            found.append(f"{module}: {lines} lines")
        functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
        found += [f"{module}.{node.name}" for node in functions if _length(node) > LONGEST_FUNCTION]
    assert found == []


def _length(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - (body[0].lineno if body else node.lineno) + 1


def test_what_is_public_is_documented() -> None:
    found = []
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text("utf-8"))
        defined = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        }
        found += [module] if not ast.get_docstring(tree) else []
        found += [f"{module}.{n}" for n in _public_names(tree) & defined.keys() if not ast.get_docstring(defined[n])]
    assert found == []


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
