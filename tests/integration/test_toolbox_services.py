"""`step fileserver`, `step oauth`, `step certificate install` and the completion scripts: curl, a
provider of our own, the tools of the system and the shells themselves are on the other side."""

import base64
import hashlib
import http.client
import http.server
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import namespace
import pytest
from conftest import ROOT, SLOW, STEP, clean_environment, free_port, make_cert, pem_of
from cryptography.hazmat.primitives import serialization
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from machine import Machine, execute
from test_prompts import ENTER, Person


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "home")


class Running:
    """A command that goes on; what it says on standard error comes line by line."""

    def __init__(self, machine, *words, **env):
        self.process = subprocess.Popen([machine.program, *map(str, words)], cwd=machine.folder,
                                        env=dict(machine.env, **env), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self, begin):
        """The next line that begins like this."""
        while line := self.process.stderr.readline():
            if line.startswith(begin):
                return line.strip()
        raise AssertionError(f"no line {begin!r}")

    def end(self):
        out, err = self.process.communicate(timeout=60 * SLOW)
        return self.process.returncode, out, err


# --- fileserver ---------------------------------------------------------------------------------


@pytest.fixture
def site(machine):
    """Files, and certificates of an authority."""
    folder = machine.folder / "files"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "with index").mkdir()
    (folder / "a.txt").write_text("0123456789")
    (folder / "page.html").write_text("<p>page</p>")
    (folder / "with index" / "index.html").write_text("<p>index</p>")
    (folder / "sub" / "<i>&\"x'.bin").write_bytes(bytes(range(256)))
    (folder / "large").write_bytes(os.urandom(3 << 20))
    (machine.folder / "secret").write_text("outside")
    os.symlink("../secret", folder / "out")
    os.symlink("a.txt", folder / "in")
    os.mkfifo(folder / "fifo")
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = make_cert("Root", root_key, ca=True)
    (machine.folder / "root.crt").write_text(pem_of(root))
    for name in ("srv", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        cert = make_cert(name, key, root, root_key, extensions=[(san, False)])
        (machine.folder / f"{name}.crt").write_text(pem_of(cert))
        (machine.folder / f"{name}.key").write_text(pem_of(key))
    return machine


def get(address, path, method="GET", **headers):
    connection = http.client.HTTPConnection(address, timeout=30 * SLOW)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in
                                                  headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


@pytest.fixture
def plain(site):
    with Running(site, "fileserver", "--address", "127.0.0.1:0", "files") as server:
        yield site, server.line("serving HTTP at ").rsplit(" ", 1)[1]


def test_files_are_served(plain):
    site, address = plain
    status, body, headers = get(address, "/a.txt")
    assert (status, body) == (200, b"0123456789")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Accept-Ranges"] == "bytes" and headers["X-Content-Type-Options"] == "nosniff"
    assert get(address, "/in")[1] == b"0123456789"
    assert get(address, "/large")[1] == (site.folder / "files/large").read_bytes()
    name = urllib.parse.quote("<i>&\"x'.bin")
    assert get(address, f"/sub/{name}")[1] == bytes(range(256))
    assert get(address, "/page.html?query")[2]["Content-Type"] == "text/html; charset=utf-8"
    status, body, head = get(address, "/a.txt", "HEAD")
    assert (status, body, head["Content-Length"]) == (200, b"", "10")
    assert get(address, "/a.txt", If_Modified_Since=headers["Last-Modified"])[:2] == (304, b"")


def test_directories_are_listed(plain):
    _, address = plain
    status, body, headers = get(address, "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'<a href="./a.txt">a.txt</a>\n' in body and b'<a href="./sub/">sub/</a>\n' in body
    assert body.index(b"a.txt") < body.index(b"large") < body.index(b"sub/")
    body = get(address, "/sub/")[1]
    assert b"&lt;i&gt;&amp;&#34;x&#39;.bin" in body and b"<i>" not in body
    assert b'<a href="./with%20index/">' in get(address, "/")[1]
    assert get(address, "/with%20index/")[1] == b"<p>index</p>"
    status, _, headers = get(address, "/with%20index")
    assert (status, headers["Location"]) == (301, "./with%20index/")
    assert get(address, "/sub/deep/")[0] == 200


@pytest.mark.parametrize("given,status,expected", [
    ("bytes=0-0", 206, b"0"), ("bytes=3-5", 206, b"345"), ("bytes=7-", 206, b"789"),
    ("bytes=-2", 206, b"89"), ("bytes=-99", 206, b"0123456789"), ("bytes=5-99", 206, b"56789"),
    ("bytes=10-", 416, None), ("bytes=-0", 416, None), ("bytes=5-3", 200, b"0123456789"),
    ("bytes=0-1,3-4", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789"),
    ("bytes=x-", 200, b"0123456789")])
def test_ranges(plain, given, status, expected):
    _, address = plain
    got, body, headers = get(address, "/a.txt", Range=given)
    assert got == status
    if status == 206:
        assert body == expected and headers["Content-Range"].endswith("/10")
    elif status == 416:
        assert headers["Content-Range"] == "bytes */10"
    else:
        assert body == expected
    assert get(address, "/a.txt", Range="bytes=0-0", If_Range="other")[:2] == (200, b"0123456789")


def test_nothing_outside_is_served(plain):
    _, address = plain
    for path in ("/../secret", "/sub/../../secret", "/%2e%2e/secret", "/out", "/..%2fsecret",
                 "//../secret", "/sub/%2e%2e/%2e%2e/secret"):
        status, body, _ = get(address, path)
        assert status in (400, 404) and b"outside" not in body, (path, status, body)
    for path, status in (("/none", 404), ("/a.txt/", 404), ("/a.txt/x", 404), ("/fifo", 404),
                         ("/%00", 400), ("/" + "x" * 300, 404)):
        assert get(address, path)[0] == status, path
    for method in ("POST", "PUT", "DELETE"):
        status, _, headers = get(address, "/a.txt", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def curl(machine, url, *words):
    return subprocess.run(["curl", "-sS", "--noproxy", "*", *words, url], cwd=machine.folder,
                          env=machine.env, capture_output=True, timeout=60 * SLOW, check=False)


def test_clients_need_a_certificate_of_the_roots(site):
    other = ec.generate_private_key(ec.SECP256R1())
    (site.folder / "other.crt").write_text(pem_of(make_cert("Other", other)))
    (site.folder / "other.key").write_text(pem_of(other))
    words = ["fileserver", "--address", "127.0.0.1:0", "--cert", "srv.crt", "--key", "srv.key"]
    with Running(site, *words, "files") as server:
        url = "https://" + server.line("serving HTTPS at ").rsplit(" ", 1)[1] + "/a.txt"
        assert curl(site, url, "--cacert", "root.crt").stdout == b"0123456789"
        assert curl(site, url).returncode != 0
        assert curl(site, url, "--cacert", "root.crt", "--tls-max", "1.1").returncode != 0
        assert curl(site, url, "--cacert", "root.crt", "--tls-max", "1.2").stdout == b"0123456789"
    with Running(site, *words, "--roots", "root.crt", "files") as server:
        url = "https://" + server.line("serving HTTPS at ").rsplit(" ", 1)[1] + "/a.txt"
        trust = ["--cacert", "root.crt", "-f"]
        mine = ["--cert", "client.crt", "--key", "client.key"]
        assert curl(site, url, *trust, *mine).stdout == b"0123456789"
        for words in ([], ["--cert", "other.crt", "--key", "other.key"]):
            done = curl(site, url, *trust, *words)
            assert done.returncode != 0 and done.stdout == b""


def peer_serial(address):
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), 30) as plain:
        with context.wrap_socket(plain) as tls:
            return hashlib.sha256(tls.getpeercert(True)).hexdigest()


def test_signals_reload_and_end_it(site):
    with Running(site, "fileserver", "--address", "127.0.0.1:0", "--cert", "srv.crt", "--key",
                 "srv.key", "--pidfile", "pid", "files") as server:
        address = server.line("serving HTTPS at ").rsplit(" ", 1)[1]
        assert int((site.folder / "pid").read_text()) == server.process.pid
        assert (site.folder / "pid").stat().st_mode & 0o777 == 0o644
        before = peer_serial(address)
        for name in ("crt", "key"):
            shutil.copy(site.folder / f"client.{name}", site.folder / f"srv.{name}")
        server.process.send_signal(signal.SIGHUP)
        server.line("certificate and key were read again")
        after = peer_serial(address)
        assert after != before
        (site.folder / "srv.key").write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        assert "srv.key" in server.line("reload failed")
        assert peer_serial(address) == after
        server.process.send_signal(signal.SIGTERM)
        assert server.end()[0] == 0
        assert not (site.folder / "pid").exists()


def test_fileserver_refuses(site):
    for words, text in ((["--cert", "srv.crt", "files"], "'--key'"),
                        (["--key", "srv.key", "files"], "'--cert'"),
                        (["--roots", "root.crt", "files"], "'--cert'"),
                        (["--cert", "srv.crt", "--key", "client.key", "files"], "does not belong"),
                        (["nothing"], "no such file"), (["files/a.txt"], "not a directory"),
                        (["--address", "nonsense", "files"], "nonsense"),
                        (["--cert", "srv.crt", "--key", "none.key", "files"], "none.key")):
        assert text in site.step("fileserver", *words, ok=False).stderr.lower() or text in \
            site.step("fileserver", *words, ok=False).stderr


# --- oauth --------------------------------------------------------------------------------------


class Provider(http.server.BaseHTTPRequestHandler):
    """Plays an OpenID Connect provider; server.rules changes how."""

    def log_message(self, *args):
        pass

    def send(self, status, body, **headers):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        rules, url = self.server.rules, urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            base = self.server.url
            self.send(200, {"issuer": base, "authorization_endpoint": base + "/auth?kept=1",
                            "token_endpoint": base + "/token",
                            "device_authorization_endpoint": base + "/device"})
            return
        self.server.asked = query
        answer = {"code": "the code", "state": query["state"]}
        answer.update(rules.get("callback", {}))
        answer = {k: v for k, v in answer.items() if v is not None}
        self.send(302, b"", Location=query["redirect_uri"] + "?" + urllib.parse.urlencode(answer))

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode(),
                                           keep_blank_values=True))
        self.server.posted.append(form)
        if self.path == "/device":
            self.send(200, {"device_code": "dc", "user_code": "ABCD-EFGH", "interval": 1,
                            "verification_uri": "https://idp.test/device", "expires_in": 60})
            return
        status, body = self.token(form)
        self.send(status, body)

    def token(self, form):
        rules = self.server.rules
        if rules.get("pending"):
            return rules["pending"].pop(0)
        asked = self.server.asked
        if "code_verifier" in form:
            challenge = b64url(hashlib.sha256(form["code_verifier"].encode()).digest())
            if challenge != asked["code_challenge"] or form["code"] != "the code":
                return 400, {"error": "invalid_grant"}
        claims = {"iss": self.server.url, "sub": "1", "aud": "the client",
                  "nonce": asked.get("nonce"), "exp": int(time.time()) + 60,
                  **rules.get("claims", {})}
        identity = ".".join(b64url(part) for part in (
            b'{"alg":"RS256"}', json.dumps(claims).encode(), b"signature"))
        body = {"access_token": "access", "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": "refresh",
                "id_token": identity if rules.get("identity", True) else ""}
        return rules.get("token", (200, body))


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def idp():
    server = Quiet(("127.0.0.1", 0), Provider)
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.rules, server.posted, server.asked = {}, [], {}
    server.endpoints = ["--authorization-endpoint", server.url + "/auth?kept=1",
                        "--device-authorization-endpoint", server.url + "/device",
                        "--token-endpoint", server.url + "/token"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


CLIENT = ["--client-id", "the client", "--client-secret", "a & b"]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def visit(url):
    try:
        with opener.open(url, timeout=30 * SLOW) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def log_in(machine, idp, *words, **env):
    """Runs step oauth and plays the browser: (exit code, stdout, stderr, (status, page))."""
    with Running(machine, "oauth", *CLIENT, *idp.endpoints, *words,
                 **{"STEP_OPEN_BROWSER": "0", **env}) as running:
        page = visit(running.line("http"))
        return (*running.end(), page)


def test_browser_flow(machine, idp):
    code, out, err, page = log_in(machine, idp, "--email", "me@idp.test", "--scope", "openid",
                                  "--scope", "a b", "--prompt", "login", "--auth-param", "x=1&2")
    assert code == 0, err
    tokens = json.loads(out)
    assert list(tokens) == ["access_token", "id_token", "refresh_token", "expires_in", "token_type"]
    assert tokens["access_token"] == "access" and tokens["expires_in"] == 3600
    assert out.startswith('{\n  "access_token": "access"')
    asked = idp.asked
    assert asked["kept"] == "1" and asked["client_id"] == "the client"
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert (asked["scope"], asked["prompt"], asked["login_hint"], asked["x"]) == (
        "openid a b", "login", "me@idp.test", "1&2")
    assert len(asked["state"]) == 32 and len(asked["nonce"]) == 64
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert urllib.parse.urlsplit(asked["redirect_uri"]).path == ""
    form = idp.posted[0]
    assert len(form["code_verifier"]) == 64 and form["client_secret"] == "a & b"
    assert form["redirect_uri"] == asked["redirect_uri"]
    assert form["grant_type"] == "authorization_code"
    assert page[0] == 200 and "Success" in page[1]


def test_output_forms(machine, idp):
    assert log_in(machine, idp, "--bare")[1] == "access\n"
    assert log_in(machine, idp, "--header")[1] == "Authorization: Bearer access\n"
    identity = log_in(machine, idp, "--bare", "--oidc")[1].strip()
    claims = json.loads(unb64url(identity.split(".")[1]))
    assert claims["nonce"] == idp.asked["nonce"] and idp.asked["scope"] == "openid email"
    assert log_in(machine, idp, "--header", "--oidc")[1].startswith("Authorization: Bearer ey")
    idp.rules["identity"] = False
    code, out, err, _ = log_in(machine, idp, "--bare", "--oidc")
    assert (code, out) == (1, "") and "identity" in err


@pytest.mark.parametrize("rules,text", [
    ({"callback": {"state": "x" * 32}}, "state"),
    ({"callback": {"error": "access_denied", "error_description": "no\nway"}}, "access_denied: no"),
    ({"callback": {"code": "other"}}, "invalid_grant"),
    ({"claims": {"nonce": "0" * 64}}, "nonce"),
    ({"claims": {"nonce": None}}, "nonce"),
    ({"claims": {"aud": "another"}}, "not for this client"),
    ({"token": (500, b"oops")}, "500"),
    ({"token": (200, b"oops")}, "no token"),
    ({"token": (200, {"token_type": "Bearer"})}, "no token"),
    ({"token": (200, {"error": "server_error", "error_description": "text"})}, "server_error: text"),
])
def test_login_that_fails(machine, idp, rules, text):
    idp.rules.update(rules)
    code, out, err, page = log_in(machine, idp, "--bare", "--oidc")
    assert (code, out) == (1, "") and text in err
    assert page[0] == 400 and "Failure" in page[1]


def test_listener_answers_one_path_and_waits(machine, idp):
    port = free_port()
    with Running(machine, "oauth", *CLIENT, *idp.endpoints, "--bare", "--redirect-url",
                 idp.url + "/auth?state=done&redirect_uri=" + idp.url + "/.well-known/openid-configuration",
                 STEP_LISTEN=f":{port}", STEP_LISTEN_URL=f"http://localhost:{port}/callback",
                 STEP_OPEN_BROWSER="0") as running:
        url = running.line("http")
        base = f"http://127.0.0.1:{port}"
        assert visit(base + "/")[0] == 404
        assert visit(base + "/favicon.ico")[0] == 404
        assert visit(base + "/callback")[0] == 400
        assert visit(base + "/callback?code=x")[0] == 400
        request = urllib.request.Request(base + "/callback", method="OPTIONS")
        assert opener.open(request).status == 200
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert asked["redirect_uri"] == f"http://localhost:{port}/callback"
        idp.asked = asked
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30 * SLOW)
        connection.request("GET", "/callback?" + urllib.parse.urlencode(
            {"code": "the code", "state": asked["state"]}))
        answer = connection.getresponse()
        assert answer.status == 302 and answer.headers["Location"].startswith(idp.url)
        assert running.end()[:2] == (0, "access\n")


