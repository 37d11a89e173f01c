"""The page that the server shows at `/`: the files of `web/`, and the name of the model.

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
# Scripts, styles and answers come only from this server, and inline scripts do not run.
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


OF_THE_TURING_TEST = "turing"  # prefix of its files, for which it has its own routes


def routes(model: str) -> list[Route]:
    """Returns the routes of the page, whose files are read once, now.

    Args:
        model: String. Name of the model that the page requests, under `v1/models/`.

    Returns:
        List of Starlette routes.
    """
    about = orjson.dumps({"model": model})
    names = [path.name for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES]
    return [
        file_route("/", INDEX),
        Route("/page.json", _answering(about, "application/json")),
        *(file_route(f"/{x}", x) for x in names if not x.startswith(OF_THE_TURING_TEST)),
    ]


def file_route(path: str, name: str) -> Route:
    """Returns the route of a file in `web/`, which is read once, now.

    Args:
        path: String. The path of the route.
        name: String. The name of the file.
    """
    file = FOLDER / name
    return Route(path, _answering(file.read_bytes(), TYPES[file.suffix]))


def _answering(content, media_type):
    async def answer(_):
        return Response(content, 200, {"Content-Security-Policy": POLICY}, media_type)

    return answer
