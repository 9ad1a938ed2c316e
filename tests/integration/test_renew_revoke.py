"""Renewal, rekey, revocation and the CRL, spoken to directly: with client certificates and with
tokens that were made outside."""

import base64
import json
import re
import subprocess
import time
import uuid
from http.client import HTTPConnection

import pytest
from conftest import SLOW, free_port, make_cert, make_csr, pem_of, sign_jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

CLIENT_USE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
SERVER_USE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
AKI, SKI = "2.5.29.35", "2.5.29.14"


class Identity:
    """A certificate with its key and chain, also as files."""

    def __init__(self, ca, key, chain):
        self.key, self.chain = key, chain
        self.cert = chain[0]
        stem = ca.folder / uuid.uuid4().hex
        self.crt, self.key_path = stem.with_suffix(".crt"), stem.with_suffix(".key")
        self.crt.write_text("".join(pem_of(c) for c in chain))
        self.key_path.write_text(pem_of(key))

    @property
    def serial(self):
        return str(self.cert.serial_number)

    def tls(self):
        return {"cert": self.crt, "key": self.key_path}


def chain_of(reply):
    assert reply.status == 201, reply.body
    return [x509.load_pem_x509_certificate(p.encode()) for p in reply.json()["certChain"]]


def enroll(ca, name="web.test", token=None, **members):
    key, csr = make_csr([name])
    return Identity(ca, key, chain_of(ca.sign(token or ca.token(name), csr, **members)))


def own_leaf(ca, **options):
    """A leaf that the authority does not know, below its own root."""
    root, root_key = ca.root()
    key = ec.generate_private_key(ec.SECP256R1())
    options.setdefault("extensions", [CLIENT_USE])
    return Identity(ca, key, [make_cert("own.test", key, root, root_key, **options)])


def renew(ca, who):
    return ca.request("POST", "/renew", **who.tls())


def rekey(ca, who, csr):
    return ca.request("POST", "/rekey", {"csr": csr}, **who.tls())


def order(cert):
    return [e.oid.dotted_string for e in cert.extensions]


def raw_extension(cert, oid):
    found = cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid))
    return found.critical, found.value.public_bytes()


def refused(reply, status, *words):
    assert reply.status == status, (reply.status, reply.body)
    envelope = reply.json()
    assert envelope["status"] == status
    for word in words:
        assert word in envelope["message"], envelope


# --- Renewal by client certificate ----------------------------------------------------------------


def test_renewal_keeps_everything_but_serial_and_times(ca):
    old = enroll(ca, notAfter="2h")
    chain = chain_of(renew(ca, old))
    new = chain[0]
    assert new.subject.public_bytes() == old.cert.subject.public_bytes()
    assert new.public_key().public_numbers() == old.cert.public_key().public_numbers()
    assert new.serial_number != old.cert.serial_number
    assert (new.not_valid_after - new.not_valid_before ==
            old.cert.not_valid_after - old.cert.not_valid_before)
    assert order(new) == [AKI] + [oid for oid in order(old.cert) if oid != AKI]
    for oid in order(old.cert):
        assert raw_extension(new, oid) == raw_extension(old.cert, oid), oid
    assert chain[1:] == old.chain[1:]
    # The old one goes on, and the new one renews too, under either path.
    assert renew(ca, old).status == 201
    again = Identity(ca, old.key, chain)
    assert ca.request("POST", "/1.0/renew", "ignored {", **again.tls()).status == 201
    assert ca.request("POST", "/re-sign", **again.tls()).status == 201


def test_renewal_copies_unknown_extensions_raw(ca):
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x04\x03abc")
    who = own_leaf(ca, extensions=[CLIENT_USE, (odd, False), (
        x509.SubjectAlternativeName([x509.DNSName("x.test")]), True)])
    reply = renew(ca, who)
    new = chain_of(reply)[0]
    assert raw_extension(new, "1.2.3.4.5") == (False, b"\x04\x03abc")
    assert raw_extension(new, "2.5.29.17")[0] is True
    assert order(new)[0] == AKI


