"""Relations in words: what each way of using means, read from the user's side or from the used one's."""

from __future__ import annotations

# How → (beside what is used, beside who uses it). "it" is the object of the page.
_WORDS: dict[str, tuple[str, str]] = {
    "owner": ("created it; when the owner is deleted, this is deleted with it", "was created by it"),
    "env": ("selected keys as environment variables", "reads selected keys as environment variables"),
    "envFrom": ("every key as an environment variable", "reads every key as an environment variable"),
    "volume": ("as files in a volume", "reads it as files in a volume"),
    "projected": ("as files, together with others in one volume", "reads it as files in a projected volume"),
    "subPath": ("as single files", "reads single files of it"),
    "csi": ("the driver of a volume signs in with it", "lets a volume's driver sign in with it"),
    "imagePullSecret": ("pulls images with it", "pulls images with it"),
    "serviceAccount": ("its pods run as this account", "runs as it"),
    "claim": ("stores data there", "stores data in it"),
    "dataSource": ("its first content is copied from there", "copies its first content from it"),
    "bound": ("bound to each other", "bound to each other"),
    "class": ("uses this class", "uses this class"),
    "scales": ("scales this", "scales it"),
    "protects": ("limits disruptions of these", "limits disruptions of pods like it"),
    "selects": ("receives its traffic, by labels", "sends traffic to it, by labels"),
    "endpoint": ("an endpoint of it", "lists it as an endpoint"),
    "backend": ("handles its requests", "routes requests to it"),
    "serviceName": ("gives its pods their host names", "gives its pods host names by it"),
    "tls": ("its certificate", "shows it as certificate"),
    "runsOn": ("its place", "is there"),
    "grants": ("the permissions that it grants", "grants its permissions"),
}
# Where the kind of the user makes it another thing: (kind, how).
_BY_KIND: dict[tuple[str, str], tuple[str, str]] = {
    ("NetworkPolicy", "selects"): ("its rules apply to this pod", "applies to the pod's traffic, by labels"),
    ("Service", "endpoint"): ("lists its endpoints", "sends traffic to its addresses"),
    ("RoleBinding", "serviceAccount"): ("gets the permissions", "grants it permissions"),
    ("ClusterRoleBinding", "serviceAccount"): (
        "gets the permissions",
        "grants it permissions in the whole cluster",
    ),
    # A token, or what the account's pods may mount: the list does not say which.
    ("ServiceAccount", "serviceAccount"): (
        "is among the Secrets that it lists",
        "lists it among its Secrets",
    ),
}


def words(user_kind: str, how: str, *, of_user: bool) -> str:
    """What the way means; ``of_user``: said beside the user (on the used one's page), else beside what is used."""
    if how.startswith("spec."):
        return "names it"  # the field of a custom kind: what comes of it, only its authors know
    return _BY_KIND.get((user_kind, how), _WORDS.get(how, ("", "")))[of_user]
