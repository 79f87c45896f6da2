"""Whether the files of the curated layer are the ones that its manifest lists, without looking into them."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ordersetl.lake.disk import hash_file
from ordersetl.lake.layout import Lake
from ordersetl.results import CheckOutcome

__all__ = ["find_regular_files", "inspect_files", "inspect_quarantine", "inspect_strays"]

_PENDING_HINT = "A commit was interrupted: `ordersetl load` carries it through."
_RUN_HINT = "`ordersetl load --verify` rebuilds it from raw."


class _Recorded(Protocol):
    """What a manifest records of a file."""

    @property
    def sha256(self) -> str: ...
    @property
    def bytes(self) -> int: ...


def inspect_files(lake: Lake, files: Mapping[str, _Recorded], *, max_samples: int) -> list[CheckOutcome]:
    """Hold each file (by path relative to ``curated/``) against its recorded size and SHA-256, reading each once."""
    problems = list(_find_problems(files, lambda name: lake.curated / name, lake.curated))
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


def inspect_quarantine(lake: Lake, entries: Mapping[str, _Recorded], *, max_samples: int) -> CheckOutcome:
    """Hold the quarantine file of each batch against its recorded size and SHA-256."""
    problems = list(_find_problems(entries, lake.quarantine_file, lake.quarantine))
    why = "What was rejected must stay findable: without its quarantine an order is lost silently."
    return _outcome("quarantine_files", why, problems, "`ordersetl load` writes it anew.", max_samples)


def inspect_strays(
    lake: Lake, files: Iterable[str], folders: Iterable[str] | None, *, max_samples: int
) -> CheckOutcome:
    """Report what lies in ``curated/`` and is none of ``files``; in the named ``dt=`` folders alone where given."""
    known = set(files)
    ours = {lake.manifest.name, lake.damaged.name}
    if lake.pending.exists():
        ours |= {lake.pending.name, lake.staging.name}
    strays = [{"file": name} for name in _find_strays(lake.curated, known, ours, folders)]
    why = "Queries over a glob read every file that fits: one that nobody recorded is counted as well."
    return _outcome("stray_files", why, strays, "Move away what is not ordersetl's.", max_samples)


def find_regular_files(lake: Lake, files: Iterable[str]) -> list[str]:
    """Those of the files that are there, regular, and in a folder that is no link."""
    return [name for name in files if _kind_problem(lake.curated / name, lake.curated) is None]


def _outcome(name: str, why: str, problems: list[dict[str, str]], hint: str, max_samples: int) -> CheckOutcome:
    detail = hint if problems else ""
    return CheckOutcome(name, not problems, why, len(problems), tuple(problems[:max_samples]), detail)


def _find_problems(
    files: Mapping[str, _Recorded], path_of: Callable[[str], Path], root: Path
) -> Iterator[dict[str, str]]:
    names = sorted(files)
    # hashlib releases the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda name: _find_problem(path_of(name), files[name], root), names)
        for name, problem in zip(names, found, strict=True):
            if problem:
                yield {"file": name, **problem}


def _find_problem(path: Path, recorded: _Recorded, root: Path) -> dict[str, str] | None:
    kind = _kind_problem(path, root)
    if kind is not None:
        return {"problem": kind}
    try:
        size = path.stat().st_size
        if size != recorded.bytes:
            return {"problem": "size differs", "recorded": str(recorded.bytes), "found": str(size)}
        digest = hash_file(path)
    except OSError as error:
        return {"problem": f"cannot be read: {error.strerror}"}
    if digest != recorded.sha256:
        return {"problem": "content differs", "recorded": recorded.sha256, "found": digest}
    return None


def _kind_problem(path: Path, root: Path) -> str | None:
    """What stands at ``path`` instead of a regular file, or which folder on the way from ``root`` is a link."""
    folder = path.parent
    while folder != root.parent:
        if folder.is_symlink():
            return f"lies in a link: {folder.name}"
        folder = folder.parent
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISREG(mode):
        return None
    return "is a link" if stat.S_ISLNK(mode) else "is a folder" if stat.S_ISDIR(mode) else "is no regular file"


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
