"""Whether a request began on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Request


def is_local(request: Request) -> bool:
    """Return whether a request began here, as far as the proxies before us say.

    The host must be a name of this machine too: a web page elsewhere may have a browser here ask
    us, under a name of its own that it lets lead to 127.0.0.1.
    """
    hops = [request.remote_addr or "", *request.headers.getlist("X-Real-IP")]
    for header in request.headers.getlist("X-Forwarded-For"):
        hops += header.split(",")
    # Nobody who forwards from this machine itself writes the other header.
    if "Forwarded" in request.headers:
        return False
    return all(map(_is_loopback, hops)) and _is_own_name(request.host)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.strip()).is_loopback
    except ValueError:
        return False


def _is_own_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)
