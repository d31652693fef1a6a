"""Archives in S3. Its packages can't be installed beside the others: botocore takes no python-dateutil from 3 on, which
the client of Kubernetes asks for. So the tests run in an environment of their own, which ``make test`` makes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-s3" / "bin" / "python"
TESTS = "tests/services/inside_s3.py"


@pytest.mark.skipif(not PYTHON.exists(), reason="`make .venv-s3/.made` has not made its environment")
def test_archives_in_s3() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FSSPEC_"))}
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS],
        cwd=ROOT, env=kept, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout
