"""Limits on the resources that clients may use, over both interfaces."""

from sgan_tf.server.model import Bound

CONNECTIONS = 384  # per interface; processes may often open no more than 1,024 files
BODIES = 8  # requests of the largest size that are held at a time


class Limits:
    """Limits bytes, connections and idle time, for both interfaces together.

    Args:
        max_body: Integer. Largest size of a request in bytes. All requests that are held together
            have at most `BODIES` times as many.
        max_answers: Integer. Largest total size in bytes of the answers that clients have not read
            yet.
        idle: Float. Seconds for which a connection may be open without a request.

    Attributes:
        connections: Integer. Largest number of connections that each interface serves at a time.
        bodies: `Bound`. The bytes of requests, from the first byte read until the request is
            computed.
        answers: `Bound`. The bytes of answers, until the operating system has taken the last one.
    """

    def __init__(self, max_body: int, max_answers: int, idle: float) -> None:
        self.max_body, self.idle, self.connections = max_body, idle, CONNECTIONS
        self.bodies = Bound(BODIES * max_body, "bytes of requests")
        self.answers = Bound(max_answers, "bytes of answers")
