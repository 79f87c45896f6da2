"""The sample shop on a port, to try things on: ``python -m ordersetl.source.demo --port 8080 --fail 503``."""

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

from ordersetl.source.sample import SAMPLE_URL, Fault, page_cursor, sample_app, sample_references
from ordersetl.source.server import serve

__all__: list[str] = []

_DEMO_FAULTS = {
    "503": Fault(status=503),
    "429": Fault(status=429, headers={"Retry-After": "1"}),
    "html": Fault(status=200, headers={"Content-Type": "text/html"}, body=b"<html><body>Back soon</body></html>"),
    "cut": Fault(truncate=True),
    "loop": Fault(next_cursor=page_cursor(0)),
    "redirect": Fault(status=302, headers={"Location": f"{SAMPLE_URL}/moved"}),
}


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ordersetl.source.demo",
        description="Serve the sample shop's API until Ctrl-C.",
        epilog="example: python -m ordersetl.source.demo --port 8080 --fail 503 --every 3",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--fail", choices=_DEMO_FAULTS, help="how some of the requests fail")
    parser.add_argument("--every", type=int, default=3, help="which ones: every so many (default: %(default)s)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a process in a shell's background lacks
    faults = [replace(_DEMO_FAULTS[options.fail], every=options.every)] if options.fail else []
    try:
        with serve(sample_app(faults=faults), host=options.host, port=options.port) as url:
            users, products = map(str, sample_references())
            command = ["ordersetl", "run", "--api-url", url, "--users", users, "--products", products]
            sys.stdout.write(f"The sample shop answers at {url}; Ctrl-C ends it. Try:\n\n{shlex.join(command)}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    except OSError as error:
        parser.error(f"cannot listen on {options.host}:{options.port}: {error.strerror}; choose another --port")


if __name__ == "__main__":
    _main()
