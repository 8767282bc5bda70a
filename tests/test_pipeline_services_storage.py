"""Objects on a real S3: addresses, counts, presigned reads, and no write outside one's own."""

from __future__ import annotations

import hashlib
import multiprocessing
from urllib.parse import urlsplit

import httpx
import pytest

from reflector_migrate.clients.connections import connections
from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.services.storage import Storage, address
from reflector_migrate.settings import Settings
from tests.sources_world import local_s3

BODY = b"sound" * 1000


@pytest.fixture(scope="module")
def settings():
    """Settings that lead to a local S3."""
    with local_s3() as url:
        s3 = {"endpoint_url": url, "access_key_id": "test", "secret_access_key": "test"}
        yield Settings.model_validate({"s3": s3})


@pytest.fixture
def storage(settings):
    """A storage that may write anywhere, with an empty meter."""
    return Storage(connections(settings).s3, UsageMeter())


@pytest.fixture
def path(tmp_path):
    """A file to store."""
    path = tmp_path / "sound"
    path.write_bytes(BODY)
    return path


@pytest.mark.parametrize("bucket", ["reflector-media", "reflector-media/folder/deep"])
def test_what_is_put_comes_back_with_size_and_hash(storage, path, tmp_path, bucket):
    """A bucket may hold a folder; the address leads back either way."""
    where = address(bucket, "t/audio.mp3")
    stored = storage.put_file(where, path)
    assert stored == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert storage.get_file(where, tmp_path / "back") == stored == storage.checksum(where)
    assert (tmp_path / "back").read_bytes() == BODY
    assert storage.size(where) == len(BODY)
    assert where in {o.address for o in storage.list(address(bucket, "t/"))}


def test_no_content_type_is_named(storage, settings, path):
    """As legacy: S3 then says binary/octet-stream."""
    storage.put_file("s3://reflector-media/plain", path)
    head = connections(settings).s3.head_object(Bucket="reflector-media", Key="plain")
    assert head["ContentType"] == "binary/octet-stream"


def test_a_presigned_address_reads_without_credentials(storage, path):
    """Signed in the query, as the real one does in us-east-1; keys with blanks and marks too."""
    where = "s3://reflector-media/odd name/ü+&?.webm"
    storage.put_file(where, path)
    url = storage.presign(where, 60)
    names = [pair.partition("=")[0] for pair in urlsplit(url).query.split("&")]
    assert names == ["AWSAccessKeyId", "Signature", "Expires"]
    assert httpx.get(url, timeout=5).content == BODY


def test_bytes_and_requests_are_counted(storage, path, tmp_path):
    """Up and down, every request; presigning costs none."""
    storage.put_file("s3://reflector-media/n", path)
    storage.get_file("s3://reflector-media/n", tmp_path / "n")
    storage.presign("s3://reflector-media/n", 60)
    storage.delete("s3://reflector-media/n")
    assert (storage._meter.total.s3_requests, storage._meter.total.s3_bytes) == (3, 2 * len(BODY))


def test_deleting_twice_is_not_an_error(storage, path):
    """What is gone is gone."""
    storage.put_file("s3://reflector-media/gone", path)
    for _ in range(2):
        storage.delete("s3://reflector-media/gone")
    with pytest.raises(TerminalStepError, match="s3://reflector-media/gone: S3 answered"):
        storage.size("s3://reflector-media/gone")


def test_a_copy_holds_the_same(storage, path):
    """Server side, into another bucket."""
    stored = storage.put_file("s3://daily-tracks/a b", path)
    storage.copy("s3://daily-tracks/a b", "s3://shadow-tracks/a b")
    assert storage.checksum("s3://shadow-tracks/a b") == stored


@pytest.mark.parametrize("own", ["shadow-media", "shadow-media/folder"])
@pytest.mark.parametrize(
    "target",
    [
        "s3://reflector-media/t/audio.mp3",
        "s3://shadow-media-2/t/audio.mp3",
        "s3://shadow-mediax/y",
        "s3://daily-tracks/k",
    ],
)
def test_nothing_is_written_outside_ones_own(settings, path, own, target):
    """Put, copy and delete are refused before any request is made."""
    storage = Storage(connections(settings).s3, UsageMeter(), frozenset({own}))
    storage.put_file(address(own, "mine"), path)
    for write in (
        lambda: storage.put_file(target, path),
        lambda: storage.delete(target),
        lambda: storage.copy(address(own, "mine"), target),
    ):
        with pytest.raises(TerminalStepError, match="outside this run's namespace"):
            write()


@pytest.mark.parametrize("where", ["audio.mp3", "s3://bucket", "s3:///key", "http://x/y", ""])
def test_an_address_that_is_none_is_hopeless(storage, where):
    """It is named as such."""
    with pytest.raises(TerminalStepError, match="s3://bucket/key"):
        storage.size(where)


def test_an_unknown_bucket_is_hopeless_and_a_dead_server_is_not(storage, tmp_path):
    """404 against no connection."""
    with pytest.raises(TerminalStepError, match="404"):
        storage.get_file("s3://nobody/k", tmp_path / "x")
    down = {"endpoint_url": "http://127.0.0.1:1", "access_key_id": "a", "secret_access_key": "b"}
    dead = Storage(connections(Settings.model_validate({"s3": down})).s3, UsageMeter())
    with pytest.raises(TransientStepError, match="s3://b/k: EndpointConnectionError"):
        dead.size("s3://b/k")


def test_a_forked_process_makes_its_own_clients(settings):
    """Nothing that was opened before a process began is used in it."""
    mine = connections(settings)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=report_clients, args=(settings, there, mine))
    child.start()
    assert here.poll(20)
    is_inherited, is_kept = here.recv()
    child.join(timeout=10)
    assert (child.exitcode, is_inherited, is_kept) == (0, False, True)
    assert connections(settings) is mine


def report_clients(settings, pipe, parents):
    """In the child: say whether the parent's are used, and whether its own are kept."""
    own = connections(settings)
    is_inherited = own is parents or own.http is parents.http or own.s3 is parents.s3
    pipe.send((is_inherited, connections(settings) is own))
