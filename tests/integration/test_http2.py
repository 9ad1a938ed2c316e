"""HTTP/2: what curl and other clients get, many requests at a time, and frames that no good client
sends."""

import json
import re
import signal
import socket
import ssl
import subprocess
import time

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from conftest import SLOW, make_csr, pem_of
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame,
                              PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame,
                              WindowUpdateFrame)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEALTH = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
          (":path", "/health")]
CALM, REFUSED, PROTOCOL = 0xb, 0x7, 0x1


def connect(ca, protocols=("h2",), **limits):
    context = ca.tls()
    context.set_alpn_protocols(list(protocols))
    for name, value in limits.items():
        setattr(context, name, value)
    plain = socket.create_connection(("localhost", ca.port), timeout=30 * SLOW)
    return context.wrap_socket(plain, server_hostname="localhost")


def sign_body(ca):
    return json.dumps({"csr": make_csr()[1], "ott": ca.token()}).encode()


def data(number, body, end=True):
    frame = DataFrame(number, body)
    if end:
        frame.flags.add("END_STREAM")
    return frame


class Client:
    """A client that keeps the rules."""

    def __init__(self, ca):
        self.tls = connect(ca)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.answers, self.ended, self.resets, self.goaway = {}, set(), {}, None
        self.flush()

    def flush(self):
        try:
            self.tls.sendall(self.h2.data_to_send())
        except (ConnectionError, ssl.SSLError):
            pass  # what was said before it went is still to be read

    def begin(self, method, path, body=None, headers=()):
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, [(":method", method), (":scheme", "https"),
                                      (":authority", "localhost"), (":path", path), *headers],
                             end_stream=body is None)
        if body is not None:
            self.h2.send_data(number, body, end_stream=True)
        self.flush()
        return number

    def read(self):
        try:
            data = self.tls.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        for event in self.h2.receive_data(data):
            number = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.ResponseReceived):
                self.answers[number] = [dict(event.headers), b""]
            elif isinstance(event, h2.events.DataReceived):
                self.answers[number][1] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(number)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[number] = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event.error_code
        self.flush()
        return data

    def finish(self, *numbers):
        while not set(numbers) <= self.ended | set(self.resets):
            assert self.read(), "the connection ended"
        return [self.answers[n] for n in numbers]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()


class Frames:
    """One that sends exactly what it is told to."""

    def __init__(self, ca, settings=None):
        self.tls = connect(ca)
        self.encoder, self.ahead = hpack.Encoder(), b""
        self.tls.sendall(PREFACE + SettingsFrame(0, settings=settings or {}).serialize())

    def heads(self, number, fields, end=True, whole=True):
        frame = HeadersFrame(number, self.encoder.encode(fields))
        for flag, on in (("END_STREAM", end), ("END_HEADERS", whole)):
            if on:
                frame.flags.add(flag)
        return frame.serialize()

    def send(self, *frames):
        """False: the server has gone."""
        try:
            self.tls.sendall(b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames))
        except (ConnectionError, ssl.SSLError):
            return False
        return True

    def receive(self, until=lambda frame: False):
        """Frames until one is as wanted, the server ends the connection, or is silent."""
        found = []
        self.tls.settimeout(5 * SLOW)
        while True:
            while len(self.ahead) >= 9:
                frame, n = Frame.parse_frame_header(memoryview(self.ahead[:9]))
                if len(self.ahead) < 9 + n:
                    break
                frame.parse_body(memoryview(self.ahead[9:9 + n]))
                self.ahead = self.ahead[9 + n:]
                found.append(frame)
                if until(frame):
                    return found
            try:
                more = self.tls.recv(65536)
            except (ConnectionError, ssl.SSLError, TimeoutError):
                return found
            if not more:
                return found
            self.ahead += more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()


@pytest.fixture
def ca(make_ca):
    return make_ca().start()


def alive(ca):
    with Client(ca) as client:
        assert client.finish(client.begin("GET", "/health")) == [
            [client.answers[1][0], b'{"status":"ok"}\n']]
        assert client.answers[1][0][":status"] == "200"


# --- Good clients ---------------------------------------------------------------------------------


