"""Webhooks: an https server of somebody else is asked before certificates are made and before they
are signed."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from acme_lab import Client, Lab, acme_csr
from conftest import SLOW, STEP_CA, free_port, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

SECRET = b"sixty-four bytes are usual, this one is shorter"
TEMPLATE = ('{"subject":{"commonName":{{toJson .Subject.CommonName}},'
            '"organizationalUnit":{{toJson .Webhooks.people.role}}},"sans":{{toJson .SANs}}}')


class Hook(ThreadingHTTPServer):
    """Answers by path: a list of replies, each used once, the last for ever."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context):
        self.seen, self.answers, self.release = [], {}, threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server_port}"

    def finish_request(self, request, client_address):
        request.settimeout(60)
        try:
            with self.context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass

    def answer(self, path, *replies):
        self.answers[path] = list(replies)
        self.seen.clear()

    def calls(self, path):
        return [s for s in self.seen if s.path.split("?")[0] == path]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.client = self.connection.getpeercert(binary_form=True)
        server.seen.append(self)
        replies = server.answers[self.path.split("?")[0]]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply == "hang":
            server.release.wait(60)
            return
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{server.url}/elsewhere")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def hook_of(ca, folder):
    crt, key = ca.issue("127.0.0.1", folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.load_verify_locations(ca.root_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    return Hook(context)


@pytest.fixture(scope="module")
def hook(ca, tmp_path_factory):
    server = hook_of(ca, tmp_path_factory.mktemp("hook"))
    yield server
    server.release.set()
    server.shutdown()


def webhook(hook, name="people", kind="ENRICHING", **more):
    made = {"id": f"id-of-{name}", "name": name, "url": f"{hook.url}/{name}", "kind": kind,
            "secret": base64.b64encode(SECRET).decode()}
    made.update(more)
    return {k: v for k, v in made.items() if v is not None}


def use(ca, *webhooks, template=None):
    def change(config):
        options = {"webhooks": list(webhooks)}
        if template:
            options["x509"] = {"template": template}
        config["authority"]["provisioners"][0]["options"] = options
    ca.configure(change)
    assert ca.reload(), ca.log()


def issued(reply):
    assert reply.status == 201, reply.body
    return x509.load_pem_x509_certificate(reply.json()["crt"].encode())


def unit_of(cert):
    return [a.value for a in cert.subject.get_attributes_for_oid(
        NameOID.ORGANIZATIONAL_UNIT_NAME)]


def refused(reply, status=403):
    assert reply.status == status, (reply.status, reply.body)
    return reply.json()["message"]


# --- Enriching ------------------------------------------------------------------------------------


def test_a_template_uses_what_a_webhook_said(ca, hook):
    hook.answer("/people", {"allow": True, "data": {"role": "Dev <Ops>"}})
    use(ca, webhook(hook), template=TEMPLATE)
    key, csr = make_csr(("web.test",))
    reply = ca.request("POST", "/1.0/sign", {"csr": csr, "ott": ca.token()},
                       {"X-Request-Id": "request-of-mine"})
    assert unit_of(issued(reply)) == ["Dev <Ops>"]
    (call,) = hook.calls("/people")
    assert call.command == "POST"
    assert call.headers["X-Smallstep-Signature"] == hmac.new(
        SECRET, call.body, hashlib.sha256).hexdigest()
    assert call.headers["X-Smallstep-Webhook-ID"] == "id-of-people"
    assert call.headers["X-Request-Id"] == "request-of-mine"
    assert call.headers["Authorization"] is None
    body = json.loads(call.body)
    assert body["provisionerName"] == "ops" and "x509Certificate" not in body
    assert set(body) == {"timestamp", "provisionerName", "x509CertificateRequest"}
    request = body["x509CertificateRequest"]
    assert request["subject"] == {"commonName": "web.test"}
    assert request["dnsNames"] == ["web.test"] and request["ipAddresses"] is None
    assert request["extKeyUsage"] == [] and request["publicKeyAlgorithm"] == "ECDSA"
    assert base64.b64decode(request["raw"]) == x509.load_pem_x509_csr(
        csr.encode()).public_bytes(serialization.Encoding.DER)
    assert base64.b64decode(request["publicKey"]) == key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_provisioner_without_template_calls_too(ca, hook):
    hook.answer("/people", {"allow": True, "data": {"role": "x"}})
    use(ca, webhook(hook))
    assert unit_of(issued(ca.sign())) == []
    assert len(hook.calls("/people")) == 1


def test_urls_see_the_token_and_earlier_webhooks(ca, hook):
    hook.answer("/people", {"allow": True, "data": {"team": "a b"}})
    hook.answers["/second"] = [{"allow": True, "data": {"role": "seen"}}]
    use(ca, webhook(hook),
        webhook(hook, "second",
                url=hook.url + "/second?sub={{ .Token.sub | urlquery }}&"
                               "t={{ .Webhooks.people.team | urlquery }}"),
        template=TEMPLATE.replace(".people.", ".second."))
    assert unit_of(issued(ca.sign())) == ["seen"]
    assert [s.path for s in hook.seen] == ["/people", "/second?sub=web.test&t=a+b"]


def test_its_own_words_reach_the_requester(ca, hook):
    hook.answer("/people", {"allow": False, "error": {"code": "E17", "message": "not on Mondays"}})
    hook.answers["/later"] = [{"allow": True}]
    use(ca, webhook(hook), webhook(hook, "later"))
    assert "not on Mondays (E17)" in refused(ca.sign())
    assert hook.calls("/later") == []


@pytest.mark.parametrize("answer", [
    {"allow": False}, {}, {"allow": None, "data": 5}, {"allow": "true"}, [], b"", b"not JSON",
    b'{"allow": true', (404, {"allow": True}), (302, {"allow": True}),
    b'{"allow":true,"data":"' + b"x" * (1 << 20) + b'"}'], ids=range(11))
@pytest.mark.parametrize("kind", ["ENRICHING", "AUTHORIZING"])
def test_anything_but_yes_is_no(ca, hook, answer, kind):
    hook.answer("/people", answer)
    hook.answers["/elsewhere"] = [{"allow": True}]
    use(ca, webhook(hook, kind=kind))
    assert "not allowed by a webhook" in refused(ca.sign())
    assert len(hook.calls("/people")) == 1 and hook.calls("/elsewhere") == []
    assert 'webhook "people" of provisioner "ops"' in ca.log()


# --- Authorizing ----------------------------------------------------------------------------------


def test_an_authorizing_webhook_sees_the_certificate(ca, hook):
    hook.answer("/gate", {"allow": True})
    use(ca, webhook(hook, "gate", "authorizing", certType="x509"))
    cert = issued(ca.sign())
    (call,) = hook.calls("/gate")
    seen = json.loads(call.body)["x509Certificate"]
    assert seen["subject"] == {"commonName": "web.test"} and seen["raw"] is None
    assert seen["dnsNames"] == ["web.test"] and seen["uris"] is None
    assert seen["sans"] == [{"type": "dns", "value": "web.test"}]
    assert seen["keyUsage"] == ["digitalSignature"]
    assert seen["extKeyUsage"] == ["serverAuth", "clientAuth"]
    assert seen["notAfter"] == cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_name_constraints_are_shown(ca, hook):
    hook.answer("/gate", {"allow": True})
    use(ca, webhook(hook, "gate", "AUTHORIZING"), template="""{"subject": "x",
      "dnsNames": ["web.test"], "nameConstraints": {"critical": true,
      "permittedDNSDomains": ["a.test", ".b.test"], "excludedDNSDomains": "c.test",
      "permittedIPRanges": ["10.1.2.3/16", "fd00::/8"], "excludedEmailAddresses": "x@a.test",
      "permittedURIDomains": "a.test"}}""")
    issued(ca.sign())
    assert json.loads(hook.calls("/gate")[0].body)["x509Certificate"]["nameConstraints"] == {
        "critical": True, "permittedDNSDomains": ["a.test", ".b.test"],
        "excludedDNSDomains": ["c.test"], "permittedIPRanges": ["10.1.0.0/16", "fd00::/8"],
        "excludedIPRanges": None, "permittedEmailAddresses": None,
        "excludedEmailAddresses": ["x@a.test"], "permittedURIDomains": ["a.test"],
        "excludedURIDomains": None}


def test_an_authorizing_webhook_refuses_without_words(ca, hook):
    hook.answer("/gate", {"allow": False, "error": {"code": "E1", "message": "private reasons"}})
    use(ca, webhook(hook, "gate", "AUTHORIZING"))
    assert "private" not in refused(ca.sign())
    ca.wait_log("private reasons (E1)")


def test_other_kinds_and_types_are_not_called(ca, hook):
    hook.answer("/none", {"allow": False})
    use(ca, *[webhook(hook, f"w{i}", kind, url=f"{hook.url}/none", certType=cert)
              for i, (kind, cert) in enumerate([("ENRICHING", "SSH"), ("AUTHORIZING", "SSH"),
                                                ("NOTIFYING", "ALL"), ("SCEPCHALLENGE", "")])])
    issued(ca.sign())
    assert hook.seen == []
    assert ca.log().count("of a kind that only SCEP uses") == 2


def test_renewal_calls_nobody(ca, hook):
    use(ca)
    crt, key = ca.issue("renewed.test")
    hook.answer("/people", {"allow": False})
    use(ca, webhook(hook), webhook(hook, "gate", "AUTHORIZING", url=f"{hook.url}/people"))
    ca.step("ca", "renew", crt, key, "--force")
    assert hook.seen == []


# --- Credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize("member, value, header", [
    ("bearerToken", "tok.en", "Bearer tok.en"),
    ("bearerToken", {"bearerToken": "tok.en"}, "Bearer tok.en"),
    ("basicAuth", {"username": "ca", "password": "p:w"}, "Basic Y2E6cDp3")])
