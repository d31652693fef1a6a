"""The archive gives back what was put in, and takes nothing else from anybody."""

from __future__ import annotations

import io
import tarfile
import threading

import msgspec
import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.recovery import archive, entries
from dashboard.recovery.archive import ArchiveReader, ArchiveWriter, verify
from dashboard.recovery.errors import (
    ArchiveError,
    Corrupt,
    Hostile,
    NotAnArchive,
    SecretsNeedRecipient,
    TooNew,
    Truncated,
    WrongKey,
)
from tests.unit.recovery import made

KEY = pyrage.x25519.Identity.generate()
PUBLIC = KEY.to_public()
SECRET = made.entry(made.SECRETS, "shop", "db", data={"password": "Y2FuYXJ5LTE4Mw=="})


def read(raw: bytes, *identities):
    with ArchiveReader(io.BytesIO(raw), identities) as reader:
        return list(reader), reader


def refused(kind: type[ArchiveError], *parts: bytes, words: str = "") -> ArchiveError:
    with pytest.raises(kind) as caught:
        read(made.packed(*parts))
    assert words in str(caught.value)
    return caught.value


class TestRoundTrip:
    @pytest.mark.parametrize("recipients", [(), (PUBLIC,)])
    def test_what_went_in_comes_out(self, recipients):
        raw = made.archive(recipients=recipients)
        found, reader = read(raw, KEY)
        assert found == list(made.ENTRIES)
        assert reader.header == made.header()
        assert reader.encrypted is bool(recipients)
        assert reader.manifest is not None
        assert reader.manifest.objects == 4
        assert {each.key: each.objects for each in reader.manifest.kinds} == {
            "configmaps": 2, "secrets": 0, "deployments.apps": 1, "clusterroles.rbac.authorization.k8s.io": 1,
        }  # fmt: skip
        assert [each.what for each in reader.manifest.left_out] == ["volume data"]

    def test_it_is_a_tar_that_other_programs_read(self):
        packed = archive.PackedReader(io.BytesIO(made.archive()))
        with tarfile.open(fileobj=io.BytesIO(packed.read(10**7))) as tar:
            names = tar.getnames()
        packed.close()
        assert names == ["header.json", *(each.path for each in made.ENTRIES), "manifest.json"]

    def test_summary_has_the_sums_of_the_file(self):
        file = io.BytesIO()
        with ArchiveWriter(file, made.header()) as writer:
            writer.finish()
        found = verify(io.BytesIO(file.getvalue()))
        assert (found.sha256, found.size_bytes) == (writer.sha256, len(file.getvalue()))

    names = st.from_regex(r"[a-z0-9:._ üß-]{1,120}", fullmatch=True).filter(
        lambda name: name not in (".", "..")
    )
    values = st.recursive(  # what JSON holds
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )  # fmt: skip

    @settings(max_examples=30, deadline=None)
    @given(st.dictionaries(names, values, max_size=5), st.booleans())
    def test_any_names_and_values(self, bodies, encrypted):
        given_ = [made.entry(made.ROLES, "", name, rules=value) for name, value in bodies.items()]
        found, _ = read(made.archive(given_, [PUBLIC] if encrypted else []), KEY)
        assert found == given_

    def test_no_repr_shows_a_value(self):
        assert "Y2FuYXJ5" not in repr(SECRET)


class TestSecrets:
    def test_are_refused_without_a_recipient(self):
        with pytest.raises(SecretsNeedRecipient, match="Secrets need a recipient"):
            made.archive(secrets=True)
        with pytest.raises(SecretsNeedRecipient):
            made.archive([SECRET])

    def test_are_in_an_encrypted_archive_alone(self):
        raw = made.archive([SECRET], [PUBLIC], secrets=True)
        assert read(raw, KEY)[0] == [SECRET]
        assert b"Y2FuYXJ5" not in raw

    def test_are_refused_in_one_that_is_not_encrypted(self):
        raw = made.member(SECRET.path, entries.encode_body(SECRET.body))
        assert refused(Hostile, made.head(), raw, words="unexpected Secret").member == SECRET.path


