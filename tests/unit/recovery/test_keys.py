from __future__ import annotations

import pyrage
import pytest

from dashboard.errors import BadInput
from dashboard.recovery.keys import read_identities, read_recipients

KEY = pyrage.x25519.Identity.generate()


def test_a_file_as_age_keygen_writes_it(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"# created: now\n# public key: {KEY.to_public()}\n{KEY}\n\n")
    (found,) = read_identities([path])
    assert str(found) == str(KEY)


@pytest.mark.parametrize("text", ["", "# nothing\n", "hello\n", f"{KEY}\nhello\n", "\udcff"])
def test_other_files_are_refused_and_not_repeated(tmp_path, text):
    path = tmp_path / "key"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadInput, match="contains no age identity") as caught:
        read_identities([path])
    assert str(KEY) not in str(caught.value) + caught.value.next_step
    with pytest.raises(BadInput, match="can't be read: No such file"):
        read_identities([tmp_path / "none"])


def test_recipients():
    assert [str(each) for each in read_recipients([f" {KEY.to_public()}\n"])] == [str(KEY.to_public())]
    with pytest.raises(BadInput, match="is not an age public key"):
        read_recipients(["age1hello"])


def test_a_private_key_by_mistake_is_not_repeated():
    with pytest.raises(BadInput, match="this is a private one") as caught:
        read_recipients([str(KEY)])
    assert str(KEY) not in str(caught.value)
