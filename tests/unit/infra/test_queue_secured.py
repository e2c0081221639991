"""A Redis of one's own: with a password, and behind TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer, _binary

PASSWORD = "speak-friend"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Socket of a Valkey that asks for a password."""
    path = tmp_path_factory.mktemp("v") / "s.sock"
    command = [_binary(), "--port", "0", "--unixsocket", str(path), "--requirepass", PASSWORD, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=path.parent)
    client = redis.Redis(unix_socket_path=str(path), password=PASSWORD)
    for _ in range(500):
        with suppress(redis.ConnectionError):
            client.ping()
            break
        threading.Event().wait(0.02)
    yield path
    client.close()
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, signed = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(signed)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return key, signed


@pytest.fixture
def tls_port(guarded: Path, certificate: tuple[Path, Path]) -> Iterator[int]:
    """A port that speaks TLS and hands what it hears to the Valkey: the embedded binary has no TLS of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while part := source.recv(65536):
                sink.sendall(part)

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain = listener.accept()[0]
                with suppress(OSError):
                    outside = context.wrap_socket(plain, server_side=True)
                    inside = socket.socket(socket.AF_UNIX)
                    inside.connect(str(guarded))
                    for pair in ((outside, inside), (inside, outside)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_password_is_sent_and_a_wrong_one_is_told(guarded: Path) -> None:
    assert Queue(f"unix://:{PASSWORD}@{guarded}", "t").ping()
    for url in (f"unix://{guarded}", f"unix://:wrong@{guarded}"):
        with pytest.raises(QueueUnavailable) as told:
            Queue(url, "t").ping()
        assert "password" in told.value.message
        assert "REDIS_URL" in told.value.hint
        assert PASSWORD not in told.value.message


def test_tls_is_spoken_and_the_certificate_checked(tls_port: int, certificate: tuple[Path, Path]) -> None:
    address = f"rediss://:{PASSWORD}@localhost:{tls_port}/0"
    queue = Queue(f"{address}?ssl_ca_certs={certificate[1]}", "t")
    assert queue.ping()
    queue.group.prepare()
    with pytest.raises(QueueUnavailable):
        Queue(address, "t").ping()  # nobody that this machine trusts signed it
    with pytest.raises(QueueUnavailable):
        Queue(f"redis://:{PASSWORD}@localhost:{tls_port}/0?socket_timeout=2", "t").ping()


def test_the_embedded_server_listens_on_its_own_socket_alone(server: EmbeddedServer) -> None:
    client = redis.Redis(unix_socket_path=str(server.socket))
    assert client.config_get("port")["port"] == "0"
    assert client.config_get("tls-port")["tls-port"] == "0"
    assert server.socket.stat().st_mode & 0o077 == 0
    client.close()
