"""The sample shop on a port: ``python -m ordersetl.source.sample --shape shopify --fault-rate 0.1``."""

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ordersetl.source.sample.exchange import as_app
from ordersetl.source.sample.faults import Fault, FaultSource, RandomFaults
from ordersetl.source.sample.generic import SAMPLE_URL, page_cursor, sample_app, sample_references
from ordersetl.source.sample.shapes import SHAPES, list_faults, list_settings, shape_server, shape_url
from ordersetl.source.sample.shop_orders import sample_shop
from ordersetl.source.server import serve

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__: list[str] = []

_GENERIC = "generic"
_FAULTS = {
    "503": Fault(status=503),
    "429": Fault(status=429, headers={"Retry-After": "1"}),
    "html": Fault(status=200, headers={"Content-Type": "text/html"}, body=b"<html><body>Back soon</body></html>"),
    "cut": Fault(truncate=True),
    "loop": Fault(next_cursor=page_cursor(0)),
    "redirect": Fault(status=302, headers={"Location": f"{SAMPLE_URL}/moved"}),
}


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ordersetl.source.sample",
        description="Serve the sample shop until Ctrl-C, in the shape of a source's API, with faults.",
        epilog="example: python -m ordersetl.source.sample --shape shopify --port 8080 --fault-rate 0.1",
    )
    parser.add_argument(
        "--shape", choices=[_GENERIC, *SHAPES], default=_GENERIC, help="whose API (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--fault-rate", type=_rate, default=0.0, help="share of requests that fail, e.g. 0.1")
    parser.add_argument("--seed", type=int, default=0, help="of the choice which ones fail (default: %(default)s)")
    parser.add_argument("--fail", choices=_FAULTS, help="how some of the requests fail, instead")
    parser.add_argument("--every", type=int, default=3, help="which ones: every so many (default: %(default)s)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a process in a shell's background lacks
    try:
        with serve(_app(options), host=options.host, port=options.port) as url:
            sys.stdout.write(
                f"The sample shop answers at {url}; Ctrl-C ends it. Try:\n\n{_command(options.shape, url)}\n"
            )
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    except OSError as error:
        parser.error(f"cannot listen on {options.host}:{options.port}: {error.strerror}; choose another --port")


def _rate(text: str) -> float:
    if not 0 <= (rate := float(text)) < 1:
        raise argparse.ArgumentTypeError("must be from 0 to below 1")
    return rate


def _app(options: argparse.Namespace) -> "WSGIApplication":
    faults: list[FaultSource] = [RandomFaults(options.fault_rate, options.seed).with_kinds(list_faults(options.shape))]
    if options.fail:
        faults.insert(0, replace(_FAULTS[options.fail], every=options.every))
    if options.shape == _GENERIC:
        return sample_app(faults=faults)
    return as_app(shape_server(options.shape, sample_shop()), faults)


def _command(shape: str, url: str) -> str:
    """A command that asks it, for a shell."""
    if shape == _GENERIC:
        users, products = map(str, sample_references())
        return shlex.join(["ordersetl", "run", "--api-url", url, "--users", users, "--products", products])
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in list_settings(shape, url).items())
    return f"{given} {shlex.join(['ordersetl', 'run', '--source', shape, '--api-url', shape_url(shape, url)])}"


if __name__ == "__main__":
    _main()
