"""`step certificate`: what openssl and python-cryptography say about what it makes and shows."""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import re
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = Path(__file__).resolve().parents[2]
STEP_BIN = os.environ.get("STEP_BIN", str(ROOT / "build/src/cli/step"))
PLAIN = ["--no-password", "--insecure"]


class Step:
    """Runs the program in a directory of its own, without a terminal."""

    def __init__(self, path):
        self.path = path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("STEP")}
        self.env["STEPPATH"] = str(path / ".step")

    def run(self, *words, stdin=b"", env=None):
        return subprocess.run([STEP_BIN, *map(str, words)], input=stdin, cwd=self.path,
                              env={**self.env, **(env or {})}, capture_output=True, timeout=120,
                              start_new_session=True)

    def ok(self, *words, stdin=b""):
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done

    def fails(self, text, *words, status=1, stdin=b""):
        done = self.run(*words, stdin=stdin)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert text in done.stderr.decode()
        return done

    def cert(self, name):
        return x509.load_pem_x509_certificate((self.path / name).read_bytes())

    def create(self, *words):
        return self.ok("certificate", "create", *words)


@pytest.fixture
def step(tmp_path):
    (tmp_path / "pw").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    return Step(tmp_path)


@pytest.fixture
def pki(step):
    step.create("Root", "root.crt", "root.key", "--profile", "root-ca", *PLAIN)
    step.create("Intermediate", "int.crt", "int.key", "--profile", "intermediate-ca",
                "--ca", "root.crt", "--ca-key", "root.key", *PLAIN)
    step.create("web.test", "web.crt", "web.key", "--ca", "int.crt", "--ca-key", "int.key", *PLAIN)
    return step


def openssl(path, *words):
    return subprocess.run(["openssl", *map(str, words)], cwd=path, capture_output=True, timeout=120)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def value(cert, kind):
    return cert.extensions.get_extension_for_class(kind).value


KEYS = [
    ([], ec.EllipticCurvePublicKey),
    (["--kty", "EC", "--curve", "P-384"], ec.EllipticCurvePublicKey),
    (["--kty", "EC", "--crv", "P-521"], ec.EllipticCurvePublicKey),
    (["--kty", "OKP"], ed25519.Ed25519PublicKey),
    (["--kty", "RSA", "--size", "3072"], rsa.RSAPublicKey),
]


# --- create -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ca_key,_", KEYS)
@pytest.mark.parametrize("key,kind", KEYS)
def test_chain_of_every_key_type_verifies_with_openssl(step, ca_key, _, key, kind):
    step.create("Root", "root.crt", "root.key", "--profile", "root-ca", *ca_key, *PLAIN)
    step.create("CA", "int.crt", "int.key", "--profile", "intermediate-ca", "--ca", "root.crt",
                "--ca-key", "root.key", *key, *PLAIN)
    step.create("web.test", "web.crt", "web.key", "--ca", "int.crt", "--ca-key", "int.key", *key,
                *PLAIN)
    done = openssl(step.path, "verify", "-x509_strict", "-CAfile", "root.crt", "-untrusted",
                   "int.crt", "-verify_hostname", "web.test", "web.crt")
    assert done.returncode == 0, done.stderr
    leaf = step.cert("web.crt")
    assert isinstance(leaf.public_key(), kind)
    private = serialization.load_pem_private_key((step.path / "web.key").read_bytes(), None)
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert private.public_key().public_bytes(*spki) == leaf.public_key().public_bytes(*spki)
    assert value(leaf, x509.KeyUsage).key_encipherment == (kind is rsa.RSAPublicKey)


def test_root_has_the_extensions_of_its_profile(pki):
    root = pki.cert("root.crt")
    assert root.subject == root.issuer == x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    assert [e.oid.dotted_string for e in root.extensions] == ["2.5.29.15", "2.5.29.19", "2.5.29.14"]
    assert value(root, x509.BasicConstraints) == x509.BasicConstraints(True, 1)
    usage = value(root, x509.KeyUsage)
    assert usage.key_cert_sign and usage.crl_sign and not usage.digital_signature
    assert root.not_valid_after - root.not_valid_before == datetime.timedelta(days=3650)
    assert root.serial_number.bit_length() <= 128


def test_certificates_of_cas_have_no_alternative_names(step):
    ca = ["--ca", "r.crt", "--ca-key", "r.key"]
    for name, more in (("r", ["--profile", "root-ca"]), ("i", ["--profile", "intermediate-ca", *ca])):
        done = step.create(name, f"{name}.crt", f"{name}.key", *more, "--san", "a.b", *PLAIN)
        assert "'--san' has no effect" in done.stderr.decode()
        with pytest.raises(x509.ExtensionNotFound):
            value(step.cert(f"{name}.crt"), x509.SubjectAlternativeName)