def test_credentials_are_sent(ca, hook, member, value, header):
    hook.answer("/people", {"allow": True})
    use(ca, webhook(hook, **{member: value}))
    issued(ca.sign())
    assert hook.seen[0].headers["Authorization"] == header


def test_the_ca_shows_its_own_certificate(ca, hook):
    hook.answer("/people", {"allow": True})
    use(ca, webhook(hook))
    issued(ca.sign())
    shown = x509.load_der_x509_certificate(hook.seen[0].client)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert shown.public_bytes(serialization.Encoding.PEM).decode() == ssl.get_server_certificate(
        ("127.0.0.1", ca.port))


def test_the_certificate_can_be_kept_back(ca, hook):
    hook.answer("/people", {"allow": True})
    use(ca, webhook(hook, disableTLSClientAuth=True))
    issued(ca.sign())
    assert hook.seen[0].client is None


def test_without_secret_the_key_is_empty(ca, hook):
    hook.answer("/people", {"allow": True})
    use(ca, webhook(hook, secret=None))
    issued(ca.sign())
    assert hook.seen[0].headers["X-Smallstep-Signature"] == hmac.new(
        b"", hook.seen[0].body, hashlib.sha256).hexdigest()


def test_secrets_are_shown_nowhere(ca, hook):
    hook.answer("/people", (500, b""))
    secrets = [base64.b64encode(SECRET).decode(), "very-bearer", "very-password",
               base64.b64encode(b"ann:very-password").decode()]
    use(ca, webhook(hook, bearerToken="very-bearer"),
        webhook(hook, "two", basicAuth={"username": "ann", "password": "very-password"}))
    answer = refused(ca.sign())
    listing = ca.request("GET", "/provisioners").body.decode()
    shown = json.loads(listing)["provisioners"][0]["options"]["webhooks"]
    assert shown == [{"id": f"id-of-{n}", "name": n, "url": f"{hook.url}/{n}", "kind": "ENRICHING",
                      "certType": ""} for n in ("people", "two")]
    export = ca.run([STEP_CA, "export", ca.config_path, "--password-file", ca.password_file])
    assert "id-of-people" in export.stdout
    for secret in secrets:
        for text in (answer, listing, export.stdout, export.stderr, ca.log()):
            assert secret not in text