@pytest.fixture
def secure_idp(idp, tmp_path):
    """The provider's document over TLS; what it names is reached without."""
    key = ec.generate_private_key(ec.SECP256R1())
    san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (tmp_path / "idp.crt").write_text(pem_of(make_cert("idp", key, extensions=[(san, False)])))
    (tmp_path / "idp.key").write_text(pem_of(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "idp.crt", tmp_path / "idp.key")
    secure = Quiet(("127.0.0.1", 0), Provider)
    secure.url, secure.rules, secure.posted = idp.url, {}, []
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    idp.provider = f"https://127.0.0.1:{secure.server_port}"
    idp.trust = {"SSL_CERT_FILE": str(tmp_path / "idp.crt")}
    yield idp
    secure.shutdown()


def test_endpoints_are_discovered(machine, secure_idp):
    idp, provider = secure_idp, secure_idp.provider
    for address in (provider, provider + "/", provider + "/.well-known/openid-configuration"):
        idp.endpoints = ["--provider", address]
        assert log_in(machine, idp, "--bare", **idp.trust)[1] == "access\n"
    done = machine.step("oauth", *CLIENT, "--provider", provider, ok=False)
    assert "certificate" in done.stderr
    done = machine.step("oauth", *CLIENT, "--provider", provider + "/none", ok=False,
                        env=idp.trust)


def test_a_provisioner_sends_people_to_its_provider(make_ca, machine, secure_idp):
    idp, port = secure_idp, free_port()
    ca = make_ca()
    ca.configure(lambda c: c["authority"]["provisioners"].append({
        "type": "OIDC", "name": "people", "clientID": "the client", "clientSecret": "a & b",
        "configurationEndpoint": idp.provider + "/.well-known/openid-configuration",
        "listenAddress": f":{port}", "scopes": ["openid", "groups"], "authParams": ["x=1&2"]}))
    ca.start()
    machine.bootstrap(ca)
    words = ["ca", "token", "me@idp.test", "--provisioner", "people"]
    with Running(machine, *words, STEP_OPEN_BROWSER="0", **idp.trust) as running:
        assert visit(running.line("http"))[0] == 200
        code, out, err = running.end()
    assert code == 0, err
    claims = json.loads(unb64url(out.strip().split(".")[1]))
    assert claims["aud"] == "the client" and claims["nonce"] == idp.asked["nonce"]
    assert (idp.asked["scope"], idp.asked["x"]) == ("openid groups", "1&2")
    assert idp.asked["redirect_uri"] == f"http://127.0.0.1:{port}"
    assert idp.posted[0]["client_secret"] == "a & b"
    # On another device, by flag or by variable.
    idp.asked = {}
    for more, env in ((["--console"], {}), ([], {"STEP_CONSOLE": "true"}),
                      ([], {"STEP_CONSOLE_FLOW": "Device"})):
        idp.rules["pending"] = [(200, {"access_token": "access", "token_type": "Bearer",
                                       "id_token": "the.identity.token"})]
        done = machine.step(*words, *more, env={**idp.trust, **env})
        assert done.stdout == "the.identity.token\n" and "ABCD-EFGH" in done.stderr
    idp.rules["pending"] = [(200, {"access_token": "access", "token_type": "Bearer"})]
    done = machine.step(*words, "--console", env=idp.trust, ok=False)
    assert "'people'" in done.stderr and "identity token" in done.stderr
    done = machine.step(*words, env={"STEP_CONSOLE_FLOW": "x"}, ok=False)
    assert "STEP_CONSOLE_FLOW" in done.stderr


def test_device_flow(machine, idp):
    idp.rules["pending"] = [(400, {"error": "authorization_pending"}),
                            (200, {"error": "authorization_pending"})]
    done = machine.step("oauth", *CLIENT, *idp.endpoints, "--console", "--bare")
    assert done.stdout == "access\n"
    assert "https://idp.test/device" in done.stderr and "ABCD-EFGH" in done.stderr
    assert idp.posted[0]["scope"] == "openid email" and len(idp.posted) == 4
    assert idp.posted[-1] == {"client_id": "the client", "client_secret": "a & b",
                              "device_code": "dc",
                              "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
    for answer, text in (((400, {"error": "access_denied"}), "access_denied"),
                         ((400, {"error": "expired_token"}), "expired_token"),
                         ((503, b""), "503")):
        idp.rules["pending"] = [answer]
        done = machine.step("oauth", *CLIENT, *idp.endpoints, "--console-flow", "Device", ok=False)
        assert text in done.stderr and not done.stdout


def test_code_is_typed_in(machine, idp):
    machine.folder.mkdir(exist_ok=True)
    with Person(machine, "oauth", *CLIENT, *idp.endpoints, "--console-flow", "oob",
                "--bare") as person:
        person.sees("http")
        person.sees("Enter verification code")
        shown = person.screen.replace("\r", "")
        url = next(line for line in shown.splitlines() if line.startswith("http"))
        idp.asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert idp.asked["redirect_uri"] == "urn:ietf:wg:oauth:2.0:oob"
        os.write(person.master, ("the code" + ENTER).encode())
        person.sees("access\r\n")
    done = machine.step("oauth", *CLIENT, *idp.endpoints, "--console-flow", "oob", ok=False)
    assert "cannot ask" in done.stderr


def test_service_account(machine, idp):
    key = rsa.generate_private_key(65537, 2048)
    account = {"type": "service_account", "client_email": "robot@idp.test", "private_key_id": "k1",
               "private_key": pem_of(key), "token_uri": idp.url + "/token"}
    (machine.folder / "account.json").write_text(json.dumps(account))
    words = ["oauth", "--account", "account.json", "--scope", "https://api.test/", "--bare"]
    assert machine.step(*words).stdout == "access\n"
    form = idp.posted[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"

    def claims_of(jwt):
        head, body, signature = jwt.split(".")
        key.public_key().verify(unb64url(signature), f"{head}.{body}".encode(),
                                padding.PKCS1v15(), hashes.SHA256())
        assert json.loads(unb64url(head)) == {"alg": "RS256", "kid": "k1", "typ": "JWT"}
        return json.loads(unb64url(body))

    claims = claims_of(form["assertion"])
    assert (claims["iss"], claims["aud"]) == ("robot@idp.test", idp.url + "/token")
    assert claims["scope"] == "https://api.test/" and claims["exp"] - claims["iat"] == 3600
    claims = claims_of(machine.step(*words, "--jwt").stdout.strip())
    assert (claims["sub"], claims["aud"]) == ("robot@idp.test", "https://api.test/")
    done = machine.step(*words[:3], ok=False)
    assert "--scope" in done.stderr
    application = {"installed": {"auth_uri": idp.url + "/auth", "token_uri": idp.url + "/token",
                                 "client_id": "the client", "client_secret": "s"}}
    (machine.folder / "app.json").write_text(json.dumps(application))
    with Running(machine, "oauth", "--account", "app.json", "--bare",
                 STEP_OPEN_BROWSER="0") as running:
        visit(running.line("http"))
        assert running.end()[:2] == (0, "access\n")


def test_oauth_refuses(machine, idp):
    for words, text in (
            ([], "requires the '--client-id' flag"),
            (["--provider", "http://idp.test"], "invalid value 'http://idp.test'"),
            (["--provider", "okta"], "options are google, github"),
            (["--console-flow", "x"], "options are device, oob"),
            (["--auth-param", "=v"], "--auth-param"), (["--auth-param", "v"], "--auth-param"),
            (["--listen", "x"], "--listen"), (["--listen-url", "x"], "--listen-url"),
            (["--authorization-endpoint", "https://x"], "--token-endpoint"),
            (["--bare", "--header"], "exclusive"), (["--jwt"], "'--account'"),
            ([*CLIENT, "--authorization-endpoint", "http://idp.test/a", "--token-endpoint",
              "https://idp.test/t"], "expected an https:// address"),
            ([*CLIENT, "--authorization-endpoint", "https://idp.test/a", "--token-endpoint",
              "http://idp.test/t"], "expected an https:// address"),
            (["--account", "none.json"], "no such file")):
        done = machine.step("oauth", *words, ok=False)
        assert text in done.stderr and not done.stdout, (words, done.stderr)


# --- install ------------------------------------------------------------------------------------


@pytest.fixture
def root(machine):
    (machine.folder / "root.crt").write_text(
        pem_of(make_cert("A: Root/../x", ec.generate_private_key(ec.SECP256R1()), ca=True)))
    return machine


def own_mounts(tmp_path, *pairs):
    """The beginning of a command that sees these directories in place of the system's."""
    if os.geteuid() != 0:
        pytest.skip("mounts of one's own need root")
    return namespace.binding(tmp_path, *pairs)


def test_system_store_of_debian(root, tmp_path):
    local, certs = tmp_path / "local", tmp_path / "certs"
    theirs = "/usr/local/share/ca-certificates", "/etc/ssl/certs"
    if not all(os.path.isdir(d) for d in theirs) or not shutil.which("update-ca-certificates"):
        pytest.skip("this is no Debian with ca-certificates")
    if os.path.isdir("/etc/pki/ca-trust/source/anchors"):
        pytest.skip("this system has another store too")
    local.mkdir()
    shutil.copytree(theirs[1], certs, symlinks=True)
    inside = own_mounts(tmp_path, (local, theirs[0]), (certs, theirs[1]))

    def step(*words):
        return execute([*inside, STEP, *words], env=root.env, cwd=root.folder)

    done = step("certificate", "install", "root.crt")
    assert done.stdout.startswith("Certificate root.crt has been installed.\nX.509v3 Root CA")
    installed = list(local.iterdir())
    assert len(installed) == 1 and installed[0].name.startswith("A__Root_.._x_")
    assert installed[0].suffix == ".crt" and installed[0].stat().st_mode & 0o777 == 0o644
    assert installed[0].read_text() == (root.folder / "root.crt").read_text()
    bundle = (certs / "ca-certificates.crt").read_text()
    assert (root.folder / "root.crt").read_text() in bundle
    execute([*inside, "openssl", "verify", "-CApath", "/etc/ssl/certs", root.folder / "root.crt"])
    done = step("certificate", "uninstall", "root.crt")
    assert done.stdout.startswith("Certificate root.crt has been removed.\n")
    assert not list(local.iterdir())
    assert (root.folder / "root.crt").read_text() not in (certs / "ca-certificates.crt").read_text()
    done = execute([*inside, STEP, "certificate", "uninstall", "root.crt"], ok=False, env=root.env,
                   cwd=root.folder)
    assert "there is no" in done.stderr
    step("certificate", "install", "--prefix", "My CA ", "root.crt")
    assert [p.name.startswith("My_CA_") for p in local.iterdir()] == [True]


def test_system_store_of_fedora(root, tmp_path):
    etc, tools = tmp_path / "etc", tmp_path / "bin"
    anchors = etc / "pki/ca-trust/source/anchors"
    anchors.mkdir(parents=True)
    tools.mkdir()
    (tools / "update-ca-trust").write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/called\n")
    (tools / "update-ca-trust").chmod(0o755)
    inside = own_mounts(tmp_path, (etc, "/etc"))
    env = dict(root.env, PATH=f"{tools}:{root.env['PATH']}")
    execute([*inside, STEP, "certificate", "install", "root.crt"], env=env, cwd=root.folder)
    assert [p.suffix for p in anchors.iterdir()] == [".pem"]
    execute([*inside, STEP, "certificate", "uninstall", "root.crt"], env=env, cwd=root.folder)
    assert not list(anchors.iterdir())
    assert (tmp_path / "called").read_text() == "extract\nextract\n"


def test_stores_of_browsers(root):
    if not shutil.which("certutil"):
        pytest.skip("certutil is not installed")
    profiles = [root.folder / ".pki/nssdb", root.folder / ".mozilla/firefox/abc.default"]
    for profile in profiles:
        profile.mkdir(parents=True)
        execute(["certutil", "-N", "-d", f"sql:{profile}", "--empty-password"])
    (root.folder / ".mozilla/firefox/Crash Reports").mkdir()
    words = ["--firefox", "--no-system", "root.crt"]

    def listed(profile):
        return execute(["certutil", "-L", "-d", f"sql:{profile}"]).stdout

    root.step("certificate", "install", *words)
    for profile in profiles:
        line = next(x for x in listed(profile).splitlines() if x.startswith("A_ Root/../x "))
        assert line.rstrip().endswith("C,,")
    root.step("certificate", "install", *words)
    root.step("certificate", "uninstall", *words)
    assert all("Root" not in listed(p) for p in profiles)


def test_store_of_java(root, tmp_path):
    if not shutil.which("keytool"):
        pytest.skip("keytool is not installed")
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "lib/security").mkdir(parents=True)
    os.symlink(os.path.realpath(shutil.which("keytool")), home / "bin/keytool")
    store = home / "lib/security/cacerts"
    (tmp_path / "other.crt").write_text(
        pem_of(make_cert("Other", ec.generate_private_key(ec.SECP256R1()), ca=True)))
    keytool = ["keytool", "-keystore", store, "-storepass", "changeit"]
    execute([*keytool, "-importcert", "-noprompt", "-alias", "other", "-file",
             tmp_path / "other.crt"])
    env = {"JAVA_HOME": str(home)}
    words = ["--java", "--no-system", "--prefix", "mine ", "root.crt"]
    for _ in range(2):
        root.step("certificate", "install", *words, env=env)
        listed = execute([*keytool, "-list"]).stdout
        assert listed.count("trustedCertEntry") == 2 and "mine " in listed
    root.step("certificate", "uninstall", *words, env=env)
    assert execute([*keytool, "-list"]).stdout.count("trustedCertEntry") == 1


def test_stores_that_are_not_there_are_passed_over(root):
    done = root.step("certificate", "install", "--no-system", "--all", "root.crt", ok=False,
                     env={"JAVA_HOME": ""})
    assert "JAVA_HOME is not set" in done.stderr and "Firefox:" in done.stderr
    assert "no trust store was changed" in done.stderr
    done = root.step("certificate", "install", "--no-system", "root.crt", ok=False)
    assert "'--java'" in done.stderr


def test_only_roots_are_installed(root):
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make_cert("leaf", key)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    inter = make_cert("int", ca_key, make_cert("r", key, ca=True), key, ca=True)
    (root.folder / "leaf.crt").write_text(pem_of(leaf))
    (root.folder / "int.crt").write_text(pem_of(inter))
    (root.folder / "two.crt").write_text(pem_of(leaf) + pem_of(inter))
    words = ["certificate", "install", "--no-system", "--java"]
    for name in ("leaf.crt", "int.crt"):
        assert "signed itself" in root.step(*words, name, ok=False).stderr
    assert "expected one certificate" in root.step(*words, "two.crt", ok=False).stderr


# --- completion ---------------------------------------------------------------------------------


def shell(name, machine, script):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    (machine.folder / "bin").mkdir(exist_ok=True)
    if not (machine.folder / "bin/step").exists():
        os.symlink(STEP, machine.folder / "bin/step")
    env = dict(clean_environment(), HOME=str(machine.folder), STEPPATH=str(machine.path),
               PATH=f"{machine.folder}/bin:{os.environ['PATH']}", TERM="dumb")
    words = {"bash": ["bash", "--norc", "-c"], "zsh": ["zsh", "-f", "-c"],
             "fish": ["fish", "--no-config", "-c"]}[name]
    done = execute([*words, script], env=env, cwd=machine.folder)
    assert done.stderr == "", done.stderr
    return done.stdout.split("\n")


def test_completion_in_bash(machine):
    script = """
        source <(step completion bash)
        complete -p step > /dev/null
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _step_complete; echo "${COMPREPLY[@]}"; }
        try step ca re
        try step certificate un
        try step certificate p12 --no-
        try step cr
    """
    lines = shell("bash", machine, script)
    assert set(lines[0].split()) == {"rekey", "renew", "revoke"}
    assert lines[1] == "uninstall" and lines[2] == "--no-password"
    assert set(lines[3].split()) == {"crypto", "crl"}


def test_completion_in_zsh(machine):
    script = """
        autoload -Uz compinit && compinit -u -d ./dump
        source <(step completion zsh)
        print -r -- ${_comps[step]}
        _describe() { print -rl -- ${(P)2} }
        words=(step certificate un) CURRENT=3
        _step
        words=(step crl inspect --st) CURRENT=4
        _step
    """
    lines = shell("zsh", machine, script)
    assert lines[0] == "_step"
    assert lines[1].startswith("bundle:") or any(x.startswith("uninstall:") for x in lines)
    assert any(x.startswith("--strict") for x in lines)


def test_completion_in_fish(machine):
    script = """
        step completion fish | source
        complete -C 'step certificate un'
        complete -C 'step crl inspect --st'
        complete -C 'step ca re'
    """
    lines = [x.split("\t")[0] for x in shell("fish", machine, script)]
    assert lines[:2] == ["uninstall", "--strict"]
    assert set(lines[2:5]) == {"rekey", "renew", "revoke"}


# --- Help elsewhere -----------------------------------------------------------------------------


def test_help_as_markdown_and_html(machine):
    machine.step("help", "--markdown", "md", "--html", "html", "--man", "man")
    text = (machine.folder / "md/ca/token/README.md").read_text()
    assert text.startswith("# step ca token\n\n## Name\n\n**step ca token** -- ")
    assert "```\nstep ca token <subject> [--kid=<kid>]" in text and text.count("```") % 2 == 0
    assert "- `--san=<name>`  \n" in text and "\n## Options\n" in text
    group = (machine.folder / "md/ca/README.md").read_text()
    for name in re.findall(r"\]\((.*?)/README.md\)", group):
        assert (machine.folder / "md/ca" / name / "README.md").exists(), name
    page = (machine.folder / "html/crypto/jwk/create/index.html").read_text()
    assert "<h1>step crypto jwk create</h1>" in page and "&#60;public-jwk-file&#62;" in page
    assert page.count("<pre>") == page.count("</pre>") and "<public-jwk-file>" not in page
    assert (machine.folder / "man/step-ca-token.1").exists()


def test_help_in_a_browser(machine):
    with Running(machine, "help", "--http", ":0") as server:
        address = server.line("serving help at ").rsplit(" ", 1)[1].strip("/").split("//")[1]
        assert address.startswith("127.0.0.1:")
        status, body, _ = get(address, "/")
        assert status == 200 and b'<a href="ca/index.html">' in body
        for path in ("/ca/token/", "/ca/token/index.html", "/ca//token/"):
            status, body, headers = get(address, path)
            assert status == 200 and b"<h1>step ca token</h1>" in body, path
            assert headers["Content-Type"] == "text/html; charset=utf-8"
        status, _, headers = get(address, "/ca/token")
        assert (status, headers["Location"]) == (301, "/ca/token/")
        for path in ("/nope", "/ca/nope/", "/ca/token/index.html/x", "/../etc/passwd"):
            assert get(address, path)[0] in (400, 404), path
        assert get(address, "/", method="POST")[0] in (405, 413)
        server.process.terminate()
        assert server.end()[0] == 0


# --- api ----------------------------------------------------------------------------------------


def test_a_token_for_a_client_certificate(site, tmp_path):
    seen = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, body, self.connection.getpeercert(binary_form=True)))
            status, answer = self.server.answer
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.folder / "srv.crt", site.folder / "srv.key")
    context.load_verify_locations(site.folder / "root.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Service)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answer = 201, {"token": "the.token"}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}/"
    trust = {"SSL_CERT_FILE": str(site.folder / "root.crt")}
    words = ["api", "token", "create", "--api-url", url, "ops", "client.crt", "client.key"]
    try:
        assert site.step(*words, env=trust).stdout == "the.token\n"
        path, body, client = seen[0]
        der = x509.load_pem_x509_certificate(
            (site.folder / "client.crt").read_bytes()).public_bytes(serialization.Encoding.DER)
        assert path == "/api/auth" and client == der
        assert body == {"teamSlug": "ops", "bundle": [base64.b64encode(der).decode()]}
        team = "0d5c0ff1-cb5a-4a7e-8d0e-6f9a0f3a6b11"
        site.step(*[team if w == "ops" else w for w in words], "--audience", "x", env=trust)
        assert seen[1][1]["teamID"] == team and seen[1][1]["audience"] == "x"
        server.answer = 403, {"message": "not\x1b[1m you"}
        done = site.step(*words, env=trust, ok=False)
        assert "403" in done.stderr and "you" in done.stderr and "\x1b" not in done.stderr
    finally:
        server.shutdown()
    done = site.step("api", "token", "create", "ops", "client.crt", "client.key", ok=False)
    assert "requires the '--api-url' flag" in done.stderr
    done = site.step("api", "token", "create", "--api-url", "http://x", "ops", "client.crt",
                     "client.key", ok=False)
    assert "expected an https:// address" in done.stderr


def test_old_names_of_commands(machine):
    for word in ("add", "list", "remove"):
        old = machine.step("beta", "ca", "acme", "eab", word, "--help").stdout
        new = machine.step("ca", "acme", "eab", word, "--help").stdout
        assert f"step beta ca acme eab {word}" in old
        assert old.split("OPTIONS")[1].split("EXAMPLES")[0] == (
            new.split("OPTIONS")[1].split("EXAMPLES")[0])
    assert "beta" not in machine.step("--help").stdout


# --- The table of commands ----------------------------------------------------------------------


def test_table_of_commands_says_what_is_there(machine):
    text = (ROOT / "docs/reference/client-commands.md").read_text()
    rows = re.findall(r"^\| `step ([a-z0-9 -]+)`[^|]*\| (yes|no) \|", text, re.M)
    assert len(rows) > 90
    for command, here in rows:
        done = machine.step("help", *command.split(), ok=None)
        assert done.returncode == (0 if here == "yes" else 3), command


# --- ca acme eab ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["add", "acme"], ["list", "acme"], ["remove", "acme", "id"]])
def test_keys_of_acme_accounts_take_the_flags_of_a_server(machine, words):
    done = machine.step("ca", "acme", "eab", *words, "--ca-url", "https://ca.test", "--root", "r.crt",
                    "--admin-subject", "me", "--admin-provisioner", "p",
                    "--admin-password-file", "pw", "--ca-config", "none.json", ok=False)
    said = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "" and len(said) == 6, said
    assert all("changes nothing" in line and "'--ca-config'" in line for line in said[:5])
    assert "none.json" in said[5]
