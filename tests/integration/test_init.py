"""`step ca init`: the tree it makes, the certificates in it, and what it refuses."""

import hashlib
import json
import os
import re
import subprocess

import pytest
import yaml
from conftest import PASSWORD, STEP_CA, open_jwe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from machine import Machine, der, execute, files_below, fingerprint_of, key_of, leaf, mode

FILES = ["certs/intermediate_ca.crt", "certs/root_ca.crt", "config/ca.json",
         "config/defaults.json", "secrets/intermediate_ca_key", "secrets/root_ca_key"]
PKI_FILES = [name for name in FILES if not name.startswith("config")]
USUAL = ["--name", "X", "--dns", "ca.lan", "--dns", "127.0.0.1", "--address", ":8443",
         "--provisioner", "ops", "--password-file", "p"]


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "m")
    (made.folder / "p").write_text(PASSWORD + "\n")
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One PKI that many tests look at: (machine, what init said)."""
    machine = Machine(tmp_path_factory.mktemp("init"))
    (machine.folder / "p").write_text(PASSWORD + "\n")
    # setsid and no standard input: there is no terminal that could be asked.
    said = machine.step("ca", "init", *USUAL, preexec_fn=lambda: os.umask(0o022))
    return machine, said


def without(flag, args=None):
    args = list(args or USUAL)
    while flag in args:
        at = args.index(flag)
        del args[at:at + 2]
    return args


# --- What is made ---------------------------------------------------------------------------------


def test_the_tree_and_its_modes(made):
    machine, said = made
    assert said.stdout == ""
    assert files_below(machine.path) == FILES
    for folder in ("certs", "secrets", "config", "templates", "db"):
        assert mode(machine.path / folder) == 0o700, folder
    for name in FILES:
        assert mode(machine.path / name) == (0o644 if name.startswith("config") else 0o600), name
    for label in ("Root certificate", "Root private key", "Root fingerprint",
                  "Intermediate certificate", "Intermediate private key", "Database folder",
                  "Default configuration", "Certificate Authority configuration"):
        assert f"✔ {label}: " in said.stderr
    assert "\033" not in said.stderr


def test_the_configuration(made):
    machine, _ = made
    text = (machine.path / "config/ca.json").read_text()
    config = json.loads(text)
    assert text.startswith('{\n\t"root": ') and not text.endswith("\n")
    assert list(config) == ["root", "federatedRoots", "crt", "key", "address", "insecureAddress",
                            "dnsNames", "logger", "db", "authority", "tls"]
    base = str(machine.path)
    assert config["root"] == f"{base}/certs/root_ca.crt"
    assert config["crt"] == f"{base}/certs/intermediate_ca.crt"
    assert config["key"] == f"{base}/secrets/intermediate_ca_key"
    assert config["address"] == ":8443" and config["dnsNames"] == ["ca.lan", "127.0.0.1"]
    assert config["tls"]["minVersion"] == 1.2 and config["tls"]["maxVersion"] == 1.3
    [provisioner] = config["authority"]["provisioners"]
    assert list(provisioner) == ["type", "name", "key", "encryptedKey"]
    assert (provisioner["type"], provisioner["name"]) == ("JWK", "ops")
    assert list(provisioner["key"]) == ["use", "kty", "kid", "crv", "alg", "x", "y"]


def test_the_defaults(made):
    machine, _ = made
    defaults = json.loads((machine.path / "config/defaults.json").read_text())
    assert list(defaults) == ["ca-url", "ca-config", "fingerprint", "root"]
    assert defaults["ca-url"] == "https://ca.lan:8443"
    assert defaults["ca-config"] == str(machine.path / "config/ca.json")
    assert defaults["root"] == str(machine.path / "certs/root_ca.crt")


def test_the_fingerprint_is_the_same_everywhere(made):
    machine, said = made
    root = machine.path / "certs/root_ca.crt"
    openssl = execute(["openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha256"]).stdout
    expected = openssl.strip().split("=")[1].replace(":", "").lower()
    assert json.loads((machine.path / "config/defaults.json").read_text())[
        "fingerprint"] == expected
    assert re.search(r"Root fingerprint: ([0-9a-f]{64})\n", said.stderr).group(1) == expected
    assert machine.step("certificate", "fingerprint", root).stdout.strip() == expected


def check_ca_certificate(cert, issuer, path_length):
    """The profile of root and intermediate (docs/reference/pki.md)."""
    order = [type(e.value).__name__ for e in cert.extensions]
    assert order == ["KeyUsage", "BasicConstraints", "SubjectKeyIdentifier",
                     "AuthorityKeyIdentifier"][:4 if issuer is not cert else 3]
    usage, basic, ski = (cert.extensions[i] for i in range(3))
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    assert basic.critical and basic.value.ca and basic.value.path_length == path_length
    assert ski.value == x509.SubjectKeyIdentifier.from_public_key(cert.public_key())
    if issuer is not cert:
        issuer_ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        aki = cert.extensions[3].value
        assert aki.key_identifier == issuer_ski.digest
        assert aki.authority_cert_issuer is None and aki.authority_cert_serial_number is None
    assert cert.issuer == issuer.subject
    assert 64 < cert.serial_number.bit_length() <= 128
    assert cert.version == x509.Version.v3


def test_the_certificates(made):
    machine, _ = made
    root = leaf(machine.path / "certs/root_ca.crt")
    intermediate = leaf(machine.path / "certs/intermediate_ca.crt")
    for cert, kind in ((root, "Root"), (intermediate, "Intermediate")):
        assert [(a.oid, a.value) for a in cert.subject] == [
            (NameOID.ORGANIZATION_NAME, "X"), (NameOID.COMMON_NAME, f"X {kind} CA")]
        assert isinstance(cert.public_key().curve, ec.SECP256R1)
        assert cert.signature_algorithm_oid == x509.SignatureAlgorithmOID.ECDSA_WITH_SHA256
    check_ca_certificate(root, root, 1)
    check_ca_certificate(intermediate, root, 0)
    assert (root.not_valid_after - root.not_valid_before).days == 3650
    # The intermediate is cut to the root's end, never beyond it.
    assert (intermediate.not_valid_after - intermediate.not_valid_before).days >= 3649
    assert intermediate.not_valid_after <= root.not_valid_after
    execute(["openssl", "verify", "-x509_strict", "-CAfile", machine.path / "certs/root_ca.crt",
             machine.path / "certs/intermediate_ca.crt"])
    text = execute(["openssl", "x509", "-noout", "-text", "-in",
                    machine.path / "certs/root_ca.crt"]).stdout
    assert "CA:TRUE, pathlen:1" in text and "X509v3 Authority Key Identifier" not in text


def test_the_keys_are_encrypted_and_fit(made):
    machine, _ = made
    for kind in ("root", "intermediate"):
        path = machine.path / f"secrets/{kind}_ca_key"
        text = path.read_text()
        assert text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
        cert = leaf(machine.path / f"certs/{kind}_ca.crt")
        key = key_of(path, PASSWORD.encode())
        assert key.public_key().public_numbers() == cert.public_key().public_numbers()
        execute(["openssl", "pkey", "-in", path, "-noout", "-passin", f"file:{machine.folder}/p"])
        refused = execute(["openssl", "pkey", "-in", path, "-noout", "-passin", "pass:wrong"], None)
        assert refused.returncode != 0


def test_the_provisioners_key_opens_with_the_password(made):
    machine, _ = made
    [provisioner] = json.loads((machine.path / "config/ca.json").read_text())["authority"][
        "provisioners"]
    private, kid = open_jwe(provisioner["encryptedKey"], PASSWORD)  # checks the thumbprint
    assert kid == provisioner["key"]["kid"]
    assert private.key_size == 256
    thumbprint = machine.step("crypto", "jwk", "thumbprint", input=json.dumps(provisioner["key"]),
                              stdin=None)
    assert thumbprint.stdout.strip() == kid


def test_change_pass_works_on_the_key_and_the_server_starts_with_the_new_password(make_ca):
    ca = make_ca()
    new = ca.folder / "new"
    new.write_text("another password\n")
    key = ca.path / "secrets/intermediate_ca_key"
    ca.step("crypto", "change-pass", key, "--password-file", ca.password_file,
            "--new-password-file", new, "--force")
    assert mode(key) == 0o600
    execute(["openssl", "pkey", "-in", key, "-noout", "-passin", f"file:{new}"])
    old = execute([STEP_CA, ca.config_path, "--password-file", ca.password_file], None,
                  env=ca.env, cwd=ca.folder)
    assert old.returncode == 2
    ca.password_file, old_file = new, ca.password_file
    ca.start()
    ca.password_file = old_file
    assert ca.sign().status == 201


# --- Variants -------------------------------------------------------------------------------------


def test_two_passwords(machine):
    (machine.folder / "q").write_text("for the provisioner")
    machine.step("ca", "init", *USUAL, "--provisioner-password-file", "q")
    key_of(machine.path / "secrets/intermediate_ca_key", PASSWORD.encode())
    [provisioner] = json.loads((machine.path / "config/ca.json").read_text())["authority"][
        "provisioners"]
    open_jwe(provisioner["encryptedKey"], "for the provisioner")


@pytest.mark.parametrize("more, url", [
    (["--dns", "ca.lan", "--address", ":443"], "https://ca.lan"),
    (["--dns", "ca.lan,10.0.0.5 b.lan", "--address", ":9000"], "https://ca.lan:9000"),
    (["--dns", "[::1]", "--address", "127.0.0.1:9000"], "https://[::1]:9000"),
    (["--dns", "ca.lan", "--address", ":9000", "--with-ca-url", "https://front.lan/"],
     "https://front.lan/"),
])
def test_the_url_in_the_defaults(machine, more, url):
    machine.step("ca", "init", *without("--dns", without("--address")), *more)
    assert json.loads((machine.path / "config/defaults.json").read_text())["ca-url"] == url
    if "b.lan" in more[1]:
        config = json.loads((machine.path / "config/ca.json").read_text())
        assert config["dnsNames"] == ["ca.lan", "10.0.0.5", "b.lan"]


def test_answers_may_come_from_the_environment(machine):
    machine.step("ca", "init", env={"STEP_NAME": "From Env", "STEP_DNS": "a.lan,b.lan",
                                    "STEP_ADDRESS": ":1", "STEP_PROVISIONER": "env",
                                    "STEP_PASSWORD_FILE": "p"})
    config = json.loads((machine.path / "config/ca.json").read_text())
    assert config["dnsNames"] == ["a.lan", "b.lan"]
    assert config["authority"]["provisioners"][0]["name"] == "env"


def test_acme_adds_a_provisioner_with_a_name_of_its_own(machine):
    machine.step("ca", "init", *without("--provisioner"), "--provisioner", "acme", "--acme")
    config = json.loads((machine.path / "config/ca.json").read_text())
    assert [(p["type"], p["name"]) for p in config["authority"]["provisioners"]] == [
        ("JWK", "acme"), ("ACME", "acme-1")]


def test_no_db(machine):
    machine.step("ca", "init", *USUAL, "--no-db")
    assert "db" not in json.loads((machine.path / "config/ca.json").read_text())


def test_pki_makes_certificates_and_keys_only(machine):
    said = machine.step("ca", "init", "--pki", "--name", "X", "--password-file", "p")
    assert files_below(machine.path) == PKI_FILES
    assert "Root fingerprint: " + fingerprint_of(machine.path / "certs/root_ca.crt") in said.stderr


# --- A root of one's own --------------------------------------------------------------------------


def make_root(folder, key, algorithm, password=None, path_length=1, days=1000):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Elder Root")])
    import datetime

    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1001))
               .not_valid_after(now + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(True, path_length), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    cert = builder.sign(key, algorithm)
    encryption = (serialization.BestAvailableEncryption(password) if password
                  else serialization.NoEncryption())
    (folder / "r.crt").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "r.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return cert


@pytest.mark.parametrize("make, algorithm, signature", [
    (lambda: rsa.generate_private_key(65537, 3072), hashes.SHA512(),
     x509.SignatureAlgorithmOID.RSA_WITH_SHA512),
    (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(),
     x509.SignatureAlgorithmOID.ECDSA_WITH_SHA384),
    (ed25519.Ed25519PrivateKey.generate, None, x509.SignatureAlgorithmOID.ED25519),
])
def test_a_given_root_signs_the_intermediate(machine, make, algorithm, signature):
    root = make_root(machine.folder, make(), algorithm, b"root password")
    (machine.folder / "rp").write_text("root password\n")
    said = machine.step("ca", "init", *USUAL, "--root", "r.crt", "--key", "r.key",
                        "--key-password-file", "rp")
    assert files_below(machine.path) == [n for n in FILES if n != "secrets/root_ca_key"]
    assert "Root private key" not in said.stderr
    assert der(leaf(machine.path / "certs/root_ca.crt")) == der(root)
    intermediate = leaf(machine.path / "certs/intermediate_ca.crt")
    check_ca_certificate(intermediate, root, 0)
    assert intermediate.signature_algorithm_oid == signature
    assert isinstance(intermediate.public_key().curve, ec.SECP256R1)
    assert intermediate.not_valid_after <= root.not_valid_after
    execute(["openssl", "verify", "-CAfile", "r.crt", machine.path / "certs/intermediate_ca.crt"],
            cwd=machine.folder)


def test_a_root_and_a_key_that_do_not_fit_are_refused(machine):
    make_root(machine.folder, ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    stranger = ec.generate_private_key(ec.SECP256R1())
    (machine.folder / "r.key").write_bytes(stranger.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    said = machine.step("ca", "init", *USUAL, "--root", "r.crt", "--key", "r.key", ok=False)
    assert "r.key" in said.stderr and files_below(machine.path) == []


@pytest.mark.parametrize("options, word", [
    ({"path_length": 0}, "path length"), ({"days": -1}, "expired"),
])
def test_a_root_that_is_good_for_nothing_is_refused(machine, options, word):
    make_root(machine.folder, ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), **options)
    said = machine.step("ca", "init", *USUAL, "--root", "r.crt", "--key", "r.key", ok=False)
    assert "r.crt" in said.stderr and word in said.stderr
    assert files_below(machine.path) == []


# --- Helm -----------------------------------------------------------------------------------------


def test_helm_prints_values_and_writes_nothing(machine, tmp_path):
    said = machine.step("ca", "init", *USUAL, "--helm", "--ssh", "--acme")
    assert files_below(machine.path) == []
    inject = yaml.safe_load(said.stdout)["inject"]
    assert inject["enabled"] is True
    config, defaults = (inject["config"]["files"][n] for n in ("ca.json", "defaults.json"))
    assert config["root"] == "/home/step/certs/root_ca.crt"
    assert config["address"] == ":8443" and config["dnsNames"] == ["ca.lan", "127.0.0.1"]
    assert config["db"]["dataSource"].startswith("/home/step/db/")
    assert config["logger"] == {"format": "json"}
    assert config["authority"]["enableAdmin"] is False
    assert [p["type"] for p in config["authority"]["provisioners"]] == ["JWK", "ACME", "SSHPOP"]
    assert config["tls"]["minVersion"] == 1.2 and config["tls"]["renegotiation"] is False
    assert list(defaults) == ["ca-url", "ca-config", "fingerprint", "root"]
    assert defaults["ca-url"] == "https://ca.lan"
    root, intermediate = (x509.load_pem_x509_certificate(inject["certificates"][n].encode())
                          for n in ("root_ca", "intermediate_ca"))
    assert root.fingerprint(hashes.SHA256()).hex() == defaults["fingerprint"]
    assert inject["certificates"]["ssh_host_ca"].startswith("ecdsa-sha2-nistp256 ")
    secrets = inject["secrets"]
    assert not secrets["ca_password"] and not secrets["provisioner_password"]
    assert set(secrets["ssh"]) == {"host_ca_key", "user_ca_key"}
    for name, cert in (("root_ca_key", root), ("intermediate_ca_key", intermediate)):
        (tmp_path / name).write_text(secrets["x509"][name])
        key = key_of(tmp_path / name, PASSWORD.encode())
        assert key.public_key().public_numbers() == cert.public_key().public_numbers()


def test_a_server_starts_with_what_helm_printed(machine, tmp_path):
    """Files put where the values belong, below another folder than the container's."""
    values = machine.step("ca", "init", *USUAL, "--helm").stdout
    inject = yaml.safe_load(values.replace("/home/step/", f"{tmp_path}/"))["inject"]
    for folder in ("certs", "secrets", "db"):
        (tmp_path / folder).mkdir()
    for name in ("root_ca", "intermediate_ca"):
        (tmp_path / f"certs/{name}.crt").write_text(inject["certificates"][name])
    (tmp_path / "secrets/intermediate_ca_key").write_text(
        inject["secrets"]["x509"]["intermediate_ca_key"])
    config = dict(inject["config"]["files"]["ca.json"], address="127.0.0.1:0")
    (tmp_path / "ca.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [STEP_CA, tmp_path / "ca.json", "--password-file", machine.folder / "p"], env=machine.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = ""
    for line in process.stderr:
        log += line
        if "Serving HTTPS" in line:
            break
    process.terminate()
    log += process.stderr.read()
    assert process.wait(60) == 0 and "WARNING" not in log, log


# --- Contexts -------------------------------------------------------------------------------------


def test_contexts(machine, tmp_path):
    for name in ("one", "two"):
        machine.step("ca", "init", *without("--dns"), "--dns", f"{name}.lan", "--context", name)
    base = machine.path
    assert json.loads((base / "contexts.json").read_text()) == {
        "one": {"authority": "one", "profile": "one"},
        "two": {"authority": "two", "profile": "two"}}
    assert json.loads((base / "current-context.json").read_text()) == {"context": "two"}
    assert machine.step("context", "current").stdout == "two\n"
    assert machine.step("context", "list").stdout == "▶ two\none\n"
    assert machine.step("path").stdout == f"{base}/authorities/two\n"
    assert machine.step("path", "--base").stdout == f"{base}\n"
    assert machine.step("path", "--profile").stdout == f"{base}/profiles/two\n"
    assert machine.step("path", "--context", "one").stdout == f"{base}/authorities/one\n"
    assert (base / "profiles/two/config/defaults.json").read_text() == "{}"
    for name in ("one", "two"):
        assert files_below(base / "authorities" / name) == FILES
    machine.step("context", "select", "one")
    assert machine.step("context", "current", "--json").stdout.replace(" ", "").replace(
        "\n", "") == '{"name":"one","authority":"one","profile":"one"}'
    machine.step("context", "select", "three", ok=False)
    machine.step("context", "remove", "one", "--force", ok=False)
    assert (base / "authorities/one").exists()
    machine.step("context", "remove", "two", "--force")
    assert not (base / "authorities/two").exists()


def test_the_server_starts_in_a_context(machine):
    from conftest import free_port
    from machine import wait_for

    port = free_port()
    args = without("--dns", without("--address"))
    machine.step("ca", "init", *args, "--dns", "localhost", "--address", f"127.0.0.1:{port}",
                 "--context", "a")
    machine.step("ca", "init", *args, "--dns", "b.lan", "--address", "127.0.0.1:1",
                 "--context", "b")
    server = subprocess.Popen([STEP_CA, "--context", "a", "--password-file", "p"],
                              env=machine.env, cwd=machine.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the server", lambda: machine.step("ca", "health", "--context", "a",
                                                    ok=None).stdout == "ok\n")
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, words", [
    ([*USUAL, "--root", "r.crt"], ["'--root'", "'--key'"]),
    ([*USUAL, "--key", "r.key"], ["'--root'", "'--key'"]),
    ([*USUAL, "--pki", "--no-db"], ["'--pki'", "'--no-db'"]),
    ([*USUAL, "--acme", "--no-db"], ["'--acme'", "'--no-db'"]),
    ([*without("--dns"), "--dns", "a b:c"], ["b:c", "--dns"]),
    ([*without("--dns"), "--dns", " , "], ["--dns"]),
    ([*without("--address"), "--address", "8443"], ["8443", "--address"]),
    ([*without("--address"), "--address", "127.0.0.1:http"], ["--address"]),
    ([*USUAL, "--deployment-type", "foo"], ["foo", "--deployment-type"]),
    ([*USUAL, "--deployment-type", "hosted"], ["hosted"]),
    ([*USUAL, "--pki", "--helm"], ["'--pki'", "'--helm'"]),
    ([*USUAL, "--kms", "azurekms", "--ra", "StepCAS"], ["'--kms'", "'--ra'"]),
    ([*USUAL, "--remote-management", "--no-db"], ["'--remote-management'", "'--no-db'"]),
    ([*USUAL, "--admin-subject", "x"], ["'--admin-subject'", "'--remote-management'"]),
    ([*USUAL, "--ra", "StepCAS"], ["'--ra'", "not supported"]),
    ([*USUAL, "--issuer", "https://x"], ["'--issuer'", "not supported"]),
    ([*USUAL, "--kms", "azurekms"], ["'--kms'", "not supported"]),
    ([*USUAL, "--remote-management"], ["'--remote-management'", "not supported"]),
    ([*USUAL, "--remote-management", "--admin-name", "x"], ["not supported"]),
    (without("--name"), ["--name"]),
    (without("--dns"), ["--dns"]),
    (without("--address"), ["--address"]),
    (without("--provisioner"), ["--provisioner"]),
    (without("--password-file"), ["--password-file"]),
    ([*without("--password-file"), "--password-file", "absent"], ["absent"]),
    ([*without("--password-file"), "--password-file", "empty"], ["--password-file"]),
    ([*USUAL, "more"], ["too many positional arguments"]),
])
def test_refusals_write_nothing(machine, args, words):
    (machine.folder / "empty").write_text("\n")
    said = machine.step("ca", "init", *args, ok=False)
    for word in words:
        assert word in said.stderr, said.stderr
    assert files_below(machine.path) == []


def test_a_second_init_without_terminal_changes_nothing(machine):
    machine.step("ca", "init", *USUAL)
    before = {n: hashlib.sha256((machine.path / n).read_bytes()).digest() for n in FILES}
    said = machine.step("ca", "init", *USUAL, ok=False)
    assert "--force" in said.stderr and "root_ca.crt" in said.stderr
    assert before == {n: hashlib.sha256((machine.path / n).read_bytes()).digest() for n in FILES}
    machine.step("ca", "init", *USUAL, "--force")
    assert all(hashlib.sha256((machine.path / n).read_bytes()).digest() != before[n]
               for n in FILES)
