"""Django's templates, made legible: what a page or a part of it shows is seen as it is (``kinds/legible.py``)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.backends.django import DjangoTemplates, Template
from django.utils.safestring import SafeString, mark_safe

from dashboard.kinds.legible import legible_html


class LegibleTemplates(DjangoTemplates):
    """The one place that all HTML goes through: pages, regions, rows."""

    def from_string(self, template_code: str) -> LegibleTemplate:
        return LegibleTemplate(super().from_string(template_code).template, self)

    def get_template(self, template_name: str) -> LegibleTemplate:
        return LegibleTemplate(super().get_template(template_name).template, self)


class LegibleTemplate(Template):
    """One template."""

    def render(self, context: Any = None, request: HttpRequest | None = None) -> SafeString:
        return mark_safe(legible_html(super().render(context, request)))  # noqa: S308 # a template's, marks added
