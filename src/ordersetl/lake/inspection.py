"""Whether the files of the curated layer are the ones that its manifest lists, without looking into them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ordersetl.lake.disk import temporary_path
from ordersetl.lake.health import Recorded, find_problem, kind_problem
from ordersetl.lake.layout import STAGED_SUFFIX, Lake
from ordersetl.lake.manifest import FileEntry
from ordersetl.results import CheckOutcome

__all__ = ["find_regular_files", "inspect_files", "inspect_quarantine", "inspect_strays"]

_PENDING_HINT = "A commit was interrupted: `ordersetl load` carries it through."
_RUN_HINT = "`ordersetl load --verify` rebuilds it from raw."


def inspect_files(
    lake: Lake, files: Mapping[str, FileEntry], *, hashed: bool = True, max_samples: int
) -> list[CheckOutcome]:
    """Hold each file (by path relative to ``curated/``) against its recorded size and SHA-256, reading each once.

    Without ``hashed``, one whose size and modification time are those of the write itself is not read.
    """
    times = {} if hashed else {name: entry.mtime_ns for name, entry in files.items()}
    problems = list(_find_problems(files, lambda name: lake.curated / name, lake.curated, times))
    hint = _PENDING_HINT if lake.pending.exists() else _RUN_HINT
    absent = [row for row in problems if "recorded" not in row]
    changed = [row for row in problems if "recorded" in row]
    return [
        _outcome(
            "files_present", "A file that is missing takes its orders out of every query.", absent, hint, max_samples
        ),
        _outcome(
            "files_unchanged", "A file that is not what was written cannot be trusted.", changed, hint, max_samples
        ),
    ]


def inspect_quarantine(lake: Lake, entries: Mapping[str, Recorded], *, max_samples: int) -> CheckOutcome:
    """Hold the quarantine file of each batch against its recorded size and SHA-256."""
    problems = list(_find_problems(entries, lake.quarantine_file, lake.quarantine, times={}))
    why = "What was rejected must stay findable: without its quarantine an order is lost silently."
    return _outcome("quarantine_files", why, problems, "`ordersetl load` writes it anew.", max_samples)


def inspect_strays(
    lake: Lake, files: Iterable[str], folders: Iterable[str] | None, *, max_samples: int
) -> CheckOutcome:
    """Report what lies in ``curated/`` and is none of ``files``; in the named ``dt=`` folders alone where given."""
    known = set(files)
    # a commit may be under way: check takes no lock
    ours = {lake.manifest.name, lake.damaged.name, lake.pending.name, temporary_path(lake.pending).name}
    if _holds_staged_files_alone(lake.staging):
        ours.add(lake.staging.name)
    strays = [{"file": name} for name in _find_strays(lake.curated, known, ours, folders)]
    why = "Queries over a glob read every file that fits: one that nobody recorded is counted as well."
    return _outcome("stray_files", why, strays, "Move away what is not ordersetl's.", max_samples)


def find_regular_files(lake: Lake, files: Iterable[str]) -> list[str]:
    """Those of the files that are there, regular, and in a folder that is no link."""
    return [name for name in files if kind_problem(lake.curated / name, lake.curated) is None]


def _outcome(name: str, why: str, problems: list[dict[str, str]], hint: str, max_samples: int) -> CheckOutcome:
    detail = hint if problems else ""
    return CheckOutcome(name, not problems, why, len(problems), tuple(problems[:max_samples]), detail)


def _find_problems(
    files: Mapping[str, Recorded], path_of: Callable[[str], Path], root: Path, times: Mapping[str, int]
) -> Iterator[dict[str, str]]:
    names = sorted(files)
    # hashlib releases the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda name: _find_problem(path_of(name), files[name], root, times.get(name)), names)
        for name, problem in zip(names, found, strict=True):
            if problem:
                yield {"file": name, **problem}


def _find_problem(path: Path, recorded: Recorded, root: Path, time_ns: int | None) -> dict[str, str] | None:
    problem = find_problem(path, recorded, root, trusted_time_ns=time_ns)
    if problem is None:
        return None
    differs = {"recorded": problem.recorded, "found": problem.found} if problem.recorded else {}
    return {"problem": problem.said, **differs}


def _holds_staged_files_alone(staging: Path) -> bool:
    if staging.is_symlink() or not staging.is_dir():
        return False
    with os.scandir(staging) as entries:
        return all(entry.is_file(follow_symlinks=False) and entry.name.endswith(STAGED_SUFFIX) for entry in entries)


def _find_strays(curated: Path, known: set[str], ours: set[str], folders: Iterable[str] | None) -> Iterator[str]:
    known_folders = {name.partition("/")[0] for name in known if "/" in name}
    within = None if folders is None else set(folders)
    for entry in sorted(os.scandir(curated), key=lambda entry: entry.name):
        if entry.name in ours or entry.name in known:
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and within is not None and entry.name.startswith("dt=") and entry.name not in within:
            continue
        if entry.name not in known_folders:
            yield f"{entry.name}/" if is_folder else entry.name
        elif is_folder:
            inner = (f"{entry.name}/{name}" for name in sorted(path.name for path in Path(entry.path).iterdir()))
            yield from (name for name in inner if name not in known)
