"""The access log: one line a request, whatever a client sends, with the documented fields."""

import base64
import json
import re
import unicodedata
import uuid

import pytest
from conftest import make_csr
from cryptography import x509
from cryptography.hazmat.primitives import serialization

BASE = {"request-id", "remote-address", "name", "user-id", "fields.time", "duration-ns",
        "duration", "method", "path", "protocol", "status", "size", "referer", "user-agent",
        "time", "level"}
CERT = {"serial", "subject", "issuer", "sans", "valid-from", "valid-to", "public-key",
        "certificate", "provisioner"}
TOKEN = {"token-id", "provisioner"}
REVOKE = {"serial", "reasonCode", "reason", "passiveOnly", "mTLS"}


def with_logger(make_ca, logger, **env):
    ca = make_ca()
    ca.env.update(env)
    if logger is None:
        ca.configure(lambda c: c.pop("logger", None))
    else:
        ca.configure(lambda c: c.update(logger=logger))
    ca.start()
    ca.seen = len(ca.log())
    return ca


def new_lines(ca):
    """What the log got since the last call; the line of a request is there before its answer."""
    text = ca.log()[ca.seen:]
    ca.seen += len(text)
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]


def harmless(line, form):
    """Nothing that a terminal obeys; JSON may hold marks of direction, its readers escape them."""
    if form == "json":
        return all(unicodedata.category(c) != "Cc" for c in line)
    return line.isprintable()


def one_line(ca):
    lines = new_lines(ca)
    assert len(lines) == 1, lines
    return lines[0]


def one_record(ca):
    record = json.loads(one_line(ca))
    assert list(record) == sorted(record, key=str.encode)
    return record


TEXT_FIELD = re.compile(r'([A-Za-z.-]+)=("(?:[^"\\]|\\.)*"|[A-Za-z0-9._/@^+-]*)(?: |$)')


def text_record(line):
    """A text line as a dictionary; every byte of it must belong to a field."""
    fields, at = {}, 0
    while at < len(line):
        match = TEXT_FIELD.match(line, at)
        assert match, line[at:]
        fields[match.group(1)] = match.group(2)
        at = match.end()
    return fields


@pytest.fixture(name="logged")
def json_logged(make_ca):
    return with_logger(make_ca, {"format": "json"})


# --- Fields ---------------------------------------------------------------------------------------


def test_json_lines_have_exactly_the_documented_fields(logged):
    ca = logged
    ca.request("GET", "/health?x=1", headers={"User-Agent": "a<b>&\"c", "Referer": "r/ü"})
    record = one_record(ca)
    assert set(record) == BASE | {"msg"}
    assert record["level"] == "info" and record["msg"] == "" and record["name"] == "ca"
    assert record["method"] == "GET" and record["path"] == "/health?x=1"
    assert record["protocol"] == "HTTP/1.1" and record["status"] == 200 and record["size"] == 16
    assert record["user-id"] == "" and record["remote-address"] == "127.0.0.1"
    assert record["user-agent"] == "a<b>&\"c"
    assert isinstance(record["duration-ns"], int)
    assert re.fullmatch(r"[0-9.]+(ns|µs|ms|s)", record["duration"])
    for name in ("time", "fields.time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", record[name])

    token = ca.token("web.test", sans=["web.test", "10.0.0.1", "a@web.test", "spiffe://td/x"])
    reply = ca.sign(token, make_csr([])[1])
    cert = x509.load_pem_x509_certificate(reply.json()["crt"].encode())
    record = one_record(ca)
    assert set(record) == BASE | CERT | TOKEN | {"msg"}
    kid = ca.provisioner_key()[1]
    assert record["serial"] == str(cert.serial_number) and record["subject"] == "web.test"
    assert record["issuer"] == "Test Intermediate CA"
    assert record["sans"] == {"dns": ["web.test"], "ip": ["10.0.0.1"], "email": ["a@web.test"],
                              "uri": ["spiffe://td/x"]}
    assert record["valid-from"] == cert.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert record["valid-to"] == cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert record["public-key"] == "ECDSA P-256"
    assert record["provisioner"] == f"ops ({kid})"
    assert base64.b64decode(record["certificate"]) == cert.public_bytes(
        serialization.Encoding.DER)
    assert record["status"] == 201 and record["level"] == "info"

    ca.sign(token, make_csr([])[1])
    record = one_record(ca)
    assert set(record) == BASE | TOKEN | {"error", "msg"}
    assert record["status"] == 401 and record["level"] == "warning"
    assert "already used" in record["error"]
    ca.request("POST", "/sign", "{")
    record = one_record(ca)
    assert set(record) == BASE | {"error", "msg"}
    assert record["status"] == 400 and record["level"] == "warning"
    ca.request("GET", "/nope")
    assert set(one_record(ca)) == BASE | {"msg"}