# --- Trouble --------------------------------------------------------------------------------------


def test_a_failure_is_tried_once_more(ca, hook):
    hook.answer("/people", (500, b""), {"allow": True, "data": {"role": "again"}})
    use(ca, webhook(hook), template=TEMPLATE)
    assert unit_of(issued(ca.sign())) == ["again"]
    assert len(hook.seen) == 2
    hook.answer("/people", (503, b""))
    refused(ca.sign())
    assert len(hook.seen) == 2


def test_a_token_is_spent_when_a_webhook_refuses(ca, hook):
    hook.answer("/people", {"allow": False}, {"allow": True})
    use(ca, webhook(hook))
    token = ca.token()
    refused(ca.sign(token))
    refused(ca.sign(token), 401)
    assert len(hook.seen) == 1


def test_a_server_that_is_down(ca, hook):
    use(ca, webhook(hook, url=f"https://127.0.0.1:{free_port()}/"))
    assert "not allowed by a webhook" in refused(ca.sign())
    assert "refused" in ca.log()


def test_a_server_that_is_not_trusted(ca, hook, make_ca, tmp_path):
    other = make_ca().start()
    crt, key = other.issue("127.0.0.1")
    other.stop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    stranger = Hook(context)
    stranger.answer("/people", {"allow": True})
    use(ca, webhook(stranger))
    refused(ca.sign())
    assert stranger.seen == []
    stranger.shutdown()


