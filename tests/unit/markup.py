"""HTML as a browser reads it, whatever lines its template is broken into."""

import re


def flat(html: str) -> str:
    """White space is one space; the end of a tag needs none before it."""
    return re.sub(r"\s+", " ", html).replace(" >", ">")
