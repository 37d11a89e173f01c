"""What clients may take of a server, whichever interface they ask."""

from sgan_tf.server.model import Bound

CONNECTIONS = 384  # of each interface: processes may often open no more than 1,024 files
BODIES = 8  # requests of full size that are held at a time


class Limits:
    """Bounds of bytes, connections and idle time, of both interfaces together.

    Args:
        max_body: Most bytes of a request; all that are held have `BODIES` times as many.
        max_answers: Most bytes of answers that clients have not taken yet.
        idle: Seconds that a connection may be open without a request.

    Attributes:
        connections: Most that are served at a time, by each interface.
        bodies: `Bound` of the bytes of requests, from the first that is read until it is computed.
        answers: `Bound` of the bytes of answers, until the operating system has the last.
    """

    def __init__(self, max_body: int, max_answers: int, idle: float) -> None:
        self.max_body, self.idle, self.connections = max_body, idle, CONNECTIONS
        self.bodies = Bound(BODIES * max_body, "bytes of requests")
        self.answers = Bound(max_answers, "bytes of answers")
