"""Authorities of the tests' own, what they vouch for, and files that say so to a server."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import trustme

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A private key and the certificates that say whose it is, in PEM."""

    key: str
    chain: str

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write the chain and the key into files of a folder."""
        written = folder / f"{name}.pem", folder / f"{name}.key"
        for path, text in zip(written, (self.chain, self.key)):
            path.write_text(text)
        return written


class Authority:
    """Issues certificates that are valid now, or were yesterday."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.certificate = self._ca.cert_pem.bytes().decode()

    def issue(
        self, *names: str, expired: bool = False, key_type: trustme.KeyType = trustme.KeyType.ECDSA
    ) -> Identity:
        """Return a certificate for names and addresses, with its key."""
        now = datetime.now(UTC)
        leaf = self._ca.issue_cert(
            *names,
            not_before=now - 2 * DAY,
            not_after=now - DAY if expired else now + DAY,
            key_type=key_type,
        )
        chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
        return Identity(leaf.private_key_pem.bytes().decode(), chain)

    def itself(self) -> Identity:
        """Return the certificate of the authority, which it has signed itself."""
        return Identity(self._ca.private_key_pem.bytes().decode(), self.certificate)

    def file(self, folder: Path, name: str = "ca.pem") -> Path:
        """Write the certificate of the authority into a file of a folder."""
        path = folder / name
        path.write_text(self.certificate)
        return path


@cache
def trusted() -> Authority:
    """Return the authority that a test believes."""
    return Authority()


@cache
def stranger() -> Authority:
    """Return one that nobody believes."""
    return Authority()


@cache
def localhost() -> Identity:
    """Return who the tests' servers are."""
    return trusted().issue("127.0.0.1", "localhost")


def ssl_config(identity: Identity, custom_ca: str = "", *, client_verify: bool = False) -> str:
    """Return an SSLConfig in protobuf's text format."""
    fields = {"server_key": identity.key, "server_cert": identity.chain, "custom_ca": custom_ca}
    lines = [f"{name}: {json.dumps(text)}" for name, text in fields.items() if text]
    return "\n".join([*lines, f"client_verify: {json.dumps(client_verify)}", ""])
