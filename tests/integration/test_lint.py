"""All certificates that come from our programs pass a linter that shares no code with them, and
OpenSSL agrees about what they say."""

import datetime
import re
import socket

import pytest
from conftest import make_csr
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lint import check_validity, lint, tbs_parts
from machine import Machine, chain, der, execute, leaf, names

KEYS = {"p256": [], "p384": ["--kty", "EC", "--curve", "P-384"],
        "p521": ["--kty", "EC", "--curve", "P-521"], "ed25519": ["--kty", "OKP"],
        "rsa2048": ["--kty", "RSA"], "rsa4096": ["--kty", "RSA", "--size", "4096"]}
ALL_NAMES = ["--san", "web.test", "--san", "*.web.test", "--san", "10.0.0.1", "--san", "::1",
             "--san", "eve@web.test", "--san", "spiffe://td/web?a=b"]


@pytest.fixture
def machine(ca, tmp_path):
    made = Machine(tmp_path / "m")
    made.bootstrap(ca)
    return made


def check_chain(path, root_path):
    """Every certificate of the file, each against the next; the last against the root."""
    certificates = chain(path)
    issuers = certificates[1:] + [leaf(root_path)]
    for cert, issuer in zip(certificates, issuers):
        assert lint(der(cert), der(issuer)) == []
    execute(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root_path,
             "-untrusted", path, path])


# --- What the authority makes ---------------------------------------------------------------------


def test_root_and_intermediate(ca):
    root = leaf(ca.root_path)
    intermediate = leaf(ca.path / "certs/intermediate_ca.crt")
    assert lint(der(root)) == []
    assert lint(der(intermediate), der(root)) == []


def test_the_servers_own_certificate(ca):
    with socket.create_connection(("127.0.0.1", ca.port)) as plain:
        with ca.tls().wrap_socket(plain, server_hostname="localhost") as tls:
            served = tls.getpeercert(binary_form=True)
    assert lint(served, der(leaf(ca.path / "certs/intermediate_ca.crt"))) == []


@pytest.mark.parametrize("kind", KEYS)
def test_leaves_renewed_and_rekeyed(ca, machine, kind):
    crt, key = machine.certificate(ca, "web.test", *ALL_NAMES, *KEYS[kind])
    check_chain(crt, ca.root_path)
    machine.step("ca", "renew", "--force", crt, key)
    check_chain(crt, ca.root_path)
    machine.step("ca", "rekey", "--force", crt, key, *KEYS[kind])
    check_chain(crt, ca.root_path)


@pytest.mark.parametrize("subject", ["web.test", "10.0.0.1", "eve@web.test", "spiffe://td/web",
                                     "Jo Müller", "a" * 60 + ".test", "*.web.test"])
def test_leaves_for_all_kinds_of_subjects(ca, machine, subject):
    crt, _ = machine.folder / "a.crt", machine.folder / "a.key"
    machine.step("ca", "certificate", subject, "a.crt", "a.key", "--provisioner", "ops",
                 "--provisioner-password-file", ca.password_file, "--san", "web.test", "--san",
                 "10.0.0.1")
    check_chain(crt, ca.root_path)
    assert leaf(crt).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == subject


def test_leaves_for_requests_of_others(ca, tmp_path):
    for extensions in ([], [(x509.KeyUsage(True, True, True, True, True, True, True, True, True),
                             True)], [(x509.BasicConstraints(True, 0), True)]):
        reply = ca.sign(ca.token("web.test"), make_csr(extensions=extensions)[1])
        assert reply.status == 201
        path = tmp_path / "r.crt"
        path.write_text("".join(reply.json()["certChain"]))
        check_chain(path, ca.root_path)


# --- What `step certificate create` makes ---------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa2048"])
def test_certificate_create(tmp_path, kind):
    machine = Machine(tmp_path / "m")
    plain = ["--no-password", "--insecure", *KEYS[kind]]

    def create(name, profile, *more):
        machine.step("certificate", "create", name, f"{profile}.crt", f"{profile}.key",
                     "--profile", profile, *plain, *more)
        return machine.folder / f"{profile}.crt"

    root = create("Own Root", "root-ca", "--not-after", "2060-01-01T00:00:00Z")
    intermediate = create("Own Intermediate", "intermediate-ca", "--ca", root, "--ca-key",
                          "root-ca.key", "--not-after", "2049-12-31T23:59:59Z")
    web = create("web.test", "leaf", "--ca", intermediate, "--ca-key", "intermediate-ca.key",
                 "--san", "web.test", "--san", "10.0.0.1")
    assert lint(der(leaf(root))) == []
    assert lint(der(leaf(intermediate)), der(leaf(root))) == []
    assert lint(der(leaf(web)), der(leaf(intermediate))) == []
    execute(["openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", intermediate,
             web])


