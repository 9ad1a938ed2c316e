"""Rules of RFC 8555 6 and 7 that stand apart from the way of an order: where ACME is served, what
is ignored, ids that are none, and what happens to one account at the same time."""

import concurrent.futures
import datetime
import http.client
import socket
import sqlite3

import pytest
from acme_lab import Client, Lab, acme_csr, jws, problem, public_jwk, thumbprint
from conftest import PASSWORD, Ca, free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_webhooks import hook_of, webhook


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    plain = free_port()

    def make(*args):
        ca = Ca(folder / "ca", args)
        ca.configure(lambda c: c.update(insecureAddress=f"127.0.0.1:{plain}",
                                        crl={"enabled": True}))
        return ca
    made = Lab(make, folder)
    made.plain = plain
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()


@pytest.fixture
def client(lab):
    made = Client(lab.ca)
    yield made
    made.close()


def test_acme_is_served_over_tls_only(lab, client):
    """RFC 8555 6.1"""
    for method, path in (("GET", "/acme/acme/directory"), ("HEAD", "/acme/acme/new-nonce"),
                         ("GET", "/2.0/acme/acme/directory"), ("POST", "/acme/acme/new-account")):
        connection = http.client.HTTPConnection("127.0.0.1", lab.plain, timeout=20)
        connection.request(method, path, b"{}" if method == "POST" else None,
                           {"Content-Type": "application/jose+json"})
        reply = connection.getresponse()
        assert reply.status == 404 and "Replay-Nonce" not in reply.headers, path
        connection.close()
    assert client.post(client.kid).status == 200


def test_every_answer_leads_to_the_directory(lab, client):
    """RFC 8555 7.1, 6.5: also those that refuse."""
    order = client.order("links.test")
    challenge = order.challenge("http-01")
    csr, _ = acme_csr(["links.test"])
    for url, payload in ((client.kid, None), (client.kid + "/orders", None), (order.url, None),
                         (order.state["authorizations"][0], None), (challenge["url"], None),
                         (order.state["finalize"], {"csr": csr}), ("/certificate/none", None),
                         ("/revoke-cert", {}), ("/key-change", {}), ("/new-order", {})):
        reply = client.post(url, payload)
        links = reply.headers.get_all("Link")
        assert f'<{client.url}/directory>;rel="index"' in links, url
        assert len(reply.headers.get_all("Replay-Nonce")) == 1, url
        assert reply.headers["Cache-Control"] == "no-store", url


def test_members_that_are_the_server_s_are_ignored(lab):
    """RFC 8555 7.3, 7.3.2"""
    made = Client(lab.ca, account=False)
    reply = made.register(status="deactivated", orders="https://elsewhere.test/", id="mine",
                          createdAt="2001-01-01T00:00:00Z", unknown={"a": [1]})
    assert reply.status == 201 and reply.json()["status"] == "valid"
    assert reply.json()["orders"] == made.kid + "/orders"
    reply = made.post(made.kid, {"orders": "https://elsewhere.test/", "status": "valid"})
    assert reply.status == 400  # a status can only be "deactivated"
    reply = made.post(made.kid, {"orders": "https://elsewhere.test/", "key": {"kty": "oct"},
                                 "termsOfServiceAgreed": False, "externalAccountBinding": {}})
    assert reply.status == 200 and reply.json()["orders"] == made.kid + "/orders"
    order = made.order("given.test", status="valid", authorizations=[],
                       expires="2099-01-01T00:00:00Z", certificate="https://elsewhere.test/", error=None, profile=5)
    assert order.state["status"] == "pending" and len(order.state["authorizations"]) == 1
    assert "certificate" not in order.state and order.state["expires"] < "2099"


@pytest.mark.parametrize("payload", [
    {}, {"keyAuthorization": "old.style"}, {"type": "http-01", "resource": "challenge"},
    {"status": "valid", "validated": "2001-01-01T00:00:00Z"},
])
def test_any_object_answers_a_challenge(lab, client, payload):
    """RFC 8555 7.5.1: the object is empty; clients of old had more in it."""
    order = client.order("object.test")
    challenge = order.challenge("http-01")
    lab.web.serve(challenge["token"], client.authorization(challenge["token"]))
    reply = client.post(challenge["url"], payload)
    assert reply.status == 200 and reply.json()["status"] == "valid", reply.body
    order.refresh()
    order.finish()


@pytest.mark.parametrize("payload", ["[]", "5", "\"\"", "{", "null", "{}{}"])
def test_what_is_no_object_answers_no_challenge(lab, client, payload):
    order = client.order("nothing.test")
    challenge = order.challenge("http-01")
    assert client.post(challenge["url"], payload).status == 400
    assert client.post(challenge["url"]).json()["status"] == "pending"


