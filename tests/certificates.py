"""A certification authority of our own, and what it signs: for servers that speak TLS."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """Files in PEM: whom to trust, and what a server at `localhost` and 127.0.0.1 shows."""

    authority: Path
    certificate: Path
    key: Path


def make_certificate(directory: Path) -> Certificate:
    """Make an authority and a certificate in *directory*."""
    made = Certificate(*(directory / name for name in ("authority.pem", "certificate.pem", "key.pem")))
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    own_key = directory / "authority-key.pem"
    _openssl(*new, "-subj", "/CN=authority", "-keyout", own_key, "-out", made.authority)
    signed = ("-CA", made.authority, "-CAkey", own_key, "-keyout", made.key, "-out", made.certificate)
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
    _openssl(*new, "-subj", "/CN=localhost", *names, *signed)
    # A server that runs as another user reads it, too.
    made.key.chmod(0o644)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
