"""Measure ordersetl beside what people use instead, and write docs/benchmarks.md and docs/benchmarks.svg.

    python tests/bench/run.py --ordersetl BIN --python-pandas PY --python-dlt PY --python-floor PY \
        --orders 1000000 --runs 3 --out docs

Every command runs in its own process, contenders one after the other in each round; what is reported are the medians
over the rounds and their ratios. ``--orders`` scales everything: the long histories have three times as many, the
comparison with dlt a tenth, and one order in a thousand changes. A contender whose program is not given is left out.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chart import render_chart
from generate import write_delta
from measure import Cost, measure, median
from report import Report, Versions, insert_section, render_section
from shop import Shop

HERE = Path(__file__).resolve().parent
CONTENDERS = HERE / "contenders"
DAYS = 90
SHORT_RUNS = 5
IMPORTS = "import polars, duckdb, pydantic, httpx, typer"


@dataclass(frozen=True, slots=True)
class Programs:
    """What is measured: the tool's command, and a Python for each contender."""

    ordersetl: Path | None
    pandas: Path | None
    dlt: Path | None
    floor: Path | None

    @property
    def ordersetl_python(self) -> Path | None:
        """The Python of the environment that the tool is installed in."""
        return self.ordersetl and self.ordersetl.with_name("python")


