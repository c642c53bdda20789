"""Whether nginx can stand in front of a project as it is asked to."""

import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from slipway.config.project import Project
from slipway.config.project_file import Key
from slipway.stack.access import Account, barrier
from slipway.stack.finding import Finding
from slipway.stack.machine import Machine
from slipway.stack.plan import Plan
from slipway.stack.timing import rest_limit_s, server_idle_s

_CERTIFICATE: Final[Key] = ("proxy", "tls_certificate")
_KEY: Final[Key] = ("proxy", "tls_key")
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})")


def check_proxy(plan: Plan, machine: Machine) -> Iterator[Finding]:
    """Yield what is wrong with the proxy."""
    proxy = plan.project.proxy
    if not plan.nginx:
        if proxy.tls_certificate or proxy.tls_key:
            # Who asks for encryption must not be served without.
            yield Finding(
                _CERTIFICATE if proxy.tls_certificate else _KEY,
                "TLS is nginx's to speak, and it "
                + ("is not installed" if proxy.enabled else "is not enabled"),
                machine.nginx_install if proxy.enabled else "set enabled = true in [proxy]",
            )
        elif proxy.enabled:
            yield Finding(
                ("proxy",),
                "nginx is not installed, so Gunicorn stands in front",
                machine.nginx_install,
                is_error=False,
            )
    for name in ("gateways", "servers"):
        for index, target in enumerate(getattr(proxy, name)):
            found = _ADDRESS.fullmatch(target.address)
            if not found or not 0 < int(found[2]) <= 65535:
                yield Finding(
                    ("proxy", name, index, "address"),
                    f"{target.address!r} is no address",
                    "write it as host:port",
                )
    if plan.nginx:
        yield from _check_idle_connections(plan)
        yield from _check_rest_read(plan.project)
    # nginx reads them as whoever starts it, before its workers become another user.
    yield from _check_tls(plan, machine.account)


def _check_idle_connections(plan: Plan) -> Iterator[Finding]:
    """Yield who would close connections that nginx holds for open."""
    project = plan.project
    kept_s = project.proxy.upstream_keepalive_timeout_s
    is_set = "upstream_keepalive_timeout_s" in project.proxy.model_fields_set
    keepers: list[tuple[str, float, Key, str]] = []
    if plan.gateways and project.gateway.idle_s:
        key: Key = ("gateway", "gunicorn", "keepalive")
        keepers.append(("Gunicorn", project.gateway.idle_s, key, "keepalive in [gateway.gunicorn]"))
    if plan.servers:
        key = ("server", "flags", "idle_timeout_s")
        keepers.append(
            ("slipway serve", server_idle_s(project), key, "idle_timeout_s in [server.flags]")
        )
    for name, idle_s, key, remedy in keepers:
        if kept_s >= idle_s:
            yield Finding(
                ("proxy", "upstream_keepalive_timeout_s") if is_set else key,
                f"{name} closes idle connections after {idle_s:g} s, and nginx would send requests "
                f"on them for {kept_s:g} s",
                f"set upstream_keepalive_timeout_s in [proxy] below {idle_s:g}, or raise {remedy}",
            )


def _check_rest_read(project: Project) -> Iterator[Finding]:
    given_s, limit_s = project.proxy.rest_read_timeout_s, rest_limit_s(project)
    if given_s and given_s <= limit_s:
        yield Finding(
            ("proxy", "rest_read_timeout_s"),
            f"nginx gives up after {given_s:g} s, before the model server does, which takes "
            f"{limit_s:g} s and would say why",
            f"set rest_api_timeout_in_ms in [server.flags] below {given_s * 1000:g}",
            is_error=False,
        )


def _check_tls(plan: Plan, account: Account) -> Iterator[Finding]:
    proxy = plan.project.proxy
    given = {_CERTIFICATE: proxy.tls_certificate, _KEY: proxy.tls_key}
    if not any(given.values()):
        return
    files: dict[Key, Path] = {}
    for key, name in given.items():
        other = _KEY if key == _CERTIFICATE else _CERTIFICATE
        if not name:
            yield Finding(other, f"{key[-1]} is missing beside it", f"set {key[-1]} in [proxy] too")
            continue
        path = plan.file.parent / name
        if closed := barrier(account, path, os.R_OK):
            bits = "x" if closed.is_dir() else "r"
            yield Finding(
                key,
                f"{account.name} may not read {closed}",
                f"allow it, and nobody else: setfacl -m u:{account.name}:{bits} {closed}",
            )
        elif not path.is_file():
            yield Finding(key, f"{path} is not there", "name a file in PEM format")
        else:
            files[key] = path
    if len(files) == len(given):
        yield from _check_pair(files[_CERTIFICATE], files[_KEY])


def _check_pair(certificate: Path, private_key: Path) -> Iterator[Finding]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        yield Finding(_CERTIFICATE, f"{certificate} is no certificate", "name one in PEM format")
        return
    try:
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except _EncryptedKeyError:
        yield Finding(
            _KEY,
            f"{private_key} is encrypted, and nobody is there to type its password",
            f"decrypt it: openssl pkey -in {private_key} -out NEW, and set tls_key to that",
        )
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield Finding(
                _KEY,
                f"{private_key} is not the key of {certificate}",
                "name the two files that were made together",
            )
        else:
            yield Finding(_KEY, f"{private_key} is no private key", "name one in PEM format")


class _EncryptedKeyError(Exception):
    """OpenSSL asked for a password."""


def _no_password() -> str:
    raise _EncryptedKeyError
