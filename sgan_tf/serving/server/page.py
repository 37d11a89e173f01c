"""The page that the server shows at `/`: the files of `web/`, and the name of what it is about.

GET /    GET /page.json    GET /explore.js and the other files, each under its name
"""

import pathlib

import orjson
from starlette.responses import Response
from starlette.routing import Route

FOLDER = pathlib.Path(__file__).parent / "web"
INDEX = "index.html"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# Scripts, styles and answers come from this server alone, and nothing that stands in the page runs.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


def routes(model: str) -> list[Route]:
    """Returns the routes of the page; its files are read now, and never for a request.

    Args:
        model: Name of the model that it asks for, under `v1/models/`.
    """
    about = orjson.dumps({"model": model})
    files = [path for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES]
    return [
        Route("/", _answering((FOLDER / INDEX).read_bytes(), TYPES[".html"])),
        Route("/page.json", _answering(about, "application/json")),
        *(
            Route(f"/{path.name}", _answering(path.read_bytes(), TYPES[path.suffix]))
            for path in files
        ),
    ]


def _answering(content, media_type):
    async def answer(_):
        return Response(content, 200, {"Content-Security-Policy": POLICY}, media_type)

    return answer
