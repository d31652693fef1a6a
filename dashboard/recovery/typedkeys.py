"""The keys of encrypted backups: those that somebody types for one restore, and those of the installation, which are
private ones to read with and public ones to encrypt to.
"""

from __future__ import annotations

import pyrage
from django.conf import settings

from dashboard.errors import BadInput

from .keys import Identity, Recipient, read_identities, read_recipients

MAX_TYPED = 16 * 1024  # bytes; an SSH key of 4096 bits has 3.4 KiB


def typed_identities(text: str) -> tuple[Identity, ...]:
    """The private keys in a text that was pasted: lines of ``age-keygen``, or an SSH key without a passphrase. Nothing of
    it is in the BadInput (``identity``) that is raised for what is none.
    """
    wrong = BadInput(
        "This is not an age identity.",
        next_step="Paste the line that begins with AGE-SECRET-KEY-, or an SSH private key without a passphrase.",
        field="identity",
    )
    if not text.strip():
        return ()
    if len(text) > MAX_TYPED:
        raise wrong
    try:
        if "PRIVATE KEY-----" in text:
            return (pyrage.ssh.Identity.from_buffer(f"{text.strip()}\n".replace("\r", "").encode()),)
        lines = [line.strip() for line in text.splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, UnicodeError):
        raise wrong from None
    if not found:
        raise wrong
    return tuple(found)


def installed_identities() -> tuple[Identity, ...]:
    """Those in the file of ``CLUSTER_UI_BACKUP_IDENTITY_FILE``, read anew each time; none where that is not set."""
    path = settings.CLUSTER_UI_BACKUP_IDENTITY_FILE
    return read_identities([path]) if path else ()


def installed_recipients() -> tuple[Recipient, ...]:
    """The public keys of ``CLUSTER_UI_BACKUP_RECIPIENTS``, to which backups made from a page are encrypted; none where it
    is not set. Raises BadInput for what is no public key.
    """
    return read_recipients(settings.CLUSTER_UI_BACKUP_RECIPIENTS)
