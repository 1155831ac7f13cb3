"""What stands where a picture cannot be shown, and says why."""

import html

from starlette.responses import Response

DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="180"><rect width="240" height="180" '
    'fill="#8883"/><path d="M20 20 220 160M220 20 20 160" stroke="#8886" stroke-width="2"/><text x="120" '
    'y="95" text-anchor="middle" font-family="sans-serif" font-size="15" fill="#777">{}</text></svg>'
)


def placeholder(why: str) -> Response:
    """A drawing with a few words; a page can read them in `x-problem` too."""
    body = DRAWN.format(html.escape(why))
    headers = {"cache-control": "no-store", "x-problem": why}
    return Response(body, media_type="image/svg+xml", headers=headers)