@dataclass(slots=True)
class Bench:
    """One benchmark: its data and outputs under ``work``, and what each command took so far."""

    programs: Programs
    orders: int
    seed: int
    work: Path
    round: int = 0
    costs: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def shops(self) -> dict[str, Shop]:
        """The data sets: the base, three times the days, three times the orders a day, and a tenth."""
        return {
            "base": Shop(self.orders, self.seed, DAYS),
            "long": Shop(self.orders * 3, self.seed, DAYS * 3),
            "dense": Shop(self.orders * 3, self.seed, DAYS),
            "tenth": Shop(self.orders // 10, self.seed, DAYS),
        }

    def generate(self) -> None:
        for name, shop in self.shops.items():
            _say(f"making {shop.orders:,} orders of {shop.days} days")
            extra = [] if name == "base" else ["--no-orders-file"]
            sizes = ["--orders", shop.orders, "--days", shop.days, "--seed", shop.seed]
            command = [sys.executable, HERE / "generate.py", *sizes, "--out", self.data(name), *extra]
            subprocess.run(list(map(str, command)), check=True)

    def data(self, name: str) -> Path:
        return self.work / "data" / name

    def output(self, name: str) -> Path:
        return self.work / f"output-{self.round}" / name

    def _fresh_output(self, name: str) -> Path:
        self.output(name).parent.mkdir(parents=True, exist_ok=True)
        return self.output(name)

    def run_round(self) -> None:
        """Measure everything that takes long, once."""
        if self.round:
            _empty(self.output("base"))
        self.round += 1
        with self._serving("base") as url:
            self._pandas()
            self._full_run("base", url)
            self._floor()
            self._transform_and_load()
            self._changed_run("base", url)
        for name in ("long", "dense"):
            with self._serving(name) as url:
                self._full_run(name, url)
                self._changed_run(name, url)
            _empty(self.output(name))
        with self._serving("tenth") as url:
            self._full_run("tenth", url)
            self._dlt("filesystem", url)
            self._dlt("duckdb", url)  # last: it takes so much memory that the page cache goes
        _empty(self.output("tenth"))

    def run_short(self, runs: int) -> None:
        """Measure what takes a second or less, on the output that the last round left."""
        python = self.programs.ordersetl_python
        with self._serving("base") as url:
            for number in range(runs + 1):
                self._take("nothing new", self.programs.ordersetl, *self._run_arguments("base", url))
                self._take("imports", python, "-c", IMPORTS)
                self._take("help", self.programs.ordersetl, "--help")
                self._take("import typer", python, "-c", "import typer")
                if number == 0:  # the first one reads the libraries from disk
                    for name in ("nothing new", "imports", "help", "import typer"):
                        self.costs.pop(name, None)

    def medians(self) -> dict[str, Cost]:
        return {name: median(costs) for name, costs in self.costs.items()}

    def _take(self, name: str, program: Path | None, *arguments: object) -> None:
        if program is None:
            return
        cost = measure([str(program), *map(str, arguments)], cwd=self.work)
        self.costs[name].append(cost)
        _say(f"{name}: {cost.wall_s:.2f} s, CPU {cost.cpu_s:.2f} s, peak {cost.peak_bytes / 1e6:,.0f} MB")

    def _reference(self, name: str) -> list[object]:
        return ["--users", self.data(name) / "users.csv", "--products", self.data(name) / "products.csv"]

    def _run_arguments(self, name: str, url: str) -> list[object]:
        return ["run", "--api-url", url, *self._reference(name), "--output", self.output(name), "--json"]

    def _full_run(self, name: str, url: str) -> None:
        output = self._fresh_output(name)
        self._take(f"run {name}", self.programs.ordersetl, *self._run_arguments(name, url))
        self.rows[f"run {name}"] = _count_rows(output / "curated")

    def _changed_run(self, name: str, url: str) -> None:
        changed_at = datetime.now(UTC) + timedelta(days=1)
        later = self._later(name)
        write_delta(self.shops[name], later, changed=max(self.orders // 1_000, 1), changed_at=changed_at)
        self._take(f"changed {name}", self.programs.ordersetl, *self._run_arguments(name, url))
        shutil.rmtree(later)

    def _transform_and_load(self) -> None:
        if self.programs.ordersetl is None:
            return
        output = self._fresh_output("stages")
        shutil.copytree(self.output("base") / "raw", output / "raw")
        for stage in ("transform", "load"):
            self._take(stage, self.programs.ordersetl, stage, "--output", output, "--json")
        transform, load = self.costs["transform"][-1], self.costs["load"][-1]
        both = Cost(
            transform.wall_s + load.wall_s, transform.cpu_s + load.cpu_s, max(transform.peak_bytes, load.peak_bytes)
        )
        self.costs["transform + load"].append(both)
        self.rows["transform + load"] = _count_rows(output / "curated")
        _empty(output)

    def _pandas(self) -> None:
        output = self._fresh_output("pandas")
        orders = self.data("base") / "orders.json"
        script = CONTENDERS / "pandas_script.py"
        self._take(
            "pandas", self.programs.pandas, script, "--orders", orders, *self._reference("base"), "--out", output
        )
        self.rows["pandas"] = _count_rows(output / "curated")
        _empty(output)

    def _floor(self) -> None:
        output = self._fresh_output("floor")
        pages = self.data("base") / "pages"
        script = CONTENDERS / "duckdb_floor.py"
        self._take("floor", self.programs.floor, script, "--pages", pages, *self._reference("base"), "--out", output)
        self.rows["floor"] = _count_rows(output)
        _empty(output)

    def _dlt(self, destination: str, url: str) -> None:
        output = self._fresh_output(f"dlt-{destination}")
        script = CONTENDERS / "dlt_script.py"
        self._take(
            f"dlt {destination}",
            self.programs.dlt,
            script,
            "--api-url",
            url,
            "--destination",
            destination,
            "--out",
            output,
        )
        _empty(output)

    def _later(self, name: str) -> Path:
        return self.work / "later" / name

    @contextmanager
    def _serving(self, name: str) -> Iterator[str]:
        command = [sys.executable, str(HERE / "serve.py"), str(self.data(name)), "--later", str(self._later(name))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            if server.stdin is None or server.stdout is None:
                raise RuntimeError("the server's pipes are missing")
            try:
                yield server.stdout.readline().strip()
            finally:
                server.stdin.close()
                server.wait()


def _empty(folder: Path) -> None:
    """Give back the room of all files in a folder that is no longer needed.

    They are removed when all is measured: ext4 creates files slowly for minutes after many others were removed, for it
    looks for inodes that were not in use until just now.
    """
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)


def _count_rows(folder: Path) -> int:
    """Rows of all CSV files of a folder's days, without their headers."""
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.glob("dt=*/*.csv"))


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordersetl", type=Path, help="the installed command")
    parser.add_argument("--python-pandas", type=Path, help="a Python with pandas")
    parser.add_argument("--python-dlt", type=Path, help="a Python with dlt[duckdb]")
    parser.add_argument("--python-floor", type=Path, help="a Python with duckdb")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="rounds; the medians count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="the folder of benchmarks.md; without it, only stdout gets the tables")
    parser.add_argument("--work", type=Path, help="where data and outputs go for the time being (some 8 GB for 1M)")
    return parser.parse_args()


def _absolute(path: Path | None) -> Path | None:
    return path and path.absolute()  # not resolved: a venv's python is a link


def main() -> None:
    args = _parse_arguments()
    programs = Programs(*map(_absolute, (args.ordersetl, args.python_pandas, args.python_dlt, args.python_floor)))
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=args.work) as work:
        bench = Bench(programs, args.orders, args.seed, Path(work))
        bench.generate()
        for number in range(args.runs):
            _say(f"round {number + 1} of {args.runs}")
            bench.run_round()
        bench.run_short(SHORT_RUNS)
    versions = Versions.ask(programs.ordersetl_python, programs.pandas, programs.dlt, programs.floor)
    report = Report(args.orders, args.runs, bench.medians(), bench.rows, versions, load_before)
    section = render_section(report)
    sys.stdout.write(section + "\n")
    if args.out:
        insert_section(args.out / "benchmarks.md", section)
        (args.out / "benchmarks.svg").write_text(render_chart(report), encoding="utf-8")


if __name__ == "__main__":
    main()
