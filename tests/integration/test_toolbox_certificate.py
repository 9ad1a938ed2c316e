"""`step certificate bundle, format, key, lint, p12, sign, verify --verify-ocsp` and `step crl`:
openssl, python-cryptography, NSS and Java look at what comes out."""

import datetime
import hashlib
import http.server
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import traceback

import pytest
from conftest import SLOW, STEP, free_port, make_cert, make_csr, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PLAIN = ["--no-password", "--insecure"]
PASSWORD = b"correct horse"


class Tool:
    """Runs programs in a directory of its own, without a terminal."""

    def __init__(self, path):
        self.path = path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("STEP")}
        self.env.update(STEPPATH=str(path / ".step"), HOME=str(path))

    def call(self, *words, stdin=b"", env=None):
        return subprocess.run([str(w) for w in words], input=stdin, cwd=self.path,
                              env={**self.env, **(env or {})}, capture_output=True,
                              timeout=120 * SLOW, start_new_session=True, check=False)

    def run(self, *words, **more):
        return self.call(STEP, *words, **more)

    def ok(self, *words, **more):
        done = self.run(*words, **more)
        assert done.returncode == 0, done.stderr.decode()
        return done

    def fails(self, text, *words, status=1, **more):
        done = self.run(*words, **more)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert text in done.stderr.decode(), done.stderr.decode()
        return done

    def openssl(self, *words, **more):
        done = self.call("openssl", *words, **more)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def put(self, name, content):
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def get(self, name):
        return (self.path / name).read_bytes()

    def cert(self, name):
        return x509.load_pem_x509_certificate(self.get(name))


@pytest.fixture
def tool(tmp_path):
    made = Tool(tmp_path)
    made.put("pw", PASSWORD + b"\n")
    return made


@pytest.fixture
def pki(tool):
    create = ["certificate", "create"]
    tool.ok(*create, "Root", "root.crt", "root.key", "--profile", "root-ca", *PLAIN)
    tool.ok(*create, "Intermediate", "int.crt", "int.key", "--profile", "intermediate-ca", "--ca",
            "root.crt", "--ca-key", "root.key", *PLAIN)
    tool.ok(*create, "web.test", "web.crt", "web.key", "--ca", "int.crt", "--ca-key", "int.key",
            *PLAIN)
    return tool


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def extension(cert, kind):
    return cert.extensions.get_extension_for_class(kind).value


# --- bundle, format, key ------------------------------------------------------------------------


def test_bundle_puts_two_certificates_into_one_file(pki):
    done = pki.ok("certificate", "bundle", "web.crt", "int.crt", "chain.crt")
    assert b"Your certificate has been saved in chain.crt." in done.stderr and not done.stdout
    assert pki.get("chain.crt") == pki.get("web.crt") + pki.get("int.crt")
    assert mode(pki.path / "chain.crt") == 0o600
    # Only the first of a file that has several, and none of what stands around it.
    pki.put("many.pem", b"text\n" + pki.get("chain.crt"))
    pki.fails("--force", "certificate", "bundle", "many.pem", "root.crt", "chain.crt")
    pki.ok("certificate", "bundle", "--force", "many.pem", "root.crt", "chain.crt")
    assert pki.get("chain.crt") == pki.get("web.crt") + pki.get("root.crt")
    for crt, ca in (("nothing", "int.crt"), ("web.key", "int.crt"), ("web.crt", "pw")):
        pki.fails("", "certificate", "bundle", crt, ca, "new.crt")
        assert not (pki.path / "new.crt").exists()


def test_format_goes_both_ways(pki):
    der = pki.cert("web.crt").public_bytes(serialization.Encoding.DER)
    assert pki.ok("certificate", "format", "web.crt").stdout == der
    assert pki.ok("certificate", "format", "-", stdin=der).stdout == pki.get("web.crt")
    assert pki.ok("certificate", "format", stdin=pki.get("web.crt")).stdout == der
    os.chmod(pki.path / "web.crt", 0o644)
    pki.ok("certificate", "format", "web.crt", "--out", "web.der")
    assert pki.get("web.der") == der and mode(pki.path / "web.der") == 0o644
    _, csr = make_csr(["web.test"])
    pki.put("web.csr", csr)
    as_der = pki.ok("certificate", "format", "web.csr").stdout
    assert x509.load_der_x509_csr(as_der).is_signature_valid
    assert pki.ok("certificate", "format", stdin=as_der).stdout.decode() == csr
    pki.fails("error decoding", "certificate", "format", "web.key")
    pki.fails("error decoding standard input", "certificate", "format", stdin=b"\x30\x03\x02\x01\x01")
    pki.fails("--force", "certificate", "format", "web.crt", "--out", "web.der")


