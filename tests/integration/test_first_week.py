"""What a new user does in the first week, with our client against our server: bootstrap, tokens,
certificates, revocation, provisioners.  (The authority is made in test_init.py; renewal is in
test_renew.py.)"""

import base64
import datetime
import hashlib
import json
import socket
import threading
import time

import pytest
from conftest import b64url, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from machine import (Machine, by_password, chain, der, execute, files_below, fingerprint_of,
                     fit_together, key_of, leaf, mode, names, openssl_verifies, seconds, wait_for)


@pytest.fixture
def stranger(tmp_path):
    """A machine that knows nothing."""
    return Machine(tmp_path / "stranger")


@pytest.fixture
def machine(ca, stranger):
    """A machine that trusts the authority."""
    stranger.bootstrap(ca)
    return stranger


class Listener:
    """Takes connections and counts them; nobody gets an answer."""

    def __enter__(self):
        self.count = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            connection.close()

    def __exit__(self, *_):
        self.socket.close()


def claims_of(token):
    head, body, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
                 for part in (head, body))


# --- bootstrap, root, roots, federation, health ---------------------------------------------------


def test_bootstrap_writes_root_and_defaults(ca, stranger):
    said = stranger.bootstrap(ca)
    assert files_below(stranger.path) == ["certs/root_ca.crt", "config/defaults.json"]
    root, defaults = stranger.path / "certs/root_ca.crt", stranger.path / "config/defaults.json"
    assert root.read_text() == ca.root_path.read_text()
    form = '{\n  "ca-url": "%s",\n  "fingerprint": "%s",\n  "root": "%s"\n}'
    assert defaults.read_text() == form % (ca.url, fingerprint_of(ca.root_path), root)
    assert mode(root) == 0o600 and mode(defaults) == 0o644
    assert mode(root.parent) == 0o700 and mode(defaults.parent) == 0o700
    assert said.stdout == ""
    assert f"The root certificate has been saved in {root}." in said.stderr
    assert f"The authority configuration has been saved in {defaults}." in said.stderr
    assert stranger.step("ca", "health").stdout == "ok\n"


@pytest.mark.parametrize("change", [
    lambda f: "0" * 64, lambda f: f[:-2], lambda f: f[:-1] + ("0" if f[-1] != "0" else "1"),
    lambda f: f + "00", lambda f: "", lambda f: "xyz",
])
def test_bootstrap_with_a_wrong_fingerprint_writes_nothing(ca, stranger, change):
    wrong = change(fingerprint_of(ca.root_path))
    said = stranger.step("ca", "bootstrap", "--ca-url", ca.url, "--fingerprint", wrong, ok=False)
    assert said.stdout == "" and files_below(stranger.folder) == []


def test_bootstrap_takes_the_fingerprint_in_every_spelling(ca, stranger):
    plain = fingerprint_of(ca.root_path)
    pairs = [plain[i:i + 2] for i in range(0, 64, 2)]
    for text in (plain.upper(), "-".join(pairs), f" {plain} "):
        stranger.step("ca", "bootstrap", "--ca-url", f"localhost:{ca.port}", "--fingerprint", text,
                      "--force")
        assert stranger.step("ca", "health").stdout == "ok\n"


def test_bootstrap_does_not_believe_another_authority(ca, make_ca, stranger):
    """The root must be the one that was named, whoever answers."""
    other = make_ca().start()
    said = stranger.step("ca", "bootstrap", "--ca-url", other.url, "--fingerprint",
                         fingerprint_of(ca.root_path), ok=False)
    assert files_below(stranger.folder) == []
    assert "404" in said.stderr or "fingerprint" in said.stderr


def test_bootstrap_again_needs_force(ca, machine):
    said = machine.step("ca", "bootstrap", "--ca-url", ca.url, "--fingerprint",
                        fingerprint_of(ca.root_path), ok=False)
    assert "--force" in said.stderr
    machine.bootstrap(ca, "--force")


