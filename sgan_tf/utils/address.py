"""Checks addresses of servers: loopback hosts and URLs."""

import ipaddress
import urllib.parse


def is_loopback(host: str) -> bool:
    """Returns whether a host is this machine's loopback name or address.

    Args:
        host: String. The host as in a URL; brackets around an IPv6 address are allowed.

    Returns:
        Boolean.
    """
    host = host.strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server_url(url: str) -> tuple[str, str]:
    """Checks the URL of a server and adds a missing scheme.

    Args:
        url: String. The URL; without a scheme it is `http`.

    Returns:
        Tuple of strings `(url, host)`. The URL has no slash at the end.

    Raises:
        ValueError: If it is not the URL of a server.
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urllib.parse.urlsplit(whole)
        good = parts.scheme in ("http", "https") and parts.port != 0
        host = parts.hostname if good else None
    except ValueError:  # the port is not a number, or the brackets hold no address
        host = None
    if not host:
        raise ValueError(f"'{url}' is not a server's URL, as http://localhost:8501")
    return whole.rstrip("/"), host
