"""The sandbox's commands, for both `manage.py sandbox` and `python -m sandbox` (which needs no Django)."""

import argparse
from collections.abc import Callable
from pathlib import Path

from sandbox.cluster import DEFAULT_NAME, Sandbox, Status
from sandbox.errors import SandboxError

DESCRIPTION = (
    "Runs a real Kubernetes control plane with simulated nodes on this machine, for when there is no "
    "cluster. Prints its kubeconfig's path; everything else goes to standard error."
)


def add_arguments(parser: argparse.ArgumentParser, *, name: str = DEFAULT_NAME) -> None:
    """Declare the actions and their options; ``name`` is the sandbox meant when none is named."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="up|down|status|reset|scale|image")
    up = actions.add_parser(
        "up", help="start it, the first time with sample applications; nothing to do if it runs"
    )
    down = actions.add_parser("down", help="stop it; its objects are kept for the next up")
    status = actions.add_parser("status", help="tell whether it runs (exit code 0) or not (1)")
    reset = actions.add_parser("reset", help="start over: all objects are deleted")
    scale = actions.add_parser("scale", help="add nodes and load pods, for trying large clusters")
    image = actions.add_parser(
        "image", help="load an archive of images, as `docker save` writes it, onto the real node"
    )
    image.add_argument("archive", type=Path)
    for starts in (up, reset):
        starts.add_argument("--no-samples", action="store_true", help="leave out the sample applications")
        starts.add_argument(
            "--allow-exec",
            action="store_true",
            help="let `kubectl exec` run real commands, on this machine and as you; never where others log in",
        )
        starts.add_argument(
            "--real-node",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="a node that really runs containers, beside the simulated ones (Linux, root; kept until --no-real-node)",
        )
    scale.add_argument("--nodes", type=_count, metavar="N", help="nodes in all, with the sandbox's own five")
    scale.add_argument(
        "--pods",
        type=_count,
        metavar="N",
        help="load pods, in the namespace `load`; nodes for them are added by need",
    )
    for action in (up, down, status, reset, scale, image):
        action.add_argument("--name", default=name, help="which sandbox (default: %(default)s)")
        action.add_argument(
            "--home", type=Path, help="where sandboxes keep their state (default: the user's data)"
        )


def run(options: argparse.Namespace, *, say: Callable[[str], None], log: Callable[[str], None]) -> int:
    """Do what the options ask for; `say` the path, `log` the rest; return the exit code. Raises SandboxError."""
    sandbox = Sandbox(
        options.name,
        options.home,
        allow_exec=getattr(options, "allow_exec", False),
        real_node=getattr(options, "real_node", None),
        log=log,
    )
    code = 0
    if options.action == "up":
        sandbox.up(samples=not options.no_samples)
    elif options.action == "reset":
        sandbox.reset(samples=not options.no_samples)
    elif options.action == "down":
        sandbox.down()
    elif options.action == "image":
        sandbox.image_load(options.archive)
    elif options.action == "scale":
        if options.nodes is None and options.pods is None:
            raise SandboxError("Say how many: --nodes N, --pods N or both.")
        sandbox.scale(nodes=options.nodes, pods=options.pods)
    else:
        status = sandbox.status()
        log(describe(status))
        code = 0 if status.condition == "running" else 1
    say(str(sandbox.kubeconfig))
    return code


def describe(status: Status) -> str:
    """A status in a sentence or two."""
    text = f"The sandbox is {status.condition} (Kubernetes {status.version})."
    if status.condition == "running":
        text += f" It has {status.nodes} nodes and {status.pods} pods."
    if status.condition == "degraded":
        silent = [name for name, alive in status.processes.items() if not alive]
        text += f" Not running: {', '.join(silent)}." if silent else " Its API server does not answer."
        text += " Start what is missing with: up"
    return text


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number
