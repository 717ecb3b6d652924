"""The fault proxy before a real socket server that answers each line with the same line in capitals."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fault_proxy import HOST, FaultProxy, fault_proxy
from tests.patience import PATIENCE_SECONDS, until

#: So long nothing may come; much more than what passes takes.
SILENCE_SECONDS = 0.15


class Capitals(socketserver.StreamRequestHandler):
    """Notes what reached it in `server.heard`."""

    def handle(self) -> None:
        for line in self.rfile:
            self.server.heard.append(line)  # type: ignore[attr-defined]
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), Capitals)
        self.heard: list[bytes] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.server_address[1]) as proxy:
        yield proxy


def connected(proxy: FaultProxy) -> "closing[socket.socket]":
    client = socket.create_connection((HOST, proxy.port), timeout=PATIENCE_SECONDS)
    return closing(client)


def reply(client: socket.socket, size: int = 4) -> bytes:
    """The next *size* bytes, or what there is before the end."""
    received = b""
    while len(received) < size and (more := client.recv(size - len(received))):
        received += more
    return received


def asked(client: socket.socket) -> bytes:
    client.sendall(b"abc\n")
    return reply(client)


def assert_silent(client: socket.socket) -> None:
    client.settimeout(SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(PATIENCE_SECONDS)


def test_what_passes_is_unchanged_in_both_directions(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"a" * 300_000 + b"\n")
        assert reply(client, 300_001) == b"A" * 300_000 + b"\n"
        assert asked(client) == b"ABC\n"


def test_the_end_of_either_side_ends_the_other(proxy: FaultProxy, server: Server) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_hang_holds_requests_back_and_lets_them_go_on_later(proxy: FaultProxy, server: Server) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.set("hang")
        client.sendall(b"def\n")
        with connected(proxy) as other:
            other.sendall(b"ghi\n")
            until(lambda: proxy.held == 2, "two requests that are held")
            assert_silent(client)
            assert server.heard == [b"abc\n"]
            proxy.set("pass")
            assert reply(client) == b"DEF\n"
            assert reply(other) == b"GHI\n"


def test_nobody_can_connect_to_a_black_hole_until_it_is_none(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.set("black_hole")
        client.sendall(b"def\n")
        with pytest.raises(TimeoutError):
            socket.create_connection((HOST, proxy.port), timeout=SILENCE_SECONDS)
        assert_silent(client)
        proxy.set("pass")
        assert reply(client) == b"DEF\n"
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"


def test_a_mute_server_hears_requests_and_its_replies_come_later(proxy: FaultProxy, server: Server) -> None:
    with connected(proxy) as client:
        proxy.set("mute")
        client.sendall(b"abc\n")
        until(lambda: server.heard == [b"abc\n"], "the request")
        assert_silent(client)
        proxy.set("pass")
        assert reply(client) == b"ABC\n"


def test_a_reset_ends_open_connections_and_new_ones_with_an_error(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.set("reset")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    # It may come while the connection is still being made.
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)
    proxy.set("pass")
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"


def test_what_is_slow_comes_late_and_whole(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.set("slow", seconds=0.1)
        began = time.monotonic()
        assert asked(client) == b"ABC\n"
        assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("after", [0, 2])
def test_a_cut_connection_ends_after_that_many_bytes_of_replies(proxy: FaultProxy, after: int) -> None:
    proxy.set("cut", after=after)
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"[:after]
        assert client.recv(1) == b""


def test_a_drip_brings_one_byte_at_a_time_and_the_rest_at_once_when_it_is_over(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.set("drip", seconds=0.05)
        began = time.monotonic()
        client.sendall(b"abc" * 1000 + b"\n")
        assert reply(client, 3) == b"ABC"
        assert time.monotonic() - began >= 0.15
        proxy.set("pass")
        assert reply(client, 2998) == (b"ABC" * 1000 + b"\n")[3:]


def test_nobody_listens_where_connections_are_refused(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.set("refuse")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.set("pass")
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"


def test_connections_that_are_forgotten_stay_silent_while_new_ones_are_served(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert asked(client) == b"ABC\n"
        proxy.forget()
        client.sendall(b"def\n")
        with connected(proxy) as other:
            assert asked(other) == b"ABC\n"
        proxy.set("slow")
        proxy.set("pass")
        assert_silent(client)


def test_a_server_that_is_not_there_resets_its_clients(proxy: FaultProxy, server: Server) -> None:
    server.shutdown()
    server.server_close()
    # It may be told so before its own side of the connection stands.
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)
