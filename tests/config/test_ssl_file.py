from pathlib import Path

import pytest
import trustme

from slipway.config.ssl_file import read_ssl_file
from slipway.dataplane.base import Tls
from slipway.errors import ConfigError
from tests.support.authority import Identity, localhost, ssl_config, stranger, trusted

GOOD = localhost()
ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "ssl.config"
    path.write_text(text)
    return path


def test_a_file_says_who_the_server_is_and_whom_it_answers(tmp_path: Path) -> None:
    ca = trusted().certificate
    path = written(tmp_path, ssl_config(GOOD, ca, client_verify=True))
    assert read_ssl_file(path) == Tls(GOOD.key, GOOD.chain, ca, client_verify=True)


@pytest.mark.parametrize("key_type", trustme.KeyType)
def test_the_usual_kinds_of_keys_are_taken(tmp_path: Path, key_type: trustme.KeyType) -> None:
    identity = trusted().issue("localhost", key_type=key_type)
    assert read_ssl_file(written(tmp_path, ssl_config(identity))).server_key == identity.key


def test_authorities_that_nobody_is_measured_by_are_not_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, ssl_config(GOOD, "whatever"))
    assert not read_ssl_file(path).client_verify


def test_the_key_is_not_shown_with_what_it_belongs_to() -> None:
    assert "PRIVATE" not in repr(Tls(GOOD.key, GOOD.chain))


# What a file says, and a part of what is wrong with it.
WRONG: dict[str, tuple[str, str]] = {
    "no-text-format": (
        "server_key: yes",
        "Error parsing text-format tensorflow.serving.SSLConfig: ",
    ),
    "unknown-field": (
        "server_name: 'x'",
        "Error parsing text-format tensorflow.serving.SSLConfig: ",
    ),
    "nothing": ("", "server_cert is missing or empty"),
    "no-key": (ssl_config(Identity("", GOOD.chain)), "server_key is missing or empty"),
    "no-certificate": (ssl_config(Identity(GOOD.key, "")), "server_cert is missing or empty"),
    "a-path-in-place-of-the-key": (
        ssl_config(Identity("/etc/server.key", GOOD.chain)),
        "server_key has no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----",
    ),
    "key-and-certificate-changed-over": (
        ssl_config(Identity(GOOD.chain, GOOD.key)),
        "server_cert has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----",
    ),
    "key-of-another": (
        ssl_config(Identity(stranger().issue("localhost").key, GOOD.chain)),
        "server_key is not the key of the first certificate in server_cert",
    ),
    "encrypted-key": (
        ssl_config(Identity(ENCRYPTED, GOOD.chain)),
        "server_key is encrypted, and there is nobody to ask for its password; decrypt it",
    ),
    "key-that-is-none": (
        ssl_config(
            Identity("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", GOOD.chain)
        ),
        "server_key is of no kind that is supported: RSA of 2048 bits or more, ECDSA",
    ),
    "certificate-that-is-none": (
        ssl_config(
            Identity(GOOD.key, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        ),
        "what server_cert has in PEM is no certificate",
    ),
    "certificate-that-is-cut-off": (
        ssl_config(Identity(GOOD.key, GOOD.chain[:200])),
        "server_cert is no PEM: its last line, which begins with -----END, is missing",
    ),
    "certificate-with-a-slip": (
        ssl_config(Identity(GOOD.key, GOOD.chain.replace("\nMII", "\nM*I", 1))),
        "server_cert is no PEM: what is between its first and last line is no base64",
    ),
    "nobody-to-measure-callers-by": (
        ssl_config(GOOD, client_verify=True),
        "custom_ca is missing or empty",
    ),
    "authority-that-is-none": (
        ssl_config(GOOD, GOOD.key, client_verify=True),
        "custom_ca has no certificate in PEM",
    ),
}


@pytest.mark.parametrize(("text", "fault"), WRONG.values(), ids=WRONG)
def test_what_no_port_can_have_is_refused_with_the_file(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        read_ssl_file(path)
    assert fault in str(raised.value)
    assert str(path) in str(raised.value)
    # Nothing of a key gets into the log.
    assert GOOD.key.splitlines()[1] not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ssl\.config; No such file or directory"):
        read_ssl_file(tmp_path / "ssl.config")
