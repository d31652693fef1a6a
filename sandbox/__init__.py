"""A real Kubernetes control plane with simulated nodes, for machines that have no cluster. See README.md.

Plain Python: nothing here imports Django, so that tests, the Makefile and `python -m sandbox` can use it
alone.
"""

from sandbox.cluster import DEFAULT_NAME, Sandbox, Status, data_home
from sandbox.errors import SandboxError

__all__ = ["DEFAULT_NAME", "Sandbox", "SandboxError", "Status", "data_home"]
