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


OF_THE_TURING_TEST = "turing"  # what the names of its files begin with: it brings them itself


def routes(model: str) -> list[Route]:
    """Returns the routes of the page; its files are read now, and never for a request.

    Args:
        model: Name of the model that it asks for, under `v1/models/`.
    """
    about = orjson.dumps({"model": model})
    names = [path.name for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES]
    return [
        file_route("/", INDEX),
        Route("/page.json", _answering(about, "application/json")),
        *(file_route(f"/{x}", x) for x in names if not x.startswith(OF_THE_TURING_TEST)),
    ]


def file_route(path: str, name: str) -> Route:
    """Returns the route of a file of `web/`, which is read now.

    Args:
        path: Of the route.
        name: Of the file.
    """
    file = FOLDER / name
    return Route(path, _answering(file.read_bytes(), TYPES[file.suffix]))


def _answering(content, media_type):
    async def answer(_):
        return Response(content, 200, {"Content-Security-Policy": POLICY}, media_type)

    return answer
