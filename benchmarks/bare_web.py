"""`python -m benchmarks.bare_web PORT`: the framework's empty reply, on the same server as the front door."""

import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.web.serving import listening, serve_application


async def nothing(_: Request) -> Response:
    return Response(b"")


if __name__ == "__main__":
    application = Starlette(routes=[Route("/v3/scores/{wiki}/{revision}/{model}", nothing)])
    serve_application(application, listening("127.0.0.1", int(sys.argv[1])))