def test_bootstrap_into_a_context(ca, stranger):
    stranger.bootstrap(ca, "--context", "work")
    assert files_below(stranger.path) == [
        "authorities/work/certs/root_ca.crt", "authorities/work/config/defaults.json",
        "contexts.json", "current-context.json", "profiles/work/config/defaults.json"]
    assert stranger.step("ca", "health").stdout == "ok\n"


def test_root_roots_and_federation(ca, machine):
    pem = ca.root_path.read_text()
    for command in ("root", "roots", "federation"):
        assert machine.step("ca", command).stdout == pem
        path = machine.folder / f"{command}.crt"
        said = machine.step("ca", command, path)
        assert path.read_text() == pem and mode(path) == 0o600
        assert said.stdout == "" and str(path) in said.stderr
        machine.step("ca", command, path, ok=False)
        machine.step("ca", command, path, "--force")


def test_root_needs_the_right_fingerprint(ca, stranger):
    target = stranger.folder / "r.crt"
    stranger.step("ca", "root", target, "--ca-url", ca.url, "--fingerprint", "0" * 64, ok=False)
    assert not target.exists()
    stranger.step("ca", "root", target, "--ca-url", ca.url, "--fingerprint",
                  fingerprint_of(ca.root_path))
    assert target.read_text() == ca.root_path.read_text()


def test_health_says_what_is_wrong(ca, machine, make_ca):
    with Listener() as silent:
        said = machine.step("ca", "health", "--ca-url", silent.url, ok=False)
        assert "127.0.0.1" in said.stderr
    other = make_ca()
    said = machine.step("ca", "health", "--root", other.root_path, ok=False)
    assert "certificate" in said.stderr
    machine.step("ca", "health", "--root", machine.folder / "absent", ok=False)
    machine.step("ca", "health", "--ca-url", "http://localhost", ok=False)


# --- token ----------------------------------------------------------------------------------------


def test_token_has_the_documented_claims(ca, machine):
    before = int(time.time())
    said = machine.step("ca", "token", "web.test", *by_password(ca))
    assert said.stdout.endswith("\n") and said.stdout.count("\n") == 1
    assert said.stderr == f"✔ Provisioner: ops (JWK) [kid: {ca.provisioner_key()[1]}]\n"
    header, claims = claims_of(said.stdout.strip())
    assert header == {"alg": "ES256", "kid": ca.provisioner_key()[1], "typ": "JWT"}
    assert claims["iss"] == "ops" and claims["sub"] == "web.test"
    assert claims["sans"] == ["web.test"]
    assert claims["aud"] in (f"{ca.url}/1.0/sign", [f"{ca.url}/1.0/sign"])
    assert claims["sha"] == fingerprint_of(ca.root_path)
    assert len(claims["jti"]) == 64
    assert before <= claims["iat"] <= time.time() and claims["nbf"] == claims["iat"]
    assert claims["exp"] - claims["nbf"] == 300


def test_token_flags(ca, machine):
    _, csr = make_csr()
    (machine.folder / "r.csr").write_text(csr)
    request = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    token = machine.token(ca, "web.test", "--san", "a.test", "--san", "10.0.0.1", "--not-after",
                          "10m", "--cnf-file", "r.csr")
    _, claims = claims_of(token)
    assert claims["sans"] == ["a.test", "10.0.0.1"]
    assert claims["exp"] - claims["nbf"] == 600
    assert claims["cnf"] == {"x5rt#S256": b64url(hashlib.sha256(request).digest())}
    _, revoke = claims_of(machine.token(ca, "12345", "--revoke"))
    assert revoke["aud"] in (f"{ca.url}/1.0/revoke", [f"{ca.url}/1.0/revoke"])
    assert revoke["sub"] == "12345"
    # The server holds the token to the request that it names.
    assert ca.sign(token, make_csr()[1]).status == 403
    assert ca.sign(machine.token(ca, "web.test", "--cnf-file", "r.csr"), csr).status == 201


def test_token_into_a_file(ca, machine):
    path = machine.folder / "token"
    said = machine.step("ca", "token", "web.test", *by_password(ca), "--output-file", path)
    assert said.stdout == "" and mode(path) == 0o600
    text = path.read_text()
    assert not text.endswith("\n")
    assert ca.sign(text).status == 201
    machine.step("ca", "token", "web.test", *by_password(ca), "--output-file", path, ok=False)
    assert path.read_text() == text


