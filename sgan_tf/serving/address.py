"""Which hosts are this machine."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tells whether a host, as it stands in a URL, is this machine's loopback name or address."""
    host = host.strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