class TestKeys:
    RAW = made.archive(recipients=[PUBLIC])

    def test_without_one(self):
        with pytest.raises(WrongKey, match="no identity was given"):
            read(self.RAW)

    def test_another_one(self):
        with pytest.raises(WrongKey, match="None of the identities"):
            read(self.RAW, pyrage.x25519.Identity.generate())

    def test_any_of_several(self):
        other = pyrage.x25519.Identity.generate()
        raw = made.archive(recipients=[other.to_public(), PUBLIC])
        assert len(read(raw, KEY)[0]) == len(read(raw, other)[0]) == 4

    def test_no_thread_is_left(self):
        before = threading.active_count()
        with ArchiveReader(io.BytesIO(self.RAW), [KEY]):
            pass  # not read to its end
        with pytest.raises(OSError, match="No space"):
            ArchiveWriter(Full(), made.header(), [PUBLIC]).finish()
        assert threading.active_count() == before


class Full(io.RawIOBase):
    def write(self, data):
        raise OSError(28, "No space left on device")


class TestDamage:
    RAW = made.archive()

    @pytest.mark.parametrize("encrypted", [False, True])
    def test_every_cut_is_seen(self, encrypted):
        raw = made.archive(recipients=[PUBLIC] if encrypted else [])
        for end in [*range(0, len(raw), 37), len(raw) - 1, len(raw) - 4]:
            with pytest.raises((Truncated, Corrupt, NotAnArchive, WrongKey)):
                read(raw[:end], KEY)

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_no_flipped_bit_is_taken_for_something_else(self, data):
        raw = bytearray(self.RAW)
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        try:
            found, _ = read(bytes(raw))
        except ArchiveError:
            return
        assert found == list(made.ENTRIES)  # a bit that says nothing

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=2000))
    def test_nonsense_in_the_tar(self, nonsense):
        with pytest.raises(ArchiveError):
            read(made.packed(made.head(), nonsense))

    @pytest.mark.parametrize(
        "raw", [b"", b"PK\x03\x04", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"\x1f\x8b" * 40]
    )
    def test_other_files(self, raw):
        with pytest.raises(NotAnArchive):
            read(raw)

    def test_without_a_manifest(self):
        refused(Truncated, made.head(), archive.END, words="no manifest")

    def test_interrupted_while_it_was_made(self):
        for recipients in ((), (PUBLIC,)):
            file = io.BytesIO()
            with pytest.raises(RuntimeError), ArchiveWriter(file, made.header(), recipients):
                raise RuntimeError
            with pytest.raises(ArchiveError):
                read(file.getvalue(), KEY)

    def test_something_after_the_end(self):
        with pytest.raises(ArchiveError):
            read(made.archive() + made.packed(b"more"))
        with pytest.raises(ArchiveError):
            read(made.archive() + b"more")

    def test_a_manifest_of_something_else(self):
        body = entries.encode_body(made.ENTRIES[0].body)
        manifest = entries.Manifest(finished_at="", objects=0, kinds=())
        refused(
            Corrupt, made.head(), made.member(made.ENTRIES[0].path, body),
            made.member("manifest.json", msgspec.json.encode(manifest)), archive.END, words="does not name configmaps",
        )  # fmt: skip

    def test_a_changed_object(self):
        packed = archive.PackedReader(io.BytesIO(made.archive()))
        plain = packed.read(10**7)
        packed.close()
        refused(
            Corrupt,
            plain.replace(b'"replicas":3', b'"replicas":9'),
            words="deployments.apps are not what was written",
        )

    def test_a_later_format(self):
        later = msgspec.json.encode({"format": 2, "anything": True})
        refused(TooNew, made.member("header.json", later), words="Its format is 2")


BODY = entries.encode_body(made.ENTRIES[0].body)
PATH = made.ENTRIES[0].path


