"""`Refused`: the error of a request, with its gRPC and HTTP codes."""

# As in TF Serving, except that a busy server answers 503, so that clients retry.
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
LONGEST = 500  # largest number of characters of a message, which may repeat the request


class Refused(Exception):
    """Raised if a request is not answered with a prediction.

    Args:
        code: String. A gRPC code, one of the keys of `HTTP`.
        message: String. A sentence for the client.
        status: Integer or None. The HTTP status, if HTTP has a better one than `HTTP[code]`.
            Defaults to None.
        retry_after: Integer. Seconds after which the client may retry, for the statuses 429 and
            503. Defaults to 1.
    """

    def __init__(
        self, code: str, message: str, status: int | None = None, retry_after: int = 1
    ) -> None:
        # Characters that UTF-8 cannot encode could not be sent.
        message = message[:LONGEST].encode("utf-8", "replace").decode()
        super().__init__(message)
        self.code, self.message, self.status = code, message, status or HTTP[code]
        self.retry_after = retry_after


def invalid(message: str) -> Refused:
    """Returns the refusal of an invalid request, with the HTTP status 400.

    Args:
        message: String. A sentence for the client.
    """
    return Refused("INVALID_ARGUMENT", message)