def test_key_is_the_public_key(pki):
    def expected(key):
        return key.public_bytes(serialization.Encoding.PEM,
                                serialization.PublicFormat.SubjectPublicKeyInfo)

    key, csr = make_csr(["a.test"], ed25519.Ed25519PrivateKey.generate())
    pki.put("a.csr", csr)
    web = expected(pki.cert("web.crt").public_key())
    der = pki.cert("web.crt").public_bytes(serialization.Encoding.DER)
    for words, stdin, answer in [
            (["web.crt"], b"", web), (["a.csr"], b"", expected(key.public_key())),
            (["web.key"], b"", web), (["-"], pki.get("web.crt"), web), (["-"], der, web)]:
        assert pki.ok("certificate", "key", *words, stdin=stdin).stdout == answer
    done = pki.ok("certificate", "key", "web.crt", "--out", "web.pub")
    assert not done.stdout and b"Your public key has been saved in web.pub." in done.stderr
    assert pki.get("web.pub") == web and mode(pki.path / "web.pub") == 0o600
    pki.fails("--force", "certificate", "key", "web.crt", "--output-file", "web.pub")
    pki.fails("", "certificate", "key", "pw")
    pki.fails("not enough", "certificate", "key")


# --- lint ---------------------------------------------------------------------------------------


def test_lint_tells_errors_and_keeps_quiet_about_good_ones(pki):
    done = pki.ok("certificate", "lint", "web.crt")
    assert b"error" not in done.stdout
    pki.put("chain.crt", pki.get("web.crt") + pki.get("int.crt") + pki.get("root.crt"))
    report = json.loads(pki.ok("certificate", "lint", "chain.crt", "--bundle", "--format",
                               "json").stdout)
    assert [r["subject"] for r in report] == ["CN=web.test", "CN=Intermediate", "CN=Root"]
    assert all(r["errors"] == 0 for r in report)
    key = ec.generate_private_key(ec.SECP256R1())
    bad = make_cert("bad.test", key, ca=False, extensions=[
        (x509.BasicConstraints(False, None), False),
        (x509.NameConstraints([x509.DNSName("x.test")], None), False)])
    pki.put("bad.crt", pem_of(bad))
    done = pki.fails("error", "certificate", "lint", "bad.crt")
    assert b"constraints_of_leaf" in done.stdout
    report = json.loads(pki.fails("errors found", "certificate", "lint", "bad.crt", "--format",
                                  "json").stdout)
    rules = {f["rule"]: f["level"] for f in report["findings"]}
    assert rules["constraints_of_leaf"] == "error"
    assert report["errors"] == list(rules.values()).count("error")
    assert report["fingerprint_sha256"] == hashlib.sha256(
        bad.public_bytes(serialization.Encoding.DER)).hexdigest()
    pki.fails("options are text, json", "certificate", "lint", "web.crt", "--format", "xml")
    pki.fails("", "certificate", "lint", "pw")


# --- p12 ----------------------------------------------------------------------------------------


def legacy_openssl(tool):
    return tool.call("openssl", "list", "-providers", "-provider", "legacy").returncode == 0


