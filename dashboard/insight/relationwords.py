"""Relations in words: what each way of using means, read from the user's side or from the used one's."""

from __future__ import annotations

# How → (beside what is used, beside who uses it). "it" is the object of the page.
_WORDS: dict[str, tuple[str, str]] = {
    "owner": ("made it, and takes it along when deleted", "was made by it"),
    "env": ("single keys as environment variables", "reads single keys as environment variables"),
    "envFrom": ("every key as an environment variable", "reads every key as an environment variable"),
    "volume": ("as files in a volume", "reads it as files in a volume"),
    "projected": ("as files, together with others in one volume", "reads it as files in a projected volume"),
    "subPath": ("as single files", "reads single files of it"),
    "csi": ("the driver of a volume signs in with it", "lets a volume's driver sign in with it"),
    "imagePullSecret": ("pulls images with it", "pulls images with it"),
    "serviceAccount": ("its pods act under this name", "acts under its name"),
    "claim": ("keeps data there", "keeps data in it"),
    "bound": ("bound to each other", "bound to each other"),
    "class": ("of this class", "is of this class"),
    "scales": ("changes how many pods this has", "changes how many pods it has"),
    "protects": ("keeps enough of these running", "keeps enough pods like it running"),
    "selects": ("gets its traffic, by labels", "sends traffic to it, by labels"),
    "endpoint": ("an address behind it", "lists it as an address"),
    "backend": ("answers its requests", "leads requests to it"),
    "serviceName": ("gives its pods their host names", "gives its pods host names by it"),
    "tls": ("its certificate", "shows it as certificate"),
    "runsOn": ("its place", "is there"),
    "grants": ("the rights that it gives", "gives the rights of it"),
}
# Where the kind of the user makes it another thing: (kind, how).
_BY_KIND: dict[tuple[str, str], tuple[str, str]] = {
    ("NetworkPolicy", "selects"): ("its rules hold for this pod", "rules the pod's connections, by labels"),
    ("Service", "endpoint"): ("lists the addresses behind it", "sends traffic to its addresses"),
    ("RoleBinding", "serviceAccount"): ("gets the rights", "gives it rights"),
    ("ClusterRoleBinding", "serviceAccount"): ("gets the rights", "gives it rights in the whole cluster"),
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