def test_tls_settings_of_the_ca_hold_for_calls(ca, hook, tmp_path):
    """Its `tls` block: versions, and suites below TLS 1.3."""
    use(ca)
    crt, key = ca.issue("127.0.0.1", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    old = Hook(context)
    old.answer("/people", {"allow": True})
    before = ca.config().get("tls")

    def settings(**tls):
        ca.configure(lambda c: c.update(tls=tls))
        use(ca, webhook(old))

    wide = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]
    try:
        settings(minVersion=1.2, maxVersion=1.3, cipherSuites=wide)
        issued(ca.sign())
        settings(minVersion=1.2, maxVersion=1.3, cipherSuites=wide[1:])
        refused(ca.sign())
        settings(minVersion=1.3, maxVersion=1.3)
        refused(ca.sign())
        settings(minVersion=1.2, maxVersion=1.2, cipherSuites=wide)
        issued(ca.sign())
        assert len(old.seen) == 2
    finally:
        ca.configure(lambda c: c.update(tls=before) if before else c.pop("tls"))
        use(ca)
        old.shutdown()


def test_one_that_hangs_holds_up_nobody_else(ca, hook):
    hook.answer("/people", "hang")
    use(ca, webhook(hook))
    results = []

    def ask():
        results.append(ca.sign().status)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    begin = time.monotonic()
    for t in threads:
        t.start()
    end = time.monotonic() + 8 * SLOW
    while time.monotonic() < end and len(hook.seen) < 10:
        time.sleep(0.05)
    assert len(hook.seen) >= 10
    for _ in range(5):
        before = time.monotonic()
        assert ca.request("GET", "/health").status == 200
        assert ca.request("GET", "/provisioners").status == 200
        assert time.monotonic() - before < 10 * SLOW
    for t in threads:
        t.join()
    assert time.monotonic() - begin < 60 * SLOW
    assert set(results) <= {403, 503} and results.count(503) >= 100 - 48 - 5, results
    hook.release.set()
    hook.release = threading.Event()