def test_rekey_takes_only_the_key_of_the_request(ca):
    old = enroll(ca)
    key, csr = make_csr(["other.test"], extensions=[(x509.BasicConstraints(True, None), True)])
    new = chain_of(rekey(ca, old, csr))[0]
    assert new.public_key().public_numbers() == key.public_key().public_numbers()
    assert new.subject == old.cert.subject
    assert order(new) == [SKI, AKI] + [o for o in order(old.cert) if o not in (AKI, SKI)]
    ski = new.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert ski == x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for oid in ("2.5.29.17", "2.5.29.37", "2.5.29.15", "1.3.6.1.4.1.37476.9000.64.1"):
        assert raw_extension(new, oid) == raw_extension(old.cert, oid)
    with pytest.raises(x509.ExtensionNotFound):
        new.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)


def test_renewal_and_rekey_without_what_they_need(ca):
    who = enroll(ca)
    refused(ca.request("POST", "/renew"), 400)
    refused(ca.request("POST", "/renew", headers={"Authorization": "bearer x"}), 400)
    refused(ca.request("POST", "/renew", headers={"Authorization": "Bearer x"}), 401)
    refused(ca.request("POST", "/rekey", {"csr": make_csr()[1]}), 400)
    token = renew_token(ca, who)
    refused(ca.request("POST", "/rekey", {"csr": make_csr()[1]},
                       headers={"Authorization": f"Bearer {token}"}), 400)
    for body in ("", "{}", '{"csr":""}', '{"csr":"x"}', '{"csr":null}', "[]"):
        refused(ca.request("POST", "/rekey", body, **who.tls()), 400)
    weak = make_csr(key=rsa.generate_private_key(65537, 1024))[1]
    refused(rekey(ca, who, weak), 403, "1024")
    assert ca.request("GET", "/renew").status == 405


def test_a_bearer_token_beside_a_client_certificate_is_ignored(ca):
    who = enroll(ca)
    assert ca.request("POST", "/renew", headers={"Authorization": "Bearer x"},
                      **who.tls()).status == 201


def test_certificates_of_strangers_and_authorities_do_not_renew(ca):
    with pytest.raises(OSError):
        renew(ca, own_leaf(ca, extensions=[SERVER_USE]))
    root, root_key = ca.root()
    key = ec.generate_private_key(ec.SECP256R1())
    authority = Identity(ca, key, [make_cert("Sub", key, root, root_key, ca=True,
                                             extensions=[CLIENT_USE])])
    refused(renew(ca, authority), 401)
    unknown = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.37476.9000.64.1"),
        b"\x30\x0c\x02\x01\x01\x04\x04gone\x04\x01k")
    refused(renew(ca, own_leaf(ca, extensions=[CLIENT_USE, (unknown, False)])), 401)


# --- Renew tokens ---------------------------------------------------------------------------------


def renew_token(ca, who, key=None, header=None, **claims):
    now = int(time.time())
    chain = [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode()
             for c in who.chain]
    full = {"iss": "step-ca-client/1.0", "aud": f"{ca.url}/renew", "iat": now, "nbf": now,
            "exp": now + 300,
            "sub": who.cert.subject.rfc4514_string().removeprefix("CN="),
            "nonce": uuid.uuid4().hex}
    full.update(claims)
    head = {"alg": "ES256", "typ": "JWT", "x5cInsecure": chain}
    head.update(header or {})
    return sign_jwt(key or who.key, head, full)


def renew_by_token(ca, token):
    return ca.request("POST", "/renew", headers={"Authorization": f"Bearer {token}"})


def test_a_renew_token_works_once(ca):
    who = enroll(ca)
    token = renew_token(ca, who)
    new = chain_of(renew_by_token(ca, token))[0]
    assert new.subject == who.cert.subject
    refused(renew_by_token(ca, token), 401)
    for audience in (f"{ca.url}/1.0/renew", "https://localhost/renew", ["x", f"{ca.url}/renew"]):
        assert renew_by_token(ca, renew_token(ca, who, aud=audience)).status == 201
    assert renew_by_token(ca, renew_token(ca, who, iss="ops")).status == 201
    # What stands before the first "Bearer " is cut off.
    reply = ca.request("POST", "/renew", headers={
        "Authorization": f"Basic x, Bearer {renew_token(ca, who)}"})
    assert reply.status == 201


