"""POST /sign and its neighbours, from the outside: what is granted, what is refused and how."""

import concurrent.futures
import json
import time
import uuid

import pytest
from conftest import b64url, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

PROVISIONER_OID = "1.3.6.1.4.1.37476.9000.64.1"


def issued(reply):
    assert reply.status == 201, reply.body
    return x509.load_pem_x509_certificate(reply.json()["crt"].encode())


def refused(reply, status, *words):
    assert reply.status == status, (reply.status, reply.body)
    envelope = reply.json()
    assert envelope["status"] == status
    assert reply.headers["Content-Type"] == "application/json"
    for word in words:
        assert word in envelope["message"], envelope
    return envelope["message"]


# --- What is granted ------------------------------------------------------------------------------


def test_leaf_has_the_documented_shape(ca):
    reply = ca.sign(ca.token("web.test", sans=["web.test", "10.0.0.1", "eve@web.test",
                                               "spiffe://td/web"]), make_csr([])[1])
    cert = issued(reply)
    order = [e.oid.dotted_string for e in cert.extensions]
    assert order == ["2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.17",
                     PROVISIONER_OID]
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature
    assert not usage.value.key_encipherment and not usage.value.key_cert_sign
    eku = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(eku) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    san = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not san.critical
    assert [type(n).__name__ for n in san.value] == ["DNSName", "RFC822Name", "IPAddress",
                                                     "UniformResourceIdentifier"]
    ski = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert ski == x509.SubjectKeyIdentifier.from_public_key(cert.public_key())
    chain = [x509.load_pem_x509_certificate(p.encode()) for p in reply.json()["certChain"]]
    issuer_ski = chain[1].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    aki = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert aki.key_identifier == issuer_ski.digest
    assert cert.issuer == chain[1].subject
    chain[1].public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                                 ec.ECDSA(hashes.SHA256()))
    assert 64 < cert.serial_number.bit_length() <= 128
    length = cert.not_valid_after - cert.not_valid_before
    assert length.total_seconds() == 24 * 3600 + 60
    assert cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "web.test"


def test_answer_has_every_documented_member(ca):
    reply = ca.sign()
    body = reply.json()
    assert list(body) == ["crt", "ca", "certChain", "tlsOptions"]
    assert body["certChain"][0] == body["crt"] and body["certChain"][1] == body["ca"]
    assert body["tlsOptions"]["minVersion"] == 1.2 and body["tlsOptions"]["maxVersion"] == 1.3
    assert reply.body.endswith(b"}\n")
    assert body["crt"].endswith("-----END CERTIFICATE-----\n")


def test_provisioner_extension_names_provisioner_and_key(ca):
    cert = issued(ca.sign())
    value = cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(PROVISIONER_OID)).value
    kid = ca.provisioner_key()[1].encode()
    inner = b"\x02\x01\x01\x04\x03ops\x04" + bytes([len(kid)]) + kid
    assert value.value == b"\x30" + bytes([len(inner)]) + inner


def test_rsa_keys_get_key_encipherment(ca):
    key = rsa.generate_private_key(65537, 3072)
    cert = issued(ca.sign(csr=make_csr(key=key)[1]))
    assert cert.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment


@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP384R1()),
                                  lambda: ec.generate_private_key(ec.SECP521R1()),
                                  ed25519.Ed25519PrivateKey.generate])
def test_other_key_types_are_served(ca, make):
    key = make()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()
    cert = issued(ca.sign(csr=csr))
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert cert.public_key().public_bytes(*spki) == key.public_key().public_bytes(*spki)


@pytest.mark.parametrize("members, seconds", [
    ({}, 86460), ({"notAfter": ""}, 86460), ({"notAfter": None}, 86460), ({"notAfter": "0s"}, 86460),
    ({"notAfter": "24h"}, 86460), ({"notAfter": "5m"}, 360), ({"notAfter": "1h30m"}, 5460),
    ({"notBefore": "1h"}, 86400), ({"notBefore": "1h", "notAfter": "1h"}, 3600),
    ({"notBefore": "-1h", "notAfter": "2h"}, 7200),
])
def test_validity_wishes(ca, members, seconds):
    cert = issued(ca.sign(**members))
    assert (cert.not_valid_after - cert.not_valid_before).total_seconds() == seconds


def test_absolute_times_are_taken_as_they_are(ca):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    cert = issued(ca.sign(notAfter=end))
    assert cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ") == end


