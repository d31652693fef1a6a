"""Writes the manifests of ``deploy/`` that the chart says too, for those who use kubectl alone: one source, two ways. And
what the chart says of its values and of the dashboard's settings, from its schema and from the code.

    python -m tools.chart render
    python -m tools.chart release

The chart in turn takes the roles from ``deploy/``, where `manage.py roles` writes them. ``release`` keeps the chart as a
package, over which the tests put what comes after it; raise its version then.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sandbox.cluster import print_to_stderr
from tools.helm import helm_ensure

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "chart"
NAME = "cluster-ui"
RELEASES = ROOT / "tests" / "cluster" / "charts"
SETTINGS = ROOT / "cluster_ui" / "settings.py"
# How a setting is read, where its name does not say it, by the function that reads it.
READ_AS = {
    "flag": "flag", "seconds": "number", "days": "number", "number": "whole", "networks": "networks", "level": "level",
    "urls_by_context": "addresses",
}  # fmt: skip
NAMED = {
    "CLUSTER_UI_BACKUP_TO": "folder", "CLUSTER_UI_BACKUP_RECIPIENTS": "recipients",
    "CLUSTER_UI_HOSTS": "hosts", "CLUSTER_UI_ORIGINS": "origins",
}  # fmt: skip
# Read by others than settings.py: Python's TLS, and what connects through a proxy.
OTHERS = {
    "KUBECONFIG": "file", "SSL_CERT_FILE": "file", "NO_PROXY": "text",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "proxy"),
}  # fmt: skip
# What the chart does not let anybody set as a setting: values of its own, and what means nothing in a cluster.
NOT_SET = {
    "CLUSTER_UI_ACT_AS",
    "CLUSTER_UI_HOME",
    "CLUSTER_UI_SANDBOX",
    "CLUSTER_UI_SECRET_KEY",
    "CLUSTER_UI_SECRET_KEY_FALLBACKS",
}
VALUES = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- /values -->)", re.DOTALL)
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
    parser.add_argument("action", choices=["render", "release"])
    if parser.parse_args().action == "release":
        subprocess.run(
            [helm_ensure(print_to_stderr), "package", CHART, "--destination", RELEASES], check=True
        )
        return 0
    for name, text in rendered(helm_ensure(print_to_stderr)).items():
        (DEPLOY / name).write_text(text)
        print(f"Written: deploy/{name}")
    return 0


def rendered(helm: Path) -> dict[str, str]:
    """The text of each file, as the chart's defaults, its schema and the settings make it."""
    texts = {"chart/files/settings.yaml": settings_text(), "chart/README.md": readme()}
    for name, (head, templates) in FILES.items():
        parts = [template(helm, "--show-only", f"templates/{each}.yaml") for each in templates]
        objects = [OF_HELM.sub("", part).removeprefix("---\n") for part in parts]
        texts[name] = head + "---\n".join(objects)
    return texts


def settings_text() -> str:
    """Every setting that the chart takes, with how it is read."""
    read = re.findall(r'_(\w+)\(\s*"(CLUSTER_UI_\w+)"', SETTINGS.read_text())
    read += [("text", name) for name in re.findall(r'environ\.get\("(CLUSTER_UI_\w+)"', SETTINGS.read_text())]
    kinds = {name: kind_of(name, function) for function, name in reversed(read)} | OTHERS
    lines = [f"{name}: {kind}" for name, kind in sorted(kinds.items()) if name not in NOT_SET]
    return "\n".join(["# Made of cluster_ui/settings.py by `python -m tools.chart render`.", *lines, ""])


def kind_of(name: str, function: str) -> str:
    if name.endswith("_FILE"):
        return "file"
    return NAMED.get(name) or READ_AS.get(function, "text")


def readme() -> str:
    """The page about the chart, with every value as it is now."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = ["| value | what it does | default |", "|---|---|---|"]
    rows += [
        f"| `{path}` | {text} | `{json.dumps(default)}` |"
        if default not in ("", None)
        else f"| `{path}` | {text} | – |"
        for path, text, default in explained(schema, values)
    ]
    return VALUES.sub(lambda _: "\n".join(rows) + "\n", (CHART / "README.md").read_text())


def explained(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Each value by its path: what its schema says of it, and its default; None for what only holds others."""
    for name, each in schema["properties"].items():
        default, inner = values.get(name), f"{path}{name}"
        if name not in values and not path:
            continue  # Helm's own
        holds = "properties" in each and isinstance(default, dict)
        yield inner, each["description"], None if holds else default
        if holds:
            yield from explained(each, default, f"{inner}.")


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