def test_bad_renew_tokens(ca):
    who, now = enroll(ca), int(time.time())
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger_root = make_cert("Strange root", stranger_key, ca=True)
    leaf = make_cert("web.test", stranger_key, stranger_root, stranger_key,
                     extensions=[CLIENT_USE])
    stranger = Identity(ca, stranger_key, [leaf, stranger_root])
    tokens = {
        "no chain": renew_token(ca, who, header={"x5cInsecure": []}),
        "chain is text": renew_token(ca, who, header={"x5cInsecure": "x"}),
        "chain is null": renew_token(ca, who, header={"x5cInsecure": None}),
        "chain of numbers": renew_token(ca, who, header={"x5cInsecure": [1, 2]}),
        "chain of garbage": renew_token(ca, who, header={"x5cInsecure": ["AAAA"]}),
        "no base64": renew_token(ca, who, header={"x5cInsecure": ["?"]}),
        "without intermediate": renew_token(ca, who, header={"x5cInsecure": [
            base64.b64encode(who.cert.public_bytes(serialization.Encoding.DER)).decode()]}),
        "x5c instead": renew_token(ca, who, header={"x5c": ["x"], "x5cInsecure": []}),
        "another root": renew_token(ca, stranger),
        "another key": renew_token(ca, who, key=stranger_key),
        "sub": renew_token(ca, who, sub="other.test"),
        "aud": renew_token(ca, who, aud=f"{ca.url}/sign"),
        "aud of others": renew_token(ca, who, aud="https://elsewhere.test/renew"),
        "iss": renew_token(ca, who, iss="somebody"),
        "expired": renew_token(ca, who, exp=now - 70),
        "early": renew_token(ca, who, nbf=now + 70),
        "no provisioner": renew_token(ca, own_leaf(ca)),
        "server only": renew_token(ca, own_leaf(ca, extensions=[SERVER_USE])),
    }
    for what, token in tokens.items():
        reply = renew_by_token(ca, token)
        assert reply.status == 401, (what, reply.status, reply.body)
    assert renew_by_token(ca, renew_token(ca, who)).status == 201


def expiring(make_ca, allow):
    ca = make_ca()
    ca.configure(lambda c: c["authority"].update(
        backdate="0s", claims={"minTLSCertDuration": "1s", "defaultTLSCertDuration": "2s",
                               "allowRenewalAfterExpiry": allow}))
    return ca.start()


def wait_expired(who):
    end = who.cert.not_valid_after.timestamp() - time.timezone
    while time.time() < end + 1.05:
        time.sleep(0.1)


@pytest.mark.parametrize("allow", [True, False])
def test_renewal_after_the_end(make_ca, allow):
    ca = expiring(make_ca, allow)
    who = enroll(ca)
    assert (who.cert.not_valid_after - who.cert.not_valid_before).total_seconds() == 2
    wait_expired(who)
    with pytest.raises(OSError):
        renew(ca, who)
    reply = renew_by_token(ca, renew_token(ca, who))
    if allow:
        assert chain_of(reply)[0].not_valid_after > who.cert.not_valid_after
    else:
        refused(reply, 401, "expired on", who.cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ"))


# --- Claims and provisioners ----------------------------------------------------------------------


def test_renewal_follows_the_provisioner_of_the_moment(make_ca):
    ca = make_ca()
    ca.provisioner_key()
    ca.configure(lambda c: c["authority"]["provisioners"].append(
        dict(c["authority"]["provisioners"][0], name="second")))
    ca.start()
    who = enroll(ca, token=ca.token(iss="second"))
    key, csr = make_csr()
    assert renew(ca, who).status == 201

    def second(config):
        return config["authority"]["provisioners"][1]
    ca.configure(lambda c: second(c).update(claims={"disableRenewal": True}))
    assert ca.reload()
    for reply in (renew(ca, who), rekey(ca, who, csr), renew_by_token(ca, renew_token(ca, who))):
        refused(reply, 401)
    ca.configure(lambda c: second(c).update(claims={"maxTLSCertDuration": "1m"}))
    assert ca.reload()
    refused(renew(ca, who), 401, "second", "disabled")
    ca.configure(lambda c: second(c).update(claims={}))
    assert ca.reload()
    assert renew(ca, who).status == 201
    ca.configure(lambda c: c["authority"]["provisioners"].pop())
    assert ca.reload()
    for reply in (renew(ca, who), rekey(ca, who, csr), renew_by_token(ca, renew_token(ca, who))):
        refused(reply, 401)
    assert len(key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)) == 65


