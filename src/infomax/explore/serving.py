"""Listening: on this machine alone unless asked otherwise, until Ctrl-C."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress

from infomax._errors import InfomaxError
from infomax.explore.addresses import UPLOAD, application
from infomax.explore.index import Index

HOST, PORT = "127.0.0.1", 8765
AT_ONCE = 64


def listening(host: str, port: int | None) -> socket.socket:
    """A socket at an address; without a port the usual one, or any that is free.

    Raises:
        InfomaxError: the port is in use, or no such address here.
    """
    wanted = PORT if port is None else port
    try:
        return _bound(host, wanted)
    except (OSError, OverflowError) as error:
        if port is None:
            with suppress(OSError):
                return _bound(host, 0)
        raise InfomaxError(
            wanted=f"to listen on {host}, port {wanted}",
            got=str(error),
            fix="choose another --port, or leave it out; --host must be an address of this machine",
        ) from None


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except BaseException:
        found.close()
        raise
    return found


def local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def serve(
    index: Index,
    door: socket.socket,
    host: str,
    *,
    upload: int = UPLOAD,
    say: Callable[[str], None] = lambda words: None,
) -> None:
    """Serve the page at a socket of `listening` until Ctrl-C.

    Args:
        index: what is searched.
        door: where it listens; closed in the end.
        host: as it was asked for; only a loopback address has its Host header checked.
        upload: bytes that may be sent at most.
        say: told the address, and a warning if others can reach it.
    """
    import uvicorn

    port = door.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    hosts = frozenset(f"{known}:{port}" for known in ("127.0.0.1", "localhost", "[::1]", name))
    inside = local(host)
    if not inside:
        say(
            f"warning: anyone who can reach {name}:{port} can search this run, see its test "
            "contexts, and send files to be decoded; leave --host out to be alone"
        )
    app = application(index, hosts=hosts if inside else None, upload=upload)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=2,
        )
    )
    say(f"explore: http://{name}:{port}/ (Ctrl-C ends it)")
    with door, suppress(KeyboardInterrupt):  # uvicorn hands the signal on once it has stopped
        server.run(sockets=[door])
    say("explore: ended")