def curl(ca, *args):
    done = subprocess.run(["curl", "-sS", "--http2", "--cacert", ca.root_path, *args],
                          capture_output=True, timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_signs_renews_and_looks_around(ca, tmp_path):
    key, csr = make_csr()
    body = tmp_path / "body"
    body.write_text(json.dumps({"csr": csr, "ott": ca.token()}))
    said = curl(ca, "-w", "%{http_version} %{http_code}", "--data-binary", f"@{body}",
                f"{ca.url}/sign").decode()
    reply, _, rest = said.rpartition("\n")
    assert rest == "2 201"
    (tmp_path / "c").write_text(json.loads(reply)["crt"] + json.loads(reply)["ca"])
    (tmp_path / "k").write_text(pem_of(key))
    said = curl(ca, "-w", "%{http_version} %{http_code}", "-X", "POST", "--cert", tmp_path / "c",
                "--key", tmp_path / "k", f"{ca.url}/renew").decode()
    assert said.endswith("\n2 201")
    head = curl(ca, "-I", "-H", "X-Request-Id: mine", f"{ca.url}/roots.pem").decode()
    assert head.startswith("HTTP/2 200") and "x-request-id: mine" in head
    assert int(re.search(r"content-length: (\d+)", head)[1]) == len(curl(ca, f"{ca.url}/roots.pem"))
    # Neither a body that is too large nor one that nobody waited for keeps its answer from us.
    body.write_bytes(bytes(3 << 20))
    for more in ([], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]):
        said = curl(ca, "-w", "%{http_code}", *more, "--data-binary", f"@{body}", f"{ca.url}/sign")
        assert said.endswith(b"\n413"), said
    assert "protocol=HTTP/2.0" in ca.log()


def test_many_requests_at_a_time_on_one_connection(ca):
    with Client(ca) as client:
        for _ in range(3):
            bodies = [sign_body(ca) for _ in range(32)]
            numbers = [client.begin("POST", "/sign", body) for body in bodies]
            answers = client.finish(*numbers)
            assert {head[":status"] for head, _ in answers} == {"201"}
            assert len({json.loads(text)["crt"] for _, text in answers}) == 32


def test_a_client_chooses(ca, make_ca):
    for protocols, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"),
                              (("http/1.1", "h2"), "h2"), ((), None)):
        with connect(ca, protocols) as tls:
            assert tls.selected_alpn_protocol() == chosen
    with connect(ca, maximum_version=ssl.TLSVersion.TLSv1_2) as tls:
        assert tls.selected_alpn_protocol() == "h2"
    # The suites of the configuration may be none that HTTP/2 wants.
    other = make_ca()
    other.configure(lambda c: c["tls"].update(minVersion=1.2, maxVersion=1.2, cipherSuites=[
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]))
    other.start()
    with connect(other, ("h2", "http/1.1")) as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"


def test_the_end_of_the_service_is_announced_and_answers_arrive(ca):
    post = instead(":method", "POST")
    post = [(n, "/sign" if n == ":path" else v) for n, v in post]
    with Frames(ca) as frames:
        bodies = [sign_body(ca) for _ in range(20)]
        for i, body in enumerate(bodies):
            frames.send(frames.heads(1 + 2 * i, post, end=False), data(1 + 2 * i, body))
        first = frames.receive(lambda f: isinstance(f, HeadersFrame))
        ca.process.send_signal(signal.SIGTERM)
        got = first + frames.receive()
        decoder = hpack.Decoder()
        statuses = [dict(decoder.decode(f.data))[":status"] for f in got
                    if isinstance(f, HeadersFrame)]
        ended = {f.stream_id for f in got if isinstance(f, DataFrame) and "END_STREAM" in f.flags}
        last, = [f for f in got if isinstance(f, GoAwayFrame)]
        assert last.error_code == 0 and set(statuses) == {"201"}
        assert ended == {n for n in range(1, 41, 2) if n <= last.last_stream_id}
    assert ca.process.wait(10 * SLOW) == 0


# --- Bad requests -----------------------------------------------------------------------------------


def without(name):
    return [field for field in HEALTH if field[0] != name]


def instead(name, value):
    return [(n, value if n == name else v) for n, v in HEALTH]


BAD = {
    "relative": (instead(":path", "health"), PROTOCOL),
    "absolute": (instead(":path", "https://localhost/health"), PROTOCOL),
    "escape": (instead(":path", "/he%zzlth"), 400),
    "escaped NUL": (instead(":path", "/he%00lth"), 400),
    "asterisk": (instead(":path", "*"), PROTOCOL),
    "authority": (instead(":authority", "local host"), PROTOCOL),
    "long method": (instead(":method", "G" * 40), 400),
    "expect": (HEALTH + [("expect", "a miracle")], 417),
    "long field": (HEALTH + [("x-long", "x" * 70000)], 431),
    "many fields": (HEALTH + [(f"x-{i}", "x") for i in range(300)], 431),
    "method": (instead(":method", "BREW"), 405),
    "no path": (without(":path"), PROTOCOL),
    "no method": (without(":method"), PROTOCOL),
    "two paths": (HEALTH + [(":path", "/health")], PROTOCOL),
    "connection": (HEALTH + [("connection", "close")], PROTOCOL),
    "transfer-encoding": (HEALTH + [("transfer-encoding", "chunked")], PROTOCOL),
    "upper case": (HEALTH + [("X-Upper", "x")], PROTOCOL),
    "two lines": (HEALTH + [("x-line", "a\r\nb: c")], PROTOCOL),
    "negative length": (HEALTH + [("content-length", "-1")], PROTOCOL),
    "body missing": (HEALTH + [("content-length", "5")], PROTOCOL),
    "two lengths": (HEALTH + [("content-length", "0"), ("content-length", "0")], PROTOCOL),
}