def test_certificates_without_provisioner_extension(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c["authority"].update(claims={"disableSmallstepExtensions": True}))
    ca.start()
    who = enroll(ca)
    assert "1.3.6.1.4.1.37476.9000.64.1" not in order(who.cert)
    assert renew(ca, who).status == 201


# --- X5C ------------------------------------------------------------------------------------------


class Partner:
    """An outside hierarchy, and the tokens of its certificates."""

    def __init__(self):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = make_cert("Partner root", self.root_key, ca=True)
        self.leaf = self.make()

    def make(self, **options):
        options.setdefault("length", 7200)
        options.setdefault("extensions", [CLIENT_USE])
        return make_cert("partner leaf", self.key, self.root, self.root_key, **options)

    def config(self):
        return {"type": "X5C", "name": "partner",
                "roots": base64.b64encode(pem_of(self.root).encode()).decode()}

    def token(self, ca, leaf=None, key=None, operation="sign", **claims):
        now = int(time.time())
        chain = [leaf or self.leaf, self.root]
        full = {"iss": "partner", "sub": "x.test", "iat": now, "exp": now + 300,
                "aud": f"{ca.url}/1.0/{operation}#x5c/partner", "jti": uuid.uuid4().hex}
        full.update(claims)
        return sign_jwt(key or self.key, {"alg": "ES256", "kid": "leaf.key", "typ": "JWT", "x5c": [
            base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode()
            for c in chain]}, full)


def test_x5c_tokens_sign_within_the_life_of_their_certificate(make_ca):
    ca, partner = make_ca(), Partner()
    ca.provisioner_key()
    ca.configure(lambda c: c["authority"]["provisioners"].append(partner.config()))
    ca.start()
    listed = ca.request("GET", "/provisioners").json()["provisioners"][1]
    assert listed == partner.config()
    who = enroll(ca, "x.test", partner.token(ca))
    assert who.cert.not_valid_after == partner.leaf.not_valid_after  # cut, without a wish
    value = raw_extension(who.cert, "1.3.6.1.4.1.37476.9000.64.1")[1]
    assert b"\x02\x01\x07\x04\x07partner" in value
    csr = make_csr(["x.test"])[1]
    refused(ca.sign(partner.token(ca), csr, notAfter="3h"), 403, "credential")
    refused(ca.sign(partner.token(ca), csr, notBefore="-30m"), 403, "credential")
    assert ca.sign(partner.token(ca), csr, notAfter="1h").status == 201
    assert renew(ca, who).status == 201
    assert renew_by_token(ca, renew_token(ca, who)).status == 201
    other = ec.generate_private_key(ec.SECP256R1())
    bad = {
        "another key": partner.token(ca, key=other),
        "expired leaf": partner.token(ca, leaf=partner.make(start=-7200, length=3600)),
        "server leaf": partner.token(ca, leaf=partner.make(extensions=[SERVER_USE])),
        "CA as leaf": partner.token(ca, leaf=partner.root, key=partner.root_key),
        "no fragment": partner.token(ca, aud=f"{ca.url}/1.0/sign"),
        "other fragment": partner.token(ca, aud=f"{ca.url}/1.0/sign#x5c/other"),
        "issuer": partner.token(ca, iss="ops"), "no subject": partner.token(ca, sub=""),
        "own root": partner.token(ca, leaf=who.cert, key=who.key, sub="x.test"),
        "revoke token": partner.token(ca, operation="revoke"),
        "cnf": partner.token(ca, cnf="x"),
    }
    for what, token in bad.items():
        reply = ca.sign(token, csr)
        assert reply.status == 401, (what, reply.status, reply.body)
    # Two names: the common name must be the subject.
    token = partner.token(ca, sans=["a.test", "b.test"])
    refused(ca.sign(token, make_csr([], common_name="a.test")[1]), 403)
    body = {"serial": "99", "passive": True,
            "ott": partner.token(ca, operation="revoke", sub="99")}
    assert ca.request("POST", "/revoke", body).status == 200
    reused = partner.token(ca)
    assert ca.sign(reused, csr).status == 201
    refused(ca.sign(reused, csr), 401)


