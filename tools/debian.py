"""Debian packages that the tests and tools need: installed when they are missing, where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


def packages_install(who: str, there: Mapping[str, bool]) -> int:
    """Installs the packages that are not there, and returns an exit code: 0 when all are.

    Without root or apt-get it prints which ones ``who``, such as "The tests", need.
    """
    missing = [name for name, found in there.items() if not found]
    if not missing:
        return 0
    names = " ".join(missing)
    if not can_install():
        print(f"{who} need {names}: install it (Debian: apt-get install {names}) and run this again.")
        return 1
    print(f"Installing {names} (about a minute)…", flush=True)
    # No cluster of Debian's own is made, and nothing is started: the tests do that themselves.
    policy = Path("/usr/sbin/policy-rc.d")
    quiet: Mapping[str, str] = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for words in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
        ):
            done = subprocess.run(words, env=quiet, stdout=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                return done.returncode
    finally:
        if ours:
            policy.unlink()
    return 0


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None
