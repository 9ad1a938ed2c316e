"""ACME as RFC 8555 has it (sections 6 and 7), by a client of our own that can do everything wrong:
what is granted, and what each MUST refuses."""

import concurrent.futures
import datetime
import hashlib
import ipaddress
import json
import re
import signal
import socket
import time

import pytest
from acme_lab import (Client, Lab, acme_csr, certificates, jws, problem, public_jwk,
                      unb64url)
from conftest import SLOW, Ca, b64url, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PROVISIONERS = [
    {"type": "ACME", "name": "other"},
    {"type": "ACME", "name": "bound", "requireEAB": True},
    {"type": "ACME", "name": "with blanks (é)", "challenges": ["HTTP-01"]},
    {"type": "ACME", "name": "meta", "termsOfService": "https://pki.test/tos",
     "website": "https://pki.test", "caaIdentities": ["pki.test"], "requireEAB": True},
    {"type": "ACME", "name": "force", "forceCN": True,
     "claims": {"maxTLSCertDuration": "2h", "defaultTLSCertDuration": "1h"}},
]
POLICY = {"x509": {"deny": {"dns": ["denied.test"], "ip": ["10.9.0.0/16"]},
                   "allowWildcardNames": True}}
DER = serialization.Encoding.DER


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    made = Lab(lambda *args: Ca(folder / "ca", args), folder, PROVISIONERS, POLICY)
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()
    for trouble in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
        assert trouble not in made.ca.log()


@pytest.fixture
def client(lab):
    made = Client(lab.ca)
    yield made
    made.close()


# --- Directory and nonces -------------------------------------------------------------------------


def test_directory_lists_every_resource(lab):
    reply = lab.ca.request("GET", "/acme/acme/directory")
    base = f"{lab.ca.url}/acme/acme"
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    body = reply.json()
    assert {k: v for k, v in body.items() if k != "meta"} == {
        "newNonce": f"{base}/new-nonce", "newAccount": f"{base}/new-account",
        "newOrder": f"{base}/new-order", "revokeCert": f"{base}/revoke-cert",
        "keyChange": f"{base}/key-change", "renewalInfo": f"{base}/renewal-info"}
    assert "meta" not in body
    assert reply.body.count(b"\n") == 1 and b": " not in reply.body
    head = lab.ca.request("HEAD", "/acme/acme/directory")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == reply.headers["Content-Length"]
    assert lab.ca.request("GET", "/2.0/acme/acme/directory").json() == body
    assert lab.ca.request("GET", "/1.0/acme/acme/directory").status == 404


def test_directory_meta_says_what_the_provisioner_says(lab):
    meta = lab.ca.request("GET", "/acme/meta/directory").json()["meta"]
    assert meta == {"termsOfService": "https://pki.test/tos", "website": "https://pki.test",
                    "caaIdentities": ["pki.test"], "externalAccountRequired": True}


def test_directory_of_a_name_that_needs_escaping(lab):
    path = "/acme/with%20blanks%20%28%C3%A9%29"
    body = lab.ca.request("GET", path + "/directory").json()
    assert body["newOrder"] == f"{lab.ca.url}{path}/new-order"
    leaf, _ = Client(lab.ca, path[len("/acme/"):]).certificate(lab.web, "blank.test")
    assert leaf.extensions


def test_directory_of_no_provisioner_and_of_another_type(lab):
    reply = lab.ca.request("GET", "/acme/nobody/directory")
    assert reply.status == 404 and "Replay-Nonce" not in reply.headers
    reply = lab.ca.request("GET", "/acme/ops/directory")
    assert reply.status == 401 and reply.json()["type"].endswith(":unauthorized")


def test_nonces_come_by_head_and_by_get(lab):
    seen = set()
    for method, status in (("HEAD", 200), ("GET", 204)):
        reply = lab.ca.request(method, "/acme/acme/new-nonce")
        assert reply.status == status and reply.body == b""
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Link"] == f'<{lab.ca.url}/acme/acme/directory>;rel="index"'
        nonce = reply.headers["Replay-Nonce"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{20,}", nonce)
        seen.add(nonce)
    assert len(seen) == 2


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/acme/acme/new-account", 405), ("GET", "/acme/acme/order/x", 405),
    ("PUT", "/acme/acme/new-order", 405), ("POST", "/acme/acme/directory", 405),
    ("POST", "/acme/acme/new-authz", 404), ("GET", "/acme/acme", 404),
])
def test_paths_and_methods_that_are_not_there(lab, method, path, status):
    assert lab.ca.request(method, path).status == status


# --- The envelope (RFC 8555 6) --------------------------------------------------------------------


def test_reused_missing_and_foreign_nonces_are_bad(lab, client):
    nonce = client.fresh_nonce()
    assert client.post(client.kid, nonce=nonce).status == 200
    for bad in (nonce, "", b64url(b"x" * 32), ...):
        client.nonce = None
        header = client.header(client.kid, nonce=nonce)
        header["nonce"] = bad
        header = {k: v for k, v in header.items() if v is not ...}
        message = json.dumps(jws(client.key, header, None))
        reply = client.send("POST", client.kid, message,
                            {"Content-Type": "application/jose+json"})
        problem(reply, 400, "badNonce")
        # RFC 8555 6.5: the same request with the nonce of the refusal is good.
        assert client.post(client.kid, nonce=reply.headers["Replay-Nonce"]).status == 200


def test_a_nonce_is_spent_once_by_many_at_a_time(lab, client):
    nonce = client.fresh_nonce()
    message = json.dumps(jws(client.key, client.header(client.kid, nonce=nonce), None))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: lab.ca.request(
            "POST", client.kid[len(lab.ca.url):], message,
            {"Content-Type": "application/jose+json"}), range(16)))
    assert sorted(r.status for r in replies) == [200] + [400] * 15


@pytest.mark.parametrize("content_type", [
    "application/json", "application/jose+json; charset=utf-8", "APPLICATION/JOSE+JSON", "text/plain",
    "application/jose",
])
def test_other_content_types_are_refused_and_keep_the_nonce(client, content_type):
    nonce = client.fresh_nonce()
    problem(client.post(client.kid, nonce=nonce, content_type=content_type), 400, "malformed")
    assert client.post(client.kid, nonce=nonce).status == 200


@pytest.mark.parametrize("change", [
    lambda u: u.replace("localhost", "127.0.0.1"), lambda u: u.replace("https", "http"),
    lambda u: u + "?a=b", lambda u: u + "/", lambda u: u.upper(), lambda _: "", lambda _: ...,
    lambda _: 5, lambda u: u.replace("/acme/acme/", "/2.0/acme/acme/"),
    lambda u: u.replace("/acme/acme/", "/acme/other/"),
])
def test_the_url_of_the_header_is_the_request_s(client, change):
    problem(client.post(client.kid, say=change(client.kid)), 400, "malformed", "url")


def test_the_alias_is_an_address_of_its_own(lab, client):
    url = client.kid.replace("/acme/acme/", "/2.0/acme/acme/")
    reply = client.post(url)
    assert reply.status == 200 and reply.headers["Location"] == client.kid
    assert reply.json()["orders"] == client.kid + "/orders"


