"""The addresses of the page: what may be asked, by whom, and how much may be sent.

Contexts are named by number and views by the names of the recipe, so no path of the machine can be
asked for. An upload is the body of a request, kept in memory, and has no name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infomax._errors import InfomaxError
from infomax.data import Column
from infomax.explore.index import Index
from infomax.explore.reading import GIVEN, read
from infomax.explore.showing import Showing

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

HERE = Path(__file__).parent
UPLOAD = 10_000_000
K, SAMPLE = 6, 12
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; media-src 'self' data:; "
    "style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _TooLarge(InfomaxError):
    """More bytes than may be sent."""


def application(
    index: Index, *, hosts: frozenset[str] | None, upload: int = UPLOAD
) -> Starlette:  # fmt: skip
    """The page and its API over an index.

    Args:
        index: what is searched.
        hosts: values of the Host header that are answered, such as ``127.0.0.1:8765``: another
            name that leads to this machine is a page elsewhere reaching in. None: any.
        upload: bytes that may be sent at most.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    showing = Showing(index)
    files = {
        "/": ("text/html", (HERE / "page.html").read_bytes()),
        "/page.js": ("text/javascript", (HERE / "page.js").read_bytes()),
        "/page.css": ("text/css", _looks()),
    }

    async def file(request: Request) -> Response:
        kind, content = files[request.url.path]
        return Response(content, media_type=f"{kind}; charset=utf-8")

    async def run(request: Request) -> Response:
        return JSONResponse(_facts(index, showing, upload))

    async def sample(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_sample, index, showing, request.query_params))

    async def ask(request: Request) -> Response:
        told = request.query_params
        view, k = told.get("view", ""), _number(told.get("k", str(K)), "k")
        index.face(view)  # before anything is taken in
        if request.method == "GET":
            row = _number(told.get("row", ""), "row")
            return JSONResponse(await run_in_threadpool(_ask_row, index, showing, view, row, k))
        content = await _body(request, upload)
        return JSONResponse(await run_in_threadpool(_ask, index, showing, view, content, k))

    async def media(request: Request) -> Response:
        told = request.path_params
        node = showing.node(told["of"], told["name"])
        row = _number(told["row"], "row")
        kind, content = await run_in_threadpool(showing.media, node, row)
        return Response(content, media_type=kind)

    async def mistaken(request: Request, error: Exception) -> Response:
        status = (
            413 if isinstance(error, _TooLarge) else 404 if "media" in request.url.path else 422
        )
        assert isinstance(error, InfomaxError)
        return JSONResponse(_told(error), status)

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    async def astray(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = _told(
            InfomaxError(
                wanted="an address of this page: /, /api/run, /api/sample, /api/ask",
                got=f"{request.method}, and {error.detail}",
                fix="open the page and go on from there",
            )
        )
        return JSONResponse(words, error.status_code)

    routes = [
        *(Route(path, file) for path in files),
        Route("/api/run", run),
        Route("/api/sample", sample),
        Route("/api/ask", ask, methods=["GET", "POST"]),
        Route("/media/{of}/{name}/{row}", media),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard, hosts=hosts)],
        exception_handlers={
            InfomaxError: mistaken,
            HTTPException: astray,
            ClientDisconnect: gone,
        },
    )


class _Guard:
    """Answers the hosts it knows and pages of its own only; every answer carries `HEADERS`."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers, MutableHeaders
        from starlette.responses import JSONResponse

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:  # noqa: ANN401 a message of ASGI
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        strange = self.hosts is not None and host.lower() not in self.hosts
        # a browser says from where it asks; to open the page by a link elsewhere is no asking
        foreign = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
        foreign = foreign and headers.get("sec-fetch-mode") != "navigate"
        foreign = foreign or (origin is not None and origin.partition("://")[2] != host)
        if strange or foreign:
            refused = InfomaxError(
                wanted="a request to this page, by this page",
                got=f"Host: {host}" + (f", Origin: {origin}" if origin else ""),
                fix="open the address that `infomax explore` printed",
            )
            await JSONResponse(_told(refused), 403)(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def _looks() -> bytes:
    """The report's style, and what this page adds."""
    from infomax.report.page import looks

    return looks().encode() + (HERE / "page.css").read_bytes()


def _told(error: InfomaxError) -> dict[str, str]:
    return {"wanted": error.wanted, "got": error.got, "do": error.fix}


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InfomaxError(
            wanted=f"{what}: a whole number", got=repr(text[:40]), fix=f"give {what}=5, say"
        )
    return int(text)


async def _body(request: Request, most: int) -> bytes:
    """What was sent; no more than the limit is ever held."""
    held = bytearray()
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said) <= most:
        async for chunk in request.stream():
            held += chunk
            if len(held) > most:
                break
        else:
            return bytes(held)
    raise _TooLarge(
        wanted=f"at most {most / 1e6:g} MB",
        got=f"more ({int(said) / 1e6:.1f} MB)" if said.isdigit() and int(said) > most else "more",
        fix="choose a smaller file, or start `infomax explore` with a larger --max-upload",
    )


def _facts(index: Index, showing: Showing, upload: int) -> dict[str, Any]:
    def kind(name: str) -> str:
        return columns[index.faces[name].view.signal].kind

    columns: dict[str, Column] = dict(index.contexts.signals)
    return {
        "name": index.recipe.name or "a run",
        "paper": index.recipe.paper,
        "data": index.contexts.name.rsplit("/", 1)[-1],
        "contexts": index.contexts.count("test"),
        "label": showing.label,
        "max_upload": upload,
        "k": K,
        "views": [
            {
                "name": name,
                "signal": face.view.signal,
                "kind": kind(name),
                "gives": GIVEN.get(kind(name), ()),
                "contexts": len(face.there),
                "answers": [other for asking, other in index.ways if asking == name],
            }
            for name, face in index.faces.items()
        ],
    }


def _sample(index: Index, showing: Showing, told: Any) -> dict[str, Any]:  # noqa: ANN401
    face = index.face(told.get("view", next(iter(index.faces))))
    rng = np.random.default_rng(_number(told.get("seed", "0"), "seed"))
    places = rng.permutation(face.there)[:SAMPLE]
    return {"items": showing.items(index.rows[places].tolist(), face.name)}


def _ask_row(index: Index, showing: Showing, view: str, row: int, k: int) -> dict[str, Any]:
    answers = index.ask_row(view, row, k)
    (query,) = showing.items([row], view)
    return {"view": view, "query": query, "notes": [], "answers": showing.answers(answers)}


def _ask(index: Index, showing: Showing, view: str, content: bytes, k: int) -> dict[str, Any]:
    signal = index.face(view).view.signal
    given = read(content, index.contexts.signals[signal], showing.rate(signal))
    answers = index.ask(view, index.embedding(view, given.row), k)
    return {
        "view": view,
        "query": showing.query(view, given.row),
        "notes": list(given.notes),
        "answers": showing.answers(answers),
    }