@pytest.mark.parametrize("name", ["%00", "%2e%2e", "..", "%ff", "a" * 5000, "%25", "*", "'",
                                  "%0d%0a"])
def test_ids_that_are_none(lab, client, name):
    csr, _ = acme_csr(["x.test"])
    for path, payload in ((f"/order/{name}", None), (f"/authz/{name}", None),
                          (f"/challenge/{name}/{name}", {}), (f"/certificate/{name}", None),
                          (f"/account/{name}", None), (f"/order/{name}/finalize", {"csr": csr})):
        reply = client.post(path, payload)
        assert 400 <= reply.status < 500, (path, reply.status, reply.body)
        client.nonce = None


def test_a_request_that_stops_in_the_middle_holds_nobody_up(lab, client):
    body = client.envelope(client.kid)
    head = (f"POST {client.kid[len(lab.ca.url):]} HTTP/1.1\r\nHost: localhost:{lab.ca.port}\r\n"
            f"Content-Type: application/jose+json\r\nContent-Length: {len(body)}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", lab.ca.port)) as plain, \
            lab.ca.tls().wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(head.encode() + body[:10].encode())
        other = Client(lab.ca)
        other.certificate(lab.web, "meanwhile.test")
        tls.sendall(body[10:].encode())
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")


# --- One account, many hands ----------------------------------------------------------------------


def _new_key():
    return ec.generate_private_key(ec.SECP256R1())


def _hand(client, key=None):
    """The same account over another connection."""
    made = Client(client.ca, client.base.split("/")[-1], key or client.key, account=False)
    made.kid = client.kid
    made.nonce = made.fresh_nonce()
    return made


def _rollover(hand, new):
    url = hand.url + "/key-change"
    header = {"alg": "ES256", "jwk": public_jwk(new), "url": url}
    return hand.post(url, jws(new, header, {"account": hand.kid,
                                            "oldKey": public_jwk(hand.key)}))


def _at_once(*calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(*c) for c in calls]]


def _finds(ca, key):
    """The account's URL, or None."""
    made = Client(ca, key=key, account=False)
    reply = made.post("/new-account", {"onlyReturnExisting": True}, jwk=True)
    made.close()
    if reply.status == 200:
        return reply.headers["Location"]
    problem(reply, 400, "accountDoesNotExist")
    return None


def test_of_rollovers_at_the_same_time_one_counts(lab):
    for _ in range(5):
        client = Client(lab.ca)
        keys = [_new_key() for _ in range(6)]
        replies = _at_once(*[(_rollover, _hand(client), key) for key in keys])
        won = [i for i, r in enumerate(replies) if r.status == 200]
        assert len(won) == 1, [r.body for r in replies]
        for i, reply in enumerate(replies):
            if i not in won:  # before or after it was read whose key the account has
                kind = reply.json()["type"].rsplit(":", 1)[1]
                assert (reply.status, kind) in ((401, "unauthorized"), (400, "malformed"))
        assert [i for i, k in enumerate(keys) if _finds(lab.ca, k)] == won
        assert [i for i, k in enumerate(keys)
                if _hand(client, k).post(client.kid).status == 200] == won
        assert _finds(lab.ca, client.key) is None
        # A key that lost is free: it may come to be an account's of its own.
        lost = keys[won[0] - 1]
        assert Client(lab.ca, key=lost).kid != client.kid


def test_rollover_or_deactivation(lab):
    """Whichever is first; the other one's signature counts no more, or the account is gone."""
    for _ in range(5):
        client, new = Client(lab.ca), _new_key()
        rolled, gone = _at_once((_rollover, _hand(client), new),
                                (_hand(client).post, client.kid, {"status": "deactivated"}))
        assert sorted([rolled.status, gone.status])[0] == 200, (rolled.body, gone.body)
        assert 400 <= max(rolled.status, gone.status) <= 401, (rolled.body, gone.body)
        reply = _hand(client, new if rolled.status == 200 else None).post(client.kid)
        if gone.status == 200:
            problem(reply, 401, "unauthorized")
        else:
            assert reply.status == 200 and reply.json()["status"] == "valid"


def test_rollover_or_new_account_with_the_key(lab):
    for _ in range(5):
        client, new = Client(lab.ca), _new_key()
        other = Client(lab.ca, key=new, account=False)
        other.nonce = other.fresh_nonce()
        rolled, made = _at_once((_rollover, _hand(client), new), (other.register,))
        if rolled.status == 200:
            assert made.status == 200 and made.headers["Location"] == client.kid
            assert _finds(lab.ca, client.key) is None
        else:
            problem(rolled, 409, "malformed")
            assert rolled.headers["Location"] == made.headers["Location"] != client.kid
            assert made.status == 201 and _finds(lab.ca, client.key) == client.kid
        assert _finds(lab.ca, new) == made.headers["Location"]