@pytest.mark.parametrize("alg, key", [("none", b""), ("HS256", b"secret"), ("HS512", b"secret")])
def test_algorithms_that_acme_forbids(client, alg, key):
    header = client.header(client.kid, alg=alg)
    message = json.dumps(jws(key, header, None))
    reply = client.send("POST", client.kid, message, {"Content-Type": "application/jose+json"})
    body = problem(reply, 400, "badSignatureAlgorithm")
    assert {"ES256", "RS256", "EdDSA"} <= set(body["algorithms"])


@pytest.mark.parametrize("header_alg", ["", "ES256K", "RS1", "es256", 7, None, ...])
def test_algorithm_names_that_are_none(client, header_alg):
    def change(message):
        header = json.loads(unb64url(message["protected"]))
        header["alg"] = header_alg
        if header_alg is ...:
            del header["alg"]
        message["protected"] = b64url(json.dumps(header).encode())
    reply = client.post(client.kid, change=change)
    known = isinstance(header_alg, str) or header_alg is ...
    problem(reply, 400, "badSignatureAlgorithm" if known else "malformed", "alg")


@pytest.mark.parametrize("make, alg", [
    (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
    (lambda: ec.generate_private_key(ec.SECP384R1()), "ES384"),
    (lambda: ec.generate_private_key(ec.SECP521R1()), "ES512"),
    (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
    (lambda: rsa.generate_private_key(65537, 2048), "RS256"),
    (lambda: rsa.generate_private_key(65537, 2048), "RS512"),
    (lambda: rsa.generate_private_key(65537, 2048), "PS256"),
])
def test_account_keys_of_every_kind(lab, make, alg):
    made = Client(lab.ca, key=make(), account=False)
    reply = made.post("/new-account", {}, jwk=True, alg=alg)
    assert reply.status == 201, reply.body


def test_weak_and_mismatched_account_keys(lab):
    small = Client(lab.ca, key=rsa.generate_private_key(65537, 1024), account=False)
    assert small.register().status == 400
    big = Client(lab.ca, key=ec.generate_private_key(ec.SECP384R1()), account=False)
    problem(big.post("/new-account", {}, jwk=True, change=lambda m: _with_header(m, alg="ES256")),
            400, "malformed")


def _with_header(message, **members):
    header = json.loads(unb64url(message["protected"]))
    header.update(members)
    header = {k: v for k, v in header.items() if v is not ...}
    return {**message, "protected": b64url(json.dumps(header).encode())}


def test_jwk_and_kid_are_alternatives(client):
    url = client.kid
    jwk = public_jwk(client.key)
    problem(_post_with(client, url, kid=client.kid, jwk=jwk), 400, "malformed", "jwk")
    problem(_post_with(client, url, kid=..., jwk=...), 400, "malformed", "jwk")
    problem(_post_with(client, url, kid=..., jwk=jwk), 400, "malformed", "kid")
    new = client.url + "/new-account"
    problem(_post_with(client, new, {}, kid=client.kid, jwk=...), 400, "malformed", "jwk")


def _post_with(client, url, payload=None, **members):
    header = client.header(url)
    header.update(members)
    header = {k: v for k, v in header.items() if v is not ...}
    message = json.dumps(jws(client.key, header, payload))
    return client.send("POST", url, message, {"Content-Type": "application/jose+json"})


@pytest.mark.parametrize("member, value", [
    ("crit", ["b64"]), ("crit", ["exp"]), ("crit", []), ("b64", False), ("kid", ""), ("kid", 5),
])
def test_header_members_that_are_refused(client, member, value):
    problem(_post_with(client, client.kid, **{member: value}), 400, "malformed")


@pytest.mark.parametrize("change", [
    lambda m: {**m, "header": {"x": 1}},
    lambda m: {**m, "header": {"nonce": "abc"}},
    lambda m: {"payload": m["payload"], "signatures": [
        {"protected": m["protected"], "signature": m["signature"]}] * 2},
    lambda m: {"payload": m["payload"], "signatures": []},
    lambda m: {k: v for k, v in m.items() if k != "payload"},
    lambda m: {k: v for k, v in m.items() if k != "signature"},
    lambda m: {k: v for k, v in m.items() if k != "protected"},
    lambda m: {**m, "payload": None}, lambda m: {**m, "payload": "+/+/"},
    lambda m: {**m, "protected": b64url(b"[]")}, lambda m: {**m, "protected": b64url(b"{}")},
    lambda m: {**m, "protected": b64url(b'{"alg":"ES256","alg":"ES256"}')},
    lambda m: [m], lambda m: "", lambda m: "{", lambda m: "null", lambda m: json.dumps(m) + "x",
    lambda m: json.dumps(m).replace("{", '{"payload":"",', 1),
    lambda m: b"\xff\xfe{}", lambda m: "[" * 100000, lambda m: '{"payload":' * 50000,
], ids=range(21))
def test_envelopes_that_are_no_flattened_jws(client, change):
    reply = client.post(client.kid, change=change)
    assert reply.status == 400, reply.body
    kind = reply.json()["type"].rsplit(":", 1)[1]
    assert kind in ("malformed", "badSignatureAlgorithm"), reply.body
    assert reply.headers["Replay-Nonce"]


def test_a_body_without_end_is_too_large(client):
    reply = client.post(client.kid, change=lambda m: json.dumps(m) + " " * (1 << 20))
    problem(reply, 413, "malformed", "larger")
    assert f'<{client.url}/directory>;rel="index"' in reply.headers.get_all("Link")
    client.close()  # and its nonce is good
    assert client.post(client.kid).status == 200


def test_signatures_that_do_not_verify(client):
    def flip(message):
        raw = bytearray(unb64url(message["signature"]))
        raw[10] ^= 1
        return {**message, "signature": b64url(bytes(raw))}
    problem(client.post(client.kid, change=flip), 400, "malformed", "signature")
    problem(client.post(client.kid, change=lambda m: {**m, "signature": ""}), 400, "malformed")
    problem(client.post(client.kid, change=lambda m: {**m, "payload": b64url(b"{}")}), 400,
            "malformed")
    stranger = ec.generate_private_key(ec.SECP256R1())
    problem(client.post(client.kid, key=stranger), 400, "malformed")


def test_signatures_that_lost_leading_zeros_are_repaired(client):
    lost = {"r": False, "s": False}
    for _ in range(3000):
        nonce = client.fresh_nonce()
        header = client.header(client.kid, nonce=nonce)
        client.nonce = nonce  # not sent yet
        message = jws(client.key, header, None)
        raw = unb64url(message["signature"])
        which = "r" if raw[0] == 0 else "s" if raw[32] == 0 else None
        if which is None or lost[which]:
            continue
        short = raw[1:] if which == "r" else raw[:32] + raw[33:]
        client.nonce = None
        reply = client.send("POST", client.kid,
                            json.dumps({**message, "signature": b64url(short)}),
                            {"Content-Type": "application/jose+json"})
        assert reply.status == 200, reply.body
        lost[which] = True
        if all(lost.values()):
            return
    pytest.fail("no such signature came up")


@pytest.mark.parametrize("change", [
    lambda j: {**j, "d": j["x"]}, lambda j: {"kty": "oct", "k": "c2VjcmV0"}, lambda j: {},
    lambda j: {**j, "x": j["x"][:-2]}, lambda j: {**j, "crv": "P-384"},
    lambda j: {**j, "y": j["x"]}, lambda j: {**j, "kty": "RSA"}, lambda j: "key", lambda j: None,
    lambda j: {**j, "alg": "ES384"},
], ids=range(10))
def test_keys_that_are_no_public_jwk(lab, change):
    made = Client(lab.ca, account=False)
    header = made.header(made.url + "/new-account")
    header["jwk"] = change(header["jwk"])
    message = json.dumps(jws(made.key, header, {}))
    reply = made.send("POST", made.url + "/new-account", message,
                      {"Content-Type": "application/jose+json"})
    problem(reply, 400, "malformed")


# --- Accounts (RFC 8555 7.3) ----------------------------------------------------------------------


def test_account_is_created_found_and_updated(lab):
    made = Client(lab.ca, account=False)
    created = made.register(contact=["mailto:ops@acme.test"])
    assert created.status == 201
    location = created.headers["Location"]
    assert location.startswith(f"{lab.ca.url}/acme/acme/account/")
    assert created.json() == {"contact": ["mailto:ops@acme.test"], "status": "valid",
                              "orders": location + "/orders"}
    again = made.register(contact=["mailto:else@acme.test"])
    assert again.status == 200 and again.headers["Location"] == location
    assert again.json() == created.json()
    found = made.post("/new-account", {"onlyReturnExisting": True}, jwk=True)
    assert found.status == 200 and found.headers["Location"] == location
    changed = made.post(location, {"contact": ["mailto:new@acme.test"]})
    assert changed.status == 200 and changed.json()["contact"] == ["mailto:new@acme.test"]
    assert made.post(location).json()["contact"] == ["mailto:new@acme.test"]
    assert "contact" not in made.post(location, {"contact": []}).json()
    assert made.post(location, {"unknown": 1}).status == 200


def test_accounts_that_are_refused(lab, client):
    nobody = Client(lab.ca, account=False)
    problem(nobody.post("/new-account", {"onlyReturnExisting": True}, jwk=True), 400,
            "accountDoesNotExist")
    problem(nobody.post("/new-account", {"onlyReturnExisting": True, "contact": ["mailto:a@b"]},
                        jwk=True), 400, "malformed")
    problem(nobody.post("/new-account", {"contact": [""]}, jwk=True), 400, "malformed")
    problem(nobody.post("/new-account", {"contact": "mailto:a@b"}, jwk=True), 400, "malformed")
    problem(nobody.post("/new-account", None, jwk=True), 400, "malformed")
    problem(nobody.post("/new-account", "[]", jwk=True), 400, "malformed")
    problem(nobody.post("/new-account", "{} {}", jwk=True), 400, "malformed")
    problem(client.post(client.kid, {"status": "revoked"}), 400, "malformed")
    problem(client.post(client.kid, {"status": "deactivated", "contact": ["mailto:a@b"]}), 400,
            "malformed")
    problem(client.post(client.kid, {"contact": [""]}), 400, "malformed")


def test_accounts_of_others(lab, client):
    other = Client(lab.ca)
    problem(client.post(other.kid), 401, "unauthorized")
    problem(client.post(other.kid + "/orders"), 401, "unauthorized")
    # signed by one, in the name of the other
    problem(client.post(other.kid, kid=other.kid), 400, "malformed")
    problem(client.post(client.kid, kid=client.kid + "x"), 400, "accountDoesNotExist")
    problem(client.post(client.kid, kid=client.url + "/account/nobody"), 400,
            "accountDoesNotExist")
    problem(client.post(client.kid, kid=client.kid.replace("localhost", "127.0.0.1")), 401,
            "unauthorized")


def test_an_account_belongs_to_its_provisioner(lab, client):
    elsewhere = client.kid.replace("/acme/acme/", "/acme/other/")
    problem(client.post(elsewhere, say=elsewhere), 401, "unauthorized")
    # the same key may have an account at each
    second = Client(lab.ca, "other", key=client.key)
    assert second.kid != client.kid and "/acme/other/" in second.kid
    assert second.post(second.kid).status == 200
    assert client.post(client.kid).status == 200


def test_a_deactivated_account_can_do_nothing(lab):
    made = Client(lab.ca)
    order = made.order("gone.test")
    reply = made.post(made.kid, {"status": "deactivated"})
    assert reply.status == 200 and reply.json()["status"] == "deactivated"
    for url in (made.kid, made.kid + "/orders", order.url, order.state["authorizations"][0],
                order.state["finalize"], made.url + "/new-order", made.url + "/key-change",
                made.url + "/revoke-cert"):
        problem(made.post(url), 401, "unauthorized")
    problem(made.register(), 401, "unauthorized")


def test_orders_list_is_of_what_is_pending(lab, client):
    listed = client.post(client.kid + "/orders")
    assert listed.status == 200 and listed.json() == []
    one, two = client.order("one.test"), client.order("two.test")
    assert sorted(client.post(client.kid + "/orders").json()) == sorted([one.url, two.url])
    one.prove(lab.web)
    one.finish()
    assert client.post(client.kid + "/orders").json() == [two.url]
    problem(client.post(client.kid + "/orders", {}), 400, "malformed")


# --- Key rollover (RFC 8555 7.3.5) ----------------------------------------------------------------


def _rollover(client, new, inner=None, payload=None, signer=None):
    url = client.url + "/key-change"
    header = {"alg": "ES256", "jwk": public_jwk(new), "url": url, **(inner or {})}
    header = {k: v for k, v in header.items() if v is not ...}
    body = {"account": client.kid, "oldKey": public_jwk(client.key), **(payload or {})}
    body = {k: v for k, v in body.items() if v is not ...}
    return client.post(url, jws(signer or new, header, body))


def test_key_rollover(lab, client):
    new = ec.generate_private_key(ec.SECP256R1())
    order = client.order("rolled.test")
    reply = _rollover(client, new)
    assert reply.status == 200 and reply.json()["status"] == "valid"
    problem(client.post(client.kid), 400, "malformed")  # the old key
    old, client.key = client.key, new
    assert client.post(client.kid).status == 200
    assert client.post("/new-account", {"onlyReturnExisting": True},
                       jwk=True).headers["Location"] == client.kid
    order.prove(lab.web)  # key authorizations are the new key's
    order.finish()
    former = Client(lab.ca, key=old, account=False)
    problem(former.post("/new-account", {"onlyReturnExisting": True}, jwk=True), 400,
            "accountDoesNotExist")
    assert _rollover(client, client.key).status == 200  # to itself: nothing happens


def test_key_rollovers_that_are_refused(lab, client):
    new, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    url = client.url + "/key-change"
    for inner, payload, signer in [
            ({"url": client.url + "/new-order"}, None, None), ({"url": ...}, None, None),
            ({"nonce": "abc"}, None, None), ({"kid": client.kid}, None, None),
            ({"jwk": ...}, None, None),
            (None, {"account": client.kid + "x"}, None), (None, {"account": ...}, None),
            (None, {"oldKey": public_jwk(other)}, None), (None, {"oldKey": ...}, None),
            (None, None, other)]:
        problem(_rollover(client, new, inner, payload, signer), 400, "malformed")
    problem(client.post(url), 400, "malformed")
    problem(client.post(url, {}), 400, "malformed")
    taken = Client(lab.ca)
    reply = _rollover(client, taken.key)
    problem(reply, 409, "malformed")
    assert reply.headers["Location"] == taken.kid
    weak = rsa.generate_private_key(65537, 1024)
    assert _rollover(client, weak, {"alg": "RS256"}).status == 400
    assert client.post(client.kid).status == 200  # still the old one's


# --- Orders (RFC 8555 7.4) ------------------------------------------------------------------------


def test_an_order_from_beginning_to_end(lab, client):
    order = client.order("Shop.test", ("ip", "127.0.0.1"))
    first = order.first
    assert first.headers["Location"].startswith(client.url + "/order/")
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Link"] == f'<{client.url}/directory>;rel="index"'
    assert list(order.state) == ["id", "status", "expires", "identifiers", "notBefore", "notAfter",
                                 "authorizations", "finalize"]
    assert order.state["status"] == "pending" and len(order.state["authorizations"]) == 2
    assert order.state["finalize"] == order.url + "/finalize"
    assert order.refresh() == first.json()

    reply = client.post(order.state["authorizations"][0])
    authz = reply.json()
    assert authz["identifier"]["type"] == "dns" and authz["status"] == "pending"
    assert authz["wildcard"] is False and authz["expires"] == order.state["expires"]
    assert [c["type"] for c in authz["challenges"]] and {c["type"] for c in authz["challenges"]} == {
        "http-01", "dns-01", "tls-alpn-01"}
    assert {c["type"] for c in order.authz(1)["challenges"]} == {"http-01", "tls-alpn-01"}
    for challenge in authz["challenges"]:
        assert len(challenge["token"]) >= 22  # 128 bits
        assert re.fullmatch(r"[A-Za-z0-9_-]+", challenge["token"])
        assert list(challenge) == ["type", "status", "token", "url"]

    challenge = order.challenge("http-01")
    seen = client.post(challenge["url"])  # POST-as-GET starts nothing
    assert seen.status == 200 and seen.json()["status"] == "pending"
    assert f'<{order.state["authorizations"][0]}>;rel="up"' in seen.headers.get_all("Link")
    time.sleep(0.3)
    assert client.post(challenge["url"]).json()["status"] == "pending"

    order.prove(lab.web)
    authz = order.authz()
    assert authz["status"] == "valid"
    done = [c for c in authz["challenges"] if c["status"] == "valid"]
    assert len(done) == 1 and done[0]["type"] == "http-01" and done[0]["validated"]
    # answered again: nothing changes
    assert client.post(challenge["url"], {}).json()["status"] == "valid"

    csr, key = acme_csr(["shop.test"], ips=["127.0.0.1"])
    reply = order.finalize(csr)
    assert reply.status == 200 and reply.headers["Location"] == order.url
    order.state = reply.json()
    assert order.state["status"] == "valid"
    reply = client.post(order.state["certificate"])
    assert reply.headers["Content-Type"] == "application/pem-certificate-chain"
    chain = certificates(reply.body)
    assert len(chain) == 2 and not reply.body.startswith(b"\n")
    chain[1].public_key().verify(chain[0].signature, chain[0].tbs_certificate_bytes,
                                 ec.ECDSA(hashes.SHA256()))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    assert chain[0].public_key().public_bytes(DER, spki) == key.public_key().public_bytes(DER, spki)
    sans = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sans.get_values_for_type(x509.DNSName) == ["shop.test"]
    assert [str(i) for i in sans.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    der = client.post(order.state["certificate"], headers={"Accept": "application/pkix-cert"})
    assert der.body in (chain[0].public_bytes(DER), reply.body)


def test_the_certificate_names_its_provisioner(lab, client):
    leaf, _ = client.certificate(lab.web, "named.test")
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.37476.9000.64.1")
    value = leaf.extensions.get_extension_for_oid(oid).value.value
    assert value == b"\x30\x0b\x02\x01\x06\x04\x04acme\x04\x00"
    seconds = (leaf.not_valid_after - leaf.not_valid_before).total_seconds()
    assert seconds == 24 * 3600 + 60


def test_an_acme_certificate_renews_itself(lab, client, tmp_path):
    leaf, key = client.certificate(lab.web, "renewed.test")
    (tmp_path / "key").write_text(pem_of(key))
    (tmp_path / "crt").write_text(pem_of(leaf))
    lab.ca.step("ca", "renew", "--force", tmp_path / "crt", tmp_path / "key")
    again = certificates((tmp_path / "crt").read_bytes())[0]
    assert again.serial_number != leaf.serial_number and again.subject == leaf.subject


def test_force_cn_and_claims_of_the_provisioner(lab):
    made = Client(lab.ca, "force")
    leaf, _ = made.certificate(lab.web, "zz.test", "aa.test")
    assert leaf.subject.rfc4514_string() == "CN=aa.test"
    assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() == 3600 + 60


@pytest.mark.parametrize("identifiers", [
    None, [], {}, "web.test", [{"type": "dns"}], [{"value": "web.test"}], [5], ["web.test"],
    [("dns", "")], [("dns", "*.")], [("dns", "a.*.test")], [("dns", "*.*.test")],
    [("dns", "bad_name.test")], [("dns", "a..test")], [("dns", "web.test.")], [("dns", ".test")],
    [("dns", "-a.test")], [("dns", "a-.test")], [("dns", "ab--c.test")], [("dns", "xn--\x7f.test")],
    [("dns", "xn--999999999.test")], [("dns", "a" * 64 + ".test")], [("dns", "a." * 130 + "test")],
    [("dns", "web.test:80")], [("dns", "http://web.test")], [("dns", "web test")],
    [("dns", "web\0.test")], [("dns", "10.0.0.1")], [("dns", "bücher.test")],
    [("ip", "300.1.1.1")], [("ip", "web.test")], [("ip", "")], [("ip", "10.0.0.0/8")],
    [("ip", "fe80::1%eth0")], [("ip", "010.0.0.1")],
    [("permanent-identifier", "")], [("permanent-identifier", "*.SN1")],
    [("dns", "good.test"), ("dns", "bad_name.test")],
    [("dns", f"n{i}.test") for i in range(101)],
], ids=lambda v: str(v)[:40])
def test_identifiers_that_are_refused(client, identifiers):
    if isinstance(identifiers, list):
        identifiers = [{"type": i[0], "value": i[1]} if isinstance(i, tuple) else i
                       for i in identifiers]
    reply = client.post("/new-order", {"identifiers": identifiers})
    assert reply.status == 400, reply.body
    kind = reply.json()["type"].rsplit(":", 1)[1]
    assert kind in ("malformed", "unsupportedIdentifier"), reply.body
    assert client.post(client.kid + "/orders").json() == []


@pytest.mark.parametrize("kind", ["email", "wireapp-user", "DNS", "uri", ""])
def test_identifier_types_that_are_not_served(client, kind):
    reply = client.post("/new-order", {"identifiers": [{"type": kind, "value": "web.test"}]})
    problem(reply, 400, "unsupportedIdentifier")


@pytest.mark.parametrize("one", ["web.test", None, 5, [], {}, {"type": "dns"},
                                 {"value": "web.test"}, {"type": 5, "value": "web.test"},
                                 {"type": "dns", "value": None}], ids=str)
def test_what_is_no_identifier_is_malformed(client, one):
    for ids in ([one], [{"type": "dns", "value": "web.test"}, one]):
        body = problem(client.post("/new-order", {"identifiers": ids}), 400, "malformed")
        assert "subproblems" not in body


def test_each_bad_identifier_has_its_sub_problem(client):
    reply = client.post("/new-order", {"identifiers": [
        {"type": "dns", "value": v} for v in ("bad_1.test", "good.test", "bad_2.test")]})
    subs = problem(reply, 400, "malformed")["subproblems"]
    assert [s["identifier"]["value"] for s in subs] == ["bad_1.test", "bad_2.test"]


def test_names_that_are_good(client):
    for name in ("localhost", "com", "a" * 63 + ".test", "xn--bcher-kva.test", "WEB.Test",
                 "1.2.3.4.test", "*.wild.test"):
        assert client.order(name).state["status"] == "pending", name
    for ip in ("127.0.0.1", "::1", "2001:db8::1"):
        assert client.order(("ip", ip)).state["status"] == "pending"


@pytest.mark.parametrize("identifier", [("dns", "denied.test"), ("ip", "10.9.1.2")])
def test_names_that_the_authority_s_policy_denies(client, identifier):
    kind, value = identifier
    reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "good.test"},
                                                       {"type": kind, "value": value}]})
    problem(reply, 403, "rejectedIdentifier", value)
    assert client.post(client.kid + "/orders").json() == []


