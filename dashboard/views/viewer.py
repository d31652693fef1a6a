"""Whose request it is, and so what may be seen of a cluster."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpRequest

from dashboard import showing
from dashboard.admins import is_admin
from dashboard.database import in_database
from dashboard.errors import ClusterError, NoAccount
from dashboard.kube.config import Cluster
from dashboard.live.acting import OF_A_CLUSTER, contexts_named, identity_of, own_accounts, whom_to_ask
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.session import Session


async def session_of(request: HttpRequest, context: str) -> Session:
    """The session of a request in a cluster. Raises NotFound for a context that no configuration names, NotSignedIn for
    somebody who has yet to sign in to it, and another ClusterError for somebody who has no account there. The middleware
    let nobody in who is not signed in to the dashboard.
    """
    return await session_in(request, runtime.open(context))


async def session_in(request: HttpRequest, cluster: ClusterRuntime) -> Session:
    """The same in a cluster that is open; at the moment that is being shown, where that is in the past."""
    if (moment := showing.moment()) is not None:
        cluster = await cluster.past.at(moment)
    return await present_session(request, cluster)


async def present_session(request: HttpRequest, cluster: ClusterRuntime) -> Session:
    """The same, of the cluster that is given whatever is being shown."""
    user = await request.auser()
    return cluster.session(await identity_of(cluster.cluster, user.get_username(), request.session))


async def first_cluster(request: HttpRequest) -> Cluster | None:
    """The first context in which the person has an account; where they have none, the first one that they may know of,
    which says why.
    """
    clusters, name = await contexts_told(request), (await request.auser()).get_username()
    for cluster in clusters:
        with suppress(ClusterError):
            await identity_of(cluster, name, request.session)
            return cluster
    return clusters[0] if clusters else None


async def contexts_told(request: HttpRequest) -> list[Cluster]:
    """The contexts of which somebody may know that they are there, wherever contexts are named: all for administrators of
    the dashboard, for others those in which they act, or would once they had signed in to them. Of these last ones the
    name is all that they are told (docs/threats.md).
    """
    clusters = runtime.clusters()
    user = await request.auser()
    shared = not any(own_accounts(each.slug) for each in clusters)
    if (shared and not user.get_username().startswith(OF_A_CLUSTER)) or await is_admin(request):
        return list(clusters)
    return await in_database(contexts_named)(clusters, user.get_username(), request.session)


async def known_somewhere(request: HttpRequest) -> None:
    """Raises NoAccount for somebody of whom nobody has said as whom they act, in any context: they see whom to ask, and
    nothing else, no name of a context either. An administrator may look all the same.
    """
    refusals, name = list[NoAccount](), (await request.auser()).get_username()
    for cluster in runtime.clusters():
        try:
            await identity_of(cluster, name, request.session)
        except NoAccount as error:
            refusals.append(error)
        except ClusterError:
            return
        else:
            return
    if refusals and not await is_admin(request):
        raise NoAccount(
            f"You ({name}) are not mapped to a user of any cluster.", next_step=f"Ask {whom_to_ask()}."
        )