def test_intermediate_has_the_extensions_of_its_profile(pki):
    root, ca = pki.cert("root.crt"), pki.cert("int.crt")
    assert ca.issuer == root.subject
    assert value(ca, x509.BasicConstraints) == x509.BasicConstraints(True, 0)
    assert (value(ca, x509.AuthorityKeyIdentifier).key_identifier ==
            value(root, x509.SubjectKeyIdentifier).digest)
    assert ca.not_valid_after <= root.not_valid_after
    with pytest.raises(x509.ExtensionNotFound):
        value(ca, x509.SubjectAlternativeName)


def test_leaf_has_the_extensions_of_its_profile(pki):
    leaf = pki.cert("web.crt")
    assert leaf.not_valid_after - leaf.not_valid_before == datetime.timedelta(hours=24)
    assert list(value(leaf, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH,
                                                        ExtendedKeyUsageOID.CLIENT_AUTH]
    assert value(leaf, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == ["web.test"]
    with pytest.raises(x509.ExtensionNotFound):
        value(leaf, x509.BasicConstraints)


def test_names_go_to_their_kinds_and_replace_the_subject(pki):
    pki.create("web", "a.crt", "a.key", "--ca", "int.crt", "--ca-key", "int.key", "--san", "a.test",
               "--san", "10.0.0.7", "--san", "::1", "--san", "me@a.test", "--san",
               "https://a.test/x", *PLAIN)
    names = value(pki.cert("a.crt"), x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["a.test"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.7"),
                                                         ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.RFC822Name) == ["me@a.test"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["https://a.test/x"]


def test_bundle_puts_the_ca_behind_the_leaf(pki):
    pki.create("web", "a.crt", "a.key", "--ca", "int.crt", "--ca-key", "int.key", "--bundle", *PLAIN)
    text = (pki.path / "a.crt").read_text()
    assert text.endswith((pki.path / "int.crt").read_text())
    assert text.count("BEGIN CERTIFICATE") == 2


def test_self_signed_verifies_under_itself(step):
    step.fails("'--profile self-signed' requires the '--subtle' flag", "certificate", "create", "a",
               "a.crt", "a.key", "--profile", "self-signed", *PLAIN)
    step.create("a.test", "a.crt", "a.key", "--profile", "self-signed", "--subtle", *PLAIN)
    leaf = step.cert("a.crt")
    assert leaf.issuer == leaf.subject
    leaf.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    step.ok("certificate", "verify", "a.crt", "--roots", "a.crt", "--host", "a.test")


def test_keys_are_encrypted_and_private(step):
    step.create("Root", "root.crt", "root.key", "--profile", "root-ca", "--password-file", "pw")
    assert mode(step.path / "root.key") == mode(step.path / "root.crt") == 0o600
    assert (step.path / "root.key").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert openssl(step.path, "pkey", "-in", "root.key", "-passin", "file:pw").returncode == 0
    assert openssl(step.path, "pkey", "-in", "root.key", "-passin", "file:wrong").returncode != 0
    leaf = ["certificate", "create", "web", "web.crt", "web.key", "--ca", "root.crt", "--ca-key",
            "root.key", *PLAIN]
    step.fails("password incorrect", *leaf, "--ca-password-file", "wrong")
    step.fails("--ca-password-file", *leaf)
    assert not (step.path / "web.key").exists()
    step.ok(*leaf, "--ca-password-file", "pw")


def test_request_verifies_and_names_its_subject(step):
    done = step.create("--csr", "db.test", "db.csr", "db.key", *PLAIN)
    assert "Your certificate signing request has been saved in db.csr." in done.stderr.decode()
    csr = x509.load_pem_x509_csr((step.path / "db.csr").read_bytes())
    assert csr.is_signature_valid
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["db.test"]
    step.create("--csr", "--key", "db.key", "other.test", "other.csr")
    again = x509.load_pem_x509_csr((step.path / "other.csr").read_bytes())
    assert again.public_key().public_numbers() == csr.public_key().public_numbers()


def test_key_of_a_file_is_used(pki):
    openssl(pki.path, "genpkey", "-algorithm", "ed25519", "-out", "own.key")
    openssl(pki.path, "pkey", "-in", "own.key", "-pubout", "-out", "own.pub")
    ca = ["--ca", "int.crt", "--ca-key", "int.key"]
    pki.create("web.test", "own.crt", "--key", "own.key", *ca)
    expected = serialization.load_pem_public_key((pki.path / "own.pub").read_bytes())
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert pki.cert("own.crt").public_key().public_bytes(*raw) == expected.public_bytes(*raw)
    pki.fails("expected a private key", "certificate", "create", "web.test", "pub.crt", "--key",
              "own.pub", *ca)
    pki.create("web.test", "pub.crt", "--key", "own.pub", "--skip-csr-signature", *ca)
    assert pki.cert("pub.crt").public_key().public_bytes(*raw) == expected.public_bytes(*raw)
    # An X25519 key cannot sign a request.
    openssl(pki.path, "genpkey", "-algorithm", "x25519", "-out", "x.key")
    pki.fails("", "certificate", "create", "web.test", "x.crt", "--key", "x.key", *ca)
    pki.create("web.test", "x.crt", "--key", "x.key", "--skip-csr-signature", *ca)


def test_rsa_issuer_keeps_the_algorithm_of_its_certificate(step):
    openssl(step.path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "r.key", "-out",
            "r.crt", "-subj", "/CN=R", "-sha512", "-addext", "keyUsage=critical,keyCertSign")
    step.create("web.test", "web.crt", "web.key", "--ca", "r.crt", "--ca-key", "r.key", *PLAIN)
    assert isinstance(step.cert("web.crt").signature_hash_algorithm, hashes.SHA512)


def test_only_a_ca_with_room_below_it_signs(pki):
    base = ["certificate", "create", "x", "x.crt", "x.key", *PLAIN]
    pki.fails("path length", *base, "--profile", "intermediate-ca", "--ca", "int.crt", "--ca-key",
              "int.key")
    pki.fails("not a CA", *base, "--ca", "web.crt", "--ca-key", "web.key")
    pki.fails("does not belong", *base, "--ca", "int.crt", "--ca-key", "root.key")
    openssl(pki.path, "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "d.key", "-out",
            "d.crt", "-subj", "/CN=D", "-addext", "keyUsage=digitalSignature")
    pki.fails("key usage", *base, "--ca", "d.crt", "--ca-key", "d.key")
    (pki.path / "two.crt").write_bytes((pki.path / "int.crt").read_bytes() * 2)
    pki.fails("expected one certificate", *base, "--ca", "two.crt", "--ca-key", "int.key")
    assert not (pki.path / "x.crt").exists() and not (pki.path / "x.key").exists()


def test_name_constraints_of_the_ca_hold(step):
    openssl(step.path, "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "n.key", "-out",
            "n.crt", "-subj", "/CN=N", "-addext", "nameConstraints=critical,permitted;DNS:in.test")
    ca = ["--ca", "n.crt", "--ca-key", "n.key", *PLAIN]
    step.fails("out.test", "certificate", "create", "out.test", "o.crt", "o.key", *ca)
    step.create("a.in.test", "i.crt", "i.key", *ca)


def test_validity_can_be_chosen(pki):
    base = ["--ca", "int.crt", "--ca-key", "int.key", *PLAIN]
    pki.create("a", "a.crt", "a.key", *base, "--not-before", "-1h", "--not-after", "2h")
    cert = pki.cert("a.crt")
    assert cert.not_valid_after - cert.not_valid_before == datetime.timedelta(hours=3)
    pki.create("b", "b.crt", "b.key", *base, "--not-before", "2030-01-02T03:04:05Z")
    cert = pki.cert("b.crt")
    assert cert.not_valid_before == datetime.datetime(2030, 1, 2, 3, 4, 5)
    assert cert.not_valid_after == datetime.datetime(2030, 1, 3, 3, 4, 5)
    pki.fails("flag '--not-before 2h' is incompatible with flag '--not-after 1h'", "certificate",
              "create", "c", "c.crt", "c.key", *base, "--not-before", "2h", "--not-after", "1h")
    pki.fails("already expired", "certificate", "create", "c", "c.crt", "c.key", *base,
              "--not-after", "-1h")
    pki.fails("invalid value 'x' for flag '--not-after'", "certificate", "create", "c", "c.crt",
              "c.key", *base, "--not-after", "x")


def test_default_validity_ends_with_the_issuer(step):
    step.create("R", "r.crt", "r.key", "--profile", "root-ca", "--not-after", "1h", *PLAIN)
    ca = ["--ca", "r.crt", "--ca-key", "r.key", *PLAIN]
    step.create("a", "a.crt", "a.key", *ca)
    assert step.cert("a.crt").not_valid_after == step.cert("r.crt").not_valid_after
    done = step.create("b", "b.crt", "b.key", *ca, "--not-after", "2h")
    assert "ends after the one of its issuer" in done.stderr.decode()


CREATE_ERRORS = [
    (["a", "c"], "not enough positional arguments were provided in 'step certificate create "
                 "<subject> <crt-file> <key-file>'"),
    (["a"], "not enough positional arguments were provided in 'step certificate create "
            "<subject> <crt-file> <key-file>'"),
    (["a", "c", "k", "x"], "too many positional arguments were provided in 'step certificate "
                           "create <subject> <crt-file> <key-file>'"),
    (["a", "c", "c"], "positional arguments <crt-file> and <key-file> cannot be equal in 'step "
                      "certificate create <subject> <crt-file> <key-file>'"),
    (["a", "c", "./c"], "cannot be equal"),
    (["a", "c", "k", "--profile", "root-ca", "--no-password"],
     "flag '--no-password' requires the '--insecure' flag"),
    (["a", "c", "k", "--profile", "leaf"], "'--profile leaf' requires the '--ca' flag"),
    (["a", "c", "k"], "'--profile leaf' requires the '--ca' flag"),
    (["a", "c", "k", "--ca", "x"], "'--profile leaf' requires the '--ca-key' flag"),
    (["a", "c", "k", "--profile", "intermediate-ca"],
     "'--profile intermediate-ca' requires the '--ca' flag"),
    (["a", "c", "k", "--profile", "bogus"],
     "invalid value 'bogus' for flag '--profile'; options are leaf, intermediate-ca, root-ca, "
     "self-signed"),
    (["a", "c", "k", "--profile", ""], "missing value for flag '--profile'"),
    (["a", "c", "k", "--profile", "root-ca", "--ca", "x"],
     "flag '--ca' is incompatible with flag '--profile root-ca'"),
    (["a", "c", "k", "--profile", "root-ca", "--ca-key", "x"],
     "flag '--ca-key' is incompatible with flag '--profile root-ca'"),
    (["a", "c", "k", "--profile", "self-signed", "--subtle", "--ca", "x"],
     "flag '--ca' is incompatible with flag '--profile self-signed'"),
    (["a", "c", "k", "--profile", "root-ca", "--bundle"],
     "flag '--bundle' is incompatible with flag '--profile root-ca'"),
    (["a", "c", "k", "--csr", "--bundle"], "flag '--bundle' is incompatible with '--csr'"),
    (["a", "c", "k", "--csr", "--profile", "root-ca"],
     "flag '--profile root-ca' is incompatible with '--csr'"),
    (["a", "c", "k", "--csr", "--ca", "x"], "flag '--ca' is incompatible with '--csr'"),
    (["a", "c", "k", "--csr", "--not-after", "1h"],
     "flag '--not-after' is incompatible with '--csr'"),
    (["a", "c", "k", "--csr", "--skip-csr-signature"],
     "flag '--skip-csr-signature' is incompatible with '--csr'"),
    (["a", "c", "--csr", "--key", "x", "--kty", "EC"], "flag '--key' is incompatible with '--kty'"),
    (["a", "c", "k", "--csr", "--curve", "P-256"], "flag '--curve' requires the '--kty' flag"),
    (["a", "c", "k", "--csr", "--kty", "RSA", "--size", "1024"],
     "flag '--size' requires at least 2048 unless '--insecure' flag is provided"),
    (["", "c", "k", "--profile", "root-ca"], "subject of a CA must not be empty"),
    (["", "c", "k", "--csr"], "neither a subject nor a '--san'"),
    (["a", "c", "k", "--csr"], "--password-file"),
    (["a", "c", "k", "--template", "x"], "open x failed"),
]


@pytest.mark.parametrize("words,text", CREATE_ERRORS)
def test_create_says_what_is_wrong_and_writes_nothing(step, words, text):
    step.fails(text, "certificate", "create", *words)
    assert not (step.path / "c").exists() and not (step.path / "k").exists()


def test_existing_files_need_force(step):
    (step.path / "r.crt").write_text("old")
    (step.path / "r.crt").chmod(0o640)
    root = ["certificate", "create", "R", "r.crt", "r.key", "--profile", "root-ca", *PLAIN]
    step.fails("--force", *root)
    assert (step.path / "r.crt").read_text() == "old" and not (step.path / "r.key").exists()
    step.ok(*root, "--force")
    assert mode(step.path / "r.crt") == 0o640 and mode(step.path / "r.key") == 0o600


# --- inspect ----------------------------------------------------------------------------------


def test_inspect_shows_text_short_json_and_pem(pki):
    text = pki.ok("certificate", "inspect", "web.crt").stdout.decode()
    serial = pki.cert("web.crt").serial_number
    assert text.startswith("Certificate:\n    Data:\n        Version: 3 (0x2)\n")
    assert f"        Serial Number: {serial} (0x{serial:x})\n" in text.replace("(0x0", "(0x")
    assert "                DNS:web.test\n" in text
    short = pki.ok("certificate", "inspect", "--short", "web.crt").stdout.decode()
    assert short.startswith("X.509v3 TLS Certificate (ECDSA P-256) [Serial: ")
    shown = json.loads(pki.ok("certificate", "inspect", "web.crt", "--format", "json").stdout)
    assert shown["serial_number"] == str(serial)
    assert shown["extensions"]["subject_alt_name"]["dns_names"] == ["web.test"]
    assert shown["fingerprint_sha256"] == pki.cert("web.crt").fingerprint(hashes.SHA256()).hex()
    pem = pki.ok("certificate", "inspect", "web.crt", "--format", "pem").stdout
    assert pem == (pki.path / "web.crt").read_bytes()


def test_inspect_reads_standard_input_der_and_bundles(pki):
    der = pki.cert("web.crt").public_bytes(serialization.Encoding.DER)
    first = pki.ok("certificate", "inspect", "web.crt").stdout
    assert pki.ok("certificate", "inspect", stdin=der).stdout == first
    assert pki.ok("certificate", "inspect", "-", stdin=b"\xef\xbb\xbfjunk\n" +
                  (pki.path / "web.crt").read_bytes()).stdout == first
    both = (pki.path / "web.crt").read_bytes() + (pki.path / "int.crt").read_bytes()
    (pki.path / "both.crt").write_bytes(both)
    assert pki.ok("certificate", "inspect", "both.crt").stdout == first
    second = pki.ok("certificate", "inspect", "int.crt").stdout
    assert pki.ok("certificate", "inspect", "--bundle", "both.crt").stdout == first + second
    shown = json.loads(pki.ok("certificate", "inspect", "--bundle", "both.crt", "--format",
                              "json").stdout)
    assert [c["subject"]["common_name"] for c in shown] == [["web.test"], ["Intermediate"]]
    one = json.loads(pki.ok("certificate", "inspect", "--bundle", "web.crt", "--format",
                            "json").stdout)
    assert len(one) == 1
    pem = pki.ok("certificate", "inspect", "--bundle", "both.crt", "--format", "pem").stdout
    assert pem == both


def test_inspect_shows_requests(step):
    step.create("--csr", "db.test", "db.csr", "db.key", *PLAIN)
    assert step.ok("certificate", "inspect", "db.csr").stdout.startswith(b"Certificate Request:\n")
    short = step.ok("certificate", "inspect", "db.csr", "--short").stdout.decode()
    assert short.startswith("X.509v3 Certificate Signing Request (ECDSA P-256)\n")
    json.loads(step.ok("certificate", "inspect", "db.csr", "--format", "json").stdout)
    pem = step.ok("certificate", "inspect", "db.csr", "--format", "pem").stdout
    assert pem == (step.path / "db.csr").read_bytes()


def test_inspect_refuses_what_is_nothing(pki):
    pki.fails("", "certificate", "inspect", stdin=os.urandom(512))
    pki.fails("contains no certificate", "certificate", "inspect", "web.key")
    pki.fails("no such file or directory", "certificate", "inspect", "nothing.crt")
    pki.fails("flag '--short' is incompatible with flag '--format json'", "certificate", "inspect",
              "web.crt", "--short", "--format", "json")
    pki.fails("invalid value 'xml' for flag '--format'; options are text, json, pem", "certificate",
              "inspect", "web.crt", "--format", "xml")
    broken = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    pki.fails("error parsing", "certificate", "inspect", stdin=broken)


# --- fingerprint ------------------------------------------------------------------------------


def test_fingerprint_equals_that_of_openssl(pki):
    done = openssl(pki.path, "x509", "-in", "web.crt", "-noout", "-fingerprint", "-sha256")
    expected = done.stdout.decode().split("=")[1].strip().replace(":", "").lower()
    assert pki.ok("certificate", "fingerprint", "web.crt").stdout.decode() == expected + "\n"
    sha1 = pki.ok("certificate", "fingerprint", "web.crt", "--sha1", "--insecure").stdout.decode()
    assert sha1 == pki.cert("web.crt").fingerprint(hashes.SHA1()).hex() + "\n"
    pki.fails("flag '--sha1' requires the '--insecure' flag", "certificate", "fingerprint",
              "web.crt", "--sha1")


def symbols(digest):
    """The table of the source file, read anew."""
    source = Path(__file__).parents[2] / "src/cli/notation_emoji.c"
    table = re.findall(r'"(.*?)"', source.read_text().split("= {")[1])
    assert len(table) == len(set(table)) == 256
    return "".join(table[byte] for byte in digest)


@pytest.mark.parametrize("name,encode", [
    ("hex", lambda d: d.hex().encode()),
    ("HEX", lambda d: d.hex().encode()),
    ("base64", base64.b64encode),
    ("base64-url", base64.urlsafe_b64encode),
    ("base64url", base64.urlsafe_b64encode),
    ("base64-raw", lambda d: base64.b64encode(d).rstrip(b"=")),
    ("base64-url-raw", lambda d: base64.urlsafe_b64encode(d).rstrip(b"=")),
    ("base64url-raw", lambda d: base64.urlsafe_b64encode(d).rstrip(b"=")),
    ("base64urlraw", lambda d: base64.urlsafe_b64encode(d).rstrip(b"=")),
    ("emoji", lambda d: symbols(d).encode()), ("Emojisum", lambda d: symbols(d).encode()),
])
def test_fingerprint_in_every_notation(pki, name, encode):
    digest = pki.cert("web.crt").fingerprint(hashes.SHA256())
    done = pki.ok("certificate", "fingerprint", "web.crt", "--format", name)
    assert done.stdout == encode(digest) + b"\n"


def test_fingerprint_of_bundles_and_requests(pki):
    (pki.path / "both.crt").write_bytes((pki.path / "web.crt").read_bytes() +
                                        (pki.path / "int.crt").read_bytes())
    lines = pki.ok("certificate", "fingerprint", "--bundle", "both.crt").stdout.decode()
    assert lines == "".join(f"{i}: {pki.cert(n).fingerprint(hashes.SHA256()).hex()}\n"
                            for i, n in enumerate(["web.crt", "int.crt"]))
    pki.create("--csr", "db.test", "db.csr", "db.key", *PLAIN)
    der = x509.load_pem_x509_csr((pki.path / "db.csr").read_bytes()).public_bytes(
        serialization.Encoding.DER)
    assert pki.ok("certificate", "fingerprint", "db.csr").stdout.decode() == (
        hashlib.sha256(der).hexdigest() + "\n")
    assert pki.ok("certificate", "fingerprint", "db.csr", "--bundle").stdout.decode() == (
        f"0: {hashlib.sha256(der).hexdigest()}\n")
    pki.fails("invalid value 'octal' for flag '--format'", "certificate", "fingerprint", "web.crt",
              "--format", "octal")


# --- verify -----------------------------------------------------------------------------------


@pytest.fixture
def chain(pki):
    (pki.path / "chain.crt").write_bytes((pki.path / "web.crt").read_bytes() +
                                         (pki.path / "int.crt").read_bytes())
    pki.create("Other", "other.crt", "other.key", "--profile", "root-ca", *PLAIN)
    return pki


def test_verify_is_silent_about_a_good_chain(chain):
    for words in (["chain.crt", "--roots", "root.crt"], ["web.crt", "--roots", "int.crt"],
                  ["chain.crt", "--roots", "other.crt,root.crt"],
                  ["chain.crt", "--roots", "root.crt", "--host", "web.test"]):
        done = chain.ok("certificate", "verify", *words)
        assert done.stdout == done.stderr == b""
    (chain.path / "roots").mkdir()
    (chain.path / "roots" / "notes.txt").write_text("nothing")
    (chain.path / "roots" / "r.pem").write_bytes((chain.path / "root.crt").read_bytes())
    chain.ok("certificate", "verify", "chain.crt", "--roots", "roots")
    assert b"chain is valid" in chain.ok("certificate", "verify", "chain.crt", "--roots",
                                         "root.crt", "-v").stdout


def test_verify_refuses(chain):
    verify = ["certificate", "verify"]
    chain.fails("failed to verify", *verify, "chain.crt", "--roots", "other.crt")
    chain.fails("failed to verify", *verify, "web.crt", "--roots", "root.crt")
    chain.fails("no such file or directory", *verify, "chain.crt", "--roots", "nothing.crt")
    chain.fails("no certificate", *verify, "chain.crt", "--roots", "root.key")
    chain.fails("web.example", *verify, "chain.crt", "--roots", "root.crt", "--host", "web.example")
    chain.fails("no such file or directory", *verify, "nothing.crt", "--roots", "root.crt")
    chain.fails("contains no certificate", *verify, "web.key", "--roots", "root.crt")
    (chain.path / "bogus").write_text("bogus\n")
    chain.fails("bogus contains an invalid PEM block", *verify, "bogus", "--roots", "root.crt")
    (chain.path / "tail.crt").write_bytes((chain.path / "chain.crt").read_bytes() + b"tail\n")
    chain.fails("tail.crt contains an invalid PEM block", *verify, "tail.crt", "--roots",
                "root.crt")
    chain.create("old", "old.crt", "old.key", "--ca", "int.crt", "--ca-key", "int.key",
                 "--not-before", "-2h", "--not-after", "-1h", *PLAIN)
    chain.fails("expired", *verify, "old.crt", "--roots", "int.crt")


class Lists(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.bodies.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def lists():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    server.bodies = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def make_crl(pki, ca, key, serials=(), days=1, pem=False, critical=None):
    cert = pki.cert(ca)
    private = serialization.load_pem_private_key((pki.path / key).read_bytes(), None)
    now = datetime.datetime.utcnow() - datetime.timedelta(days=10)
    crl = x509.CertificateRevocationListBuilder().issuer_name(cert.subject).last_update(
        now).next_update(now + datetime.timedelta(days=10 + days))
    for serial in serials:
        crl = crl.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(
            serial).revocation_date(now).build())
    if critical:
        crl = crl.add_extension(critical, True)
    encoding = serialization.Encoding.PEM if pem else serialization.Encoding.DER
    return crl.sign(private, hashes.SHA256()).public_bytes(encoding)


def test_verify_asks_the_revocation_list(chain, lists):
    url = f"http://127.0.0.1:{lists.server_port}"
    serial = chain.cert("web.crt").serial_number
    lists.bodies = {
        "/good": make_crl(chain, "int.crt", "int.key", [serial + 1]),
        "/pem": make_crl(chain, "int.crt", "int.key", pem=True),
        "/revoked": make_crl(chain, "int.crt", "int.key", [1, serial]),
        "/stale": make_crl(chain, "int.crt", "int.key", days=-1),
        "/foreign": make_crl(chain, "other.crt", "other.key"),
        "/odd": make_crl(chain, "int.crt", "int.key",
                         critical=x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"")),
        "/bytes": b"nothing",
    }
    verify = ["certificate", "verify", "chain.crt", "--roots", "root.crt", "--verify-crl"]
    chain.ok(*verify, "--crl-endpoint", url + "/good")
    chain.ok(*verify, "--crl-endpoint", url + "/pem")
    chain.ok(*verify, "--crl-endpoint", url + "/good", "--issuing-ca", "int.crt")
    chain.fails("revoked", *verify, "--crl-endpoint", url + "/revoked")
    chain.fails("out of date", *verify, "--crl-endpoint", url + "/stale")
    chain.fails("CRL", *verify, "--crl-endpoint", url + "/foreign")
    chain.fails("critical", *verify, "--crl-endpoint", url + "/odd")
    chain.fails("CRL", *verify, "--crl-endpoint", url + "/bytes")
    chain.fails("404", *verify, "--crl-endpoint", url + "/none")
    chain.fails("", *verify, "--crl-endpoint", "http://127.0.0.1:1/crl")
    chain.fails("--crl-endpoint", *verify)
    chain.fails("is not the issuer", *verify, "--crl-endpoint", url + "/good", "--issuing-ca",
                "other.crt")
    chain.ok(*verify, "--crl-endpoint", url + "/foreign", "--insecure")


def test_verify_tries_the_distribution_points_in_turn(step, lists):
    url = f"http://127.0.0.1:{lists.server_port}"
    step.create("Root", "root.crt", "root.key", "--profile", "root-ca", *PLAIN)
    ext = f"crlDistributionPoints=URI:{url}/none,URI:{url}/crl"
    openssl(step.path, "req", "-newkey", "ed25519", "-nodes", "-keyout", "w.key", "-out", "w.csr",
            "-subj", "/CN=w", "-addext", ext)
    done = openssl(step.path, "x509", "-req", "-in", "w.csr", "-CA", "root.crt", "-CAkey",
                   "root.key", "-out", "w.crt", "-days", "1", "-copy_extensions", "copyall")
    assert done.returncode == 0, done.stderr
    verify = ["certificate", "verify", "w.crt", "--roots", "root.crt", "--verify-crl"]
    step.fails("404", *verify)
    lists.bodies["/crl"] = make_crl(step, "root.crt", "root.key")
    step.ok(*verify)
    lists.bodies["/none"] = make_crl(step, "root.crt", "root.key",
                                     [step.cert("w.crt").serial_number])
    step.fails("revoked", *verify)


# --- Servers ----------------------------------------------------------------------------------


@pytest.fixture
def server(pki):
    pki.create("localhost", "srv.crt", "srv.key", "--ca", "int.crt", "--ca-key", "int.key",
               "--bundle", "--san", "localhost", *PLAIN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.path / "srv.crt", pki.path / "srv.key")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    httpd.bodies = {}
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd.server_port
    httpd.shutdown()


def test_certificates_of_a_server(pki, server):
    url, roots = f"https://localhost:{server}/path", ["--roots", "root.crt"]
    expected = pki.cert("srv.crt").fingerprint(hashes.SHA256()).hex()
    done = pki.ok("certificate", "fingerprint", url, *roots)
    assert done.stdout.decode() == expected + "\n"
    lines = pki.ok("certificate", "fingerprint", "--bundle", f"TLS://localhost:{server}", *roots)
    assert lines.stdout.decode().splitlines()[1] == (
        "1: " + pki.cert("int.crt").fingerprint(hashes.SHA256()).hex())
    pki.ok("certificate", "verify", url, *roots)
    assert pki.ok("certificate", "inspect", url, *roots).stdout.startswith(b"Certificate:")
    pki.fails("", "certificate", "needs-renewal", url, *roots)
    pki.ok("certificate", "needs-renewal", url, *roots, "--expires-in", "25h")


def test_server_that_is_not_trusted(pki, server):
    url = f"https://localhost:{server}"
    pki.create("Other", "other.crt", "other.key", "--profile", "root-ca", *PLAIN)
    pki.fails("", "certificate", "inspect", url, "--roots", "other.crt")
    pki.fails("", "certificate", "inspect", url)
    pki.fails("", "certificate", "verify", url, "--roots", "other.crt")
    pki.fails("", "certificate", "needs-renewal", url, "--roots", "other.crt", status=255)
    pki.fails("", "certificate", "inspect", f"https://127.0.0.1:{server}", "--roots", "root.crt")
    pki.ok("certificate", "inspect", f"https://127.0.0.1:{server}", "--roots", "root.crt",
           "--servername", "localhost")
    pki.ok("certificate", "inspect", url, "--insecure")
    pki.fails("", "certificate", "inspect", "https://127.0.0.1:1", "--insecure")
    pki.fails("expected a port", "certificate", "inspect", "https://localhost:99999")


# --- A mark of the byte order, and extensions that do not decode --------------------------------


def test_a_byte_order_mark_hides_no_certificate(pki):
    pem = (pki.path / "web.crt").read_bytes() + (pki.path / "int.crt").read_bytes()
    (pki.path / "bom.crt").write_bytes(b"\xef\xbb\xbf" + pem)
    der = pki.ok("certificate", "format", "bom.crt").stdout
    assert x509.load_der_x509_certificate(der) == pki.cert("web.crt")
    assert pki.ok("certificate", "format", stdin=b"\xef\xbb\xbf" + pem).stdout == der
    (pki.path / "roots").mkdir()
    root = (pki.path / "root.crt").read_bytes()
    (pki.path / "roots" / "r.pem").write_bytes(b"\xef\xbb\xbf" + root)
    pki.ok("certificate", "verify", "bom.crt", "--roots", "roots")


@pytest.mark.parametrize("oid, value", [("2.5.29.37", "0500"), ("2.5.29.15", "0500"),
                                        ("2.5.29.19", "0101ff"), ("2.5.29.17", "ff")])
def test_an_odd_extension_does_not_end_the_output(pki, oid, value):
    made = x509.CertificateBuilder(
        issuer_name=x509.Name([]), subject_name=x509.Name([x509.NameAttribute(
            NameOID.COMMON_NAME, "odd")]), serial_number=7,
        not_valid_before=datetime.datetime(2026, 1, 1),
        not_valid_after=datetime.datetime(2036, 1, 1))
    key = ec.generate_private_key(ec.SECP256R1())
    made = made.public_key(key.public_key()).add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value)), False)
    (pki.path / "odd.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM))
    text = pki.ok("certificate", "inspect", "odd.crt").stdout.decode()
    assert "Subject: CN=odd" in text and "    Signature Algorithm: ECDSA-SHA256\n" in text
    shown = json.loads(pki.ok("certificate", "inspect", "odd.crt", "--format", "json").stdout)
    assert shown["unknown_extensions"] == [{
        "id": oid, "critical": False,
        "value": base64.b64encode(bytes.fromhex(value)).decode()}]
    pki.ok("certificate", "inspect", "odd.crt", "--short")
    pki.fails("odd.crt", "certificate", "verify", "odd.crt", "--roots", "root.crt")


# --- needs-renewal ----------------------------------------------------------------------------


def test_needs_renewal_answers_with_its_exit_code(pki):
    base = ["--ca", "int.crt", "--ca-key", "int.key", *PLAIN]
    pki.create("half", "half.crt", "half.key", "--not-before", "-1h", "--not-after", "1h", *base)
    pki.create("old", "old.crt", "old.key", "--not-before", "-2h", "--not-after", "-1h", *base)
    cases = [
        (["half.crt"], 1), (["half.crt", "--expires-in", "50%"], 0),
        (["half.crt", "--expires-in", "49%"], 0), (["half.crt", "--expires-in", "51%"], 1),
        (["half.crt", "--expires-in", "61m"], 0), (["half.crt", "--expires-in", "59m"], 1),
        (["half.crt", "--expires-in", "0s"], 1), (["old.crt"], 0),
        (["half.crt", "--expires-in", ""], 1), (["old.crt", "--expires-in", ""], 0),
        (["half.crt", "--expires-in", "+50%"], 0), (["half.crt", "--expires-in", "+51%"], 1),
        (["half.crt", "--expires-in", "+"], 255), (["half.crt", "--expires-in", "%"], 255),
        (["half.crt", "--expires-in", "+%"], 255), (["half.crt", "--expires-in", "++5%"], 255),
        (["old.crt", "--expires-in", "0s"], 0), (["half.crt", "--expires-in", "101%"], 255),
        (["half.crt", "--expires-in", "x"], 255), (["half.crt", "--expires-in", "1.5%"], 255),
        (["nothing.crt"], 2), (["web.key"], 255), (["."], 255), ([], 255),
        (["half.crt", "old.crt"], 255), (["https://127.0.0.1:1"], 255), (["https://:1"], 255),
    ]
    for words, status in cases:
        done = pki.run("certificate", "needs-renewal", *words)
        assert done.returncode == status, (words, done.returncode, done.stderr)
        assert done.stdout == b""
        assert bool(done.stderr) == (status > 1)


def test_needs_renewal_speaks_when_asked_and_looks_at_bundles(pki):
    base = ["--ca", "int.crt", "--ca-key", "int.key", *PLAIN]
    pki.create("old", "old.crt", "old.key", "--not-before", "-2h", "--not-after", "-1h", *base)
    (pki.path / "both.crt").write_bytes((pki.path / "web.crt").read_bytes() +
                                        (pki.path / "old.crt").read_bytes())
    done = pki.run("certificate", "needs-renewal", "both.crt", "-v")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"certificate does not need renewal\n"
    done = pki.run("certificate", "needs-renewal", "both.crt", "--bundle", "--verbose")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"certificate needs renewal\n", b"")


def test_unknown_commands_of_the_group_have_exit_code_3(step):
    step.fails("No help topic for 'extract'", "certificate", "extract", "x", status=3)
    step.fails("No help topic for 'linter'", "certificate", "linter", "x", status=3)
    assert step.run("certificate").returncode == 0