def test_repeated_names_are_one(client):
    order = client.order("twice.test", "TWICE.test", "twice.test")
    assert len(order.state["authorizations"]) == 1


def test_a_wildcard_without_dns_01_is_rejected(lab):
    made = Client(lab.ca, "with%20blanks%20%28%C3%A9%29")
    reply = made.post("/new-order", {"identifiers": [{"type": "dns", "value": "*.wild.test"}]})
    problem(reply, 403, "rejectedIdentifier", "*.wild.test")
    order = made.order("plain.test")
    assert [c["type"] for c in order.authz()["challenges"]] == ["http-01"]


def _at(hours):
    when = datetime.datetime.utcnow() + datetime.timedelta(hours=hours)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_requested_times(lab, client):
    begin, end = _at(0), _at(2)
    order = client.order("timed.test", notBefore=begin, notAfter=end)
    assert order.state["notBefore"] == begin and order.state["notAfter"] == end
    order.prove(lab.web)
    leaf, _ = order.finish()
    assert leaf.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ") == begin
    assert leaf.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ") == end
    zero = client.order("zero.test", notBefore="0001-01-01T00:00:00Z",
                        notAfter="0001-01-01T00:00:00Z")
    assert zero.state["notAfter"] > begin


@pytest.mark.parametrize("times", [
    {"notAfter": "tomorrow"}, {"notBefore": 5}, {"notAfter": _at(24 * 365)},
    {"notAfter": _at(-1)}, {"notBefore": _at(3), "notAfter": _at(1)},
    {"notBefore": _at(1), "notAfter": _at(24 * 30)},
], ids=str)
def test_times_outside_the_claims(client, times):
    reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "web.test"}],
                                       **times})
    problem(reply, 400, "malformed")


