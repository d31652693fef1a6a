"""Keys of age: to whom an archive is encrypted (public keys), and who can read it (identity files)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyrage

from dashboard.errors import BadInput

__all__ = ["Identity", "Recipient", "read_identities", "read_recipients"]

Recipient = pyrage.x25519.Recipient | pyrage.ssh.Recipient
Identity = pyrage.x25519.Identity | pyrage.ssh.Identity

MAX_FILE_BYTES = 64 * 1024
_PRIVATE = "AGE-SECRET-KEY-"


def read_recipients(texts: Iterable[str]) -> tuple[Recipient, ...]:
    """Public keys: ``age1…`` or a line of an SSH key (ed25519 or RSA). Raises BadInput for what is none; a private key
    that was given by mistake is not repeated."""
    return tuple(_recipient(text.strip()) for text in texts)


def _recipient(text: str) -> Recipient:
    if text.upper().startswith(_PRIVATE) or "PRIVATE KEY" in text:
        raise BadInput(
            "A recipient is a public key, and this is a private one.",
            next_step="Give the key that begins with age1: age-keygen -y prints it of an identity file.",
            field="recipient",
        )
    try:
        return (
            pyrage.ssh.Recipient.from_str(text)
            if text.startswith("ssh-")
            else pyrage.x25519.Recipient.from_str(text)
        )
    except pyrage.RecipientError as error:
        raise BadInput(
            f"{text[:80]!r} is not an age public key: {error}.",
            next_step="Use a key that begins with age1, or an SSH public key.",
            field="recipient",
        ) from None


def read_identities(paths: Iterable[Path | str]) -> tuple[Identity, ...]:
    """The private keys in files as ``age-keygen`` writes them, or SSH private keys without a passphrase. Raises BadInput,
    which names the file and repeats nothing of it."""
    return tuple(identity for path in paths for identity in _identities(Path(path)))


def _identities(path: Path) -> list[Identity]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.", field="identity") from None
    found: list[Identity] = []
    try:
        if b"PRIVATE KEY-----" in raw:
            found.append(pyrage.ssh.Identity.from_buffer(raw))
        else:
            lines = (line.strip() for line in raw.decode().splitlines())
            found += [
                pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")
            ]
    except (pyrage.IdentityError, UnicodeDecodeError):
        found = []
    if not found or len(raw) > MAX_FILE_BYTES:
        raise BadInput(
            f"{path} contains no age identity.",
            next_step=f"It has a line {_PRIVATE}…, as of age-keygen, or is an SSH key without a passphrase.",
            field="identity",
        )
    return found