def test_extensions_of_the_request_do_not_survive(ca):
    extensions = [(x509.BasicConstraints(True, 3), True),
                  (x509.UnrecognizedExtension(x509.ObjectIdentifier(PROVISIONER_OID),
                                              b"\x30\x0a\x02\x01\x01\x04\x03foo\x04\x00"), False)]
    cert = issued(ca.sign(csr=make_csr(extensions=extensions)[1]))
    with pytest.raises(x509.ExtensionNotFound):
        cert.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    value = cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(PROVISIONER_OID)).value
    assert b"ops" in value.value and b"foo" not in value.value


def test_odd_but_accepted_bodies(ca):
    csr = make_csr()[1].replace("CERTIFICATE REQUEST", "FOO")
    body = json.dumps({"CSR": "text before\n" + csr, "Ott": ca.token(), "more": [1, {}]})
    assert ca.request("POST", "/sign", body + " trailing {garbage").status == 201


@pytest.mark.parametrize("audience", [
    "https://localhost/1.0/sign", "https://localhost/sign", "https://localhost:1/1.0/sign",
    "https://127.0.0.1/1.0/sign", "https://localhost/1.0/ssh/sign", "step-certificate-authority",
    ["https://elsewhere.test/x", "https://localhost/1.0/sign"],
])
def test_audiences_that_fit(ca, audience):
    assert ca.sign(ca.token(audience=audience)).status == 201


def test_names_of_the_token_rule(ca):
    # The request may omit names; its common name may be any of the token's names.
    token = ca.token("a.test", sans=["a.test", "b.test"])
    cert = issued(ca.sign(token, make_csr([], common_name="b.test")[1]))
    san = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["a.test", "b.test"]


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [
    "", "   ", "[]", "{", '{"csr":5}', '{"csr":"x","ott":"y"}', '{"ott":"y"}', "null", '"x"',
    '{"csr":{"a":1}}', '{"csr":"\\ud800"}', "\x00", "{" * 5000, '{"a":' * 2000,
    '{"csr":null,"ott":null}', '{"notAfter":5}',
])
def test_broken_bodies_get_400(ca, body):
    refused(ca.request("POST", "/sign", body.encode()), 400)
    assert ca.request("GET", "/health").status == 200


@pytest.mark.parametrize("member", ["notBefore", "notAfter"])
@pytest.mark.parametrize("value", [5, "tomorrow", "1d", "24", "1h ", True, [], "2026-01-01"])
def test_broken_times_get_400(ca, member, value):
    refused(ca.sign(**{member: value}), 400)


@pytest.mark.parametrize("members, status, words", [
    ({"notAfter": "1m"}, 403, ["2m0s", "5m0s"]),
    ({"notAfter": "25h"}, 403, ["24h"]),
    ({"notBefore": "-2h", "notAfter": "1h"}, 400, ["past"]),
    ({"notBefore": "2h", "notAfter": "2000-01-01T00:00:00Z"}, 400, []),
])
def test_durations_beyond_the_claims(ca, members, status, words):
    refused(ca.sign(**members), status, *words)


def test_csr_with_a_flipped_signature_bit(ca):
    from base64 import b64decode, b64encode

    pem = make_csr()[1]
    der = bytearray(b64decode("".join(pem.splitlines()[1:-1])))
    der[-3] ^= 1
    text = b64encode(bytes(der)).decode()
    broken = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
    refused(ca.sign(csr=broken), 400, "signature")
    der[-3] ^= 1
    long = b64encode(bytes(der) + b"\0").decode()
    refused(ca.sign(csr=f"-----BEGIN X-----\n{long}\n-----END X-----\n"), 400)
    refused(ca.sign(csr="no PEM at all"), 400)


@pytest.mark.parametrize("names, common_name", [
    (["evil.test"], None), (["web.test", "evil.test"], "web.test"), (["web.test"], "evil.test"),
    ([], "evil.test"), (["WEB.test"], "web.test"),
])
def test_names_beyond_the_token(ca, names, common_name):
    refused(ca.sign(ca.token("web.test"), make_csr(names, common_name=common_name)[1]), 403)


def test_weak_keys(ca):
    csr = make_csr(key=rsa.generate_private_key(65537, 1024))[1]
    refused(ca.sign(csr=csr), 403, "1024")


def test_names_with_nul_bytes(ca):
    refused(ca.sign(ca.token("web.test", sans=["web.test\0.evil.test"]), make_csr([])[1]), 400)