def test_what_belongs_to_others_stays_theirs(lab, client):
    other = Client(lab.ca)
    order = other.order("theirs.test")
    challenge = order.challenge("http-01")
    order.prove(lab.web)
    order.finish()
    csr, _ = acme_csr(["theirs.test"])
    for url, payload in ((order.url, None), (order.state["authorizations"][0], None),
                         (challenge["url"], None), (challenge["url"], {}),
                         (order.state["finalize"], {"csr": csr}),
                         (order.state["certificate"], None)):
        problem(client.post(url, payload), 401, "unauthorized")


def test_ids_that_nobody_knows(client):
    csr, _ = acme_csr(["x.test"])
    for path, payload in (("/order/nobody", None), ("/authz/nobody", None),
                          ("/challenge/nobody/nobody", {}), ("/certificate/nobody", None),
                          ("/order/nobody/finalize", {"csr": csr})):
        assert client.post(path, payload).status in (400, 404), path


def test_a_challenge_belongs_to_its_authorization(client):
    one, two = client.order("c1.test"), client.order("c2.test")
    wrong = one.challenge("http-01")["url"].replace(
        one.state["authorizations"][0].rsplit("/", 1)[1],
        two.state["authorizations"][0].rsplit("/", 1)[1])
    reply = client.post(wrong, {})
    problem(reply, 400, "malformed")


