"""Writes the manifests of ``deploy/`` that the chart says too, for those who use kubectl alone: one source, two ways.

    python -m tools.chart render

The chart in turn takes the roles from ``deploy/``, where `manage.py roles` writes them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from sandbox.cluster import print_to_stderr
from tools.helm import helm_ensure

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "chart"
NAME = "cluster-ui"
# What a file says on top of what the chart makes, and the templates that it is made of.
FILES = {
    "dashboard.yaml": (
        """\
# One pod with SQLite on a volume of its own. For PostgreSQL put DATABASE_URL into a Secret "cluster-ui" here:
#   kubectl create secret generic cluster-ui -n cluster-ui --from-literal=DATABASE_URL=postgres://…
# Made of deploy/chart by `python -m tools.chart render`: several replicas, an ingress and the like are values there.
""",
        ("claim", "deployment", "service"),
    ),
    "networkpolicy.yaml": ("# Made of deploy/chart by `python -m tools.chart render`.\n", ("networkpolicy",)),
}
# What only Helm means: whose a release is, and what it keeps.
OF_HELM = re.compile(
    r"^# Source: .*\n|^ +(?:app\.kubernetes\.io/(?:instance|version|managed-by)|helm\.sh/chart): .*\n"
    r"|^  annotations:\n    helm\.sh/resource-policy: keep\n",
    re.MULTILINE,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("action", choices=["render"])
    parser.parse_args()
    for name, text in rendered(helm_ensure(print_to_stderr)).items():
        (DEPLOY / name).write_text(text)
        print(f"Written: deploy/{name}")
    return 0


def rendered(helm: Path) -> dict[str, str]:
    """The text of each file, as the chart's defaults make it."""
    texts = {}
    for name, (head, templates) in FILES.items():
        parts = [template(helm, "--show-only", f"templates/{each}.yaml") for each in templates]
        objects = [OF_HELM.sub("", part).removeprefix("---\n") for part in parts]
        texts[name] = head + "---\n".join(objects)
    return texts


def template(helm: Path, *words: str) -> str:
    """What ``helm template`` prints. Raises CalledProcessError; what it complained of is in its ``stderr``."""
    return subprocess.run(
        [helm, "template", NAME, CHART, "--namespace", NAME, *words],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
