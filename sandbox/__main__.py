"""`python -m sandbox up|down|status|reset|scale|image`."""

import argparse
import sys

from sandbox import cli
from sandbox.cluster import print_to_stderr
from sandbox.errors import SandboxError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=cli.DESCRIPTION)
    cli.add_arguments(parser)
    try:
        return cli.run(parser.parse_args(), say=print, log=print_to_stderr)
    except SandboxError as error:
        print_to_stderr(f"Error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