def test_post_as_get_wants_an_empty_payload(lab, client):
    order = client.order("empty.test")
    for url in (order.url, order.state["authorizations"][0], client.kid + "/orders"):
        problem(client.post(url, {}), 400, "malformed")
    order.prove(lab.web)
    order.finish()
    problem(client.post(order.state["certificate"], {}), 400, "malformed")


def test_an_authorization_can_be_given_up(lab, client):
    order = client.order("given.test")
    url = order.state["authorizations"][0]
    for bad in ({"status": "valid"}, {"status": 5}, {}, "[]"):
        problem(client.post(url, bad), 400, "malformed")
    reply = client.post(url, {"status": "deactivated"})
    assert reply.status == 200 and reply.json()["status"] == "deactivated"
    assert order.refresh()["status"] == "invalid"
    assert client.post(order.authz()["challenges"][0]["url"], {}).json()["status"] == "pending"


# --- Finalize (RFC 8555 7.4) ----------------------------------------------------------------------


def test_finalize_before_ready(client):
    order = client.order("early.test")
    csr, _ = acme_csr(["early.test"])
    problem(order.finalize(csr), 403, "orderNotReady")
    assert order.refresh()["status"] == "pending"


@pytest.fixture(scope="module")
def ready(lab):
    """An order that is ready, for requests that are refused and leave it so."""
    order = Client(lab.ca).order("fin.test", "www.fin.test", ("ip", "127.0.0.1"))
    order.prove(lab.web)
    return order


NAMES = ["fin.test", "www.fin.test"]


@pytest.mark.parametrize("how", [
    {"names": NAMES + ["more.fin.test"]}, {"names": NAMES[:1]}, {"names": NAMES, "ips": []},
    {"names": NAMES, "common_name": "else.test"}, {"names": NAMES, "emails": ["a@fin.test"]},
    {"names": NAMES, "ips": ["127.0.0.1", "10.0.0.1"]}, {"names": []},
    {"names": ["*.fin.test", "fin.test"]}, {"names": NAMES, "common_name": "10.0.0.1"},
], ids=str)
def test_names_of_the_request_are_the_order_s(ready, how):
    csr, _ = acme_csr(how.pop("names"), **{"ips": ["127.0.0.1"], **how})
    problem(ready.finalize(csr), 400, "badCSR")
    assert ready.refresh()["status"] == "ready"


def test_keys_of_the_request_that_are_refused(ready):
    csr, _ = acme_csr(NAMES, ips=["127.0.0.1"], key=ready.client.key)
    problem(ready.finalize(csr), 400, "badCSR")
    csr, _ = acme_csr(NAMES, ips=["127.0.0.1"], key=rsa.generate_private_key(65537, 1024))
    problem(ready.finalize(csr), 400, "badPublicKey")
    assert ready.refresh()["status"] == "ready"


@pytest.mark.parametrize("csr", [None, "", 5, "AAAA", "!!!!", "MIIB", ["x"]], ids=str)
def test_requests_that_are_none(ready, csr):
    problem(ready.finalize(csr), 400, "malformed")
    problem(ready.client.post(ready.state["finalize"], None), 400, "malformed")


def test_a_request_whose_signature_is_wrong(ready):
    csr, _ = acme_csr(NAMES, ips=["127.0.0.1"])
    raw = bytearray(unb64url(csr))
    raw[-5] ^= 1
    problem(ready.finalize(b64url(bytes(raw))), 400, "malformed")