@pytest.mark.parametrize("user, word", [
    ({"at": "@evil.test"}, "user name"), ({"at": "/\n"}, "URL"), ({"at": " x"}, "URL"),
    ({"at": "\\@evil.test"}, "URL"), ({"at": "/%zz"}, "URL")])
def test_a_rendered_url_is_judged_again(ca, hook, user, word):
    use(ca, webhook(hook, url=hook.url + "{{ .Insecure.User.at }}/"),
        template='{"subject":"a","sans":{{toJson .SANs}}}')
    hook.answer("/", {"allow": True})
    assert "template action in the host" in ca.log()
    before = ca.log().count("its URL: ")
    refused(ca.sign(templateData=user))
    assert ca.log().count("its URL: ") == before + 1
    assert word in ca.log().rsplit("its URL: ", 1)[1].splitlines()[0]
    assert hook.seen == []


@pytest.mark.parametrize("change, words", [
    ({"name": ""}, "name"), ({"url": ""}, "url"), ({"url": "http://x.test/"}, "https"),
    ({"url": "https://"}, "host"), ({"url": "https:///x"}, "host"),
    ({"url": "https://a:b@x.test/"}, "user name"), ({"url": "https://x.test/{{"}, "url"),
    ({"url": "https://a{{.x}}@x.test/"}, "user name"), ({"url": "{{ .x }}"}, "https"),
    ({"kind": "ASKING"}, "kind"), ({"kind": None}, "kind"), ({"certType": "PGP"}, "certType"),
    ({"secret": "VERY-SECRET"}, "secret"), ({"bearerToken": 5}, "bearerToken"),
    ({"bearerToken": "VERY SECRET\n"}, "bearerToken"), ({"basicAuth": "VERY-SECRET"}, "basicAuth"),
    ({"id": "a\nb"}, "id")])
def test_a_bad_webhook_is_a_configuration_error(ca, hook, change, words):
    good = ca.config_path.read_text()
    try:
        def put(config):
            config["authority"]["provisioners"][0]["options"] = {
                "webhooks": [webhook(hook, "one"), {**webhook(hook, "two"), **change}]}
        ca.configure(put)
        before = len(ca.log())
        assert not ca.reload()
        line = ca.log()[before:]
        assert "authority.provisioners[0]" in line and "options.webhooks[1]" in line
        assert words in line and "VERY" not in line
    finally:
        ca.config_path.write_text(good)


def test_names_are_unique(ca, hook):
    good = ca.config_path.read_text()
    try:
        ca.configure(lambda c: c["authority"]["provisioners"][0].update(
            options={"webhooks": [webhook(hook, "one"), webhook(hook, "one")]}))
        assert not ca.reload()
        assert 'another webhook is called "one"' in ca.log()
    finally:
        ca.config_path.write_text(good)


# --- ACME ---------------------------------------------------------------------------------------------


def test_acme_orders_ask_when_they_are_finalized(make_ca, tmp_path):
    lab = Lab(make_ca, tmp_path)
    hook = hook_of(lab.ca, tmp_path)
    hook.answers["/gate"] = [{"allow": True}]

    def change(config):
        (acme,) = [p for p in config["authority"]["provisioners"] if p["type"] == "ACME"]
        acme["options"] = {"webhooks": [webhook(hook), webhook(hook, "gate", "AUTHORIZING")]}
    lab.ca.configure(change)
    assert lab.ca.reload()
    client = Client(lab.ca)
    order = client.order("a.acme.test")
    order.prove(lab.web)
    csr, _ = acme_csr(["a.acme.test"])

    hook.answer("/people", {"allow": False, "error": {"code": "E9", "message": "not you"}})
    reply = order.finalize(csr)
    assert reply.status == 401
    body = reply.json()
    assert body["type"] == "urn:ietf:params:acme:error:unauthorized"
    assert body["subproblems"] == [{"type": "urn:smallstep:acme:error:E9", "detail": "not you"}]
    hook.answer("/people", {"allow": False})
    body = order.finalize(csr).json()
    assert body["type"] == "urn:ietf:params:acme:error:unauthorized" and "subproblems" not in body
    hook.answer("/people", (404, b""))
    reply = order.finalize(csr)
    assert reply.status == 500
    assert reply.json()["type"] == "urn:ietf:params:acme:error:serverInternal"

    assert order.refresh()["status"] == "ready"
    hook.answer("/people", {"allow": True})
    order.finish()
    assert [s.path for s in hook.seen] == ["/people", "/gate"]
    bodies = [json.loads(s.body) for s in hook.seen]
    assert bodies[0]["provisionerName"] == "acme"
    assert bodies[0]["x509CertificateRequest"]["dnsNames"] == ["a.acme.test"]
    assert bodies[1]["x509Certificate"]["dnsNames"] == ["a.acme.test"]
    client.close()
    assert lab.ca.stop() == 0
    lab.stop()
    hook.shutdown()


