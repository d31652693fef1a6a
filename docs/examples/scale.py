"""Scales a workload through the dashboard as its form does: previews it, says what would happen, applies just that, and
follows it to its end. Python is all that it needs.

    python scale.py "$(manage.py signin_link)" /c/prod/deployments/shop/web/scale/ 3
"""

import json
import re
import sys
import time
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

EACH_SECONDS = 1


class Dashboard:
    """A session, as a browser has it: a cookie, and a token that every form is sent with."""

    def __init__(self, link: str) -> None:
        """``link`` is used up."""
        self.base = "{0.scheme}://{0.netloc}".format(urlsplit(link))
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))
        page = self.opener.open(link).read().decode()
        found = dict(re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', page))
        page = self.opener.open(f"{self.base}/login/link/", urlencode(found).encode()).read().decode()
        self.token = re.findall(r'"X-CSRFToken": "(\w+)"', page)[0]

    def ask(self, path: str, **fields: str) -> dict:
        """What a page has for scripts; with fields, the answer to its form. Ends where that is refused."""
        body = urlencode({**fields, "csrfmiddlewaretoken": self.token}).encode() if fields else None
        try:
            return json.load(self.opener.open(f"{self.base}{path}?format=json", body))
        except HTTPError as refused:
            said = json.load(refused)["error"]
            sys.exit(f"{said['title']}: {said['text']}" if isinstance(said, dict) else said)


def main(link: str, path: str, replicas: str) -> None:
    dashboard = Dashboard(link)
    preview = dashboard.ask(path, step="preview", replicas=replicas)
    print(preview["headline"])
    for each in preview["effects"]:
        print("-", each["text"], each["note"])
    for each in preview["notices"]:
        print("!", each["title"], each["text"])
    if not preview["token"]:
        print("Nothing would change.")
        return
    change = dashboard.ask(
        path, step="apply", replicas=replicas, token=preview["token"], reason="by a script"
    )
    while not (now := dashboard.ask(change["url"]))["done"]:
        time.sleep(EACH_SECONDS)
    print(f"{now['state']}: {now['headline']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