def test_padding_and_upper_case_are_forgiven(lab, client):
    order = client.order("CASE.test")
    order.prove(lab.web)
    csr, _ = acme_csr(["case.TEST"], common_name="Case.test")
    reply = order.finalize(csr + "=" * (-len(csr) % 4))
    assert reply.status == 200, reply.body
    assert reply.json()["status"] == "valid"


def test_a_common_name_alone_is_enough(lab, client):
    order = client.order("cn.test")
    order.prove(lab.web)
    csr, _ = acme_csr([], common_name="cn.test")
    assert order.finalize(csr).json()["status"] == "valid"
    order.refresh()
    san = order.download().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["cn.test"]


def test_finalized_many_times_at_once_is_one_certificate(lab, client):
    order = client.order("many.test")
    order.prove(lab.web)
    peers = [Client(lab.ca, key=client.key) for _ in range(10)]

    def finalize(peer):
        csr, _ = acme_csr(["many.test"])
        return peer.post(order.state["finalize"], {"csr": csr})
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(finalize, peers))
    assert [r.status for r in replies] == [200] * 10, [r.body for r in replies]
    order.refresh()
    assert order.state["status"] == "valid"
    urls = {r.json().get("certificate") for r in replies} - {None}
    assert urls == {order.state["certificate"]}
    csr, _ = acme_csr(["many.test"])
    again = order.finalize(csr)
    assert again.status == 200 and again.json() == order.state
    for peer in peers:
        peer.close()


# --- Validation -----------------------------------------------------------------------------------


def test_dns_01_and_a_wildcard(lab, client):
    order = client.order("wild.test", "*.wild.test")
    tokens = [order.challenge("dns-01", i)["token"] for i in range(2)]
    assert [c["type"] for c in order.authz(1)["challenges"]] == ["dns-01"]
    assert order.authz(1)["wildcard"] and order.authz(1)["identifier"]["value"] == "wild.test"
    values = [b64url(hashlib.sha256(client.authorization(t).encode()).digest()) for t in tokens]
    lab.names.set("_acme-challenge.wild.test", "TXT", "something else", *values)
    for i in range(2):
        assert order.answer("dns-01", i)["status"] == "valid"
    leaf, _ = order.finish()
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(san.get_values_for_type(x509.DNSName)) == {"wild.test", "*.wild.test"}


def test_tls_alpn_01_by_name_and_by_address(lab, client):
    order = client.order("alpn.test", ("ip", "127.0.0.1"))
    for i, (name, sans) in enumerate([
            ("alpn.test", None),
            ("1.0.0.127.in-addr.arpa", [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])]):
        token = order.challenge("tls-alpn-01", i)["token"]
        lab.tls.serve_name(name, client.authorization(token), names=sans)
        state = order.answer("tls-alpn-01", i)
        assert state["status"] == "valid", state
    order.finish()


@pytest.mark.parametrize("how", [
    {"critical": False}, {"wrong": True}, {"names": ["t.test", "u.test"]},
    {"names": ["u.test"]}, {"alpn": ()}, {"alpn": ("http/1.1",)},
    {"oid": x509.ObjectIdentifier("1.3.6.1.5.5.7.1.30.1")},
], ids=str)
def test_tls_alpn_01_proofs_that_are_none(lab, client, how):
    how = dict(how)
    name = f"t{hashlib.sha1(str(how).encode()).hexdigest()}.test"
    how["names"] = [n.replace("t.test", name) for n in how.get("names", [name])]
    order = client.order(name)
    token = order.challenge("tls-alpn-01")["token"]
    wrong = how.pop("wrong", False)
    lab.tls.serve_name(name, "else" if wrong else client.authorization(token), **how)
    state = order.answer("tls-alpn-01")
    assert state["status"] == "invalid", state
    assert state["error"]["detail"]
    assert order.authz()["status"] == "invalid"
    assert order.refresh()["status"] == "invalid"


def test_a_wrong_answer_ends_order_and_authorization(lab, client):
    order = client.order("wrong.test")
    challenge = order.challenge("http-01")
    lab.web.serve(challenge["token"], "something else")
    state = order.answer()
    assert state["status"] == "invalid" and state["error"]["detail"]
    assert order.authz()["status"] == "invalid"
    assert order.refresh()["status"] == "invalid"
    csr, _ = acme_csr(["wrong.test"])
    problem(order.finalize(csr), 403, "orderNotReady")
    lab.web.serve(challenge["token"], client.authorization(challenge["token"]))
    assert client.post(challenge["url"], {}).json()["status"] == "invalid"


def _redirect(to):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", to(handler))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer


def test_redirects_are_followed(lab, client):
    order = client.order("moved.test")
    token = order.challenge("http-01")["token"]
    lab.web.pages["/elsewhere/" + token] = client.authorization(token).encode()
    lab.web.hosts["moved.test"] = _redirect(
        lambda _: f"http://stays.test:{lab.web.port}/elsewhere/{token}")
    assert order.answer()["status"] == "valid"


def test_white_space_behind_the_proof_is_forgiven(lab, client):
    order = client.order("blank.test")
    token = order.challenge("http-01")["token"]
    lab.web.serve(token, client.authorization(token) + "\r\n")
    assert order.answer()["status"] == "valid"


