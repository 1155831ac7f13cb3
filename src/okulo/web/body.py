"""What a page sends: one JSON object, read no further than its bound."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from okulo.core.errors import BadInput


async def read_object(request: Request, most_bytes: int) -> dict[str, Any]:
    """Read a request's JSON object; more than `most_bytes` is 413, anything else BadInput."""
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413, f"more than {most_bytes:,} bytes")
        parts.append(chunk)
    try:
        said = json.loads(b"".join(parts))
    except (ValueError, RecursionError) as error:
        raise BadInput("body", "is no JSON") from error
    if not isinstance(said, dict):
        raise BadInput("body", wanted="an object", got=type(said).__name__)
    return said
