"""The status as Prometheus reads it: the text format 0.0.4, for the textfile collector of the node exporter."""

from collections.abc import Iterator
from pathlib import Path

from ordersetl.results import StatusResult
from ordersetl.storage.disk import Disk
from ordersetl.storage.user_file import write_user_file

__all__ = ["format_metrics", "write_metrics"]

Sample = tuple[dict[str, str], float]


def format_metrics(status: StatusResult) -> bytes:
    """All metrics, each with its help; times are seconds since 1970, and what is not known is left out.

    Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".
    """
    lines = []
    for name, help_text, samples in _list_metrics(status):
        lines += [f"# HELP ordersetl_{name} {help_text}", f"# TYPE ordersetl_{name} gauge"]
        lines += [f"ordersetl_{name}{_format_labels(labels, status.output)} {value:.15g}" for labels, value in samples]
    return ("\n".join(lines) + "\n").encode()


def write_metrics(path: Path, status: StatusResult, disk: Disk) -> None:
    """Write them to a file of the user's, whole.

    Raises:
        ConfigError: something else is there.
        StorageError: the disk refused.
    """
    write_user_file(path, format_metrics(status), disk)


def _list_metrics(status: StatusResult) -> Iterator[tuple[str, str, list[Sample]]]:
    coverage = status.coverage
    yield "status_timestamp_seconds", "When this was written.", [({}, status.at.timestamp())]
    if status.as_of is not None:
        text = "Up to when curated has what the source said."
        yield "data_timestamp_seconds", text, [({}, status.as_of.timestamp())]
    if coverage is not None and coverage.newest is not None:
        text = "Newest change that the source has shown."
        yield "newest_change_timestamp_seconds", text, [({}, coverage.newest.timestamp())]
    stages = [({"stage": stage}, time.timestamp()) for stage, time in sorted(status.succeeded.items())]
    yield "stage_success_timestamp_seconds", "When a stage last ended well.", stages
    yield "running", "Whether a command is under way.", [({}, float(status.running is not None))]
    yield "failed", "Whether the last command failed.", [({}, float(status.last_failure is not None))]
    counts = {
        "committed": status.batches.committed,
        "waiting": len(status.batches.waiting),
        "unfinished": len(status.batches.unfinished),
    }
    yield "batches", "Batches in raw.", [({"state": state}, float(count)) for state, count in counts.items()]
    yield "orders", "Orders in curated.", [({}, float(status.orders))]
    yield "partitions", "Partitions in curated.", [({}, float(status.partitions))]
    revenue = [({"currency": currency}, float(amount)) for currency, amount in status.revenue.items()]
    yield "revenue", "Sum of net_amount in curated.", revenue
    rejected = [({"reason": reason}, float(count)) for reason, count in status.quarantine.by_reason.items()]
    yield "open_rejects", "Rejected orders with no later good version.", rejected
    if coverage is not None:
        yield "coverage_gaps", "Spans of time that nobody ever asked for.", [({}, float(len(coverage.gaps)))]
    yield "problems", "What is wrong with raw or the manifest.", [({}, float(len(status.problems)))]
    files = [({"place": place}, float(size.files)) for place, size in status.sizes.items()]
    yield "files", "Files in a folder of the output.", files
    sizes = [({"place": place}, float(size.bytes)) for place, size in status.sizes.items()]
    yield "bytes", "Bytes in a folder of the output.", sizes


def _format_labels(labels: dict[str, str], output: str) -> str:
    shown = ",".join(f'{name}="{_escape(value)}"' for name, value in {"output": output, **labels}.items())
    return f"{{{shown}}}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