@pytest.mark.parametrize("case", BAD)
def test_requests_that_are_refused_end_their_stream_alone(ca, case):
    fields, outcome = BAD[case]
    with Frames(ca) as frames:
        block = frames.encoder.encode(fields)
        pieces = [block[i:i + 16000] for i in range(0, len(block), 16000)]
        sent = [HeadersFrame(1, pieces[0])] + [ContinuationFrame(1, p) for p in pieces[1:]]
        sent[0].flags.add("END_STREAM")
        sent[-1].flags.add("END_HEADERS")
        frames.send(*sent)
        frames.send(frames.heads(3, HEALTH))
        got = frames.receive(lambda f: isinstance(f, DataFrame) and f.stream_id == 3)
        first = [f for f in got if f.stream_id == 1]
        if outcome < 100:
            assert [f.error_code for f in first if isinstance(f, RstStreamFrame)] == [outcome], got
        decoder = hpack.Decoder()
        heads = [(f.stream_id, dict(decoder.decode(f.data))) for f in got
                 if isinstance(f, HeadersFrame)]
        statuses = [int(h[":status"]) for n, h in heads if n == 1]
        assert statuses == ([outcome] if outcome >= 100 else [])
        assert [h[":status"] for n, h in heads if n == 3] == ["200"]


def test_more_streams_than_agreed_are_refused(ca):
    with Frames(ca) as frames:
        post = instead(":method", "POST")
        frames.send(*[frames.heads(1 + 2 * i, post, end=False) for i in range(33)])
        got = frames.receive(lambda f: isinstance(f, (RstStreamFrame, GoAwayFrame)))
        assert isinstance(got[-1], RstStreamFrame) and got[-1].stream_id == 65
        assert got[-1].error_code in (REFUSED, PROTOCOL)
    alive(ca)


# --- Hostile clients --------------------------------------------------------------------------------


def flood(ca, make, rounds=200):
    """What the server says at the end to a client that goes on and on; it must end it."""
    with Frames(ca) as frames:
        for i in range(rounds):
            if not frames.send(*make(frames, i)):
                break
        ends = [f.error_code for f in frames.receive(lambda f: isinstance(f, GoAwayFrame))
                if isinstance(f, GoAwayFrame)]
    alive(ca)
    return ends


def resident(ca):
    status = open(f"/proc/{ca.process.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


def test_floods_are_ended(ca):
    size = resident(ca)
    ping, settings = PingFrame(0, b"12345678"), SettingsFrame(0, settings={3: 100})
    assert flood(ca, lambda f, i: [ping] * 100) in ([CALM], [])
    assert flood(ca, lambda f, i: [settings] * 100) in ([CALM], [])
    assert flood(ca, lambda f, i: [PriorityFrame(2 * i + 1, depends_on=0, stream_weight=1)
                                   for i in range(100)]) in ([CALM], [])
    assert flood(ca, lambda f, i: [WindowUpdateFrame(0, window_increment=1)] * 100) in ([CALM], [])

    def empty_data(frames, i):
        head = [frames.heads(1, instead(":method", "POST"), end=False)] if i == 0 else []
        return head + [DataFrame(1, b"")] * 100

    def resets(frames, i):
        return [piece for j in range(50) for number in [2 * (50 * i + j) + 1] for piece in (
            frames.heads(number, HEALTH), RstStreamFrame(number, error_code=8))]

    def continuations(frames, i):
        if i == 0:
            return [frames.heads(1, HEALTH, whole=False)]
        return [ContinuationFrame(1, frames.encoder.encode([("x-a", "b")])) for _ in range(50)]

    assert flood(ca, empty_data) in ([CALM], [])
    assert flood(ca, resets) in ([CALM], [])
    assert flood(ca, continuations)[:1] in ([CALM], [PROTOCOL], [])
    assert SLOW > 1 or resident(ca) < size + (16 << 20)


def test_bytes_that_are_no_http2(ca):
    for data in (b"\0" * 100, PREFACE[:10] + b"x" * 100, PREFACE + b"\xff" * 100,
                 PREFACE + PingFrame(0, b"12345678").serialize(),
                 b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connect(ca) as tls:
            tls.sendall(data)
            tls.settimeout(5 * SLOW)
            got, more = b"", True
            while more:
                try:
                    more = tls.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    break
                got += more
            assert b"HTTP/1.1" not in got
    alive(ca)


def test_a_window_that_is_never_opened_holds_nobody_else_up(ca):
    with Frames(ca, {4: 0}) as frames:
        frames.send(*[frames.heads(1 + 2 * i, instead(":path", "/roots.pem")) for i in range(32)])
        time.sleep(0.2)
        alive(ca)
        frames.send(SettingsFrame(0, settings={4: 1 << 20}))
        got = frames.receive(lambda f: isinstance(f, DataFrame) and f.stream_id == 63)
        assert len({f.stream_id for f in got if isinstance(f, DataFrame)}) >= 1
        assert got and got[-1].stream_id == 63
