"""Phrases that the project does not use, each with what it says instead: the words of kubernetes.io and kubectl.

``PHRASES`` are regular expressions, without regard to case. Those of ``ON_SCREEN`` are wrong in what the dashboard says;
documentation may use the same words for something else. A sentence that matches one of ``ALLOWED`` is not looked at.
"""

from __future__ import annotations

import re

PHRASES: dict[str, str] = {
    # States
    r"needs? a person|worth a look": "needs attention; Critical, Warning",
    r"\bas wanted\b": "Healthy",
    r"does(n't| not) get further": "is not progressing",
    r"\bfollows from\b.*nothing to do here": "caused by",
    r"an error of the program": "application error",
    # Scheduling
    r"(finds?|found) no node|no node (takes?|has room)": "can't be scheduled",
    r"push(es|ed)? out": "preempts",
    r"runs? short of|is short of|memory runs short": "memory pressure",
    r"never lets?\b": "allows 0 disruptions",
    r"\breckon": "compute, evaluate",
    # Services and networks
    r"answers? nobody|nobody (is )?behind|served by nobody": "has no ready endpoints",
    r"no address from outside": "no external IP",
    r"names a port so": "no container has a port with that name",
    r"requests under way": "in-flight requests",
    r"share an address": "share an IP address and start and stop together",
    # Workloads and pods
    r"\bended by\b|ends old pods": "terminated",
    r"seconds to finish|with force\b|forgets it": "grace period; force-delete",
    r"\bits remains\b": "the failed pod",
    r"(has|was|is) not (been )?kept\b": "was not preserved",
    r"takes? up the change": "waiting for the controller to observe the change",
    r"\baway at once\b|pods be away": "unavailable at the same time",
    r"what votes|who votes?\b": "quorum members",
    r"is of an? (new|old)(er)? version|are of an? (new|old)": "is on an old revision",
    r"to be missing": "below the minimum availability",
    r"is to scale\b": "targets",
    r"(take|takes|took) (it|them) along|of this class": "is deleted with it; uses this class",
    # Quotas and requests
    r"runs out first": "the quota is reached first",
    r"\basks? for\b.*\b(cpu|memory|gib|mib)\b|are asked for": "requests",
    r"nothing would be asked": "no budget is checked",
    r"take a share": "can't compute utilization: no CPU request",
    r"measures no more|no measurements": "metrics are stale; no metrics",
    r"a room of\b": "a scope for names, access rules and quotas",
    # Rights
    r"\bright was taken|takes? a right|taken away": "permission was revoked",
    # Changes
    r"what it touches|what it writes|already so\b": "Impact; Diff; No changes",
    r"say how many": "enter a number of replicas",
    r"the cluster makes": "an admission policy changed this",
    r"is another object|another object now": "it was deleted and recreated",
    r"(bring|brings|brought) back|\bway back\b|taken back|takes? back": "restore; undo",
    r"can(no|')t be right": "invalid value",
    r"lines? alike": "unchanged lines",
    r"a restart is missing": "restart required",
    r"must know the|other side must": "change the password in the database too",
    r"random bits": "strong random value",
    r"how well it is kept": "how it is protected",
    r"byte for byte": "unchanged",
    r"came, changed|changed and went": "created, changed, deleted",
    # The page
    r"single keys do": "enable single-key shortcuts",
    r"usual columns|show these": "default columns; apply",
    r"looked at last|nothing has [“\"]": "recent; no results for",
}
ON_SCREEN: dict[str, str] = {
    r"\bfine\b": "Healthy",
    r"\bwanted\b|\bwants\b": "desired",
    r"\bsettled\b": "finished",
    r"switched off|takes? no (new|more) pods": "cordoned; suspended; disabled",
    r"\bleads? (port|to|nowhere|on)\b": "routes to",
    r"\breborn\b|\brebirths?\b|\banew\b": "recreated; again",
    r"by the clock": "on a schedule",
    r"\bleft out\b": "skipped",
    r"does(n't| not) hold\b": "expired or invalid",
    r"\bpods? ends?\b": "is terminated",
    r"\bnot begun\b|\b(was|were|is|are) begun\b": "not started, was started",
    r": say (a|an|one|the|at|[a-z]+ or)\b": "enter, use",
}
ALLOWED: tuple[str, ...] = (
    r"^[a-z_]+$",  # a name in code
    r"\(pointer: fine\)",
)


def faults(sentence: str, *, on_screen: bool = True) -> list[str]:
    """``phrase: what to say`` for each phrase of a sentence that is not used here."""
    if any(re.search(allowed, sentence) for allowed in ALLOWED):
        return []
    phrases = PHRASES | ON_SCREEN if on_screen else PHRASES
    return [
        f"{found[0]!r}: {better}"
        for phrase, better in phrases.items()
        if (found := re.search(phrase, sentence, re.IGNORECASE))
    ]
