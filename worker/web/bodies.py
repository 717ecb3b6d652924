"""Reading the bodies of requests, within limits of length and time."""

import asyncio
import json
from typing import Any

from starlette.requests import Request

from worker.config.settings_sections import WebSettings
from worker.web.refusals import Refusal

FORM = "application/x-www-form-urlencoded"


async def read_body(request: Request, settings: WebSettings) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too long, or not complete in time.
        ClientDisconnect: it broke off.
    """
    too_long = Refusal(413, f"The body is longer than {settings.body_bytes} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > settings.body_bytes:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > settings.body_bytes:
                    raise too_long
    except TimeoutError:
        raise Refusal(408, f"The body did not come within {settings.body_seconds:g} seconds.") from None
    return bytes(body)


async def read_form(request: Request, settings: WebSettings) -> bytes:
    """The form in the body of a request, if there is one; other bodies are ignored, as by ORES."""
    body = await read_body(request, settings)
    return body if request.headers.get("content-type", FORM).partition(";")[0].strip().lower() == FORM else b""


def read_json(body: bytes) -> Any:
    """The JSON document in the body; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