# --- Revocation -----------------------------------------------------------------------------------


def revoke_token(ca, serial, **claims):
    return ca.token(serial, audience=f"{ca.url}/1.0/revoke", **claims)


def revoke(ca, number, token_serial=None, tls=None, **members):
    body = {"serial": number, "passive": True}
    if tls is None:
        body["ott"] = revoke_token(ca, token_serial or number)
    body.update(members)
    return ca.request("POST", "/revoke", {k: v for k, v in body.items() if v is not None},
                      **(tls or {}))


def test_revocation_by_token_stops_every_renewal(ca):
    who = enroll(ca)
    token = revoke_token(ca, who.serial)
    reply = revoke(ca, who.serial, ott=token, reasonCode=1, reason="lost")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})
    refused(renew(ca, who), 401)
    refused(rekey(ca, who, make_csr()[1]), 401)
    refused(renew_by_token(ca, renew_token(ca, who)), 401)
    refused(revoke(ca, who.serial, ott=token), 401)  # the token is spent
    refused(revoke(ca, who.serial), 400, "already")
    refused(revoke(ca, who.serial, tls=who.tls()), 400, "already")
    # TLS itself goes on: revocation is passive.
    assert ca.request("GET", "/health", **who.tls()).status == 200


def test_revocation_by_certificate(ca):
    who, other = enroll(ca), enroll(ca)
    refused(revoke(ca, other.serial, tls=who.tls()), 403, who.serial)
    assert revoke(ca, who.serial, tls=who.tls()).status == 200
    refused(renew(ca, who), 401)
    assert renew(ca, other).status == 201
    refused(ca.request("POST", "/revoke", {"serial": "1", "passive": True}), 400)


@pytest.mark.parametrize("members, status", [
    ({"serial": None}, 400), ({"serial": ""}, 400), ({"serial": "12x"}, 400), ({"serial": 12}, 400),
    ({"serial": "-"}, 400), ({"serial": "0x"}, 400), ({"serial": "9" * 400}, 400),
    ({"reasonCode": 11}, 400), ({"reasonCode": -1}, 400), ({"reasonCode": 7}, 400),
    ({"reasonCode": 8}, 400), ({"reasonCode": "1"}, 400), ({"reasonCode": 1.5}, 400),
    ({"passive": None}, 501), ({"passive": False}, 501), ({"passive": "yes"}, 400),
    ({"serial": "", "reasonCode": 11, "passive": False}, 400),
    ({"reasonCode": 11, "passive": False}, 400),
])
def test_bad_revocations(ca, members, status):
    refused(revoke(ca, "4444", **members), status)


@pytest.mark.parametrize("written, decimal", [
    ("0x1F01", "7937"), ("0b11111", "31"), ("0o17", "15"), ("010", "8"), ("1_000", "1000"),
])
def test_forms_of_serial_numbers(ca, written, decimal):
    refused(revoke(ca, written, token_serial=written), 403)
    assert revoke(ca, written, token_serial=decimal).status == 200
    refused(revoke(ca, decimal), 400, "already")


def test_bad_revocation_tokens(ca):
    sign_token = ca.token("77")
    for what, token in {
            "sign audience": sign_token, "garbage": "x", "empty sub": revoke_token(ca, ""),
            "expired": revoke_token(ca, "77", exp=int(time.time()) - 100),
            "other issuer": revoke_token(ca, "77", iss="others")}.items():
        reply = revoke(ca, "77", ott=token)
        assert reply.status == 401, (what, reply.body)
    refused(revoke(ca, "77", token_serial="78"), 403)
    assert revoke(ca, "77").status == 200


