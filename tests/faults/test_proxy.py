"""The proxy does what it says, or the fault bench proves nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import FaultProxy, doubled


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    while data := connection.recv(65_536):
                        connection.sendall(data)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo, seed=1) as found:
        yield found


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def answer(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := client.recv(size - len(found))):
        found += more
    return found


def is_over(client: socket.socket) -> bool:
    """The other end has closed, or reset."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_bytes_go_through_as_they_are(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"Action: Ping\r\n\r\n")
        assert answer(client, 16) == b"Action: Ping\r\n\r\n"


def test_it_cuts_the_connections_of_one_login_only(proxy: FaultProxy) -> None:
    with connected(proxy) as one, connected(proxy) as other:
        for client, name in ((one, b"zuoxi-events"), (other, b"zuoxi-control")):
            client.sendall(name)
            assert answer(client, len(name)) == name
        assert proxy.cut(b"zuoxi-control") == 1
        assert is_over(other)
        one.sendall(b"still here")
        assert answer(one, 10) == b"still here"


def test_it_cuts_after_so_many_bytes_in_the_middle_of_a_message(proxy: FaultProxy) -> None:
    proxy.change(cut_after=7)
    with connected(proxy) as client:
        client.sendall(b"Event: Hangup\r\n\r\n")
        assert client.recv(100) == b"Event: "
        assert is_over(client)


def test_a_dead_link_swallows_and_says_nothing(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"one")
        assert answer(client, 3) == b"one"
        proxy.change(swallowed=True)
        client.sendall(b"two")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.heal()
        client.settimeout(5)
        client.sendall(b"three")
        assert answer(client, 5) == b"three"


def test_what_is_held_comes_later_and_nothing_is_lost(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"before")
        assert answer(client, 6) == b"before"
        proxy.change(held=True)
        time.sleep(0.1)
        client.sendall(b"during")
        proxy.heal()
        assert answer(client, 6) == b"during"


def test_it_refuses_new_connections(proxy: FaultProxy) -> None:
    proxy.change(refused=True)
    with connected(proxy) as client:
        assert is_over(client)


def test_events_are_doubled_and_answers_are_not() -> None:
    answer = b"Response: Success\r\nActionID: 1\r\n\r\n"
    item = b"Event: Status\r\nActionID: 1\r\n\r\n"
    event = b"Event: Hangup\r\nUniqueid: 1.0\r\n\r\n"
    assert doubled(answer + event + item + event[:9]) == answer + 2 * event + item + event[:9]
    assert doubled(event) == event  # perhaps only the end of one
