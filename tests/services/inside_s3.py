"""Archives in S3, as moto's server speaks it: run by ``test_s3`` in an environment of its own, ``.venv-s3``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import moto.server as moto
import pytest
import s3fs
from fsspec.config import conf, set_conf_env

from dashboard.errors import NotFound
from dashboard.recovery.errors import StorageError
from dashboard.recovery.storage import Storage, archive_name, open_archive

# Of their packages, not of ours.
pytestmark = pytest.mark.filterwarnings("ignore")
MIB = 2**20


@pytest.fixture
def bucket() -> Iterator[str]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    own = {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1",
        "FSSPEC_S3_ENDPOINT_URL": f"http://{host}:{port}",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        patch.setitem(conf, "s3", {})
        set_conf_env(conf)
        s3fs.S3FileSystem.clear_instance_cache()
        name = f"bucket-{secrets.token_hex(4)}"
        s3fs.S3FileSystem().mkdir(name)
        yield f"s3://{name}/prod"
        server.stop()


def new() -> str:
    return archive_name("prod", "all", datetime.now(UTC), encrypted=False)


def test_written_in_parts_listed_read_and_deleted(bucket: str) -> None:
    storage, name, raw = Storage(bucket), new(), os.urandom(20 * MIB)
    assert storage.archives() == []
    with storage.writing(name) as pending:
        pending.file.write(raw)
        pending.close()
        with pending.reading() as file:
            assert file.read() == raw
        pending.publish()
    assert [(each.name, each.url, each.size_bytes) for each in storage.archives()] == [
        (name, f"{bucket}/{name}", len(raw))
    ]
    with open_archive(pending.url) as file:
        assert file.read(MIB) == raw[:MIB]
    storage.delete(name)
    assert storage.archives() == []
    with pytest.raises(NotFound), open_archive(pending.url):
        pass


def test_nothing_is_left_of_what_failed_and_no_bucket_is_made(bucket: str) -> None:
    with pytest.raises(RuntimeError), Storage(bucket).writing(new()) as pending:
        pending.file.write(os.urandom(20 * MIB))
        raise RuntimeError
    s3 = s3fs.S3FileSystem()
    s3.invalidate_cache()
    assert s3.find(bucket) == []
    with pytest.raises(StorageError, match="bucket"), Storage("s3://mistyped/prod").writing(new()) as pending:
        pending.file.write(b"x")
        pending.close()
    s3.invalidate_cache()
    assert "mistyped" not in s3.ls("")
