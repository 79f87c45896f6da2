"""A rebuild on a cluster of two processes of this machine beside the same on threads: what the transport costs.

    python tests/bench/cluster.py --ordersetl BIN [--orders 1000000] [--workers 2] [--rounds 3] [--work DIR]

The orders are generated, served and extracted once. Then ``ordersetl load --rebuild`` is measured as a process of its
own with and without ``--cluster local:2``, in turns; what counts is the wall time, the start of the workers included.
The curated bytes have to be the same. On two cores there is nothing to win: the bound is 1.3 times the threads' time.
On a machine that others use too, look at the CPU time instead.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import write_shop
from measure import Cost, measure, median
from shop import Shop

HERE = Path(__file__).resolve().parent
DAYS = 90
MAX_RATIO = 1.3


def extract(program: Path, data: Path, output: Path) -> None:
    """Fetch all orders of a folder of generate.py into a new output."""
    server = [sys.executable, str(HERE / "serve.py"), str(data)]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        references = ["--users", str(data / "users.csv"), "--products", str(data / "products.csv")]
        command = [str(program), "extract", "--quiet", "-o", str(output), "--api-url", url, *references]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        serving.communicate("")


def digest_curated(output: Path) -> str:
    """A hash of all curated CSVs and their names."""
    digest = hashlib.sha256()
    for path in sorted((output / "curated").rglob("*.csv")):
        digest.update(f"{path.relative_to(output)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def main() -> int:
    """Measure both in turns, and say whether the bound holds and the bytes are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordersetl", type=Path, required=True)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="ordersetl-cluster-"))
    data, output = work / "data", work / "output"
    write_shop(Shop(orders=given.orders, seed=1, days=DAYS), data, with_orders_file=False)
    extract(given.ordersetl, data, output)
    command = [str(given.ordersetl), "load", "--rebuild", "--quiet", "-o", str(output)]
    kinds = {"threads": [], "cluster": ["--cluster", f"local:{given.workers}"]}
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    digests = set()
    for _ in range(given.rounds):
        for kind, options in kinds.items():
            shutil.rmtree(output / "curated", ignore_errors=True)
            costs[kind].append(measure([*command, *options], cwd=work))
            digests.add(digest_curated(output))
    found = {kind: median(times) for kind, times in costs.items()}
    for kind, cost in found.items():
        sys.stdout.write(f"{kind}: {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of CPU, {cost.peak_bytes >> 20} MiB\n")
    ratio = found["cluster"].wall_s / found["threads"].wall_s
    sys.stdout.write(
        f"a rebuild of {given.orders:,} orders: {ratio:.2f}; bytes {'differ' * (len(digests) > 1) or 'same'}\n"
    )
    if given.work is None:
        shutil.rmtree(work)
    return int(ratio > MAX_RATIO or len(digests) > 1)


if __name__ == "__main__":
    raise SystemExit(main())