class TestHostile:
    @pytest.mark.parametrize(
        "path",
        [
            "../etc/passwd", "/etc/passwd", "C:\\x", "header.json", "objects//v1/configmaps/shop/web.json",
            *(f"objects/core/v1/configmaps/{each}" for each in (
                "shop/../../x.json", "shop/web", "shop/..json", "shop/...json", "shop/a\x07.json", "../web.json",
                "shop/a%2fb.json", "shop/" + "x" * 3000 + ".json",
            )),
        ],
    )  # fmt: skip
    def test_names(self, path):
        error = refused((Hostile, Corrupt), made.head(), made.member(path, BODY))
        assert "\x07" not in str(error)
        assert len(str(error)) < 400

    @pytest.mark.parametrize(
        "kind",
        [
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.DIRTYPE,
            tarfile.FIFOTYPE,
            tarfile.GNUTYPE_SPARSE,
        ],
    )
    def test_types_of_members(self, kind):
        refused(
            Hostile,
            made.head(),
            made.member(PATH, type=kind, linkname="/etc/passwd"),
            words="not a regular file",
        )

    def test_headers_that_speak_for_others(self):
        for keyword in (b"size=9", b"linkpath=/x", b"GNU.sparse.name=x"):
            line = b"%d " % (len(keyword) + 4) + keyword + b"\n"
            refused(
                Hostile, made.head(), made.member("x", line, type=tarfile.XHDTYPE), made.member(PATH, BODY)
            )
        refused(
            Hostile,
            made.head(),
            made.member("x", b"9 path=x\n", type=tarfile.XGLTYPE),
            made.member(PATH, BODY),
        )
        refused(Hostile, made.head(), made.member("x", b" " * 5000, type=tarfile.XHDTYPE))

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": ""}, {"metadata": None}, {"metadata": {"name": "other", "namespace": "shop"}},
            {"metadata": {"name": "web", "namespace": "kube-system"}},
            {"apiVersion": "rbac.authorization.k8s.io/v1"}, {"metadata": {"name": "web"}},
        ],
    )  # fmt: skip
    def test_another_object_than_its_name_says(self, change):
        body = entries.encode_body(made.ENTRIES[0].body | change)
        refused((Hostile, Corrupt), made.head(), made.member(PATH, body))

    def test_another_kind_than_the_others(self):
        body = entries.encode_body(made.ENTRIES[1].body | {"kind": "ClusterRole"})
        refused(
            Hostile,
            made.head(),
            made.member(PATH, BODY),
            made.member(made.ENTRIES[1].path, body),
            words="its kind differs",
        )

    def test_another_namespace_than_the_header_says(self):
        head = made.member("header.json", msgspec.json.encode(made.header(namespaces=("blog",))))
        refused(Hostile, head, made.member(PATH, BODY), words="isn't listed")

    def test_twice(self):
        refused(Hostile, made.head(), made.member(PATH, BODY), made.member(PATH, BODY), words="duplicate")

    def test_no_header_first(self):
        refused(Hostile, made.member(PATH, BODY), words="header is missing")

    @pytest.mark.parametrize(
        "raw", [b"[]", b"{", b"\xff", b"null", b'{"a":' * 500 + b"1" + b"}" * 500, b"[" * 10**6]
    )
    def test_what_is_no_object(self, raw):
        refused((Hostile, Corrupt), made.head(), made.member(PATH, raw))

    def test_depth(self):
        deep: object = 1
        for _ in range(entries.MAX_DEPTH):
            deep = [deep]
        refused(
            Hostile,
            made.head(),
            made.member(PATH, entries.encode_body(made.ENTRIES[0].body | {"data": deep})),
            words="levels deep",
        )
        with pytest.raises(Hostile):  # what can't be read is not written
            made.archive([made.entry(made.CONFIGMAPS, "shop", "web", data=deep)])


class TestBombs:
    """Refused by what a header says, before it is read; the rest by what comes out."""

    def test_a_large_member(self):
        info = tarfile.TarInfo(PATH)
        info.size = 2**40
        refused(Hostile, made.head(), info.tobuf(tarfile.GNU_FORMAT), words="larger than 8 MiB")

    def test_a_large_record(self):
        info = tarfile.TarInfo("header.json")
        info.size = 2**30
        refused(Hostile, info.tobuf(tarfile.GNU_FORMAT), words="larger than 32 MiB")

    def test_many_members(self, monkeypatch):
        monkeypatch.setattr(archive, "MAX_OBJECTS", 1)
        refused(
            Hostile,
            made.head(),
            made.member(PATH, BODY),
            made.member(made.ENTRIES[1].path, BODY),
            words="more than 1 objects",
        )

    def test_in_total(self, monkeypatch):
        raw = made.archive()
        monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 4096)
        with pytest.raises(Hostile, match="unpacks to more than"):
            read(raw)
        with pytest.raises(Hostile, match="maximum size"):  # no more is written
            made.archive()

    def test_a_ratio_that_no_objects_have(self, monkeypatch):
        monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 2**20)
        body = entries.encode_body(made.ENTRIES[0].body | {"data": {"x": "0" * (7 * 2**20)}})
        with pytest.raises(Hostile, match="times its size"):
            read(made.packed(made.head(), made.member(PATH, body)))

    def test_a_window_that_fills_the_memory(self):
        zstd = archive.PackedWriter.__init__.__globals__["zstd"]
        option = zstd.CompressionParameter
        packer = zstd.ZstdCompressor(options={option.window_log: 27, option.enable_long_distance_matching: 1})
        raw = packer.compress(made.head() * 40_000) + packer.flush()
        with pytest.raises(Corrupt):
            read(raw)
