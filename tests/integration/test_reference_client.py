"""The original `step` client against our server, and files that cross between the two.

The client is compiled once, with the Go tools, into a cache directory.  Without them (or without
the network at that time) these tests are skipped.
"""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PASSWORD, SLOW, STEP, Ca, clean_environment, free_port
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from machine import (SPKI, Machine, by_password, chain, execute, files_below, fingerprint_of,
                     fit_together, key_of, leaf, mode, names, openssl_verifies, seconds, wait_for)

VERSION = "v0.30.2"
MODULE = f"github.com/smallstep/cli/cmd/step@{VERSION}"
PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "newel-tests"


def compile_reference(target):
    go = shutil.which("go") or ("/usr/local/go/bin/go" if Path("/usr/local/go/bin/go").exists()
                                else None)
    if go is None:
        pytest.skip("go is not installed: it compiles the original step client")
    workshop = CACHE / f"build-{os.getpid()}"
    workshop.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, GOBIN=str(workshop), GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
    try:
        done = subprocess.run([go, "install", MODULE], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        if done.returncode != 0:
            words = (done.stdout.strip().splitlines() or ["no output"])[-1]
            pytest.skip(f"go could not install {MODULE}: {words}")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(workshop / "step", target)
    except subprocess.TimeoutExpired:
        pytest.skip(f"go did not compile {MODULE} within ten minutes")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


@pytest.fixture(scope="module")
def reference():
    target = CACHE / f"cli-{VERSION}" / "step"
    if not target.exists():
        compile_reference(target)
    return str(target)


@pytest.fixture
def theirs(reference, tmp_path):
    """A machine with the original client that knows nothing."""
    return Machine(tmp_path / "theirs", reference)


@pytest.fixture
def ours(tmp_path):
    return Machine(tmp_path / "ours")


@pytest.fixture
def user(ca, theirs):
    """The original client, bootstrapped."""
    theirs.bootstrap(ca)
    return theirs


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def claims_of(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


# --- Their client, our server ---------------------------------------------------------------------


def test_bootstrap_and_what_is_public(ca, theirs):
    theirs.bootstrap(ca)
    pem = ca.root_path.read_text()
    assert (theirs.path / "certs/root_ca.crt").read_text() == pem
    assert theirs.step("ca", "health").stdout == "ok\n"
    for command in ("root", "roots", "federation"):
        assert theirs.step("ca", command).stdout.strip() == pem.strip()
    [provisioner] = json.loads(theirs.step("ca", "provisioner", "list").stdout)
    assert provisioner["name"] == "ops" and provisioner["type"] == "JWK"
    kid = provisioner["key"]["kid"]
    assert theirs.step("ca", "provisioner", "jwe-key",
                       kid).stdout.strip() == provisioner["encryptedKey"]
    theirs.step("ca", "bootstrap", "--force", "--ca-url", ca.url, "--fingerprint", "0" * 64,
                ok=False)


def test_both_clients_write_the_same_bootstrap(ca, theirs, ours):
    for machine in (theirs, ours):
        machine.bootstrap(ca)
    assert files_below(theirs.path) == files_below(ours.path)
    for name in files_below(ours.path):
        text = (theirs.path / name).read_text().replace(str(theirs.path), str(ours.path))
        assert text == (ours.path / name).read_text(), name
        assert mode(theirs.path / name) == mode(ours.path / name), name


@pytest.mark.parametrize("flags, kind", [
    ([], ec.EllipticCurvePrivateKey), (["--kty", "RSA", "--size", "3072"], rsa.RSAPrivateKey),
    (["--kty", "EC", "--curve", "P-384"], ec.EllipticCurvePrivateKey),
    (["--kty", "OKP", "--curve", "Ed25519"], ed25519.Ed25519PrivateKey),
])
def test_certificate_renew_rekey_revoke(ca, user, flags, kind):
    crt, key = user.certificate(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1", "--san",
                                "eve@web.test", "--san", "spiffe://td/web", "--not-after", "2h",
                                *flags)
    old = leaf(crt)
    assert isinstance(key_of(key), kind) and fit_together(crt, key)
    assert names(old) == {"dns": ["web.test"], "ip": ["10.0.0.1"], "email": ["eve@web.test"],
                          "uri": ["spiffe://td/web"]}
    openssl_verifies(ca, crt)
    for how in ([], ["--mtls=false"]):
        before = leaf(crt).serial_number
        user.step("ca", "renew", "--force", *how, crt, key)
        assert leaf(crt).serial_number != before and seconds(leaf(crt)) == seconds(old)
    openssl_verifies(ca, crt)
    user.step("ca", "rekey", "--force", crt, key)
    assert fit_together(crt, key)
    assert leaf(crt).public_key().public_bytes(*SPKI) != old.public_key().public_bytes(*SPKI)
    openssl_verifies(ca, crt)
    said = user.step("ca", "renew", "--expires-in", "10m", crt, key)
    assert "not renewed" in said.stderr
    user.step("ca", "revoke", "--cert", crt, "--key", key, "--reasonCode", "keyCompromise")
    user.step("ca", "renew", "--force", crt, key, ok=False)


def test_tokens(ca, user, tmp_path):
    token = user.token(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1")
    assert claims_of(token)["sans"] == ["web.test", "10.0.0.1"]
    elsewhere = Machine(tmp_path / "elsewhere", user.program)
    elsewhere.step("ca", "certificate", "--token", token, "web.test", "a.crt", "a.key")
    assert fit_together(elsewhere.folder / "a.crt", elsewhere.folder / "a.key")
    elsewhere.step("ca", "certificate", "--token", token, "web.test", "b.crt", "b.key", ok=False)


def test_tokens_of_one_client_are_good_for_the_other(ca, user, ours):
    ours.bootstrap(ca)
    for maker, taker in ((user, ours), (ours, user)):
        token = maker.token(ca, "web.test")
        taker.step("ca", "certificate", "--token", token, "web.test", "a.crt", "a.key")
        assert fit_together(taker.folder / "a.crt", taker.folder / "a.key")
        serial = leaf(taker.folder / "a.crt").serial_number
        token = maker.token(ca, str(serial), "--revoke")
        taker.step("ca", "revoke", str(serial), "--token", token)
        taker.step("ca", "renew", "--force", "a.crt", "a.key", ok=False)


def test_both_clients_make_the_same_claims(ca, user, ours):
    ours.bootstrap(ca)
    request = ["web.test", "--san", "a.test", "--san", "10.0.0.1", "--not-after", "10m"]
    one, other = (claims_of(machine.token(ca, *request)) for machine in (user, ours))
    assert not one.pop("user", None)  # theirs says null
    assert set(one) == set(other)
    for name in ("aud", "iss", "sub", "sans", "sha"):
        assert one[name] == other[name]
    # theirs reads the clock twice, so the two times may lie on both sides of a full second
    assert abs((one["exp"] - one["nbf"]) - (other["exp"] - other["nbf"])) <= 1
    assert len(one["jti"]) == len(other["jti"])


def test_sign_and_revoke_by_serial(ca, user):
    execute(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "r.key", "-out",
             "r.csr", "-subj", "/CN=web.test", "-addext", "subjectAltName=DNS:web.test"],
            cwd=user.folder)
    user.step("ca", "sign", "r.csr", "r.crt", *by_password(ca))
    crt = user.folder / "r.crt"
    assert fit_together(crt, user.folder / "r.key")
    serial = leaf(crt).serial_number
    token = user.token(ca, str(serial), "--revoke")
    said = user.step("ca", "revoke", "--reasonCode", "4", "--token", token, str(serial))
    assert str(serial) in plain(said.stderr)
    user.step("ca", "renew", "--force", crt, "r.key", ok=False)


def test_x5c(make_ca, theirs):
    ca = make_ca()
    roots = base64.b64encode(ca.root_path.read_bytes()).decode()
    ca.configure(lambda config: config["authority"]["provisioners"].append(
        {"type": "X5C", "name": "partner", "roots": roots}))
    ca.start()
    theirs.bootstrap(ca)
    crt, key = theirs.certificate(ca, "agent.test")
    theirs.step("ca", "certificate", "web.test", "w.crt", "w.key", "--x5c-cert", crt, "--x5c-key",
                key)
    assert fit_together(theirs.folder / "w.crt", theirs.folder / "w.key")


def test_renew_daemon(ca, user):
    crt, key = user.certificate(ca, "web.test")
    before = leaf(crt).serial_number
    with open(user.folder / "log", "wb") as log:
        daemon = subprocess.Popen([user.program, "ca", "renew", "--daemon", str(crt), str(key)],
                                  env=user.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for("the daemon", lambda: "first renewal in" in (user.folder / "log").read_text())
        daemon.send_signal(1)
        wait_for("a renewal", lambda: leaf(crt).serial_number != before)
    finally:
        daemon.terminate()
        assert daemon.wait(timeout=20 * SLOW) == 0


# --- What we issue, as they see it ----------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--kty", "RSA"], ["--kty", "OKP"]])
def test_they_read_what_we_issue(ca, user, ours, flags):
    crt, _ = user.certificate(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1", "--san",
                              "eve@web.test", "--san", "spiffe://td/web", *flags)
    for path in (crt, ca.root_path, ca.path / "certs/intermediate_ca.crt"):
        for form in ([], ["--short"], ["--bundle"], ["--format", "pem"]):
            theirs, our = (plain(m.step("certificate", "inspect", path, *form).stdout)
                           for m in (user, ours))
            assert our == theirs, (path, form)
        assert (user.step("certificate", "fingerprint", path).stdout
                == ours.step("certificate", "fingerprint", path).stdout)
    for machine in (user, ours):
        machine.step("certificate", "verify", crt, "--roots", ca.root_path, "--host", "web.test")
        machine.step("certificate", "verify", crt, "--roots", ca.root_path, "--host", "b.test",
                     ok=False)
    for expiry in (["--expires-in", "1%"], [], ["--expires-in", "25h"], ["--expires-in", "1h"],
                   ["--expires-in", "101%"]):
        one, other = (m.step("certificate", "needs-renewal", crt, *expiry, ok=None).returncode
                      for m in (user, ours))
        assert one == other, expiry


# --- Files that we make, for them -----------------------------------------------------------------


def test_they_read_the_files_of_our_init(ca, theirs):
    for kind in ("root", "intermediate"):
        path = ca.path / f"secrets/{kind}_ca_key"
        theirs.step("crypto", "key", "format", "--pkcs8", "--password-file", ca.password_file,
                    "--no-password", "--insecure", "--out", f"{kind}.der", path)
        assert (theirs.folder / f"{kind}.der").read_bytes()[0] == 0x30
        text = theirs.step("crypto", "key", "public", path, "--password-file",
                           ca.password_file).stdout
        certificate = leaf(ca.path / f"certs/{kind}_ca.crt")
        assert text == certificate.public_key().public_bytes(*PUBLIC_PEM).decode()
    [provisioner] = ca.config()["authority"]["provisioners"]
    opened = theirs.step("crypto", "jwe", "decrypt", "--password-file", ca.password_file,
                         input=provisioner["encryptedKey"], stdin=None).stdout
    jwk = json.loads(opened)
    assert "d" in jwk and {k: v for k, v in jwk.items() if k != "d"} == provisioner["key"]
    thumbprint = theirs.step("crypto", "jwk", "thumbprint", input=json.dumps(jwk), stdin=None)
    assert thumbprint.stdout.strip() == provisioner["key"]["kid"]


def test_they_change_the_password_of_our_key(make_ca, theirs):
    ca = make_ca()
    key = ca.path / "secrets/intermediate_ca_key"
    (theirs.folder / "new").write_text("another password")
    theirs.step("crypto", "change-pass", key, "--password-file", ca.password_file,
                "--new-password-file", "new", "--force")
    ca.password_file = theirs.folder / "new"
    ca.start()
    assert ca.sign().status == 201


@pytest.mark.parametrize("flags", [[], ["--kty", "EC", "--curve", "P-521"], ["--kty", "RSA"],
                                   ["--kty", "OKP"]])
def test_keys_cross_both_ways(theirs, ours, flags):
    """Made by one, encrypted; re-encrypted by the other, and by the first again."""
    for maker, reader in ((theirs, ours), (ours, theirs)):
        for machine in (maker, reader):
            (machine.folder / "pw").write_text("secret\n")
            (machine.folder / "pw2").write_text("other\n")
        public, private = maker.folder / "k.pub", maker.folder / "k.key"
        copy = reader.folder / "copy.key"
        maker.step("crypto", "keypair", public, private, "--password-file", "pw", *flags)
        assert reader.step("crypto", "key", "public", "--password-file", "pw",
                           private).stdout == public.read_text()
        for machine, source, old, new in ((reader, private, "pw", "pw2"),
                                          (maker, copy, "pw2", "pw")):
            machine.step("crypto", "change-pass", source, "--password-file", old,
                         "--new-password-file", new, "--out", copy, "--force")
            opened = key_of(copy, (machine.folder / new).read_bytes().strip())
            assert opened.public_key().public_bytes(*PUBLIC_PEM).decode() == public.read_text()


@pytest.mark.parametrize("flags", [[], ["--kty", "RSA"], ["--kty", "OKP"]])
def test_jwks_cross_both_ways(theirs, ours, flags):
    for maker, reader in ((theirs, ours), (ours, theirs)):
        (maker.folder / "pw").write_text("secret\n")
        public, private = maker.folder / "k.pub.json", maker.folder / "k.json"
        maker.step("crypto", "jwk", "create", public, private, "--password-file", "pw", *flags)
        thumbprints = {m.step("crypto", "jwk", "thumbprint", input=public.read_text(),
                              stdin=None).stdout for m in (maker, reader)}
        assert len(thumbprints) == 1
        opened = theirs.step("crypto", "jwe", "decrypt", "--password-file", maker.folder / "pw",
                             input=private.read_text(), stdin=None).stdout
        assert json.loads(opened)["kty"] == json.loads(public.read_text())["kty"]


# --- Files that they make, for us -----------------------------------------------------------------


def configured(folder, steppath):
    """An authority on an existing step path; conftest's Ca without its init."""
    ca = Ca.__new__(Ca)
    ca.folder, ca.path, ca.process = folder, steppath, None
    ca.password_file = folder / "password"
    ca.env = clean_environment(STEPPATH=str(steppath), HOME=str(folder))
    ca.log_path = folder / "log"
    ca.config_path = steppath / "config/ca.json"
    ca.root_path = steppath / "certs/root_ca.crt"
    ca._provisioner_key = None  # pylint: disable=protected-access
    ca.port = int(ca.config()["address"].rsplit(":", 1)[1])
    ca.url = f"https://localhost:{ca.port}"
    return ca


def test_our_server_starts_on_what_their_init_made(theirs, tmp_path):
    (theirs.folder / "password").write_text(PASSWORD)
    theirs.step("ca", "init", "--name", "Their", "--dns", "localhost", "--address",
                f"127.0.0.1:{free_port()}", "--provisioner", "ops", "--password-file", "password")
    ca = configured(theirs.folder, theirs.path)
    database = {"type": "sqlite", "dataSource": str(theirs.path / "db/newel.sqlite")}
    ca.configure(lambda config: config.update(db=database))  # theirs is of another kind
    ca.start()
    try:
        for program in (theirs.program, STEP):
            machine = Machine(tmp_path / f"m{len(program)}", program)
            machine.bootstrap(ca)
            crt, key = machine.certificate(ca, "web.test")
            assert fit_together(crt, key)
            openssl_verifies(ca, crt)
            machine.step("ca", "renew", "--force", crt, key)
            machine.step("ca", "revoke", "--cert", crt, "--key", key)
            machine.step("ca", "renew", "--force", crt, key, ok=False)
    finally:
        assert ca.stop() == 0


def test_our_server_starts_on_their_pki(theirs, make_ca):
    """`ca init --pki` of theirs, our configuration."""
    ca = make_ca()
    theirs.step("ca", "init", "--pki", "--name", "Their", "--password-file", ca.password_file)
    for name in ("certs/root_ca.crt", "certs/intermediate_ca.crt", "secrets/intermediate_ca_key"):
        (ca.path / name).write_bytes((theirs.path / name).read_bytes())
    ca.start()
    assert ca.sign().status == 201
    assert fingerprint_of(ca.root_path) == fingerprint_of(theirs.path / "certs/root_ca.crt")


def test_our_init_takes_their_root(theirs, ours):
    (theirs.folder / "pw").write_text(PASSWORD)
    for machine in (theirs, ours):
        (machine.folder / "pw").write_text(PASSWORD)
    theirs.step("certificate", "create", "Their Root", "root.crt", "root.key", "--profile",
                "root-ca", "--password-file", "pw")
    ours.step("ca", "init", "--pki", "--name", "X", "--password-file", "pw", "--root",
              theirs.folder / "root.crt", "--key", theirs.folder / "root.key",
              "--key-password-file", theirs.folder / "pw")
    ours.step("certificate", "verify", ours.path / "certs/intermediate_ca.crt", "--roots",
              theirs.folder / "root.crt")


def test_certificates_of_both_have_the_same_profiles(theirs, ours):
    """The same `certificate create` lines: equal but for keys, serial numbers and times."""
    def make(machine):
        loose = ["--no-password", "--insecure"]
        create = ["certificate", "create"]
        machine.step(*create, "R", "r.crt", "r.key", "--profile", "root-ca", *loose)
        machine.step(*create, "I", "i.crt", "i.key", "--profile", "intermediate-ca", "--ca",
                     "r.crt", "--ca-key", "r.key", *loose)
        machine.step(*create, "web.test", "l.crt", "l.key", "--ca", "i.crt", "--ca-key", "i.key",
                     "--san", "web.test", "--san", "10.0.0.1", *loose)
        return [leaf(machine.folder / name) for name in ("r.crt", "i.crt", "l.crt")]

    for one, other in zip(make(theirs), make(ours)):
        assert one.subject.public_bytes() == other.subject.public_bytes()
        assert [(e.oid, e.critical) for e in one.extensions] == [
            (e.oid, e.critical) for e in other.extensions]
        assert seconds(one) == seconds(other)
        keyed = ("2.5.29.14", "2.5.29.35")  # identifiers of keys differ
        assert [e.value for e in one.extensions if e.oid.dotted_string not in keyed] == [
            e.value for e in other.extensions if e.oid.dotted_string not in keyed]
    for verifier, maker in ((theirs, ours), (ours, theirs)):
        bundle = maker.folder / "b.crt"
        bundle.write_text((maker.folder / "l.crt").read_text()
                          + (maker.folder / "i.crt").read_text())
        verifier.step("certificate", "verify", bundle, "--roots", maker.folder / "r.crt")
        assert len(chain(bundle)) == 2


def test_profiles_of_init_are_the_same(theirs, ours):
    for machine in (theirs, ours):
        (machine.folder / "pw").write_text(PASSWORD)
        machine.step("ca", "init", "--pki", "--name", "X", "--password-file", "pw")
    assert files_below(theirs.path) == files_below(ours.path)
    for name in ("certs/root_ca.crt", "certs/intermediate_ca.crt"):
        one, other = leaf(theirs.path / name), leaf(ours.path / name)
        assert one.subject.public_bytes() == other.subject.public_bytes()
        assert one.issuer.public_bytes() == other.issuer.public_bytes()
        assert [(e.oid, e.critical) for e in one.extensions] == [
            (e.oid, e.critical) for e in other.extensions]


# --- Templates ------------------------------------------------------------------------------------


def test_data_for_a_template(make_ca, theirs):
    ca = make_ca()
    ca.configure(lambda c: c["authority"]["provisioners"][0].update(options={"x509": {
        "template": '{"subject": {"commonName": {{ toJson .Subject.CommonName }},'
                    ' "organization": {{ toJson .Insecure.User.team }}},'
                    ' "sans": {{ toJson .SANs }}}'}}))
    ca.start()
    theirs.bootstrap(ca)
    crt, _ = theirs.certificate(ca, "web.test", "--set", "team=Platform")
    assert leaf(crt).subject.rfc4514_string() == "CN=web.test,O=Platform"