@pytest.mark.parametrize("kind", ["modern", "legacy"])
def test_identity_is_read_by_others(pki, kind):
    pki.put("chain.crt", pki.get("web.crt") + pki.get("int.crt"))
    more = ["--legacy"] if kind == "legacy" else []
    done = pki.ok("certificate", "p12", "web.p12", "chain.crt", "web.key", "--ca", "root.crt",
                  "--password-file", "pw", *more)
    assert b"Your .p12 bundle has been saved as web.p12." in done.stderr
    assert mode(pki.path / "web.p12") == 0o600
    key, cert, others = pkcs12.load_key_and_certificates(pki.get("web.p12"), PASSWORD)
    assert cert == pki.cert("web.crt")
    assert key.public_key().public_numbers() == cert.public_key().public_numbers()
    assert {c.subject.rfc4514_string() for c in others} == {"CN=Root", "CN=Intermediate"}
    provider = ["-legacy"] if more else []
    text = pki.call("openssl", "pkcs12", "-in", "web.p12", "-passin", "file:pw", "-info", "-nodes",
                    *provider)
    assert text.returncode == 0, text.stderr
    # The same key id stands at the key and at its certificate alone.
    sha1 = hashlib.sha1(cert.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    assert text.stdout.decode().replace(" ", "").count(f"localKeyID:{sha1}") == 2
    shown = text.stderr.decode()
    if more:
        assert "sha1, Iteration 1\n" in shown
        assert "pbeWithSHA1And40BitRC2-CBC" in shown and "pbeWithSHA1And3-KeyTripleDES" in shown
    else:
        assert "sha256, Iteration 2048" in shown and "length: 16" in shown
        assert shown.count("PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256") == 2
    wrong = pki.call("openssl", "pkcs12", "-in", "web.p12", "-passin", "pass:wrong", "-nodes",
                     *provider)
    assert wrong.returncode != 0


@pytest.mark.parametrize("kty", [["--kty", "RSA"], ["--kty", "OKP"],
                                 ["--kty", "EC", "--curve", "P-521"]])
def test_identity_of_every_key_type(pki, kty):
    pki.ok("certificate", "create", "k.test", "k.crt", "k.key", "--ca", "int.crt", "--ca-key",
           "int.key", *kty, *PLAIN)
    pki.ok("certificate", "p12", "k.p12", "k.crt", "k.key", *PLAIN)
    key, cert, _ = pkcs12.load_key_and_certificates(pki.get("k.p12"), b"")
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*spki) == cert.public_key().public_bytes(*spki)


def test_p12_is_imported_by_nss(pki):
    if not shutil.which("certutil") or not shutil.which("pk12util"):
        pytest.skip("certutil and pk12util are not installed")
    pki.ok("certificate", "p12", "web.p12", "web.crt", "web.key", "--ca", "int.crt",
           "--password-file", "pw")
    assert pki.call("certutil", "-N", "-d", "sql:.", "--empty-password").returncode == 0
    done = pki.call("pk12util", "-i", "web.p12", "-d", "sql:.", "-w", "pw")
    assert done.returncode == 0, done.stdout + done.stderr
    keys = pki.call("certutil", "-K", "-d", "sql:.").stdout.decode()
    assert keys.count("ec") >= 1, keys


def test_p12_is_read_by_java(pki):
    if not shutil.which("keytool"):
        pytest.skip("keytool is not installed")
    pki.ok("certificate", "p12", "web.p12", "web.crt", "web.key", "--ca", "int.crt",
           "--password-file", "pw")
    pki.ok("certificate", "p12", "trust.p12", "--ca", "root.crt", "--ca", "int.crt",
           "--password-file", "pw")
    for name, entries in (("web.p12", {"PrivateKeyEntry": 1}),
                          ("trust.p12", {"trustedCertEntry": 2})):
        done = pki.call("keytool", "-list", "-keystore", name, "-storetype", "PKCS12",
                        "-storepass", PASSWORD.decode())
        text = done.stdout.decode()
        assert done.returncode == 0, text
        for entry, count in entries.items():
            assert text.count(entry) == count, text
    alias = f"cn=root - {pki.cert('root.crt').fingerprint(hashes.SHA256()).hex()}"
    assert alias in text.lower()


def test_p12_refuses(pki):
    p12 = ["certificate", "p12", "x.p12"]
    pki.fails("not enough positional arguments", *p12, "web.crt", *PLAIN)
    pki.fails("requires the '--ca' flag", *p12, *PLAIN)
    pki.fails("requires the '--insecure' flag", *p12, "web.crt", "web.key", "--no-password")
    pki.fails("incompatible", *p12, "web.crt", "web.key", "--password-file", "pw", *PLAIN)
    pki.fails("does not belong", *p12, "web.crt", "int.key", *PLAIN)
    pki.fails("--password-file", *p12, "web.crt", "web.key")
    pki.fails("", *p12, "web.crt", "web.key", "--ca", "pw", *PLAIN)
    assert not (pki.path / "x.p12").exists()