def test_revocations_are_logged(logged):
    ca = logged
    token = ca.token("4711", audience=f"{ca.url}/1.0/revoke")
    body = {"serial": "4711", "ott": token, "reasonCode": 1, "reason": "lost", "passive": True}
    assert ca.request("POST", "/revoke", body).status == 200
    record = one_record(ca)
    assert set(record) == BASE | TOKEN | REVOKE | {"msg"}
    assert (record["serial"], record["reasonCode"], record["reason"]) == ("4711", 1, "lost")
    assert record["passiveOnly"] is True and record["mTLS"] is False
    crt, key = ca.issue()
    new_lines(ca)
    cert = x509.load_pem_x509_certificate(crt.read_bytes())
    body = {"serial": str(cert.serial_number), "passive": True}
    assert ca.request("POST", "/revoke", body, cert=crt, key=key).status == 200
    record = one_record(ca)
    assert set(record) == BASE | CERT | REVOKE | {"msg"}
    assert record["mTLS"] is True


def test_renewals_are_logged(logged):
    ca = logged
    crt, key = ca.issue()
    new_lines(ca)
    assert ca.request("POST", "/renew", cert=crt, key=key).status == 201
    assert set(one_record(ca)) == BASE | CERT | {"msg"}


def test_text_lines(make_ca):
    ca = with_logger(make_ca, {})
    ca.request("GET", "/health", headers={"User-Agent": 'a "b" \\c', "Referer": "http://x/?y"})
    line = one_line(ca)
    fields = text_record(line)
    assert set(fields) == BASE
    names = list(fields)
    assert names[:2] == ["time", "level"] and names[2:] == sorted(names[2:])
    assert fields["user-id"] == "" and " user-id=" in line
    assert fields["user-agent"] == '"a \\"b\\" \\\\c"' and fields["referer"] == '"http://x/?y"'
    assert fields["fields.time"].startswith('"20') and fields["path"] == "/health"
    ca.sign(ca.token("web.test", sans=["web.test", "b.test"]), make_csr([])[1])
    fields = text_record(one_line(ca))
    assert set(fields) == BASE | CERT | TOKEN
    assert fields["sans"] == '"map[dns:[web.test b.test]]"'
    assert "\x1b" not in ca.log()


def test_common_lines(make_ca):
    ca = with_logger(make_ca, {"format": "Common"})
    ca.request("GET", "/health", headers={"X-Request-Id": "my-id"})
    assert re.fullmatch(r'my-id 127\.0\.0\.1 ca - \S+T\S+ \S+s "GET /health HTTP/1\.1" 200 16',
                        one_line(ca))
    ca.request("GET", '/a"b', headers={"X-Request-Id": "x"})
    assert one_line(ca).count('"') == 2


def test_without_logger_there_is_no_access_log(make_ca):
    ca = with_logger(make_ca, None)
    ca.request("GET", "/health")
    ca.sign()
    ca.sign("x")
    assert new_lines(ca) == []


def test_colour_is_for_those_who_force_it(make_ca):
    ca = with_logger(make_ca, {"format": "text"}, CLICOLOR_FORCE="1")
    ca.request("GET", "/health")
    assert one_line(ca).startswith("\x1b[36mINFO\x1b[0m[00")
    ca.request("GET", "/nope")
    assert one_line(ca).startswith("\x1b[33mWARN\x1b[0m[00")
    ca.stop()
    ca.env["NO_COLOR"] = ""
    ca.start()
    assert "\x1b" not in new_lines(ca)[-1]


# --- Request ids and addresses --------------------------------------------------------------------


def test_the_request_id_of_answer_and_log_agree(make_ca):
    ca = with_logger(make_ca, {"format": "json", "traceHeader": "X-My-Trace"})
    for headers, wanted in (({"X-Request-Id": "abc"}, "abc"), ({"X-My-Trace": "def"}, "def"),
                            ({"X-Request-Id": "abc", "X-My-Trace": "def"}, "abc"),
                            ({"X-Smallstep-Id": "ghi"}, None), ({}, None),
                            ({"X-Request-Id": "a b"}, None), ({"X-Request-Id": "x" * 129}, None)):
        reply = ca.request("GET", "/health", headers=headers)
        record = one_record(ca)
        assert record["request-id"] == reply.headers["X-Request-Id"]
        if wanted:
            assert record["request-id"] == wanted
        else:
            assert uuid.UUID(record["request-id"]).version == 4


