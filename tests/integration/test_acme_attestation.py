"""device-attest-01: a key whose device vouches for it gets a certificate for the device's
identifier; by ACME itself, and by `step ca certificate --attestation-uri` with a plugin as the device."""

import base64
import shutil
from pathlib import Path

import pytest
from acme_lab import Client, Lab, acme_csr, certificates, problem
from attesting_plugin import cbor, statement
from conftest import Ca, b64url, make_cert, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

SERIAL = x509.ObjectIdentifier("1.3.6.1.4.1.41482.3.7")
PERMANENT = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.3")
URI = "softdevice:slot=9a"
PLUGIN = Path(__file__).resolve().parent / "attesting_plugin.py"
KEYS = {"P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "Ed25519": ed25519.Ed25519PrivateKey.generate}


class Maker:
    """Makes devices, and vouches for their keys."""

    def __init__(self, name="Maker"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = make_cert(name, self.key, ca=True)

    def vouch(self, key, serial, **how):
        """The certificate that a device with this serial number has for a key in it."""
        number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        value = b"\x02" + bytes([len(number)]) + number
        return make_cert("Device", key, self.root, self.key,
                         extensions=[(x509.UnrecognizedExtension(SERIAL, value), False)], **how)


MAKER = Maker()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attestation")
    roots = base64.b64encode(pem_of(MAKER.root).encode()).decode()
    made = Lab(lambda *args: Ca(folder / "ca", args), folder, [
        {"type": "ACME", "name": "device", "challenges": ["device-attest-01"],
         "attestationRoots": roots},
        {"type": "ACME", "name": "apples", "challenges": ["device-attest-01"],
         "attestationFormats": ["apple"], "attestationRoots": roots}])
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()


def order_of(client, serial):
    order = client.order(("permanent-identifier", str(serial)))
    authz = order.authz()
    assert authz["identifier"] == {"type": "permanent-identifier", "value": str(serial)}
    assert [c["type"] for c in authz["challenges"]] == ["device-attest-01"]
    return order, order.challenge("device-attest-01")


def answer(client, challenge, key, *chain):
    found = statement(key, chain, client.authorization(challenge["token"]))
    return client.post(challenge["url"], {"attObj": b64url(found)})


def spki(holder):
    return holder.public_key().public_bytes(serialization.Encoding.DER,
                                            serialization.PublicFormat.SubjectPublicKeyInfo)


def check(leaf, serial, key):
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [(n.type_id, n.value[-len(str(serial)):]) for n in san] == [
        (PERMANENT, str(serial).encode())]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert spki(leaf) == spki(key)


@pytest.mark.parametrize("kind", KEYS)
def test_an_attested_key_gets_a_certificate(lab, kind):
    client, key = Client(lab.ca, "device"), KEYS[kind]()
    order, challenge = order_of(client, 1234567)
    reply = answer(client, challenge, key, MAKER.vouch(key, 1234567))
    assert reply.status == 200 and reply.json()["status"] == "valid", reply.body
    assert order.refresh()["status"] == "ready"

    csr, _ = acme_csr([], common_name="1234567")
    problem(order.finalize(csr), 401, "unauthorized")  # another key
    csr, _ = acme_csr([], key, common_name="7654321")
    problem(order.finalize(csr), 400, "badCSR")  # another name
    csr, _ = acme_csr([], key, common_name="1234567")
    reply = order.finalize(csr)
    assert reply.status == 200, reply.body
    order.state = reply.json()
    check(order.download(), 1234567, key)


def test_statements_that_prove_nothing(lab):
    client, key = Client(lab.ca, "device"), KEYS["P-256"]()
    chain, stranger = [MAKER.vouch(key, 42)], Maker("Stranger")
    other = KEYS["P-256"]()

    def said(order):
        """Of an answer: its error; challenge, authorization and order are over."""
        reply = client.post(order[1]["url"])
        assert reply.json()["status"] == "invalid" and order[0].refresh()["status"] == "invalid"
        return reply.json()["error"]

    for serial, signer, vouched, kind in [
            (42, other, chain, "badAttestationStatement"),
            (42, key, [stranger.vouch(key, 42)], "badAttestationStatement"),
            (42, key, [MAKER.vouch(key, 42, start=-7200, length=3600)], "badAttestationStatement"),
            (42, key, [make_cert("Device", key, MAKER.root, MAKER.key)],
             "badAttestationStatement"),
            (42, key, [], None), (43, key, chain, "badAttestationStatement")]:
        order = order_of(client, serial)
        answer(client, order[1], signer, *vouched)
        error = said(order)
        assert kind is None or error["type"].endswith(kind), error
    assert error["subproblems"][0]["identifier"] == {"type": "permanent-identifier", "value": "43"}
    assert "42" in error["subproblems"][0]["detail"]

    good = statement(key, chain, "token.thumbprint")
    for bad in (b"", b"{}", good, good[:-1], good + b"\0", cbor({"fmt": "step"}), cbor([]),
                cbor({"fmt": "tpm", "attStmt": {}}), cbor({"fmt": "android-key", "attStmt": {}}),
                cbor({"fmt": "none", "attStmt": {}}), cbor({"fmt": 5, "attStmt": []}),
                b"\xbf" * 100):
        order = order_of(client, 42)
        client.post(order[1]["url"], {"attObj": b64url(bad)})
        assert said(order)["type"].endswith("badAttestationStatement"), bad
    order = order_of(client, 42)
    client.post(order[1]["url"], {"error": "no device"})
    assert said(order)["type"].endswith("rejectedIdentifier")
    order = order_of(client, 42)
    problem(client.post(order[1]["url"], "[]"), 400, "malformed")
    assert client.post(order[1]["url"]).json()["status"] == "pending"
    assert answer(client, order[1], key, *chain).json()["status"] == "valid"
    # once proven, nothing changes it
    client.post(order[1]["url"], {"error": "no device"})
    assert client.post(order[1]["url"]).json()["status"] == "valid"


def test_formats_that_are_not_enabled(lab):
    client, key = Client(lab.ca, "apples"), KEYS["P-256"]()
    _, challenge = order_of(client, 42)
    state = answer(client, challenge, key, MAKER.vouch(key, 42)).json()
    assert state["status"] == "invalid" and "step" in state["error"]["detail"]


def test_where_the_challenge_is_not_offered(lab):
    client = Client(lab.ca)
    reply = client.post("/new-order", {"identifiers": [
        {"type": "permanent-identifier", "value": "42"}]})
    problem(reply, 403, "rejectedIdentifier")


# --- step ca certificate --attestation-uri --------------------------------------------------------


@pytest.fixture(params=list(KEYS))
def device(lab, tmp_path, request):
    """A key in a device, and a plugin that reaches it."""
    key = KEYS[request.param]()
    (tmp_path / "device.key").write_text(pem_of(key))
    (tmp_path / "device.pem").write_text(pem_of(MAKER.vouch(key, 1001)))
    plugins = lab.ca.path / "plugins"
    plugins.mkdir(exist_ok=True)
    shutil.copy(PLUGIN, plugins / "step-kms-plugin")
    (plugins / "step-kms-plugin").chmod(0o755)
    lab.ca.env["NEWEL_DEVICE"] = str(tmp_path)
    yield key
    (plugins / "step-kms-plugin").unlink()


def get(lab, path, *args, ok=True, uri=URI):
    return lab.ca.step("ca", "certificate", "1001", path, "--attestation-uri", uri,
                       "--provisioner", "device", *args, ok=ok)


def test_step_gets_a_certificate_for_a_key_in_a_device(lab, device, tmp_path):
    done = get(lab, tmp_path / "crt")
    assert f"Private Key: {URI}" in done.stderr and "1001" in done.stderr
    leaf = certificates((tmp_path / "crt").read_bytes())[0]
    check(leaf, 1001, device)


def test_step_says_what_is_wrong_with_a_device(lab, device, tmp_path):
    crt = tmp_path / "crt"
    for args, word in (((crt, "--provisioner", "acme"), "rejectedIdentifier"),
                       ((crt, "--provisioner", "ops", "--provisioner-password-file",
                         lab.ca.password_file), "type ACME"),
                       ((crt, tmp_path / "key"), "too many"),
                       ((crt, "--san", "a.test"), "--san"), ((crt, "--kty", "RSA"), "--kty"),
                       ((crt, "--standalone"), "--standalone")):
        done = get(lab, *args, ok=False)
        assert done.returncode == 1 and word in done.stderr, done.stderr
    done = get(lab, crt, ok=False, uri="softdevice:slot=9c")
    assert "no key softdevice:slot=9c" in done.stderr
    for uri in ("device.key", "-:x"):
        done = lab.ca.step("ca", "certificate", "1001", crt, f"--attestation-uri={uri}",
                           "--provisioner", "device", ok=False)
        assert "expected a URI" in done.stderr
    (tmp_path / "device.pem").write_text(pem_of(MAKER.vouch(device, 1002)))
    done = get(lab, crt, ok=False)
    assert "1002" in done.stderr, done.stderr
    assert not crt.exists()


def test_step_without_the_plugin(lab, tmp_path):
    done = lab.ca.step("ca", "certificate", "1001", tmp_path / "crt", "--attestation-uri", URI,
                       "--provisioner", "device", ok=False)
    assert done.returncode == 1 and "step-kms-plugin" in done.stderr
    done = lab.ca.step("ca", "certificate", "1001", tmp_path / "crt", ok=False)
    assert done.returncode == 1 and "not enough" in done.stderr