# --- sign ---------------------------------------------------------------------------------------


def csr_file(tool, name, names=("web.test",), **more):
    key, text = make_csr(names, **more)
    tool.put(name, text)
    return key


def sign(tool, *words, ca="int"):
    out = tool.ok("certificate", "sign", *words, f"{ca}.crt", f"{ca}.key").stdout
    tool.put("signed.crt", out)
    return x509.load_pem_x509_certificate(out)


def openssl_accepts(tool, *untrusted):
    words = [w for u in untrusted for w in ("-untrusted", u)]
    tool.openssl("verify", "-x509_strict", "-CAfile", "root.crt", *words, "signed.crt")


def test_leaf_is_signed(pki):
    key = csr_file(pki, "a.csr", ["a.test", "b.test"], common_name="Some Name")
    cert = sign(pki, "a.csr")
    openssl_accepts(pki, "int.crt")
    assert cert.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Some Name")])
    assert cert.public_key().public_numbers() == key.public_key().public_numbers()
    san = extension(cert, x509.SubjectAlternativeName)
    assert san.get_values_for_type(x509.DNSName) == ["a.test", "b.test"]
    assert list(extension(cert, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH,
                                                            ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extension(cert, x509.KeyUsage).key_encipherment
    assert cert.not_valid_after - cert.not_valid_before == datetime.timedelta(hours=24)
    rsa_key = rsa.generate_private_key(65537, 2048)
    csr_file(pki, "r.csr", key=rsa_key)
    assert extension(sign(pki, "r.csr"), x509.KeyUsage).key_encipherment


def test_common_name_is_a_name_only_where_there_is_no_other(pki):
    csr_file(pki, "cn.csr", [], common_name="cn.test")
    san = extension(sign(pki, "cn.csr"), x509.SubjectAlternativeName)
    assert san.get_values_for_type(x509.DNSName) == ["cn.test"]
    with pytest.raises(x509.ExtensionNotFound):
        extension(sign(pki, "--omit-cn-san", "cn.csr"), x509.SubjectAlternativeName)
    csr_file(pki, "empty.csr", [], common_name="")
    pki.fails("neither a subject nor a name", "certificate", "sign", "empty.csr", "int.crt",
              "int.key")


def test_validity_bundle_and_streams(pki):
    csr_file(pki, "a.csr")
    cert = sign(pki, "a.csr", "--not-before", "-1h", "--not-after", "720h")
    assert cert.not_valid_after - cert.not_valid_before == datetime.timedelta(hours=721)
    pki.put("chain.crt", pki.get("int.crt") + pki.get("root.crt"))
    done = pki.ok("certificate", "sign", "-", "chain.crt", "int.key", "--bundle",
                  stdin=pki.get("a.csr"))
    assert done.stdout.endswith(pki.get("chain.crt"))
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 3 and not done.stderr
    der = x509.load_pem_x509_csr(pki.get("a.csr")).public_bytes(serialization.Encoding.DER)
    pki.put("a.der", der)
    sign(pki, "a.der")
    pki.fails("incompatible", "certificate", "sign", "a.csr", "int.crt", "int.key", "--not-before",
              "2h", "--not-after", "1h")
    pki.openssl("pkey", "-in", "int.key", "-aes256", "-passout", "file:pw", "-out", "enc.key")
    pki.ok("certificate", "sign", "a.csr", "int.crt", "enc.key", "--password-file", "pw")
    pki.fails("--password-file", "certificate", "sign", "a.csr", "int.crt", "enc.key")


def test_path_length_is_kept(pki):
    csr_file(pki, "ca.csr", [], common_name="Sub CA")
    inter = ["--profile", "intermediate-ca"]
    cert = sign(pki, *inter, "ca.csr", ca="root")
    openssl_accepts(pki)
    assert extension(cert, x509.BasicConstraints) == x509.BasicConstraints(True, 0)
    usage = extension(cert, x509.KeyUsage)
    assert usage.key_cert_sign and usage.crl_sign and not usage.digital_signature
    assert (cert.not_valid_after - cert.not_valid_before).days >= 3649
    pki.fails("path length of 0", "certificate", "sign", *inter, "ca.csr", "int.crt", "int.key")
    for length in ("1", "-1"):
        pki.fails("path length of 1", "certificate", "sign", *inter, "--path-len", length, "ca.csr",
                  "root.crt", "root.key")
    pki.fails("--path-len", "certificate", "sign", *inter, "--path-len", "-2", "ca.csr", "root.crt",
              "root.key")
    # Below a root without a limit everything goes.
    key = ec.generate_private_key(ec.SECP256R1())
    pki.put("free.crt", pem_of(make_cert("Free", key, ca=True)))
    pki.put("free.key", pem_of(key))
    for length, expected in (("-1", None), ("3", 3)):
        cert = sign(pki, *inter, "--path-len", length, "ca.csr", ca="free")
        assert extension(cert, x509.BasicConstraints).path_length == expected


def test_profile_csr_copies_what_the_request_asks_for(pki):
    asked = [(x509.KeyUsage(True, *[False] * 8), True),
             (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
             (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False)]
    csr_file(pki, "c.csr", ["c.test"], extensions=asked)
    cert = sign(pki, "--profile", "csr", "c.csr")
    assert list(extension(cert, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert extension(cert, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == [
        "c.test"]
    assert cert.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.3.4"))
    assert (extension(cert, x509.AuthorityKeyIdentifier).key_identifier ==
            extension(pki.cert("int.crt"), x509.SubjectKeyIdentifier).digest)
    # A CA under a CA that must not have one is not signed in this way either.
    csr_file(pki, "ca.csr", [], common_name="CA", extensions=[(x509.BasicConstraints(True, None),
                                                               True)])
    pki.fails("path length of 0", "certificate", "sign", "--profile", "csr", "ca.csr", "int.crt",
              "int.key")


def test_sign_refuses(pki):
    csr_file(pki, "a.csr")
    words = ["certificate", "sign"]
    pki.fails("it is not a CA", *words, "a.csr", "web.crt", "web.key")
    pki.fails("does not belong", *words, "a.csr", "int.crt", "web.key")
    pki.fails("options are leaf, intermediate-ca, csr", *words, "--profile", "root-ca", "a.csr",
              "int.crt", "int.key")
    pki.put("bad.csr", b"nothing")
    pki.fails("error parsing bad.csr: error parsing certificate request as DER format", *words,
              "bad.csr", "int.crt", "int.key")
    csr = x509.load_pem_x509_csr(pki.get("a.csr")).public_bytes(serialization.Encoding.DER)
    pki.put("altered.csr", csr.replace(b"web.test", b"bad.test"))
    pki.fails("RFC 2986", *words, "altered.csr", "int.crt", "int.key")
    csr_file(pki, "weak.csr", key=rsa.generate_private_key(65537, 1024))
    pki.fails("weak.csr", *words, "weak.csr", "int.crt", "int.key")
    key = ec.generate_private_key(ec.SECP256R1())
    limits = x509.NameConstraints([x509.DNSName("inside.test")], None)
    pki.put("nc.crt", pem_of(make_cert("NC", key, ca=True, extensions=[(limits, True)])))
    pki.put("nc.key", pem_of(key))
    pki.fails("web.test", *words, "a.csr", "nc.crt", "nc.key")
    csr_file(pki, "in.csr", ["a.inside.test"])
    sign(pki, "in.csr", ca="nc")


# --- verify --verify-ocsp -----------------------------------------------------------------------


class Responder:
    """`openssl ocsp` answering on the loopback interface."""

    def __init__(self, tool, *words):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            ["openssl", "ocsp", "-index", "index.txt", "-port", str(self.port), "-CA", "int.crt",
             *words], cwd=tool.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True)
        line = self.process.stderr.readline()
        assert b"waiting for OCSP client connections" in line, line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def index_line(cert, state):
    end = cert.not_valid_after.strftime("%y%m%d%H%M%SZ")
    revoked = "260101000000Z,keyCompromise" if state == "R" else ""
    serial = f"{cert.serial_number:X}"
    serial = "0" * (len(serial) % 2) + serial
    return f"{state}\t{end}\t{revoked}\t{serial}\tunknown\t/CN=x\n"


@pytest.fixture
def ocsp(pki):
    pki.ok("certificate", "create", "gone.test", "gone.crt", "gone.key", "--ca", "int.crt",
           "--ca-key", "int.key", *PLAIN)
    pki.ok("certificate", "create", "new.test", "new.crt", "new.key", "--ca", "int.crt",
           "--ca-key", "int.key", *PLAIN)
    pki.put("index.txt", index_line(pki.cert("web.crt"), "V") +
            index_line(pki.cert("gone.crt"), "R"))
    for name in ("web", "gone", "new"):
        pki.put(f"{name}-chain.crt", pki.get(f"{name}.crt") + pki.get("int.crt"))
    key = ec.generate_private_key(ec.SECP256R1())
    inter = pki.cert("int.crt")
    inter_key = serialization.load_pem_private_key(pki.get("int.key"), None)
    use = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)]
    pki.put("ocsp.key", pem_of(key))
    pki.put("ocsp.crt", pem_of(make_cert("OCSP", key, inter, inter_key, extensions=use)))
    pki.put("plain.crt", pem_of(make_cert("OCSP", key, inter, inter_key)))
    return pki


VERIFY = ["certificate", "verify", "--roots", "root.crt", "--verify-ocsp"]


@pytest.mark.parametrize("signer", [["-rsigner", "int.crt", "-rkey", "int.key"],
                                    ["-rsigner", "int.crt", "-rkey", "int.key", "-resp_key_id"],
                                    ["-rsigner", "ocsp.crt", "-rkey", "ocsp.key", "-ndays", "1"]])
def test_ocsp_responder_is_asked(ocsp, signer):
    with Responder(ocsp, *signer) as responder:
        where = ["--ocsp-endpoint", responder.url]
        done = ocsp.ok(*VERIFY, *where, "web-chain.crt")
        assert done.stdout == done.stderr == b""
        assert b"certificate is good" in ocsp.ok(*VERIFY, *where, "web-chain.crt", "-v").stdout
        ocsp.fails("was revoked at 2026-01-01T00:00:00Z (reason 1)", *VERIFY, *where,
                   "gone-chain.crt")
        ocsp.fails("unknown to the OCSP responder", *VERIFY, *where, "new-chain.crt")
        # The issuer need not be in the path that was found.
        leaf = ["certificate", "verify", "--roots", "web.crt", "--verify-ocsp", *where, "web.crt"]
        ocsp.fails("--issuing-ca", *leaf)
        ocsp.ok(*leaf, "--issuing-ca", "int.crt")
        ocsp.fails("is not the issuer", *leaf, "--issuing-ca", "root.crt")


def test_ocsp_answer_of_a_stranger_is_none(ocsp):
    with Responder(ocsp, "-rsigner", "plain.crt", "-rkey", "ocsp.key") as responder:
        where = ["--ocsp-endpoint", responder.url]
        ocsp.fails("not for OCSP signing", *VERIFY, *where, "web-chain.crt")
        ocsp.ok(*VERIFY, *where, "web-chain.crt", "--insecure")
    with Responder(ocsp, "-rsigner", "root.crt", "-rkey", "root.key") as responder:
        ocsp.fails("OCSP", *VERIFY, "--ocsp-endpoint", responder.url, "web-chain.crt")


def test_ocsp_that_does_not_answer_is_a_failure(ocsp):
    ocsp.fails("OCSP of", *VERIFY, "--ocsp-endpoint", "http://127.0.0.1:1", "web-chain.crt")
    ocsp.fails("--ocsp-endpoint", *VERIFY, "web-chain.crt")
    ocsp.fails("--verify-ocsp", "certificate", "verify", "--roots", "root.crt", "web-chain.crt",
               "--ocsp-endpoint", "http://127.0.0.1:1")


# --- Downloads ----------------------------------------------------------------------------------


class Files(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.server.bodies.get(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class Site(http.server.ThreadingHTTPServer):
    """Says what went wrong in it: a test that fails because of it should show that."""

    request_queue_size = 64

    def handle_error(self, request, client_address):
        traceback.print_exc(file=sys.stdout)


@pytest.fixture
def site():
    server = Site(("127.0.0.1", 0), Files)
    server.bodies = {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def stored_answer(tool, name, *words):
    """An answer of openssl about web.crt, as a file."""
    tool.openssl("ocsp", "-issuer", "int.crt", "-cert", "web.crt", "-no_nonce", "-reqout",
                 "request.der")
    tool.openssl("ocsp", "-index", "index.txt", "-CA", "int.crt", "-rsigner", "int.crt", "-rkey",
                 "int.key", "-reqin", "request.der", "-respout", name, *words)
    return tool.get(name)


def test_ocsp_answers_that_are_bad(ocsp, site):
    good = stored_answer(ocsp, "good.der", "-ndays", "1", "-resp_no_certs")
    other = ocsp.cert("gone.crt").serial_number
    ocsp.openssl("ocsp", "-issuer", "int.crt", "-serial", str(other), "-no_nonce", "-reqout",
                 "other-request.der")
    ocsp.openssl("ocsp", "-index", "index.txt", "-CA", "int.crt", "-rsigner", "int.crt", "-rkey",
                 "int.key", "-reqin", "other-request.der", "-respout", "other.der")
    site.bodies = {
        "/good": good,
        "/other": ocsp.get("other.der"),
        "/broken": good[:-1],
        "/altered": good.replace(good[-20:], bytes(20)),
        "/later": b"\x30\x03\x0a\x01\x03",
        "/html": b"<html></html>",
        "/empty": b"",
    }
    for path, text in (("/other", "about other certificates"), ("/broken", "RFC 6960"),
                       ("/altered", "OCSP"), ("/later", "tryLater"), ("/html", "RFC 6960"),
                       ("/empty", "RFC 6960"), ("/none", "404")):
        ocsp.fails(text, *VERIFY, "--ocsp-endpoint", site.url + path, "web-chain.crt")
    ocsp.ok(*VERIFY, "--ocsp-endpoint", site.url + "/good", "web-chain.crt")


def test_ocsp_and_issuer_by_the_certificate_itself(pki, site):
    key, inter = ec.generate_private_key(ec.SECP256R1()), pki.cert("int.crt")
    inter_key = serialization.load_pem_private_key(pki.get("int.key"), None)

    def access(method, path):
        return x509.AccessDescription(method, x509.UniformResourceIdentifier(site.url + path))

    aia = x509.AuthorityInformationAccess([
        access(x509.oid.AuthorityInformationAccessOID.OCSP, "/none"),
        access(x509.oid.AuthorityInformationAccessOID.OCSP, "/ocsp"),
        access(x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, "/int.crt")])
    pki.put("web.crt", pem_of(make_cert("web.test", key, inter, inter_key,
                                        extensions=[(aia, False)])))
    pki.put("index.txt", index_line(pki.cert("web.crt"), "V"))
    site.bodies["/ocsp"] = stored_answer(pki, "ocsp.der")
    words = ["certificate", "verify", "web.crt", "--roots", "web.crt", "--verify-ocsp"]
    pki.fails("404", *words)
    site.bodies["/int.crt"] = pki.get("root.crt")
    pki.fails("issuer of web.crt", *words)
    for body in (inter.public_bytes(serialization.Encoding.DER), pki.get("int.crt")):
        site.bodies["/int.crt"] = body
        pki.ok(*words)


# --- crl inspect --------------------------------------------------------------------------------


def make_crl(tool, ca, serials=(), days=1, aki=True):
    cert = tool.cert(f"{ca}.crt")
    private = serialization.load_pem_private_key(tool.get(f"{ca}.key"), None)
    now = datetime.datetime.utcnow() - datetime.timedelta(days=10)
    crl = x509.CertificateRevocationListBuilder().issuer_name(cert.subject).last_update(
        now).next_update(now + datetime.timedelta(days=10 + days)).add_extension(
            x509.CRLNumber(7), False)
    if aki:
        ski = extension(cert, x509.SubjectKeyIdentifier)
        crl = crl.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski),
                                False)
    for serial in serials:
        crl = crl.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(
            serial).revocation_date(now).add_extension(
                x509.CRLReason(x509.ReasonFlags.key_compromise), False).build())
    return crl.sign(private, hashes.SHA256())


def crl_bytes(crl, pem=False):
    return crl.public_bytes(serialization.Encoding.PEM if pem else serialization.Encoding.DER)


def test_crl_is_shown_and_judged(pki, site):
    inspect = ["crl", "inspect"]
    crl = make_crl(pki, "int", [255])
    pki.put("crl.der", crl_bytes(crl))
    pki.put("crl.pem", crl_bytes(crl, True))
    site.bodies["/crl"] = crl_bytes(crl)
    for words, stdin in ((["crl.der"], b""), (["crl.pem"], b""), ([site.url + "/crl"], b""),
                         ([], pki.get("crl.pem")), (["-"], pki.get("crl.der"))):
        text = pki.ok(*inspect, "--ca", "int.crt", *words, stdin=stdin).stdout.decode()
        assert "Certificate Revocation List (CRL):\n" in text and "        Valid: true\n" in text
        assert "            Serial Number: 255 (0xFF)\n" in text and "Key Compromise" in text
    shown = json.loads(pki.ok(*inspect, "--ca", "int.crt", "crl.der", "--format", "json").stdout)
    assert shown["signature"]["valid"] is True
    assert [r["serial_number"] for r in shown["revoked_certificates"]] == ["255"]
    assert pki.ok(*inspect, "--insecure", "crl.der", "--format", "pem").stdout == pki.get("crl.pem")
    pki.openssl("crl", "-in", "crl.pem", "-noout", "-CAfile", "int.crt")
    for words, reason in ((["--ca", "root.crt", "crl.der"], "Signature does not match"),
                          (["--insecure", "crl.der"], "Signature was not verified"),
                          (["--ca", "int.crt", pki.put("old.der", crl_bytes(make_crl(
                              pki, "int", days=-1)))], "CRL has expired")):
        text = pki.ok(*inspect, *words).stdout.decode()
        assert f"        Valid: false\n        Reason: {reason}\n" in text
        pki.fails(reason, *inspect, "--strict", *words)


def test_crl_of_a_certificate(pki, site):
    crl = make_crl(pki, "int", aki=False)
    site.bodies["/crl"] = crl_bytes(crl)
    key = ec.generate_private_key(ec.SECP256R1())
    points = x509.CRLDistributionPoints([x509.DistributionPoint(
        [x509.UniformResourceIdentifier(site.url + "/crl")], None, None, None)])
    leaf = make_cert("web.test", key, pki.cert("int.crt"),
                     serialization.load_pem_private_key(pki.get("int.key"), None),
                     extensions=[(points, False)])
    pki.put("web.crt", pem_of(leaf))
    pki.put("chain.crt", pem_of(leaf).encode() + pki.get("int.crt"))
    assert b"Valid: true" in pki.ok("crl", "inspect", "--from", "chain.crt", "--strict").stdout
    pki.fails("--insecure", "crl", "inspect", "--from", "web.crt")
    assert b"Valid: true" in pki.ok("crl", "inspect", "--from", "web.crt", "--ca",
                                    "int.crt").stdout
    assert b"Valid: false" in pki.ok("crl", "inspect", "--from", "web.crt", "--insecure").stdout
    pki.fails("no CRL distribution point", "crl", "inspect", "--from", "int.crt")


def test_crl_inspect_refuses(pki, site):
    pki.fails("'step crl inspect' requires the '--insecure' flag", "crl", "inspect", "x.crl")
    pki.put("x.crl", b"nothing")
    pki.fails("error parsing x.crl", "crl", "inspect", "--insecure", "x.crl")
    pki.fails("404", "crl", "inspect", "--insecure", site.url + "/none")
    pki.fails("no such file", "crl", "inspect", "--insecure", "none.crl")
    pki.fails("options are text, json, pem", "crl", "inspect", "--insecure", "--format", "der",
              "x.crl")


# --- needs-renewal ------------------------------------------------------------------------------


def test_needs_renewal_has_its_own_code_for_mistakes_of_the_command_line(pki):
    for words in ([], ["web.crt", "int.crt"], ["web.crt", "--nothing"], ["web.crt", "--bundle=x"]):
        done = pki.run("certificate", "needs-renewal", *words)
        assert done.returncode == 255, (words, done.stderr)
    done = pki.run("certificate", "needs-renewal", "web.crt", env={"STEP_BUNDLE": "maybe"})
    assert done.returncode == 255
    assert pki.run("certificate", "needs-renewal", "--help").returncode == 0