# --- OpenSSL reads the same -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa2048"])
def test_openssl_reads_the_same(ca, machine, kind):
    crt, _ = machine.certificate(ca, "web.test", *ALL_NAMES, *KEYS[kind])
    cert = leaf(crt)
    text = execute(["openssl", "x509", "-noout", "-text", "-certopt", "ext_parse", "-in",
                    crt]).stdout
    assert "Version: 3 (0x2)" in text and "Subject: CN = web.test" in text
    serial = re.search(r"Serial Number:\s+([0-9a-f:]+)", text).group(1)
    assert int(serial.replace(":", ""), 16) == cert.serial_number
    form = "%b %e %H:%M:%S %Y GMT"
    assert f"Not Before: {cert.not_valid_before.strftime(form)}" in text
    assert f"Not After : {cert.not_valid_after.strftime(form)}" in text
    usage = "Digital Signature, Key Encipherment" if kind == "rsa2048" else "Digital Signature"
    assert f"X509v3 Key Usage: critical\n                {usage}\n" in text
    assert "TLS Web Server Authentication, TLS Web Client Authentication\n" in text
    found = names(cert)
    expected = [*(f"DNS:{n}" for n in found["dns"]), *(f"email:{n}" for n in found["email"]),
                "IP Address:10.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
                *(f"URI:{n}" for n in found["uri"])]
    assert "X509v3 Subject Alternative Name: \n                " + ", ".join(expected) in text
    for extension in (x509.SubjectKeyIdentifier,):
        digest = cert.extensions.get_extension_for_class(extension).value.digest
        assert ":".join(f"{b:02X}" for b in digest) in text


# --- The linter itself ----------------------------------------------------------------------------


def bad(subject="bad.test", serial=None, extensions=(), key=None, ski=True, usage=True,
        usage_critical=True, san_critical=False, end=None, eku=True, **bits):
    """A self-signed certificate of python-cryptography with one thing changed."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or "x")])
    now = datetime.datetime(2026, 1, 1)
    builder = (x509.CertificateBuilder(issuer, name, key.public_key())
               .serial_number(serial or x509.random_serial_number() | 1 << 100)
               .not_valid_before(now).not_valid_after(end or now + datetime.timedelta(days=1)))
    flags = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment",
                           "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
                           "encipher_only", "decipher_only"), False)
    flags["digital_signature"] = True
    flags.update(bits)
    if usage:
        builder = builder.add_extension(x509.KeyUsage(**flags), usage_critical)
    if eku:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
    if ski:
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), ski == "critical")
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("bad.test")]), san_critical)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return der(builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize("change, finding", [
    ({"serial": 5}, "64 bits"), ({"ski": False}, "no subject key identifier"),
    ({"ski": "critical"}, "criticality"), ({"usage": False}, "no key usage"),
    ({"usage_critical": False}, "criticality"), ({"san_critical": True}, "exactly when"),
    ({"subject": ""}, "exactly when"), ({"key_encipherment": True}, "keyEncipherment"),
    ({"key_cert_sign": True}, "may sign"), ({"eku": False}, "extended key usage"),
    ({"key": rsa.generate_private_key(65537, 1024)}, "2048"),
    ({"extensions": [(x509.BasicConstraints(True, None), False)]}, "not critical"),
    ({"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x30\x00"),
                      False)]}, "empty"),
    ({"extensions": [(x509.AuthorityKeyIdentifier(b"x" * 20, None, None), True)]}, "criticality"),
])
def test_the_linter_finds_what_is_wrong(change, finding):
    found = [f for f in lint(bad(**change)) if "no CA" not in f]
    assert any(finding in f for f in found), found


def test_the_linter_accepts_what_is_right_and_looks_at_the_chain():
    good = bad(end=datetime.datetime(2060, 1, 1))
    assert [f for f in lint(good) if "no CA" not in f] == []
    other = bad()
    found = lint(good, other)
    assert any("signature does not verify" in f for f in found)
    assert any("authority key identifier" in f for f in found)
    assert any("longer than its issuer" in f for f in found)


def test_the_linter_looks_at_the_encoding_of_times():
    cert = bad(end=datetime.datetime(2060, 1, 1))
    parsed = x509.load_der_x509_certificate(cert)
    assert not list(check_validity(tbs_parts(cert), parsed))
    for right, wrong in ((b"\x18\x0f20600101000000Z", b"\x17\x0f20600101000000Z"),
                         (b"\x17\x0d260101000000Z", b"\x18\x0d260101000000Z"),
                         (b"\x17\x0d260101000000Z", b"\x17\x0d2601010000+00")):
        assert right in cert
        found = list(check_validity(tbs_parts(cert.replace(right, wrong)), parsed))
        assert len(found) == 1 and "4.1.2.5" in found[0]