def test_token_with_the_provisioners_key_in_a_file(ca, machine):
    private, kid = ca.provisioner_key()
    (machine.folder / "ops.key").write_bytes(private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    token = machine.step("ca", "token", "web.test", "--provisioner", "ops", "--key",
                         "ops.key").stdout.strip()
    assert claims_of(token)[0]["kid"] == kid
    assert ca.sign(token).status == 201


@pytest.mark.parametrize("args, words", [
    (["--provisioner", "nobody"], ["nobody", "--provisioner"]),
    (["--kid", "nobody"], ["nobody", "--kid"]),
    (["--not-after", "2h"], []), (["--not-after", "1s"], []), (["--not-before", "tomorrow"], []),
    (["--revoke", "--san", "a"], ["'--revoke'", "'--san'"]),
    (["--cnf", "x", "--cnf-file", "y"], ["'--cnf'", "'--cnf-file'"]),
    (["--cnf-file", "absent"], ["absent"]),
    (["--x5c-cert", "c"], ["'--x5c-key'"]),
])
def test_token_refusals(ca, machine, args, words):
    said = machine.step("ca", "token", "web.test", "--password-file", ca.password_file, *args,
                        ok=False)
    assert said.stdout == ""
    for word in words:
        assert word in said.stderr


def test_token_with_a_wrong_password(ca, machine):
    (machine.folder / "wrong").write_text("wrong")
    said = machine.step("ca", "token", "web.test", "--provisioner", "ops",
                        "--provisioner-password-file", "wrong", ok=False)
    assert "password" in said.stderr and said.stdout == ""


# --- X5C tokens -----------------------------------------------------------------------------------


def add_x5c(config, root):
    roots = base64.b64encode(root.encode()).decode()
    config["authority"]["provisioners"].append({"type": "X5C", "name": "partner", "roots": roots})


def test_x5c_tokens(make_ca, stranger):
    ca = make_ca()
    ca.configure(lambda config: add_x5c(config, ca.root_path.read_text()))
    ca.start()
    stranger.bootstrap(ca)
    crt, key = stranger.certificate(ca, "agent.test")
    token = stranger.step("ca", "token", "web.test", "--x5c-cert", crt, "--x5c-key",
                          key).stdout.strip()
    header, claims = claims_of(token)
    assert [base64.b64decode(c) for c in header["x5c"]] == [der(c) for c in chain(crt)]
    assert claims["iss"] == "partner"
    assert ca.sign(token).status == 201
    stranger.step("ca", "certificate", "web.test", "w.crt", "w.key", "--x5c-cert", crt,
                  "--x5c-key", key)
    assert fit_together(stranger.folder / "w.crt", stranger.folder / "w.key")
    # A key that is not the certificate's is noticed before anybody is asked.
    other = stranger.certificate(ca, "other.test")[1]
    stranger.step("ca", "token", "web.test", "--x5c-cert", crt, "--x5c-key", other, ok=False)


# --- certificate ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flags, kind, label, size", [
    ([], ec.EllipticCurvePrivateKey, "EC PRIVATE KEY", 256),
    (["--kty", "EC", "--curve", "P-384"], ec.EllipticCurvePrivateKey, "EC PRIVATE KEY", 384),
    (["--kty", "EC", "--crv", "P-521"], ec.EllipticCurvePrivateKey, "EC PRIVATE KEY", 521),
    (["--kty", "OKP"], ed25519.Ed25519PrivateKey, "PRIVATE KEY", None),
    (["--kty", "OKP", "--curve", "Ed25519"], ed25519.Ed25519PrivateKey, "PRIVATE KEY", None),
    (["--kty", "RSA"], rsa.RSAPrivateKey, "RSA PRIVATE KEY", 2048),
    (["--kty", "RSA", "--size", "3072"], rsa.RSAPrivateKey, "RSA PRIVATE KEY", 3072),
])
def test_certificate_for_every_kind_of_key(ca, machine, flags, kind, label, size):
    crt, key = machine.certificate(ca, "web.test", *flags)
    assert key.read_text().startswith(f"-----BEGIN {label}-----\n")
    private = key_of(key)
    assert isinstance(private, kind)
    assert size is None or private.key_size == size
    assert mode(key) == 0o600 and mode(crt) == 0o600
    assert fit_together(crt, key)
    assert len(chain(crt)) == 2
    openssl_verifies(ca, crt)