def _huge(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    try:
        for _ in range(1 << 14):
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def _silent(handler):
    time.sleep(45)


def _close(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _trickle(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(45):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(1)
    except OSError:
        pass


def test_targets_that_fail_are_tried_again_and_delay_nobody(lab):
    """All at once, because transient failures are tried again for half a minute."""
    lab.names.set("nowhere.test", "A")
    lab.names.set("closed.test", "A", "127.0.0.2")
    lab.web.hosts.update({
        "loop.test": _redirect(lambda h: f"http://loop.test:{lab.web.port}{h.path}x"),
        "huge.test": _huge, "silent.test": _silent, "close.test": _close, "trickle.test": _trickle,
        "other-port.test": _redirect(lambda h: "ftp://other-port.test/")})
    hosts = ["closed.test", "nowhere.test", "absent.test", "loop.test", "huge.test", "silent.test",
             "close.test", "trickle.test", "other-port.test"]
    made = Client(lab.ca)
    orders = {h: made.order(h) for h in hosts}
    orders["txt.test"] = made.order("txt.test")
    lab.names.set("_acme-challenge.txt.test", "TXT", "something else")
    challenges = {h: o.challenge("dns-01" if h == "txt.test" else "http-01")
                  for h, o in orders.items()}
    begun = time.monotonic()
    for challenge in challenges.values():
        reply = made.post(challenge["url"], {})
        assert reply.status == 200 and time.monotonic() - begun < 20 * SLOW
        assert reply.json()["status"] in ("pending", "processing", "invalid")
    # one who answers is not kept waiting by those who do not
    since = time.monotonic()
    Client(lab.ca).certificate(lab.web, "quick.test")
    assert time.monotonic() - since < 15 * SLOW
    for host, challenge in challenges.items():
        state = orders[host].wait(challenge["url"], ("processing",), 90)
        assert state["status"] in ("pending", "invalid"), (host, state)
        error = state["error"]
        assert error["type"].startswith("urn:ietf:params:acme:error:") and error["detail"], error
        if host in ("closed.test", "nowhere.test"):
            assert state["status"] == "pending", (host, state)
            assert error["type"].rsplit(":", 1)[1] in ("connection", "dns"), error
        if state["status"] == "invalid":
            assert orders[host].authz()["status"] == "invalid", host
    assert time.monotonic() - begun < 100 * SLOW
    # RFC 8555 8.2: answered again it is tried again, and now it works
    lab.names.set("nowhere.test", "A", "127.0.0.1")
    order = orders["nowhere.test"]
    lab.web.serve(challenges["nowhere.test"]["token"],
                  made.authorization(challenges["nowhere.test"]["token"]))
    state = order.answer()
    assert state["status"] == "valid" and "error" not in state
    order.finish()


def test_a_proof_that_appears_late_is_found_without_being_asked_again(lab, client):
    lab.names.set("late.test", "A")
    order = client.order("late.test")
    challenge = order.challenge("http-01")
    client.post(challenge["url"], {})
    lab.web.serve(challenge["token"], client.authorization(challenge["token"]))
    lab.names.set("late.test", "A", "127.0.0.1")
    assert order.wait(challenge["url"])["status"] == "valid"


# --- External account binding (RFC 8555 7.3.4) ----------------------------------------------------


def _eab_key(lab, *reference):
    out = lab.ca.step("ca", "acme", "eab", "add", "bound", *reference, "--json").stdout
    return json.loads(out)


def _binding(made, key, **changes):
    url = made.url + "/new-account"
    header = {"alg": "HS256", "kid": key["id"], "url": url, **changes.pop("header", {})}
    header = {k: v for k, v in header.items() if v is not ...}
    payload = changes.pop("payload", public_jwk(made.key))
    secret = changes.pop("secret", unb64url(key["hmacKey"]))
    return jws(secret, header, payload)


def test_external_account_binding_is_required_and_used_once(lab):
    made = Client(lab.ca, "bound", account=False)
    problem(made.register(), 400, "externalAccountRequired")
    key = _eab_key(lab, "web01")
    for changes, status, kind in [
            ({"header": {"alg": "ES256"}, }, 400, "malformed"),
            ({"header": {"url": made.url + "/new-order"}}, 400, "malformed"),
            ({"header": {"url": ...}}, 400, "malformed"),
            ({"header": {"nonce": "abc"}}, 400, "malformed"),
            ({"header": {"kid": ""}}, 400, "malformed"),
            ({"header": {"kid": "nobody"}}, 401, "unauthorized"),
            ({"secret": b"x" * 32}, 401, "unauthorized"),
            ({"payload": public_jwk(ec.generate_private_key(ec.SECP256R1()))}, 401,
             "unauthorized"),
            ({"payload": {}}, 400, "malformed")]:
        if changes.get("header", {}).get("alg") == "ES256":
            binding = _binding(made, key)
            binding["protected"] = b64url(json.dumps(
                {**json.loads(unb64url(binding["protected"])), "alg": "ES256"}).encode())
        else:
            binding = _binding(made, key, **changes)
        problem(made.register(externalAccountBinding=binding), status, kind)
    for bad in ("text", 5, {}, [], {"protected": "", "payload": "", "signature": ""}):
        reply = made.register(externalAccountBinding=bad)
        assert reply.status == 400, (bad, reply.body)
    binding = _binding(made, key)
    reply = made.register(externalAccountBinding=binding)
    assert reply.status == 201 and reply.json()["externalAccountBinding"] == binding
    made.certificate(lab.web, "bound.test")
    second = Client(lab.ca, "bound", account=False)
    problem(second.register(externalAccountBinding=_binding(second, key)), 401, "unauthorized")
    listed = json.loads(lab.ca.step("ca", "acme", "eab", "list", "bound", "--json").stdout)
    mine = next(k for k in listed if k["id"] == key["id"])
    assert mine["account"] == made.kid.rsplit("/", 1)[1] and mine["boundAt"]
    assert mine["reference"] == "web01" and "hmacKey" not in mine


def test_one_binding_key_for_two_at_once(lab):
    key = _eab_key(lab)
    clients = [Client(lab.ca, "bound", account=False) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(
            lambda c: c.register(externalAccountBinding=_binding(c, key)), clients))
    assert sorted(r.status for r in replies) == [201] + [401] * 5, [r.body for r in replies]
    for made, reply in zip(clients, replies):
        if reply.status != 201:
            problem(made.post("/new-account", {"onlyReturnExisting": True}, jwk=True), 400,
                    "accountDoesNotExist")
        made.close()


def test_a_binding_nobody_asked_for_is_ignored(lab):
    made = Client(lab.ca, account=False)
    reply = made.register(externalAccountBinding={"protected": "x"})
    assert reply.status == 201 and "externalAccountBinding" not in reply.json()


def test_binding_keys_by_the_command_line(lab):
    out = lab.ca.step("ca", "acme", "eab", "add", "bound", "by hand").stdout.splitlines()
    assert len(out) == 2 and out[0].split("  ")[0] == "Key ID"
    assert out[1][36:41] == "bound" and out[1].endswith("by hand")
    identifier = out[1][:36].strip()
    assert len(unb64url(out[1][64:112].strip())) == 32
    twice = lab.ca.step("ca", "acme", "eab", "add", "bound", "by hand", ok=False)
    assert twice.returncode == 1 and "reference" in twice.stderr
    table = lab.ca.step("ca", "acme", "eab", "list", "bound").stdout
    assert table.startswith("Key ID") and identifier in table and "*****" in table
    one = lab.ca.step("ca", "acme", "eab", "list", "bound", "by hand").stdout
    assert len(one.splitlines()) == 2
    done = lab.ca.step("ca", "acme", "eab", "remove", "bound", identifier)
    assert done.stdout == "Key was deleted successfully!\n"
    assert lab.ca.step("ca", "acme", "eab", "remove", "bound", identifier,
                       ok=False).returncode == 1
    assert (lab.ca.step("ca", "acme", "eab", "list", "bound", "by hand").stdout ==
            "No ACME EAB keys stored for provisioner bound\n")
    for args, word in ((("add", "acme"), "requireEAB"), (("add", "ops"), "ACME"),
                       (("list", "nobody"), "nobody")):
        refused = lab.ca.step("ca", "acme", "eab", *args, ok=False)
        assert refused.returncode == 1 and word in refused.stderr, refused.stderr


# --- Revocation (RFC 8555 7.6) --------------------------------------------------------------------


def _revocation(leaf, **members):
    return {"certificate": b64url(leaf.public_bytes(DER)), **members}


def test_revoked_by_its_account(lab, client):
    leaf, _ = client.certificate(lab.web, "r1.test")
    for reason in (7, 11, -1, "1", 1.5):
        problem(client.post("/revoke-cert", _revocation(leaf, reason=reason)), 400,
                "badRevocationReason")
    reply = client.post("/revoke-cert", _revocation(leaf, reason=4))
    assert reply.status == 200 and reply.body == b"" and reply.headers["Replay-Nonce"]
    problem(client.post("/revoke-cert", _revocation(leaf)), 400, "alreadyRevoked")


def test_revoked_by_the_certificate_s_key(lab, client):
    leaf, key = client.certificate(lab.web, "r2.test")
    holder = Client(lab.ca, key=key, account=False)
    stranger = Client(lab.ca, account=False)
    problem(stranger.post("/revoke-cert", _revocation(leaf), jwk=True), 403, "unauthorized")
    assert holder.post("/revoke-cert", _revocation(leaf, reason=1), jwk=True).status == 200
    problem(holder.post("/revoke-cert", _revocation(leaf), jwk=True), 400, "alreadyRevoked")


def test_revoked_by_who_holds_the_names(lab, client):
    leaf, _ = client.certificate(lab.web, "r3.test", "r4.test")
    other = Client(lab.ca)
    problem(other.post("/revoke-cert", _revocation(leaf)), 403, "unauthorized")
    other.order("r3.test").prove(lab.web)
    problem(other.post("/revoke-cert", _revocation(leaf)), 403, "unauthorized")
    other.order("r4.test").prove(lab.web)
    assert other.post("/revoke-cert", _revocation(leaf)).status == 200


def test_what_cannot_be_revoked_here(lab, client):
    crt, _ = lab.ca.issue("by-token.test")
    leaf = x509.load_pem_x509_certificate(crt.read_bytes())
    problem(client.post("/revoke-cert", _revocation(leaf)), 400, "malformed")
    good, _ = client.certificate(lab.web, "r5.test")
    raw = bytearray(good.public_bytes(DER))
    raw[-3] ^= 1
    for payload in ({}, {"certificate": ""}, {"certificate": "AAAA"}, {"certificate": "!"},
                    {"certificate": b64url(bytes(raw))}, {"certificate": 5},
                    {"certificate": b64url(b"-----BEGIN CERTIFICATE-----")}):
        problem(client.post("/revoke-cert", payload), 400, "malformed")
    problem(client.post("/revoke-cert"), 400, "malformed")
    assert client.post("/revoke-cert", _revocation(good)).status == 200


# --- Renewal information (RFC 9773) ---------------------------------------------------------------


def _cert_id(leaf):
    aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    serial = leaf.serial_number
    return (b64url(aki.key_identifier) + "." +
            b64url(serial.to_bytes(serial.bit_length() // 8 + 1, "big")))


def _time(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def test_certificate_identifiers_without_the_sign_octet_are_taken(lab, client):
    """RFC 9773 4.1 wants the DER of the serial number; Apache's mod_md encodes the number."""
    while True:
        leaf, _ = client.certificate(lab.web, "sign.test")
        if leaf.serial_number.bit_length() == 128:
            break
    full = _cert_id(leaf)
    short = full.split(".")[0] + "." + b64url(leaf.serial_number.to_bytes(16, "big"))
    assert short != full
    for form in (full, short):
        assert lab.ca.request("GET", "/acme/acme/renewal-info/" + form).status == 200
    client.order("sign.test", replaces=short)
    for form in (full, short):
        reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "sign.test"}],
                                           "replaces": form})
        problem(reply, 409, "alreadyReplaced")


def test_renewal_information_and_replacement(lab, client):
    leaf, _ = client.certificate(lab.web, "ari.test")
    url = "/acme/acme/renewal-info/" + _cert_id(leaf)
    reply = lab.ca.request("GET", url)
    assert reply.status == 200 and "Replay-Nonce" not in reply.headers
    assert 60 <= int(reply.headers["Retry-After"]) <= 6 * 3600
    window = reply.json()["suggestedWindow"]
    begin, end = _time(window["start"]), _time(window["end"])
    life = leaf.not_valid_after - leaf.not_valid_before
    assert abs((begin - leaf.not_valid_before) - life * 2 / 3) < datetime.timedelta(seconds=2)
    assert abs((end - begin) - life / 12) < datetime.timedelta(seconds=2)

    order = client.order("ari.test", replaces=_cert_id(leaf))
    assert order.state["replaces"] == _cert_id(leaf)
    again = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "ari.test"}],
                                       "replaces": _cert_id(leaf)})
    problem(again, 409, "alreadyReplaced")
    order.prove(lab.web)
    order.finish()

    assert client.post("/revoke-cert", _revocation(leaf)).status == 200
    window = lab.ca.request("GET", url).json()["suggestedWindow"]
    assert _time(window["end"]) < datetime.datetime.utcnow()