ADDRESSES = [
    ({"True-Client-IP": "192.0.2.1", "X-Real-IP": "192.0.2.2"}, "192.0.2.1"),
    ({"X-Real-IP": "192.0.2.2", "X-Forwarded-For": "192.0.2.3"}, "192.0.2.2"),
    ({"X-Forwarded-For": "192.0.2.3, 10.0.0.1"}, "192.0.2.3"),
    ({"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
    ({"X-Real-IP": "nonsense"}, "127.0.0.1"), ({"X-Real-IP": "192.0.2.2:80"}, "127.0.0.1"),
    ({}, "127.0.0.1"),
]


def test_the_address_that_a_proxy_names_counts_only_when_asked_for(make_ca):
    ca = with_logger(make_ca, {"format": "json"}, STEP_LOGGER_LOG_REAL_IP="true")
    for headers, address in ADDRESSES:
        ca.request("GET", "/health", headers=headers)
        assert one_record(ca)["remote-address"] == address, headers
    ca.stop()
    ca.env["STEP_LOGGER_LOG_REAL_IP"] = "0"
    ca.start()
    new_lines(ca)
    ca.request("GET", "/health", headers=ADDRESSES[0][0])
    assert one_record(ca)["remote-address"] == "127.0.0.1"


def test_health_checks_can_be_left_out(make_ca):
    ca = with_logger(make_ca, {"format": "json"}, STEP_LOGGER_ONLY_TRACE_HEALTH_ENDPOINT="1")
    ca.request("GET", "/health")
    assert new_lines(ca) == []
    ca.request("POST", "/health")
    assert one_record(ca)["status"] == 405
    ca.request("GET", "/version")
    assert one_record(ca)["path"] == "/version"


# --- Hostile requests -----------------------------------------------------------------------------


HOSTILE = [
    b"GET /a%0d%0ab HTTP/1.1\r\nHost: x\r\n",
    b"GET /a\"b'c HTTP/1.1\r\nHost: x\r\n",
    b"GET /\xff\xfe\xc3\x28 HTTP/1.1\r\nHost: x\r\n",
    "GET /ü\u2028\u202e\x9b31m HTTP/1.1\r\nHost: x\r\n".encode(),
    b"GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: \x9b\xff\xf0\x9f\x98\x80 \"=} level=error\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nReferer: \xe2\x80\xa8forged\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: \"}\r\n",
    b"BREW /pot HTTP/1.1\r\nHost: x\r\n",
    b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: x\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: " + b"\xff" * 100000 + b"\r\n",
]


@pytest.mark.parametrize("form", ["json", "text", "common"])
def test_hostile_requests_leave_one_readable_line(make_ca, form):
    ca = with_logger(make_ca, {"format": form})
    for request in HOSTILE:
        assert ca.raw(request + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 ")
        line = one_line(ca)
        assert harmless(line, form), line
        if form == "json":
            assert json.loads(line)["name"] == "ca"
        elif form == "text":
            assert text_record(line)["name"] == "ca"


@pytest.mark.parametrize("form", ["json", "text", "common"])
def test_requests_that_cannot_be_read_are_logged_in_one_line_too(make_ca, form):
    ca = with_logger(make_ca, {"format": form})
    for request in (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"\x16garbage\r\n\r\n",
                    b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\nY: b\r\n\r\n",
                    b"GET /a HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n"):
        answer = ca.raw(request)
        assert re.match(rb"HTTP/1.1 (400|505) ", answer)
        line = one_line(ca)
        assert harmless(line, form), line
        if form == "json":
            assert json.loads(line)["status"] in (400, 505)


def test_a_hostile_token_leaves_one_line(logged):
    ca = logged
    ca.sign(ca.token("x\n2026/01/01 00:00:00 forged", sans=["a\r\nb"]), make_csr([])[1])
    record = one_record(ca)
    assert record["status"] in (400, 403)
    ca.sign(ca.token(jti="\n\x1b[31m", iss="\nforged"))
    one_record(ca)
    assert "\x1b" not in ca.log()
