"""HTTP by hand: what a proxy, a broken client or an attacker may put on the wire."""

import json
import os
import re
import socket
import ssl
import threading
import time

import pytest
from conftest import SLOW, make_csr, read_all

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
OK = b'{"status":"ok"}\n'


def replies(data, heads=()):
    """The answers in a stream: (status, headers, body) each.  heads: indices of HEAD requests."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z -]+", first)
        assert match, first
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        status = int(match.group(1))
        if status == 100:
            found.append((100, headers, b""))
            continue
        size = 0 if len(found) in heads else int(headers["content-length"])
        found.append((status, headers, data[:size]))
        data = data[size:]
    return found


def ask(ca, data, heads=()):
    return replies(ca.raw(data), heads)


def one(ca, data):
    found = ask(ca, data)
    assert len(found) == 1, found
    return found[0]


def alive(ca):
    assert ca.request("GET", "/health").status == 200


def post(ca, head, body):
    return b"POST /sign HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n" + body


def sign_body(ca):
    return json.dumps({"csr": make_csr()[1], "ott": ca.token()}).encode()


# --- What is served -------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(ca):
    body = sign_body(ca)
    data = (GET + b"\r\n" + b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n"
            + post(ca, b"Content-Length: %d\r\n" % len(body), body)
            + b"HEAD /roots.pem HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"Connection: close\r\n\r\n"
            + GET + b"\r\n")
    found = ask(ca, data, heads=(3,))
    assert [r[0] for r in found] == [200, 404, 201, 200, 200]
    assert found[-1][1]["connection"] == "close"
    many = ask(ca, (GET + b"\r\n") * 200 + GET + b"Connection: close\r\n\r\n")
    assert [r[0] for r in many] == [200] * 201


def test_a_request_byte_by_byte(ca):
    with ca.connect() as tls:
        for byte in GET + b"Connection: close\r\n\r\n":
            tls.sendall(bytes([byte]))
        assert replies(read_all(tls))[0][2] == OK


def test_chunked_bodies(ca):
    body = sign_body(ca)
    third = len(body) // 3
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(c), c) for c in (
        body[:third], body[third:third + 1], body[third + 1:]))
    chunks += b"0\r\nTrailer: x\r\n\r\n"
    found = ask(ca, post(ca, b"Transfer-Encoding: Chunked\r\n", chunks) + GET
                + b"Connection: close\r\n\r\n")
    assert [r[0] for r in found] == [201, 200]


def test_expect_100_continue(ca):
    body = sign_body(ca)
    with ca.connect() as tls:
        tls.sendall(post(ca, b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n"
                         % len(body), b""))
        assert tls.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        tls.sendall(body)
        assert replies(read_all(tls))[0][0] == 201
    # No invitation to send what would be refused.
    assert [r[0] for r in ask(ca, post(
        ca, b"Expect: 100-continue\r\nContent-Length: 99999999\r\n", b""))] == [413]
    assert one(ca, GET + b"Expect: something\r\n\r\n")[0] == 417


def test_http_1_0_and_connection_close(ca):
    for request in (b"GET /health HTTP/1.0\r\n\r\n",
                    b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                    GET + b"Connection: Close\r\n\r\n", GET + b"Connection: x, close\r\n\r\n",
                    b"\r\n\r\n" + GET + b"Connection: close\r\n\r\n",
                    b"GET https://localhost/health HTTP/1.1\r\nHost: x\r\n"
                    b"Connection: close\r\n\r\n"):
        status, headers, body = one(ca, request)
        assert (status, body) == (200, OK) and headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/health", "/roots", "/roots.pem", "/provisioners", "/version"])
def test_head_equals_get_without_body(ca, path):
    def get(method):
        return (b"%s %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\nConnection: close\r\n\r\n"
                % (method, path.encode()))
    (status, headers, body), = ask(ca, get(b"GET"))
    (head_status, head_headers, head_body), = ask(ca, get(b"HEAD"), heads=(0,))
    headers.pop("date"), head_headers.pop("date")
    assert (head_status, head_headers, head_body) == (status, headers, b"")
    assert len(body) == int(headers["content-length"])


def test_answers_have_a_date_and_no_server_name(ca):
    _, headers, _ = one(ca, GET + b"Connection: close\r\n\r\n")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
    assert "server" not in headers


def test_escaped_paths(ca):
    def status(path):
        return one(ca, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0]
    assert status(b"/%68ealth") == 200 and status(b"/1%2e0/health") == 200
    for path in (b"//health", b"/./health", b"/x/../health", b"/health%00", b"/health%", b"/%zz",
                 b"/health%2f", b"/1.0%2fhealth%2f", b"*", b"/" + b"%41" * 5000):
        assert status(path) in (400, 404), path


# --- What is refused ------------------------------------------------------------------------------


BODY = b'{"a":1}'

BAD = [
    ("both framings", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + BODY, 400),
    ("two lengths", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n"
                    b"Content-Length: 7\r\n\r\n" + BODY, 400),
    ("list of lengths", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 7, 7\r\n\r\n", 400),
    ("signed length", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: +7\r\n\r\n", 400),
    ("negative length", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("hex length", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 0x7\r\n\r\n", 400),
    ("huge length", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999"
                    b"\r\n\r\n", 400),
    ("large length", b"POST /sign HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807"
                     b"\r\n\r\n", 413),
    ("gzip", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("twice chunked", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n", 501),
    ("chunked in 1.0", b"POST /sign HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("bare LF", b"GET /health HTTP/1.1\nHost: x\n\n", 400),
    ("LF behind a header", b"GET /health HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    ("bare CR", b"GET /health HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400),
    ("folded header", b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    ("blank before colon", b"GET /health HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
    ("header without colon", b"GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400),
    ("header without name", b"GET /health HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
    ("NUL in a header", b"GET /health HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    ("NUL in the path", b"GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("no host", b"GET /health HTTP/1.1\r\n\r\n", 400),
    ("two hosts", b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("host of others", b"GET /health HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("two blanks", b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("relative target", b"GET health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("bad method", b"G(T /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("other version", b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("no version", b"GET /health\r\nHost: x\r\n\r\n", 400),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ("garbage", bytes(range(256)) * 4, 400),
    ("long target", b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("large head", GET + b"A: " + b"b" * (1100 << 10) + b"\r\n\r\n", 431),
    ("many headers", GET + b"A: b\r\n" * 300 + b"\r\n", 431),
    ("bad chunk size", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"xyz\r\n", 400),
    ("chunk size with LF", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"1\nx\r\n0\r\n\r\n", 400),
    ("chunk size overflow", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"ffffffffffffffffff\r\n", 400),
    ("chunk too long", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"2\r\nabc\r\n0\r\n\r\n", 400),
    ("chunks too many", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + b"ffff\r\n" + b"x" * 0xffff + b"\r\n" + b"ffff\r\n" + b"x" * 0xffff
                        + b"\r\n" + (b"fffff\r\n" + b"x" * 0xfffff + b"\r\n") * 2, 413),
    ("extension too long", b"POST /sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"1;" + b"a" * 1000 + b"\r\n", 400),
]


@pytest.mark.parametrize("data, status", [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_requests_end_the_connection_with_a_status(ca, data, status):
    found = ask(ca, data + b"\r\n\r\n" + GET + b"\r\n")
    assert len(found) == 1  # nothing behind a bad request is ever read as one
    assert found[0][1]["connection"] == "close" and found[0][1]["x-request-id"]
    envelope = json.loads(found[0][2])
    assert envelope["status"] == found[0][0]
    if status is not None:
        assert found[0][0] == status, found[0]
    alive(ca)


def test_a_body_where_none_is_expected(ca):
    found = ask(ca, GET + b"Content-Length: 5\r\n\r\nhello" + GET + b"Connection: close\r\n\r\n")
    assert [r[0] for r in found] == [200, 200]
    assert one(ca, GET + b"Content-Length: 99999999\r\n\r\n")[0] == 413


def test_smuggled_requests_are_not_answered(ca):
    inner = b"GET /roots HTTP/1.1\r\nHost: x\r\n\r\n"
    data = post(ca, b"Content-Length: %d\r\n" % len(inner), inner) + GET + \
        b"Connection: close\r\n\r\n"
    found = ask(ca, data)
    assert [r[0] for r in found] == [400, 200]  # the inner one was a broken JSON body


# --- Time and memory ------------------------------------------------------------------------------


def until_closed(ca, data, drip, results, name, plain=False):
    """How long the server bears a client that sends data and then a byte now and then."""
    sock = (socket.create_connection(("127.0.0.1", ca.port), timeout=60 * SLOW) if plain
            else ca.connect(timeout=60 * SLOW))
    begun = time.monotonic()
    sock.sendall(data)
    sock.settimeout(0.5)
    got = b""
    while time.monotonic() - begun < 40 * SLOW:
        try:
            piece = sock.recv(65536)
            if not piece:
                break
            got += piece
        except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
            try:
                if drip:
                    sock.sendall(drip)
            except OSError:
                break
        except OSError:
            break
    results[name] = (time.monotonic() - begun, got)
    sock.close()


def test_slow_clients_are_cut_after_15_seconds(ca):
    cases = {
        "no handshake": (b"", b"", True), "half a handshake": (b"\x16\x03\x01\x02\x00", b"", True),
        "silent": (b"", b"", False), "slow head": (b"GET /hea", b"a", False),
        "slow header": (GET + b"A: ", b"a", False),
        "slow body": (post(None, b"Content-Length: 1000\r\n", b"{"), b" ", False),
        "slow chunks": (post(None, b"Transfer-Encoding: chunked\r\n", b""), b"1\r\n \r\n", False),
        "idle": (GET + b"\r\n", b"", False),
    }
    results = {}
    threads = [threading.Thread(target=until_closed, args=(ca, data, drip, results, name, plain))
               for name, (data, drip, plain) in cases.items()]
    for thread in threads:
        thread.start()
    time.sleep(1)
    alive(ca)  # they hold nobody up
    for thread in threads:
        thread.join()
    for name in cases:
        seconds, got = results[name]
        assert 13 < seconds < 18 + 5 * (SLOW - 1), (name, seconds)
        if name == "idle":
            assert got.startswith(b"HTTP/1.1 200")
        elif name.startswith("slow"):
            assert got.startswith(b"HTTP/1.1 408"), (name, got)
        else:
            assert got == b"", name


def memory(ca):
    with open(f"/proc/{ca.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


def descriptors(ca):
    return len(os.listdir(f"/proc/{ca.process.pid}/fd"))


def garbage(ca, rounds):
    context = ca.tls()
    shapes = [
        lambda s: s.sendall(b"\x16\x03\x01\xff\xff" + b"x" * 500),
        lambda s: s.sendall(b"GET / HTTP/1.1\r\n\r\n"), lambda s: None,
        lambda s: context.wrap_socket(s, server_hostname="localhost").sendall(GET),
        lambda s: context.wrap_socket(s, server_hostname="localhost").sendall(
            post(None, b"Content-Length: 100000\r\n", b"x" * 60000)),
        lambda s: context.wrap_socket(s, server_hostname="localhost").sendall(
            GET + b"A: " + b"b" * 50000),
        lambda s: context.wrap_socket(s, server_hostname="localhost").sendall(b"\0" * 1000),
        lambda s: context.wrap_socket(s, server_hostname="localhost").sendall(
            post(None, b"Transfer-Encoding: chunked\r\n", b"zz\r\n")),
    ]
    for i in range(rounds):
        with socket.create_connection(("127.0.0.1", ca.port), timeout=30 * SLOW) as plain:
            # A reset instead of an orderly end, half of the time.
            if i % 2:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            try:
                shapes[i % len(shapes)](plain)
            except OSError:
                pass


def test_garbage_leaves_neither_memory_nor_descriptors_behind(make_ca):
    ca = make_ca().start()
    garbage(ca, 300)
    alive(ca)
    time.sleep(2.5)
    before, files = memory(ca), descriptors(ca)
    garbage(ca, 1000)
    alive(ca)
    time.sleep(2.5)  # lingering connections end after two seconds
    assert descriptors(ca) <= files + 4
    if SLOW == 1:  # a sanitizer keeps what is freed for a while; it looks for leaks itself
        assert memory(ca) < before + 4096, (before, memory(ca))
    assert ca.stop() == 0


def test_many_connections_at_a_time(ca):
    held = [ca.connect() for _ in range(200)]
    alive(ca)
    for tls in held:
        tls.sendall(GET + b"Connection: close\r\n\r\n")
    for tls in held:
        assert replies(read_all(tls))[0][0] == 200
        tls.close()


def test_a_client_that_goes_away_before_its_answer(ca):
    for _ in range(30):
        body = sign_body(ca)
        tls = ca.connect()
        tls.sendall(post(ca, b"Content-Length: %d\r\n" % len(body), body))
        tls.close()
    alive(ca)


def test_large_answers_to_a_client_that_does_not_read(ca):
    with ca.connect() as tls:
        for _ in range(300):
            tls.sendall(b"GET /provisioners HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        alive(ca)
        tls.sendall(GET + b"Connection: close\r\n\r\n")
        assert len(replies(read_all(tls))) == 301