@pytest.mark.parametrize("cert_id", [
    "x", "a.b", "AAAA.AAAA", ".", "aYhba4dGQEHhs3uEe9CuLN4ByNQ.AIdlQyE", "%00.%00", "a" * 4000,
])
def test_renewal_information_of_nothing(lab, client, cert_id):
    reply = lab.ca.request("GET", "/acme/acme/renewal-info/" + cert_id)
    assert reply.status in (400, 404), reply.body
    if "%" not in cert_id:
        refused = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "a.test"}],
                                             "replaces": cert_id})
        problem(refused, 400, "malformed")


def test_only_what_one_has_can_be_replaced(lab, client):
    leaf, _ = Client(lab.ca).certificate(lab.web, "notmine.test")
    for name in ("notmine.test", "else.test"):
        reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": name}],
                                           "replaces": _cert_id(leaf)})
        problem(reply, 400, "malformed")
    mine, _ = client.certificate(lab.web, "mine.test")
    reply = client.post("/new-order", {"identifiers": [{"type": "dns", "value": "other.test"}],
                                       "replaces": _cert_id(mine)})
    problem(reply, 400, "malformed")


# --- Tokens do not get around it ------------------------------------------------------------------


def test_tokens_for_an_acme_provisioner_are_refused(lab):
    reply = lab.ca.sign(lab.ca.token(iss="acme", audience=f"{lab.ca.url}/1.0/sign#acme/acme"))
    assert reply.status in (400, 401), reply.body


# --- Restarts and crowds --------------------------------------------------------------------------


def test_a_restart_in_the_middle_of_any_state_can_be_finished(lab):
    made = Client(lab.ca)
    lab.names.set("slow.test", "A")
    orders = {name: made.order(name) for name in ("new.test", "slow.test", "ready.test", "old.test")}
    orders["ready.test"].prove(lab.web)
    orders["old.test"].prove(lab.web)
    leaf, _ = orders["old.test"].finish()
    slow = orders["slow.test"].challenge("http-01")
    made.post(slow["url"], {})  # a validation that runs while the server dies
    lab.restart(signal.SIGKILL)
    lab.names.set("slow.test", "A", "127.0.0.1")
    made.close()

    problem(made.post(made.kid), 400, "badNonce")  # nonces did not survive; once, and repeated
    assert made.post(made.kid).status == 200
    assert made.post(slow["url"]).json()["status"] == "pending"
    for name in ("new.test", "slow.test"):
        orders[name].prove(lab.web)
        orders[name].finish()
    orders["ready.test"].refresh()
    orders["ready.test"].finish()
    assert orders["old.test"].download() == leaf
    assert made.post(made.kid + "/orders").json() == []


def test_a_thousand_orders_of_fifty_accounts(lab):
    """1,000 certificates, no serial twice, no order stuck."""
    accounts, each = 50, 20

    def account(number):
        made = Client(lab.ca)
        serials = []
        key = ec.generate_private_key(ec.SECP256R1())
        for i in range(each):
            order = made.order(f"n{number}-{i}.crowd.test")
            order.prove(lab.web)
            leaf, _ = order.finish(key)
            serials.append(leaf.serial_number)
        pending = made.post(made.kid + "/orders").json()
        made.close()
        return serials, pending

    with concurrent.futures.ThreadPoolExecutor(accounts) as pool:
        results = list(pool.map(account, range(accounts)))
    serials = [s for found, _ in results for s in found]
    assert len(serials) == accounts * each and len(set(serials)) == len(serials)
    assert all(pending == [] for _, pending in results)
