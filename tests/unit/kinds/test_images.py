"""References of images: what a registry takes, and what is wrong, in words."""

from __future__ import annotations

import pytest

from dashboard.kinds.images import Image, ImageError, parse_image, short_image

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web", Image("", "web", "", "")),
        ("web:2.4.0", Image("", "web", "2.4.0", "")),
        ("shop/web:v1_2-rc.3", Image("", "shop/web", "v1_2-rc.3", "")),
        ("localhost/web", Image("localhost", "web", "", "")),
        ("registry.example:5000/a/b__c/web", Image("registry.example:5000", "a/b__c/web", "", "")),
        ("Registry/web", Image("Registry", "web", "", "")),
        ("[2001:db8::1]:5000/web:1", Image("[2001:db8::1]:5000", "web", "1", "")),
        (f"registry.example/web:1@{DIGEST}", Image("registry.example", "web", "1", DIGEST)),
        (f"web@{DIGEST}", Image("", "web", "", DIGEST)),
    ],
)
def test_what_a_reference_says(text: str, image: Image) -> None:
    assert parse_image(text) == image


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://registry.example/web", "no scheme"),
        ("web 2", "spaces"),
        ("shop/Web:1", "“Web” has capital letters"),
        ("Web", "capital letters"),
        ("web:", "not a valid tag"),
        ("web:-1", "not a valid tag"),
        ("web:" + "1" * 129, "not a valid tag"),
        ("web:1@sha256:abc", "digest"),
        ("web@", "digest"),
        ("shop//web", "“” can't be part"),
        ("-web", "“-web” can't be part"),
        ("registry.example:port/web", "not a registry"),
        ("registry.example/", "name of the image is missing"),
        ("", "name of the image is missing"),
        ("a" * 256, "at most 255"),
        ("a-" * 100_000, "at most 255"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        parse_image(text)


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("web", "web"),
        ("registry.example:5000/shop/web:2.4.0", "web:2.4.0"),
        (f"registry.example/web@{DIGEST}", "web@sha256:abababababab"),
    ],
)
def test_an_image_in_short(image: str, short: str) -> None:
    assert short_image(image) == short
