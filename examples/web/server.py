#!/usr/bin/env python3
"""A page that asks: is a living person before this camera? Frames come in over a WebSocket, verdicts go out.

Frames are looked at once: nothing here stores or logs them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import liveness
import networks
import uvicorn
from anyio import create_task_group, fail_after  # asyncio.wait_for() may swallow a cancellation before Python 3.12
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles
from networks import Shared
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from visitor import Limits, Message, Refused, Scorer, Visitor, picture_scorer, stream_scorer

STATIC = Path(__file__).resolve().parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

log = logging.getLogger("uvicorn.error")


def create_app(shared: Shared, limits: Limits, origins: Sequence[str], workers: int = 1) -> FastAPI:
    """The application.

    :param origins: pages that may open a WebSocket, as browsers write them ("http://127.0.0.1:8000"); the same-origin
        policy does not hold for WebSockets, so any page in the world could have a visitor's browser open one
    :param workers: frames that are worked on side by side
    """
    pool = ThreadPoolExecutor(workers, "frames")
    present: set[Visitor] = set()
    app = FastAPI(title="liveness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def harden(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.websocket("/stream")
    async def stream(ws: WebSocket) -> None:
        await attend(ws, lambda: stream_scorer(shared.config.verifier(shared.networks)))

    @app.websocket("/pictures")
    async def pictures(ws: WebSocket) -> None:
        await attend(ws, lambda: picture_scorer(shared.pictures))

    async def attend(ws: WebSocket, make: Callable[[], Scorer]) -> None:
        origin = ws.headers.get("origin")
        if origin not in origins:
            log.warning("refused a WebSocket of origin %r; --origin allows one", origin)
            await ws.close(1008)  # before accept(): the handshake is answered with 403
            return
        await ws.accept()
        try:
            if len(present) >= limits.visitors:
                raise Refused("full", f"All {limits.visitors} places are taken: try again in a minute.", 1013)
            visitor = Visitor(make(), limits, pool)
            present.add(visitor)
            begin = monotonic()
            try:
                with fail_after(limits.idle_seconds):
                    await ws.send_json(hello())
                await first_end(listen(ws, visitor), tell(ws, visitor))
            finally:
                present.discard(visitor)
                log.info(
                    "a visitor left after %.1f s: %d frames scored, %d replaced, %d too fast",
                    *(monotonic() - begin, visitor.scored, visitor.replaced, visitor.too_fast),
                )
        except (WebSocketDisconnect, TimeoutError):
            pass  # gone
        except Refused as refused:
            await bid_farewell(ws, refused)
        except liveness.LivenessError as e:
            log.error("a frame could not be scored: %s", e)
            await bid_farewell(ws, Refused("internal", "The server could not score this frame.", 1011))

    def hello() -> Message:
        return {
            "type": "hello",
            "models": shared.names,
            "profile": shared.config["decision.profile"],
            "limits": {"fps": limits.fps, "message_bytes": limits.message_bytes, "side": limits.side},
        }

    async def listen(ws: WebSocket, visitor: Visitor) -> None:
        while True:
            try:
                with fail_after(limits.idle_seconds):
                    event = await ws.receive()
            except TimeoutError as e:
                raise Refused("idle", f"No frame came for {limits.idle_seconds:g} s.", 1000) from e
            if event["type"] == "websocket.disconnect":
                return
            data = event.get("bytes")
            if data is None:
                raise Refused("not_binary", "A message is text: send each frame as one binary message.", 1003)
            visitor.offer(data)

    async def tell(ws: WebSocket, visitor: Visitor) -> None:
        while True:
            message = json.dumps(await visitor.answer(), allow_nan=False)
            try:  # waits while the visitor does not read; frames that come meanwhile replace each other
                with fail_after(limits.idle_seconds):
                    await ws.send_text(message)
            except TimeoutError as e:
                raise Refused("idle", "Answers are not taken.", 1008) from e

    async def bid_farewell(ws: WebSocket, refused: Refused) -> None:
        try:
            with fail_after(2):
                await ws.send_json(refused.message)
                await ws.close(refused.close)
        except (RuntimeError, WebSocketDisconnect, TimeoutError):
            pass  # gone already

    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return app


async def first_end(*work: Coroutine[None, None, None]) -> None:
    """Runs all of them until one ends or raises, which cancels the others."""
    raised: list[Exception] = []

    async def run(one: Coroutine[None, None, None]) -> None:
        try:
            await one
        except Exception as e:
            raised.append(e)
        group.cancel_scope.cancel()

    async with create_task_group() as group:
        for one in work:
            group.start_soon(run, one)
    if raised:
        raise raised[0]


def arguments_parser() -> argparse.ArgumentParser:
    limits = Limits()
    parser = argparse.ArgumentParser(
        description="A page that asks whether a living person is before the visitor's camera.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="the library's configuration: sections models, pipeline, decision, accuracy")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8000, help="0: any that is free")
    add("--origin", action="append", default=[], metavar="URL", help="further origin whose pages may connect; repeatable")
    add("--tls-cert", metavar="FILE", help="serve HTTPS, without which browsers lend their camera to this machine only")
    add("--tls-key", metavar="FILE", help="key of the certificate")
    add("--workers", type=int, default=len(os.sched_getaffinity(0)), help="frames worked on side by side")
    add("--visitors", type=int, default=limits.visitors, help="at once")
    add("--fps", type=float, default=limits.fps, help="most frames a second of a visitor")
    add("--message-bytes", type=int, default=limits.message_bytes, help="most bytes of a frame")
    add("--side", type=int, default=limits.side, help="most pixels of a picture's longer side")
    add("--idle-seconds", type=float, default=limits.idle_seconds, help="time without a frame that ends a connection")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = arguments_parser()
    args = parser.parse_args(arguments)
    for name in ("workers", "visitors", "fps", "message_bytes", "side", "idle_seconds"):
        if not getattr(args, name) > 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}: it must be above 0")
    if (args.tls_cert is None) != (args.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    limits = Limits(args.visitors, args.fps, args.message_bytes, args.side, args.idle_seconds)
    try:
        config = networks.read_config(args.config)
        if unused := networks.unused_keys(config):
            log.warning("not used by this server: %s", ", ".join(unused))
        shared = networks.load(config)
        listening = listen_on(args.host, args.port)
        host, port = listening.getsockname()[:2]
        scheme = "http" if args.tls_cert is None else "https"
        own = [] if host in ("0.0.0.0", "::") else [f"[{args.host}]" if ":" in args.host else args.host]
        origins = [origin_of(scheme, name, port) for name in dict.fromkeys([*own, "127.0.0.1", "localhost"])]
        settings = uvicorn.Config(
            create_app(shared, limits, origins + args.origin, args.workers),
            ssl_certfile=args.tls_cert,
            ssl_keyfile=args.tls_key,
            ws="websockets-sansio",
            # Messages up to the limit are refused by create_app() with a word why; far longer ones by closing with 1009.
            ws_max_size=2 * limits.message_bytes,
            ws_per_message_deflate=False,  # JPEG does not shrink, and a small message could unfold into a large one
            limit_concurrency=limits.visitors + 64,
            access_log=False,
            server_header=False,
        )
        settings.load()  # reads the certificate
    except (liveness.LivenessError, OSError) as e:
        print(f"{parser.prog}: {e}", file=sys.stderr)
        return 1
    print(f"{' + '.join(shared.names)} at {origins[0]}/", flush=True)
    uvicorn.Server(settings).run([listening])
    return 0


def origin_of(scheme: str, host: str, port: int) -> str:
    """As browsers write it: without the port that the scheme has anyway."""
    return f"{scheme}://{host}" if port == {"http": 80, "https": 443}[scheme] else f"{scheme}://{host}:{port}"


def listen_on(host: str, port: int) -> socket.socket:
    """Bound before the page's own origin is worked out: port 0 becomes a number here."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as e:
        raise OSError(f"{host} port {port}: {e.strerror or e}") from e


if __name__ == "__main__":
    sys.exit(main())
