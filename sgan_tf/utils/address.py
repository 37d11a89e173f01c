"""Addresses of servers: which are this machine, and what a URL of one may be."""

import ipaddress
import urllib.parse


def is_loopback(host: str) -> bool:
    """Tells whether a host, as it stands in a URL, is this machine's loopback name or address."""
    host = host.strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server_url(url: str) -> tuple[str, str]:
    """Returns `(URL, host)` of a server, whose scheme may be left out.

    Raises:
        ValueError: when it is none; the message says so.
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urllib.parse.urlsplit(whole)
        good = parts.scheme in ("http", "https") and parts.port != 0
        host = parts.hostname if good else None
    except ValueError:  # a port that is no number, brackets of an address that is none
        host = None
    if not host:
        raise ValueError(f"'{url}' is not a server's URL, as http://localhost:8501")
    return whole.rstrip("/"), host
