"""`python -m benchmarks.bare_web PORT`: the framework's empty reply, on the same server as the front door."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def nothing(_: Request) -> Response:
    return Response(b"")


if __name__ == "__main__":
    application = Starlette(routes=[Route("/v3/scores/{wiki}/{revision}/{model}", nothing)])
    uvicorn.run(application, port=int(sys.argv[1]), log_config=None, access_log=False, ws="none")
