"""Whether the files of the curated layer are the ones that its manifest lists, without looking into them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from ordersetl.errors import CorruptedError
from ordersetl.lake.integrity import Recorded, find_problem
from ordersetl.lake.layout import (
    CURATED,
    DAMAGED,
    FACT_FILE,
    INDEX,
    MANIFEST,
    PENDING,
    REFUND_FILE,
    REFUNDS,
    Lake,
    curated_key,
    quarantine_key,
)
from ordersetl.lake.listing import HINT_AT_LOST, MARKER, list_misnamed, look_at_each
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.lake.raw import read_marker
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.lake.staged import is_staged_again
from ordersetl.results import CheckOutcome
from ordersetl.storage.local import Entry
from ordersetl.storage.looks import Looks

__all__ = ["find_regular_files", "inspect_batches", "inspect_files", "inspect_orphans", "inspect_quarantine"]

_PENDING_HINT = "A commit was interrupted: `ordersetl load` carries it through."
_RUN_HINT = "`ordersetl load --verify` rebuilds it from raw."


def inspect_files(
    lake: Lake, files: Mapping[str, FileEntry], looks: Looks, *, hashed: bool = True, max_samples: int
) -> list[CheckOutcome]:
    """Compare each file (by path relative to ``curated/``) with its recorded size and SHA-256, reading each once.

    ``looks`` looks at them. Without ``hashed``, one whose size and modification time are those of the write itself is
    not read.
    """
    times = {} if hashed else {name: entry.mtime_ns for name, entry in files.items()}
    problems = list(_find_problems(lake, files, curated_key, times, looks))
    hint = _PENDING_HINT if problems and lake.storage.exists(PENDING) else _RUN_HINT
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


def inspect_quarantine(lake: Lake, manifest: Manifest, *, max_samples: int) -> CheckOutcome:
    """Compare the quarantine file of each batch with its recorded size and SHA-256.

    One of a staging under other settings or newer rules, which was stopped before the load, says what these reject.
    """
    try:
        found = _find_problems(lake, read_rejected(lake, manifest), quarantine_key, {}, lake.storage)
        problems = [row for row in found if not is_staged_again(lake, row["file"], manifest)]
    except BrokenSegmentError:
        problems = [{"file": INDEX, "problem": "the list of quarantine files is missing or damaged"}]
    why = "What was rejected must stay findable: without its quarantine an order is lost silently."
    return _outcome("quarantine_files", why, problems, "`ordersetl load` writes it again.", max_samples)


def inspect_batches(lake: Lake, batches: Iterable[str], *, max_samples: int) -> CheckOutcome:
    """Look for the batches that curated is the fold of, and for folders that look like batches and are not."""
    applied, (found, left) = set(batches), look_at_each(lake)
    marked, missing = set(found), sorted(applied.difference(found))
    unmarked = applied.intersection(left)
    problems = [
        {"batch": batch, "problem": f"has lost its {MARKER}" if batch in unmarked else "is no longer in raw"}
        for batch in missing
    ]
    problems += [{"batch": name, "problem": "no batch can be of that time"} for name in list_misnamed(lake)]
    problems += [{"batch": batch, "problem": problem} for batch, problem in _find_unreadable(lake, marked - applied)]
    why = "Raw is the only source of truth: what a lost batch held cannot be rebuilt, and is gone with its partition."
    again = f"{HINT_AT_LOST} " if unmarked else ""
    restore = (
        f"{again}Restore what is missing from a backup. Without one, delete {lake.locate(MANIFEST)}: then `ordersetl "
        "run --full` folds what raw and the API still have, without what those batches alone held."
    )
    hint = restore if missing else "Move it out of raw/, or give it the name that it had."
    return _outcome("raw_batches", why, problems, hint, max_samples)


def _find_unreadable(lake: Lake, waiting: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Batches that the next load will refuse, and why."""
    for batch in sorted(waiting):
        try:
            read_marker(lake, batch)
        except CorruptedError as error:
            yield batch, error.message


def inspect_orphans(
    lake: Lake, files: Iterable[str], looks: Looks, folders: Iterable[str] | None, *, max_samples: int
) -> CheckOutcome:
    """Report data in ``curated/`` that is none of ``files``; in the named ``dt=`` folders alone where given.

    Data is what a glob for it can match: ``*.csv``, however deep, and ``dt=*``. What systems, office programs and
    notebooks leave there is not, and no query meets it.
    """
    orphans = [{"file": name} for name in _find_orphans(looks, set(files), folders)]
    why = "Queries over a glob read every file that fits: one that nobody recorded is counted as well."
    hint = (
        f"`ordersetl load --rebuild` moves a dt=.../{FACT_FILE} or {REFUND_FILE} that no batch accounts for to "
        f"{lake.locate(DAMAGED)}; anything else is not ordersetl's: move it out of curated/ by hand."
    )
    return _outcome("stray_files", why, orphans, hint, max_samples)


