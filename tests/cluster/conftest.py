"""Who acts in the tests of changes, and the owner's way to the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from django.contrib.auth.models import User

from dashboard.actions.action import Actor
from dashboard.kube.config import Cluster, load_clusters
from dashboard.kube.transport import Transport
from sandbox import Sandbox

from .stopping import stopped_user


@pytest.fixture(autouse=True)
def open_gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test has no database, nobody could have allowed changes: it writes only to set the cluster up."""
    if request.node.get_closest_marker("django_db") is None:

        async def allowed(cluster: Cluster) -> None:
            return None

        monkeypatch.setattr(Transport, "gate", staticmethod(allowed))


@pytest.fixture
async def transport(cluster: Sandbox) -> AsyncIterator[Transport]:
    (found, *_) = load_clusters(
        environ={"KUBECONFIG": str(cluster.kubeconfig)}, sandbox_kubeconfig=cluster.kubeconfig
    )
    made = Transport(found)
    yield made
    await made.close()


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


@pytest.fixture
def jon() -> Actor:
    return Actor(user=User.objects.create(username="jon"), name="jon")


@pytest.fixture(scope="module")
def stopped(cluster: Sandbox) -> Iterator[str]:
    """The name of somebody whose every write a policy refuses."""
    with stopped_user(cluster.api()) as name:
        yield name