def test_an_index_entry_that_is_not_true_counts_for_nothing(lab):
    """Of an account that has another key: its own stays, and the other is free."""
    client, stale, rolled = Client(lab.ca), _new_key(), _new_key()
    assert lab.ca.stop() == 0
    with sqlite3.connect(lab.ca.config()["db"]["dataSource"]) as base:
        for key in (stale, rolled):
            base.execute("INSERT INTO kv (tbl, k, v) SELECT id, ?, ? FROM tables WHERE name=?",
                         (thumbprint(key).encode(), client.kid.split("/")[-1].encode(),
                          "acme_keyID_accountID_index"))
    base.close()
    lab.ca.start(*lab.args)
    assert _finds(lab.ca, stale) is None
    assert Client(lab.ca, key=stale).kid != client.kid
    assert _rollover(_hand(client), rolled).status == 200
    assert _finds(lab.ca, rolled) == client.kid
    assert _finds(lab.ca, client.key) is None


@pytest.fixture(scope="module")
def asking(lab, tmp_path_factory):
    """A provisioner whose certificates depend on a webhook."""
    hook = hook_of(lab.ca, tmp_path_factory.mktemp("hook"))
    lab.ca.configure(lambda c: c["authority"]["provisioners"].append({
        "type": "ACME", "name": "asks", "options": {
            "webhooks": [webhook(hook, "gate", "AUTHORIZING")]}}))
    assert lab.ca.reload()
    yield hook
    hook.shutdown()


class Meanwhile(list):
    """The webhook's answers: yes, but something is done first."""

    def __init__(self, act):
        super().__init__([None])
        self.act, self.replies = act, []

    def __getitem__(self, _):
        self.replies.append(self.act())
        return {"allow": True}


def test_a_key_of_another_provisioner_s_account_can_be_rolled_to(lab, asking):
    client, other = Client(lab.ca), Client(lab.ca, "asks")
    assert _rollover(client, other.key).status == 200
    assert _finds(lab.ca, other.key) == client.kid
    assert other.post(other.kid).status == 200
    client.key = other.key
    assert _rollover(client, _new_key()).status == 200
    assert _finds(lab.ca, other.key) is None
    assert other.register().status == 200


@pytest.mark.parametrize("how", ["deactivated", "rolled"])
def test_no_certificate_for_an_account_that_changed_meanwhile(lab, asking, how):
    client = Client(lab.ca, "asks")
    order = client.order("meanwhile.test")
    order.prove(lab.web)
    hand = _hand(client)
    act = Meanwhile(lambda: hand.post(hand.kid, {"status": "deactivated"})
                    if how == "deactivated" else _rollover(hand, key))
    key = _new_key()
    asking.answers["/gate"] = act
    csr, _ = acme_csr(["meanwhile.test"])
    reply = order.finalize(csr)
    assert [r.status for r in act.replies] == [200]
    problem(reply, 401, "unauthorized")
    if how == "rolled":
        client.key = key
        asking.answers["/gate"] = [{"allow": True}]
        order.finish()


# --- Times ----------------------------------------------------------------------------------------


def _text(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_no_certificate_begins_when_the_chain_has_ended(lab, client):
    crt = lab.ca.path / "certs/intermediate_ca.crt"
    before = crt.read_bytes()
    old = x509.load_pem_x509_certificate(before)
    for when in (_text(old.not_valid_after), "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "late.test"}],
                                           "notBefore": when})
        problem(reply, 400, "malformed", "notBefore", "issuing chain")
    order = client.order("late.test", notBefore=_text(old.not_valid_after
                                                      - datetime.timedelta(hours=2)))
    order.prove(lab.web)

    root = serialization.load_pem_private_key(
        (lab.ca.path / "secrets/root_ca_key").read_bytes(), PASSWORD.encode())
    shorter = (x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer)
               .public_key(old.public_key()).serial_number(old.serial_number + 1)
               .not_valid_before(old.not_valid_before)
               .not_valid_after(old.not_valid_after - datetime.timedelta(days=1)))
    for extension in old.extensions:
        shorter = shorter.add_extension(extension.value, extension.critical)
    csr, _ = acme_csr(["late.test"])
    try:
        crt.write_bytes(shorter.sign(root, hashes.SHA256())
                        .public_bytes(serialization.Encoding.PEM))
        assert lab.ca.reload()
        problem(order.finalize(csr), 400, "malformed", "notBefore", "issuing chain")
    finally:
        crt.write_bytes(before)
        assert lab.ca.reload()
    order.finish()
