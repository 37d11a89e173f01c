"""The routes of the visual Turing test, and its page.

GET  /turing                       the page, with its styles and its script
GET  /turing/state                 model, data set, votes so far and their error rate
POST /turing/trials                {"session"?} -> {"trial", "session", "images", "you"}
POST /turing/trials/{trial}/votes  {"generated": [0, 4]} -> {"truth", "you", "all"}
"""

import base64
import contextlib
import logging
import re
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sgan_tf.server import tensors
from sgan_tf.server.page import file_route
from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.rest import Rest
from sgan_tf.server.turing.examiner import Examiner
from sgan_tf.server.turing.pictures import IMAGES, TuringError
from sgan_tf.server.turing.trials import client_of, token
from sgan_tf.server.turing.votes import VotesError

FILES = {  # path: its file
    "/turing": "turing.html",
    "/turing.js": "turing.js",
    "/turing.css": "turing.css",
    # Shared with the other page, which may not be served:
    "/style.css": "style.css",
    "/icon.svg": "icon.svg",
}
MOST_BODY = 4096  # largest size of a body in bytes
TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
log = logging.getLogger(__name__)


def routes(examiner: Examiner, rest: Rest) -> list[Route]:
    """Returns the routes of the visual Turing test, which `Server` adds to those of `rest`.

    Args:
        examiner: `Examiner`. The test.
        rest: `Rest`. It reads bodies within limits, and computes in threads.

    Returns:
        List of Starlette routes.
    """
    handlers = _Handlers(examiner, rest)
    return [
        *(file_route(path, name) for path, name in FILES.items()),
        Route("/turing/state", handlers.state),
        Route("/turing/trials", handlers.begin, methods=["POST"]),
        Route("/turing/trials/{trial}/votes", handlers.answer, methods=["POST"]),
    ]


class _Handlers:
    def __init__(self, examiner, rest):
        self.examiner, self.rest = examiner, rest

    async def state(self, request: Request) -> Response:
        """Returns what is tested, and the result so far."""
        examiner, model = self.examiner, self.examiner.model
        with model.use(model.name) as loaded:
            version = loaded.number
        return _json(
            {
                "model": model.name,
                "version": version,
                "dataset": examiner.pictures.dataset,
                "image_shape": examiner.pictures.image_shape,
                "images": IMAGES,
                "all": await self._computed(lambda _: examiner.figures(version)),
            }
        )

    async def begin(self, request: Request) -> Response:
        """Starts a trial and returns its nine images."""
        client = client_of(request.client.host if request.client else "")
        self.examiner.rate.take(client)
        fields = await self._fields(request, "session")
        session = fields.get("session", token())
        if not isinstance(session, str) or not TOKEN.fullmatch(session):
            raise invalid("'session' must be one that this server gave")

        def drawn(rows):
            trial, images = self.examiner.draw(client, session, rows)
            return trial, images, self.examiner.figures(trial.version, session)

        trial, images, you = await self._computed(drawn)
        self.examiner.trials.add(trial)
        request.state.rows = IMAGES
        encoded = [base64.b64encode(image).decode() for image in images]
        return _json({"trial": trial.name, "session": session, "images": encoded, "you": you})

    async def answer(self, request: Request) -> Response:
        """Stores an answer, and returns which images are real."""
        generated = _places(await self._fields(request, "generated"))
        trial = self.examiner.trials.take(request.path_params["trial"])

        def recorded(_):
            self.examiner.record(trial, generated)
            figures = self.examiner.figures
            return figures(trial.version, trial.session), figures(trial.version)

        try:
            you, everyone = await self._computed(recorded)
        except Refused as refused:
            if refused.code != "DEADLINE_EXCEEDED":  # in that case it may still be written
                self.examiner.trials.add(trial)
            raise
        truth = [{"real": shown.real, "class": shown.class_name} for shown in trial.shown]
        return _json({"truth": truth, "you": you, "all": everyone})

    async def _fields(self, request, name):
        """Returns the object in a request's body, which may only have the field `name`."""
        fields = tensors.parsed(await self.rest.small_body(request, MOST_BODY))
        if not fields.keys() <= {name}:
            raise invalid(f"the request has nothing but '{name}'")
        return fields

    async def _computed(self, compute: Callable) -> Any:
        with _refusals():
            return await self.rest.executor.run(compute)


@contextlib.contextmanager
def _refusals():
    """Turns errors that only the owner of the server can fix into refusals."""
    try:
        yield
    except TuringError as error:
        log.error("%s", error)
        reason = "the model that is served by now does not fit the real images"
        raise Refused("UNAVAILABLE", reason) from error
    except VotesError as error:
        log.error("%s", error)
        reason = "the file of votes cannot be used; the server's log says why"
        raise Refused("UNAVAILABLE", reason) from error


def _places(fields):
    """Returns the places of the images that the person calls generated."""
    places = fields.get("generated")
    if not isinstance(places, list) or not all(type(p) is int for p in places):
        raise invalid("'generated' must be a list of whole numbers")
    if len(set(places)) < len(places) or not set(places) <= set(range(IMAGES)):
        raise invalid(f"'generated' must hold different places from 0 to {IMAGES - 1}")
    return frozenset(places)


def _json(body):
    return Response(orjson.dumps(body), media_type="application/json")