def test_without_a_database_there_is_no_revocation(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.pop("db"))
    ca.start()
    who = enroll(ca)
    refused(revoke(ca, who.serial), 501)
    refused(revoke(ca, who.serial, tls=who.tls()), 501)
    assert renew(ca, who).status == 201


# --- The CRL --------------------------------------------------------------------------------------


@pytest.fixture
def crl_ca(make_ca):
    ca = make_ca()
    ca.plain = free_port()
    ca.configure(lambda c: c.update(insecureAddress=f"127.0.0.1:{ca.plain}", crl={
        "enabled": True, "generateOnRevoke": True, "cacheDuration": "2h"}))
    return ca.start()


def fetch_crl(ca, query=""):
    reply = ca.request("GET", "/crl" + query)
    assert reply.status == 200, reply.body
    return reply


def load_crl(ca):
    return x509.load_der_x509_crl(fetch_crl(ca).body)


def number_of(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_the_crl_lists_what_was_revoked(crl_ca):
    ca = crl_ca
    crl = load_crl(ca)
    issuer = x509.load_pem_x509_certificate(
        (ca.path / "certs/intermediate_ca.crt").read_bytes())
    assert crl.is_signature_valid(issuer.public_key()) and crl.issuer == issuer.subject
    assert number_of(crl) == 0 and len(crl) == 0
    assert [e.oid.dotted_string for e in crl.extensions] == ["2.5.29.35", "2.5.29.20", "2.5.29.28"]
    point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert point.critical
    assert point.value.full_name == [x509.UniformResourceIdentifier("https://localhost/1.0/crl")]
    assert (crl.next_update - crl.last_update).total_seconds() == 7200
    who, other = enroll(ca), enroll(ca)
    assert revoke(ca, who.serial, reasonCode=4).status == 200
    assert revoke(ca, "12345").status == 200
    crl = load_crl(ca)
    assert number_of(crl) == 2 and len(crl) == 2
    entry = crl.get_revoked_certificate_by_serial_number(who.cert.serial_number)
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value
    assert reason.reason == x509.ReasonFlags.superseded
    entry = crl.get_revoked_certificate_by_serial_number(12345)
    assert len(entry.extensions) == 0
    assert crl.get_revoked_certificate_by_serial_number(other.cert.serial_number) is None
    # Every start makes one more.
    ca.stop()
    ca.start()
    assert number_of(load_crl(ca)) == 3 and len(load_crl(ca)) == 2
    assert ca.reload()
    assert number_of(load_crl(ca)) == 4


def test_openssl_reads_the_crl_and_refuses_what_it_lists(crl_ca):
    ca = crl_ca
    # OpenSSL wants certificates to name the CRL's distribution point; renewal copies it.
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier("https://localhost/1.0/crl")], None, None, None)
    leaves = []
    for _ in range(2):
        who = own_leaf(ca, extensions=[CLIENT_USE, (x509.CRLDistributionPoints([point]), False)])
        leaves.append(Identity(ca, who.key, chain_of(renew(ca, who))))
    assert revoke(ca, leaves[0].serial, reasonCode=4).status == 200
    pem = ca.folder / "crl.pem"
    pem.write_bytes(fetch_crl(ca, "?pem").body)
    shown = subprocess.run(["openssl", "crl", "-in", pem, "-noout", "-text"], check=True,
                           capture_output=True, text=True).stdout
    assert "Issuing Distribution Point: critical" in shown and "Superseded" in shown
    assert "X509v3 CRL Number" in shown
    for leaf, revoked in zip(leaves, (True, False)):
        done = subprocess.run(
            ["openssl", "verify", "-crl_check", "-extended_crl", "-CAfile", ca.root_path,
             "-untrusted", ca.path / "certs/intermediate_ca.crt", "-CRLfile", pem, leaf.crt],
            capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (not revoked), done.stderr
        assert ("certificate revoked" in done.stderr) == revoked


def test_forms_and_places_of_the_crl(crl_ca):
    ca = crl_ca
    reply = fetch_crl(ca)
    assert reply.headers["Content-Type"] == "application/pkix-crl"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="crl.crl"'
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.headers["Expires"])
    for query in ("?pem", "?pem=", "?pem=1", "?x=y&pem"):
        pem = fetch_crl(ca, query)
        assert pem.headers["Content-Type"] == "application/x-pem-file"
        assert pem.headers["Content-Disposition"] == 'attachment; filename="crl.pem"'
        assert pem.body.startswith(b"-----BEGIN X509 CRL-----\n")
        assert x509.load_pem_x509_crl(pem.body).public_bytes(
            serialization.Encoding.DER) == reply.body
    assert fetch_crl(ca, "?pemmican").body == reply.body
    assert ca.request("HEAD", "/1.0/crl").body == b""

    def plain(method, path):
        connection = HTTPConnection("127.0.0.1", ca.plain, timeout=10 * SLOW)
        connection.request(method, path)
        got = connection.getresponse()
        body = got.read()
        connection.close()
        return got.status, body
    assert plain("GET", "/crl") == (200, reply.body) == plain("GET", "/1.0/crl")
    assert plain("HEAD", "/crl") == (200, b"")
    for path in ("/health", "/roots.pem", "/provisioners", "/version", "/crl/", "/"):
        assert plain("GET", path)[0] == 404
    for path in ("/sign", "/renew", "/revoke"):
        assert plain("POST", path)[0] == 404
    assert plain("POST", "/crl")[0] == 405


