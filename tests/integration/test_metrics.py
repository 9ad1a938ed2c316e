"""`GET /metrics` for those who collect, and what those can do to the server who do not read on."""

import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

from conftest import SLOW, free_port, make_csr

SCRAPES = 10
# Of provisioners.  A series has the name in it; all of them together are more than a socket holds.
LONG_NAMES = [f"{n:02}" + "n" * (20 << 10) for n in range(16)]
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Watched:
    """A CA whose metrics are read."""

    def __init__(self, make_ca, names=("ops",)):
        self.ca = make_ca()
        self.port = free_port()

        def change(config):
            config["metricsAddress"] = f"127.0.0.1:{self.port}"
            first = config["authority"]["provisioners"][0]
            config["authority"]["provisioners"] = [dict(first, name=name) for name in names]
        self.ca.configure(change)
        self.ca.start()

    def get(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics",
                                        timeout=20 * SLOW) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def stuck(self):
        """A reader with hardly any room, which reads nothing: the rest waits in the server."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        reader.settimeout(20 * SLOW)
        reader.connect(("127.0.0.1", self.port))
        reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert reader.recv(12, socket.MSG_PEEK).startswith(b"HTTP/1.1 ")
        return reader


def rest_until(reader, n):
    got = b""
    while len(got) <= n:
        piece = reader.recv(1 << 20)
        assert piece, len(got)
        got += piece
    return got


def wait_for_a_place(watched):
    end = time.monotonic() + 30 * SLOW
    while watched.get()[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def take_all_places(watched, stack):
    """Ten readers that hold one each, when those before have lost theirs."""
    end = time.monotonic() + 60 * SLOW
    while True:
        with ExitStack() as these:
            readers = [these.enter_context(watched.stuck()) for _ in range(SCRAPES)]
            if all(r.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200" for r in readers):
                stack.push(these.pop_all())
                return readers
        assert time.monotonic() < end
        time.sleep(0.2)


def rest_of(reader):
    """Everything that still comes, until the server ends it."""
    got = b""
    while True:
        try:
            piece = reader.recv(1 << 20)
        except ConnectionResetError:
            return got
        if not piece:
            return got
        got += piece


def test_the_handler_counts_its_own_errors(make_ca):
    status, headers, text = Watched(make_ca).get()
    assert status == 200 and headers["Content-Type"] == TYPE
    lines = text.splitlines()
    assert "# TYPE promhttp_metric_handler_errors_total counter" in lines
    for cause in ("encoding", "gathering"):
        assert f'promhttp_metric_handler_errors_total{{cause="{cause}"}} 0' in lines


def test_readers_that_stop_reading_take_ten_places_and_lose_them(make_ca):
    watched = Watched(make_ca, LONG_NAMES)
    for name in LONG_NAMES:
        token = watched.ca.token("web.test", iss=name)
        assert watched.ca.sign(token, make_csr(["other.test"])[1]).status == 403
    status, _, text = watched.get()
    assert status == 200
    for name in LONG_NAMES:
        assert f'step_ca_x509_signed_total{{provisioner="{name}",success="false"}} 1\n' in text
    whole = len(text)
    with ExitStack() as stack:
        stuck = take_all_places(watched, stack)
        status, headers, text = watched.get()
        assert status == 503 and headers["Retry-After"] == "1", text[:200]
        assert headers["Content-Type"].startswith("text/plain")
        # One that reads on gives its place back.
        assert len(rest_until(stuck.pop(), whole)) > whole
        wait_for_a_place(watched)
        # The others are given up: their answers end before their end, and all places are free.
        take_all_places(watched, stack)
        assert watched.get()[0] == 503
        for reader in stuck:
            assert len(rest_of(reader)) < whole
    wait_for_a_place(watched)  # whoever goes away has none