def hmac_token(ca, header_alg):
    """A token "signed" with the published key as an HMAC secret."""
    private, kid = ca.provisioner_key()
    public = private.public_key().public_bytes(serialization.Encoding.PEM,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    head = b64url(json.dumps({"alg": header_alg, "kid": kid}).encode())
    body = b64url(json.dumps({"iss": "ops", "sub": "web.test", "aud": f"{ca.url}/1.0/sign",
                              "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}).encode())
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(f"{head}.{body}".encode())
    return f"{head}.{body}.{b64url(mac.finalize())}"


def bad_tokens(ca):
    now = int(time.time())
    good = ca.token()
    head, body, signature = good.split(".")
    stranger = ec.generate_private_key(ec.SECP256R1())
    none_head = b64url(json.dumps({"alg": "none"}).encode())
    yield "garbage", "x"
    yield "two parts", f"{head}.{body}"
    yield "alg none", f"{none_head}.{body}."
    yield "alg none with kid", f"{b64url(json.dumps({'alg': 'none', 'kid': ca.provisioner_key()[1]}).encode())}.{body}.{signature}"
    yield "hmac with the public key", hmac_token(ca, "HS256")
    yield "cut signature", f"{head}.{body}.{signature[:-4]}"
    yield "stranger's key", ca.token(key=stranger)
    yield "embedded key", ca.token(key=stranger, header={"jwk": {"kty": "EC"}})
    yield "unknown kid", ca.token(header={"kid": "nobody"})
    yield "other issuer", ca.token(iss="others")
    yield "no subject", ca.token(sub="")
    yield "expired", ca.token(exp=now - 61)
    yield "not yet valid", ca.token(nbf=now + 70)
    yield "issued in the future", ca.token(iat=now + 70)
    yield "issued before the start", ca.token(iat=now - 100000)
    yield "crit", ca.token(header={"crit": ["x"]})
    yield "other host", ca.token(audience="https://elsewhere.test/1.0/sign")
    yield "renew audience", ca.token(audience=f"{ca.url}/1.0/renew")
    yield "revoke audience", ca.token(audience=f"{ca.url}/1.0/revoke")
    yield "trailing slash", ca.token(audience=f"{ca.url}/1.0/sign/")
    yield "upper-case host", ca.token(audience="https://LOCALHOST/1.0/sign")
    yield "no audience", ca.token(audience=[])
    yield "acme audience", ca.token(audience=f"{ca.url}/1.0/sign#acme/acme")
    yield "wrong type", ca.token(sans="web.test", sub=5)
    private, kid = ca.provisioner_key()
    twice = b64url(('{"iss":"ops","iss":"ops","sub":"web.test","aud":"%s/1.0/sign","exp":%d}'
                    % (ca.url, now + 60)).encode())
    head = b64url(json.dumps({"alg": "ES256", "kid": kid}).encode())
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(private.sign(f"{head}.{twice}".encode(),
                                             ec.ECDSA(hashes.SHA256())))
    yield "duplicate claim", f"{head}.{twice}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    yield "huge", "a" * 70000 + ".b.c"


def test_bad_tokens_get_401_and_tell_nothing(ca):
    for what, token in bad_tokens(ca):
        reply = ca.sign(token)
        assert reply.status == 401, (what, reply.status, reply.body)
        assert "log" in reply.json()["message"], what
        assert len(token) < 40 or token not in ca.log(), what


def test_tokens_within_the_leeway(ca):
    now = int(time.time())
    assert ca.sign(ca.token(exp=now - 30)).status == 201
    assert ca.sign(ca.token(nbf=now + 30)).status == 201
    assert ca.sign(ca.token(exp=None, nbf=None, iat=None)).status == 201


def test_token_text_may_hold_white_space(ca):
    token = ca.token()
    assert ca.sign(token[:40] + "\n " + token[40:]).status == 201


def test_a_token_works_once(ca):
    token = ca.token()
    assert ca.sign(token).status == 201
    refused(ca.sign(token), 401)


def test_a_token_without_jti_works_once_in_either_signature_form(ca):
    token = ca.token(jti=None)
    head, body, signature = token.split(".")
    from base64 import urlsafe_b64decode

    raw = urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert ca.sign(token).status == 201
    refused(ca.sign(f"{head}.{body}.{b64url(other)}"), 401)


def test_a_token_refused_for_its_request_is_spent(ca):
    token = ca.token()
    refused(ca.sign(token, make_csr(["evil.test"])[1]), 403)
    refused(ca.sign(token), 401)


def test_parallel_requests_with_one_token_get_one_certificate(ca):
    for _ in range(5):
        token, csr = ca.token(), make_csr()[1]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = sorted(r.status for r in pool.map(lambda _: ca.sign(token, csr), range(8)))
        assert statuses == [201] + [401] * 7


def test_cnf_binds_a_token_to_one_request(ca):
    from base64 import b64decode

    pem = make_csr()[1]
    der = b64decode("".join(pem.splitlines()[1:-1]))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    cnf = {"x5rt#S256": b64url(digest.finalize())}
    refused(ca.sign(ca.token(cnf=cnf)), 403)
    assert ca.sign(ca.token(cnf=cnf), pem).status == 201


def test_secrets_and_tokens_stay_out_of_the_log(ca):
    token = ca.token()
    ca.sign(token)
    log = ca.log()
    assert token not in log
    assert "a password of the tests" not in log
    assert "PRIVATE KEY" not in log


# --- HTTP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, status", [
    ("/health", 200), ("/version", 200), ("/roots", 201), ("/roots.pem", 200),
    ("/intermediates", 201), ("/intermediates.pem", 200), ("/federation", 201),
    ("/provisioners", 200),
])
def test_public_routes_with_alias_and_head(ca, path, status):
    for prefix in ("", "/1.0"):
        reply = ca.request("GET", prefix + path)
        assert reply.status == status
        head = ca.request("HEAD", prefix + path)
        assert head.status == status and head.body == b""
        assert head.headers["Content-Length"] == str(len(reply.body))


def test_request_ids(ca):
    assert ca.request("GET", "/health", headers={"X-Request-Id": "abc"}).headers[
        "X-Request-Id"] == "abc"
    assert ca.request("GET", "/health", headers={"X-Smallstep-Id": "def"}).headers[
        "X-Request-Id"] == "def"
    assert uuid.UUID(ca.request("GET", "/nope").headers["X-Request-Id"]).version == 4
    long = ca.request("GET", "/health", headers={"X-Request-Id": "x" * 200})
    assert uuid.UUID(long.headers["X-Request-Id"]).version == 4


def test_unknown_paths_and_methods(ca):
    for path in ("/nope", "/health/", "/Health", "/1.0", "/1.0/1.0/health", "/ssh/nope"):
        reply = ca.request("GET", path)
        assert (reply.status, reply.body) == (404, b"404 page not found\n")
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    for method, path, allow in (("DELETE", "/health", "GET"), ("GET", "/sign", "POST")):
        reply = ca.request(method, path)
        assert reply.status == 405 and reply.body == b""
        assert allow in reply.headers["Allow"]


def test_root_by_fingerprint(ca):
    fingerprint = ca.step("certificate", "fingerprint", ca.root_path).stdout.strip()
    pem = ca.root_path.read_text()
    for form in (fingerprint, fingerprint.upper(),
                 "-".join(fingerprint[i:i + 2] for i in range(0, 64, 2))):
        assert ca.request("GET", f"/root/{form}").json() == {"ca": pem}
    refused(ca.request("GET", "/root/" + "0" * 64), 404, "0" * 64)


def test_provisioner_paging(ca):
    reply = ca.request("GET", "/provisioners?limit=1").json()
    assert len(reply["provisioners"]) == 1 and reply["nextCursor"] == ""
    refused(ca.request("GET", "/provisioners?limit=abc"), 400, "abc")
    for query in ("limit=0", "limit=-5", "limit=100000", "cursor=zzz"):
        assert len(ca.request("GET", f"/provisioners?{query}").json()["provisioners"]) == 1
    beyond = ca.request("GET", "/provisioners?cursor=" + "z" * 40).json()
    assert not beyond["provisioners"] and beyond["nextCursor"] == ""


def test_encrypted_key(ca):
    kid = ca.provisioner_key()[1]
    jwe = ca.config()["authority"]["provisioners"][0]["encryptedKey"]
    assert ca.request("GET", f"/provisioners/{kid}/encrypted-key").json() == {"key": jwe}
    refused(ca.request("GET", "/provisioners/nobody/encrypted-key"), 404)


def test_large_bodies_are_refused_before_they_are_read(ca):
    refused(ca.request("POST", "/sign", b"x" * (2 << 20)), 413)
    assert ca.request("GET", "/health").status == 200
