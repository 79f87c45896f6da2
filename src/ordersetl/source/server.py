"""A WSGI app on a socket, for demonstrations and tests."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["serve"]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer would ask DNS for the host's full name, which may take seconds and is never used
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        pass


@contextmanager
def serve(app: "WSGIApplication", *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve the app on a socket from a daemon thread and yield its base URL, without a slash at the end.

    Port 0 takes a free one. Speaks HTTP/1.0, one thread a request. The socket is closed at the end of the block.

    Raises:
        OSError: The address cannot be bound.
    """
    with _Server((host, port), _SilentHandler) as server:
        server.set_app(app)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