# --- Commands -------------------------------------------------------------------------------------


def test_commands_edit_the_configuration(ca, hook, tmp_path):
    use(ca)

    def step(*args, ok=True):
        return ca.step("ca", "provisioner", "webhook", *args, "--ca-config", ca.config_path, ok=ok)

    done = step("add", "ops", "people", "--url", f"{hook.url}/people")
    lines = dict(line.split(": ") for line in done.stdout.splitlines())
    assert set(lines) == {"Webhook ID", "Secret"}
    assert len(base64.b64decode(lines["Secret"])) == 64
    hook.answer("/people", {"allow": True})
    assert ca.reload()
    issued(ca.sign())
    call = hook.seen[0]
    assert call.headers["X-Smallstep-Webhook-ID"] == lines["Webhook ID"]
    assert call.headers["X-Smallstep-Signature"] == hmac.new(
        base64.b64decode(lines["Secret"]), call.body, hashlib.sha256).hexdigest()

    assert step("add", "ops", "people", "--url", hook.url, ok=False).returncode == 1
    assert step("add", "ops", "x", "--url", "http://x.test", ok=False).returncode == 1
    assert step("add", "none", "x", "--url", hook.url, ok=False).returncode == 1
    (tmp_path / "token").write_text("tok.en\n")
    step("update", "ops", "people", "--kind", "AUTHORIZING", "--disable-tls-client-auth",
         "--bearer-token-file", tmp_path / "token")
    (entry,) = ca.config()["authority"]["provisioners"][0]["options"]["webhooks"]
    assert entry == {"id": lines["Webhook ID"], "name": "people", "url": f"{hook.url}/people",
                     "kind": "AUTHORIZING", "certType": "ALL", "disableTLSClientAuth": True,
                     "secret": lines["Secret"], "bearerToken": "tok.en"}
    (tmp_path / "pw").write_text("word\n")
    step("update", "ops", "people", "--basic-auth-username", "ann", "--basic-auth-password-file",
         tmp_path / "pw")
    (entry,) = ca.config()["authority"]["provisioners"][0]["options"]["webhooks"]
    assert entry["basicAuth"] == {"username": "ann", "password": "word"}
    assert "bearerToken" not in entry and entry["url"] == f"{hook.url}/people"
    assert step("update", "ops", "other", "--kind", "ENRICHING", ok=False).returncode == 1
    assert step("remove", "ops", "other", ok=False).returncode == 1
    step("remove", "ops", "people")
    assert ca.config()["authority"]["provisioners"][0]["options"]["webhooks"] == []


def test_offline_asks_as_well(ca, hook, tmp_path):
    hook.answer("/people", {"allow": False, "error": {"code": "E2", "message": "not offline"}})
    use(ca, webhook(hook))
    done = ca.step("ca", "certificate", "off.test", tmp_path / "c", tmp_path / "k", "--offline",
                   "--provisioner", "ops", "--provisioner-password-file", ca.password_file,
                   "--password-file", ca.password_file, ok=False)
    assert done.returncode == 1 and "not offline (E2)" in done.stderr
    assert not (tmp_path / "c").exists()
