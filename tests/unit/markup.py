"""HTML as a browser reads it, whatever lines its template is broken into."""

import re
from typing import Any

from django.template import Context
from django.template.loader import get_template


def flat(html: str) -> str:
    """White space is one space; the end of a tag needs none before it."""
    return re.sub(r"\s+", " ", html).replace(" >", ">")


def content_of(page: str, facts: Any) -> str:
    """What a page's template says of ``s``, without the frame around it."""
    template: Any = get_template(page)
    context = Context({"s": facts})
    with context.bind_template(template.template):
        return str(template.template.nodelist[0].blocks["content"].render(context))
