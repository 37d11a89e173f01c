"""`Refused`: why a request gets no prediction, in gRPC's codes and in HTTP's."""

# As TF Serving maps them, but that a server which is busy is 503, so that clients ask again.
HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "UNAVAILABLE": 503,
    "UNIMPLEMENTED": 501,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
}
LONGEST = 500  # characters of a message: it may repeat what was sent


class Refused(Exception):
    """A request that is not answered with a prediction.

    Args:
        code: One of gRPC's codes, a key of `HTTP`.
        message: A sentence for the client.
        status: The HTTP status, where HTTP has a better one than `HTTP[code]`.
        retry_after: Seconds until it may be asked again, where the status is 429 or 503.
    """

    def __init__(
        self, code: str, message: str, status: int | None = None, retry_after: int = 1
    ) -> None:
        # What cannot be UTF-8 could not be sent.
        message = message[:LONGEST].encode("utf-8", "replace").decode()
        super().__init__(message)
        self.code, self.message, self.status = code, message, status or HTTP[code]
        self.retry_after = retry_after


def invalid(message: str) -> Refused:
    """Returns the refusal of a request that cannot be; a 400."""
    return Refused("INVALID_ARGUMENT", message)