@pytest.mark.parametrize("flags, words", [
    (["--curve", "P-256"], ["'--curve' requires the '--kty'"]),
    (["--size", "2048"], ["'--size' requires the '--kty'"]),
    (["--kty", "RSA", "--curve", "P-256"], ["'--curve' is incompatible with flag '--kty RSA'"]),
    (["--kty", "RSA", "--size", "1024"], ["2048"]),
    (["--kty", "EC", "--size", "2048"], ["'--size'", "incompatible"]),
    (["--kty", "EC", "--curve", "Ed25519"], ["'--kty EC'", "'--curve Ed25519'"]),
    (["--kty", "rsa"], ["invalid value 'rsa' for flag '--kty'; options are"]),
])
def test_certificate_key_flags_are_checked(ca, machine, flags, words):
    said = machine.step("ca", "certificate", "web.test", "a.crt", "a.key", *by_password(ca),
                        *flags, ok=False)
    for word in words:
        assert word in said.stderr
    assert not (machine.folder / "a.crt").exists() and not (machine.folder / "a.key").exists()


def test_certificate_with_names_of_all_kinds(ca, machine):
    crt, _ = machine.certificate(ca, "web", "--san", "web.test", "--san", "*.web.test", "--san",
                                 "10.0.0.1", "--san", "2001:db8::1", "--san", "eve@web.test",
                                 "--san", "spiffe://td/web", "--san", "web.test")
    certificate = leaf(crt)
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "web"
    assert names(certificate) == {"dns": ["web.test", "*.web.test"],
                                  "ip": ["10.0.0.1", "2001:db8::1"], "email": ["eve@web.test"],
                                  "uri": ["spiffe://td/web"]}
    assert names(leaf(machine.certificate(ca, "plain.test")[0]))["dns"] == ["plain.test"]
    assert names(leaf(machine.certificate(ca, "10.1.2.3")[0]))["ip"] == ["10.1.2.3"]