def find_regular_files(looks: Looks, files: Iterable[str]) -> list[str]:
    """Those of the files that are there, regular, and in a folder that is not a link."""
    return [name for name in files if _is_regular(looks, curated_key(name))]


def _is_regular(looks: Looks, key: str) -> bool:
    try:
        found = looks.stat(key)
    except OSError:
        return False
    return found is not None and not found.problem


def _outcome(name: str, why: str, problems: list[dict[str, str]], hint: str, max_samples: int) -> CheckOutcome:
    detail = hint if problems else ""
    return CheckOutcome(name, not problems, why, len(problems), tuple(problems[:max_samples]), detail)


def _find_problems(
    lake: Lake, files: Mapping[str, Recorded], key_of: Callable[[str], str], times: Mapping[str, int], looks: Looks
) -> Iterator[dict[str, str]]:
    names = sorted(files)
    # hashlib releases the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda name: _find_problem(lake, key_of(name), files[name], times.get(name), looks), names)
        for name, problem in zip(names, found, strict=True):
            if problem:
                yield {"file": name, **problem}


def _find_problem(lake: Lake, key: str, recorded: Recorded, time_ns: int | None, looks: Looks) -> dict[str, str] | None:
    problem = find_problem(lake, key, recorded, trusted_time_ns=time_ns, look=looks.stat)
    if problem is None:
        return None
    differs = {"recorded": problem.recorded, "found": problem.found} if problem.recorded else {}
    return {"problem": problem.text, **differs}


def _find_orphans(looks: Looks, known: set[str], folders: Iterable[str] | None) -> Iterator[str]:
    within = None if folders is None else set(folders)
    yield from _find_table_orphans(looks, "", known, within)
    if _has_folder(looks, REFUNDS):
        yield from _find_table_orphans(looks, f"{REFUNDS}/", known, within)


def _find_table_orphans(looks: Looks, prefix: str, known: set[str], within: set[str] | None) -> Iterator[str]:
    """Data that nothing lists where a table's partitions are: under ``prefix``, which is empty for fact_order."""
    known_folders = {name.removeprefix(prefix).partition("/")[0] for name in known if name.startswith(prefix)}
    for entry in looks.entries(f"{CURATED}/{prefix}".rstrip("/")):
        name, is_folder, is_day = f"{prefix}{entry.name}", entry.kind == "folder", entry.name.startswith("dt=")
        if name in known or (is_folder and is_day and within is not None and entry.name not in within):
            continue
        if is_folder and name == REFUNDS:
            continue
        key = curated_key(name)
        if not is_folder:
            if is_day or _is_csv(entry.name):
                yield name
        elif is_day and entry.name in known_folders:
            yield from (f"{name}/{found}" for found in _find_data(looks, key) if f"{name}/{found}" not in known)
        elif is_day:
            if any(_find_data(looks, key)) or not looks.entries(key):
                yield f"{name}/"
        elif _is_open(entry) and _holds_data(looks, key):
            yield f"{name}/"


def _has_folder(looks: Looks, file: str) -> bool:
    """Whether there is a folder of its own below ``curated/``."""
    found = looks.stat(curated_key(file))
    return found is not None and found.is_folder


def _find_data(looks: Looks, folder: str) -> Iterator[str]:
    """Names in a folder that a glob for data matches, or under which one would find some."""
    for entry in looks.entries(folder):
        if _is_data(entry):
            yield entry.name
        elif _is_open(entry) and _holds_data(looks, f"{folder}/{entry.name}"):
            yield f"{entry.name}/"


def _holds_data(looks: Looks, folder: str) -> bool:
    """Whether a glob for data finds some however deep in a folder."""
    waiting = [folder]
    while waiting:
        folder = waiting.pop()
        for entry in looks.entries(folder):
            if _is_data(entry):
                return True
            if _is_open(entry):
                waiting.append(f"{folder}/{entry.name}")
    return False


def _is_data(entry: Entry) -> bool:
    return entry.name.startswith("dt=") or _is_csv(entry.name)


def _is_open(entry: Entry) -> bool:
    """Whether readers enter it: not where its name is that of a hidden folder."""
    return entry.kind == "folder" and not entry.name.startswith((".", "_"))


def _is_csv(name: str) -> bool:
    return name.lower().endswith(".csv")
