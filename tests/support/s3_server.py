"""An S3 server for tests, in memory; runs inside the `data` environment of tests/engines/install.sh.

Usage: s3_server.py PORT [--deaf]. Amazon S3 decides about conditional
writes one request at a time; moto looks first and writes then, so requests are let in one by one.
With `--deaf` the condition `If-None-Match` is ignored, as by servers that do not know it.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple


class OneByOne:
    """A WSGI application that answers one request at a time."""

    def __init__(self, *, deaf: bool) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = Lock()
        self._deaf = deaf

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        if self._deaf:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        with self._lock:
            return list(self._moto(environ, start))


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        OneByOne(deaf="--deaf" in sys.argv),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