def test_certificate_validity(ca, machine):
    crt, _ = machine.certificate(ca, "web.test", "--not-after", "1h")
    assert seconds(leaf(crt)) == 3660
    end = datetime.datetime.utcnow().replace(microsecond=0) + datetime.timedelta(hours=2)
    crt, _ = machine.certificate(ca, "abs.test", "--not-before", "30m", "--not-after",
                                 end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert leaf(crt).not_valid_after == end
    said = machine.step("ca", "certificate", "web.test", "x.crt", "x.key", *by_password(ca),
                        "--not-after", "100h", ok=False)
    assert "403" in said.stderr or "24h" in said.stderr
    assert not (machine.folder / "x.crt").exists() and not (machine.folder / "x.key").exists()


def test_certificate_says_what_it_did(ca, machine):
    said = machine.step("ca", "certificate", "web.test", "a.crt", "a.key", *by_password(ca))
    assert said.stdout == ""
    assert said.stderr.splitlines()[1:] == [f"✔ CA: {ca.url}", "✔ Certificate: a.crt",
                                            "✔ Private Key: a.key"]


def test_certificate_with_a_token_on_a_machine_without_bootstrap(ca, machine, tmp_path):
    elsewhere = Machine(tmp_path / "elsewhere")
    token = machine.token(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1")
    said = elsewhere.step("ca", "certificate", "--token", token, "web.test", "a.crt", "a.key")
    assert f"✔ CA: {ca.url}" in said.stderr
    assert names(leaf(elsewhere.folder / "a.crt"))["ip"] == ["10.0.0.1"]
    assert fit_together(elsewhere.folder / "a.crt", elsewhere.folder / "a.key")
    assert files_below(elsewhere.path) == []
    # A token works once.
    said = elsewhere.step("ca", "certificate", "--token", token, "web.test", "b.crt", "b.key",
                          ok=False)
    assert "401" in said.stderr
    assert not (elsewhere.folder / "b.crt").exists() and not (elsewhere.folder / "b.key").exists()


def test_certificate_with_a_token_for_somebody_else(ca, machine, stranger):
    token = machine.token(ca, "web.test")
    for args in (["other.test", "a.crt", "a.key"],
                 ["web.test", "a.crt", "a.key", "--san", "b.test"]):
        machine.step("ca", "certificate", "--token", token, *args, ok=False)
    machine.step("ca", "certificate", "--token", "garbage", "web.test", "a.crt", "a.key", ok=False)
    assert not (machine.folder / "a.crt").exists()
    # Nothing of that reached the server: the token is still good.
    machine.step("ca", "certificate", "--token", token, "WEB.test", "a.crt", "a.key")


def test_certificate_does_not_trust_another_root_than_the_tokens(ca, make_ca, machine):
    """The token's root is another one: the server that answers cannot prove who it is."""
    other = make_ca().start()
    token = machine.token(ca, "web.test")
    machine.step("ca", "certificate", "--token", token, "--ca-url", other.url, "web.test",
                 "a.crt", "a.key", ok=False)
    assert not (machine.folder / "a.crt").exists() and not (machine.folder / "a.key").exists()


def test_certificate_overwrites_only_with_force(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes(), key.read_bytes()
    said = machine.step("ca", "certificate", "web.test", crt, key, *by_password(ca), ok=False)
    assert "--force" in said.stderr and str(crt) in said.stderr
    assert (crt.read_bytes(), key.read_bytes()) == before
    key.chmod(0o640)
    machine.step("ca", "certificate", "web.test", crt, key, *by_password(ca), "--force")
    assert crt.read_bytes() != before[0] and key.read_bytes() != before[1]
    assert mode(key) == 0o640  # a file keeps the mode that its owner gave it
    assert fit_together(crt, key)
    machine.step("ca", "certificate", "web.test", "same", "same", *by_password(ca), ok=False)
    machine.step("ca", "certificate", "web.test", machine.folder, "b.key", *by_password(ca),
                 "--force", ok=False)


def test_certificate_without_terminal_names_the_flag(ca, machine):
    said = machine.step("ca", "certificate", "web.test", "a.crt", "a.key", "--provisioner", "ops",
                        ok=False)
    assert "--provisioner-password-file" in said.stderr or "--password-file" in said.stderr
    assert len(said.stderr.strip().splitlines()) <= 3
    assert not (machine.folder / "a.crt").exists() and not (machine.folder / "a.key").exists()


# --- sign -----------------------------------------------------------------------------------------


def openssl_csr(folder, name="web.test", san="DNS:web.test,IP:10.0.0.1"):
    execute(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", "r.key", "-out", "r.csr", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName={san}"], cwd=folder)
    return folder / "r.csr"


def test_sign_a_request_of_openssl(ca, machine):
    csr = openssl_csr(machine.folder)
    said = machine.step("ca", "sign", csr, "r.crt", *by_password(ca))
    assert said.stdout == "" and "✔ Certificate: r.crt" in said.stderr
    crt = machine.folder / "r.crt"
    assert mode(crt) == 0o600 and fit_together(crt, machine.folder / "r.key")
    assert names(leaf(crt))["dns"] == ["web.test"] and names(leaf(crt))["ip"] == ["10.0.0.1"]
    openssl_verifies(ca, crt)
    execute(["openssl", "req", "-in", csr, "-outform", "DER", "-out", "r.der"], cwd=machine.folder)
    machine.step("ca", "sign", "r.der", "d.crt", *by_password(ca))
    machine.step("ca", "sign", "-", "s.crt", *by_password(ca), stdin=csr.open())
    assert fit_together(machine.folder / "s.crt", machine.folder / "r.key")


def test_sign_refuses_an_altered_request_before_it_asks_anybody(ca, machine):
    csr = openssl_csr(machine.folder)
    lines = csr.read_text().splitlines()
    raw = bytearray(base64.b64decode("".join(lines[1:-1])))
    raw[raw.index(b"web.test")] ^= 1
    text = base64.encodebytes(bytes(raw)).decode()
    csr.write_text(f"{lines[0]}\n{text}{lines[-1]}\n")
    with Listener() as listener:
        said = machine.step("ca", "sign", csr, "r.crt", *by_password(ca), "--ca-url", listener.url,
                            ok=False)
        time.sleep(0.1)
        assert listener.count == 0
    assert "signature" in said.stderr and not (machine.folder / "r.crt").exists()
    machine.step("ca", "sign", ca.root_path, "r.crt", *by_password(ca), ok=False)


def test_sign_with_a_token_for_another_subject(ca, machine):
    csr = openssl_csr(machine.folder)
    other = machine.token(ca, "other.test")
    machine.step("ca", "sign", csr, "r.crt", "--token", other, ok=False)
    assert not (machine.folder / "r.crt").exists()
    token = machine.token(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1")
    machine.step("ca", "sign", csr, "r.crt", "--token", token)


# --- revoke ---------------------------------------------------------------------------------------


def renewing_is_refused(machine, crt, key):
    said = machine.step("ca", "renew", "--force", crt, key, ok=False)
    return "401" in said.stderr


@pytest.mark.parametrize("spelling", ["{:d}", "{:#x}", "{:#o}"])
@pytest.mark.parametrize("reason", [[], ["--reasonCode", "4", "--reason", "words"]])
def test_revoke_by_serial(ca, machine, spelling, reason):
    crt, key = machine.certificate(ca, "web.test")
    serial = leaf(crt).serial_number
    said = machine.step("ca", "revoke", spelling.format(serial), *by_password(ca)[2:],
                        "--provisioner", "ops", *reason)
    assert said.stdout == ""
    assert f"Certificate with Serial Number {serial} has been revoked." in said.stderr
    assert renewing_is_refused(machine, crt, key)
    machine.step("ca", "revoke", str(serial), *by_password(ca), ok=False)


def test_revoke_by_token(ca, machine, tmp_path):
    crt, key = machine.certificate(ca, "web.test")
    serial = str(leaf(crt).serial_number)
    token = machine.token(ca, serial, "--revoke")
    elsewhere = Machine(tmp_path / "elsewhere")
    elsewhere.step("ca", "revoke", "1", "--token", token, ok=False)
    elsewhere.step("ca", "revoke", serial, "--token", token)
    assert renewing_is_refused(machine, crt, key)


def test_revoke_by_the_certificate_itself(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    serial = leaf(crt).serial_number
    said = machine.step("ca", "revoke", "--cert", crt, "--key", key, "--reasonCode",
                        "key compromise")
    assert f"Serial Number {serial} has been revoked" in said.stderr
    assert renewing_is_refused(machine, crt, key)
    # The revoked certificate opens no door: it cannot revoke again.
    machine.step("ca", "revoke", "--cert", crt, "--key", key, ok=False)


@pytest.mark.parametrize("reason", ["Superseded", "superseded", "KEY COMPROMISE", "0", "10",
                                    "AACompromise", "cessationofoperation"])
def test_revoke_reasons_that_exist(ca, machine, reason):
    crt, key = machine.certificate(ca, "web.test")
    machine.step("ca", "revoke", "--cert", crt, "--key", key, "--reasonCode", reason)


@pytest.mark.parametrize("args, words", [
    (["5", "--reasonCode", "11"], ["11", "--reasonCode"]),
    (["5", "--reasonCode", "bogus"], ["bogus", "--reasonCode"]),
    (["5", "--reasonCode", "-1"], ["--reasonCode"]),
    (["xyz"], ["xyz"]), (["0xzz"], ["0xzz"]), ([], ["not enough positional arguments"]),
    (["--cert", "a.crt"], ["'--key'"]), (["--key", "a.key"], ["'--cert'"]),
    (["5", "--cert", "a.crt", "--key", "a.key"], ["positional"]),
    (["--cert", "a.crt", "--key", "a.key", "--token", "x"], ["'--cert'", "'--token'"]),
])
def test_revoke_refusals_come_before_any_request(ca, machine, args, words):
    with Listener() as listener:
        said = machine.step("ca", "revoke", *args, "--ca-url", listener.url, "--password-file",
                            ca.password_file, ok=False)
        assert listener.count == 0
    for word in words:
        assert word in said.stderr


# --- provisioners in ca.json ----------------------------------------------------------------------


def provisioners(machine):
    return {p["name"]: p for p in json.loads(machine.step("ca", "provisioner", "list").stdout)}


def reload(ca, machine, condition):
    ca.process.send_signal(1)
    wait_for("the reload", lambda: condition(provisioners(machine)))


def test_provisioner_list_and_jwe_key(ca, machine):
    said = machine.step("ca", "provisioner", "list").stdout
    assert said.startswith('[\n   {\n      "type": "JWK",\n') and said.endswith("]\n")
    [ops] = json.loads(said)
    assert ops["name"] == "ops" and "encryptedKey" in ops
    assert machine.step("ca", "provisioner", "jwe-key",
                        ops["key"]["kid"]).stdout == ops["encryptedKey"] + "\n"
    machine.step("ca", "provisioner", "jwe-key", "nobody", ok=False)


def test_provisioner_add_update_and_remove(make_ca):
    ca = make_ca().start()
    admin = Machine(ca.folder / "admin")
    admin.bootstrap(ca)
    config = ["--ca-config", ca.config_path]
    (admin.folder / "pw").write_text("second password")
    said = admin.step("ca", "provisioner", "add", "second", "--type", "JWK", "--create",
                      "--password-file", "pw", "--x509-max-dur", "2h", "--x509-default-dur", "1h",
                      *config)
    assert "✔ CA Configuration: " in said.stderr and said.stdout == ""
    # The running server does not know it before it is told.
    assert "second" not in provisioners(admin)
    reload(ca, admin, lambda known: "second" in known)
    issue = ["ca", "certificate", "web.test", "a.crt", "a.key", "--force", "--provisioner",
             "second", "--provisioner-password-file", "pw"]
    admin.step(*issue)
    assert seconds(leaf(admin.folder / "a.crt")) == 3660
    admin.step(*issue, "--not-after", "3h", ok=False)
    admin.step("ca", "provisioner", "add", "second", "--create", "--password-file", "pw", *config,
               ok=False)

    admin.step("ca", "provisioner", "update", "second", "--x509-max-dur", "4h", *config)
    reload(ca, admin, lambda known: known["second"]["claims"]["maxTLSCertDuration"] == "4h0m0s")
    admin.step(*issue, "--not-after", "3h")

    roots = admin.folder / "roots.pem"
    roots.write_text(ca.root_path.read_text())
    admin.step("ca", "provisioner", "add", "partner", "--type", "X5C", "--x5c-roots", roots,
               *config)
    admin.step("ca", "provisioner", "remove", "second", *config)
    reload(ca, admin, lambda known: set(known) == {"ops", "partner"})
    admin.step(*issue, ok=False)
    admin.step("ca", "provisioner", "remove", "second", *config, ok=False)
    admin.step("ca", "provisioner", "update", "second", "--x509-max-dur", "4h", *config, ok=False)
    # What was written is still the configuration that the server starts with.
    assert ca.stop() == 0
    ca.start()
    assert set(provisioners(admin)) == {"ops", "partner"}


@pytest.mark.parametrize("args", [
    ["x", "--type", "NOPE"], ["x", "--type", "JWK"], ["x", "--type", "X5C"],
    ["x", "--type", "X5C", "--x5c-roots", "absent"], ["ops", "--type", "ACME"],
    ["x", "--type", "ACME", "--x509-max-dur", "1"], [],
])
def test_provisioner_add_refusals_leave_the_configuration_alone(ca, machine, args):
    before = ca.config_path.read_bytes()
    machine.step("ca", "provisioner", "add", *args, "--ca-config", ca.config_path, ok=False)
    assert ca.config_path.read_bytes() == before
