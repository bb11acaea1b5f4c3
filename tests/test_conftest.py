"""The guards of the test run itself."""

import socket

import pytest


def test_a_test_that_reaches_for_the_network_fails():
    with socket.socket() as line, pytest.raises(OSError, match="expected a test that works offline"):
        line.connect(("192.0.2.1", 80))


def test_a_local_connection_is_allowed():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as line:
        assert line.getpeername() == server.getsockname()