def test_the_crl_is_off_by_default(ca):
    refused(ca.request("GET", "/crl"), 404)
    refused(ca.request("GET", "/1.0/crl"), 404)


def test_the_crl_is_made_anew_in_its_period(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.update(crl={"enabled": True, "cacheDuration": "30s",
                                         "renewPeriod": "1s",
                                         "idpURL": "http://crl.test/the.crl"}))
    ca.start()
    assert b"http://crl.test/the.crl" in fetch_crl(ca).body
    assert revoke(ca, "77").status == 200  # not made on revocation here
    end = time.monotonic() + 10 * SLOW
    while len(load_crl(ca)) == 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert number_of(load_crl(ca)) >= 1


def test_a_revocation_record_tells_who_and_when(make_ca):
    import sqlite3

    ca = make_ca().start()
    who = enroll(ca)
    assert revoke(ca, who.serial, tls=who.tls()).status == 200
    assert revoke(ca, "31", reasonCode=1, reason="lost").status == 200
    base = sqlite3.connect(f"file:{ca.config()['db']['dataSource']}?mode=ro", uri=True)
    rows = {(k.decode() if isinstance(k, bytes) else k): json.loads(v) for k, v in base.execute(
        "select nkey, nvalue from revoked_x509_certs")}
    base.close()
    kid = ca.provisioner_key()[1]
    record = rows[who.serial]
    assert list(record) == ["Serial", "ProvisionerID", "ReasonCode", "Reason", "RevokedAt",
                            "ExpiresAt", "TokenID", "MTLS", "ACME"]
    assert record["MTLS"] is True and record["ProvisionerID"] == f"ops:{kid}"
    assert record["ExpiresAt"] == who.cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    record = rows["31"]
    assert record["ExpiresAt"] == "0001-01-01T00:00:00Z" and record["ReasonCode"] == 1
    assert record["TokenID"] and record["Reason"] == "lost" and record["ACME"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", record["RevokedAt"])


# --- Metrics --------------------------------------------------------------------------------------


def test_metrics_count_what_happened(make_ca):
    ca = make_ca()
    port = free_port()
    ca.configure(lambda c: c.update(metricsAddress=f"127.0.0.1:{port}"))
    ca.start()
    who = enroll(ca)
    assert renew(ca, who).status == 201
    assert rekey(ca, who, make_csr()[1]).status == 201
    refused(ca.sign(csr=make_csr(["evil.test"])[1]), 403)
    connection = HTTPConnection("127.0.0.1", port, timeout=10 * SLOW)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for name in ("signed", "renewed", "rekeyed"):
        assert values[f'step_ca_x509_{name}_total{{provisioner="ops",success="true"}}'] == "1"
    assert values['step_ca_x509_signed_total{provisioner="ops",success="false"}'] == "1"
