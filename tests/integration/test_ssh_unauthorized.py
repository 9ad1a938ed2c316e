"""`step ssh config`, `hosts` and `revoke` at a CA that answers 401 to whoever shows no certificate.

The CA and the provider are small servers of ours; the CA's certificates come from ssh-keygen and
python-cryptography."""

import base64
import datetime
import http.server
import json
import ssl
import threading
import time

import pytest
from conftest import make_cert, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from machine import Machine, execute, fit_together, leaf, mode, names
from test_reference_client import reference  # noqa: F401  # pylint: disable=unused-import
from test_toolbox_services import (Running, idp, secure_idp,  # noqa: F401
                                   visit)  # pylint: disable=unused-import

WHO = "Joe.Doe@x.io"
CONTENT = "written by the CA\n"


def b64(data):
    return base64.b64encode(data).decode()


class Strict(http.server.BaseHTTPRequestHandler):
    """What needs no certificate is open, everything else is for those who show one."""

    protocol_version = "HTTP/1.1"

    def say(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def answer(self):
        ca, path = self.server.ca, self.path.split("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ca.asked.append((path, bool(self.connection.getpeercert())))
        if path in ca.open:
            self.say(*ca.open[path](json.loads(body or b"{}")))
        elif ca.knows(self.connection.getpeercert()):
            self.say(200, ca.closed[path])
        else:
            self.say(401, {"status": 401, "message": "who are you?"})

    do_GET = do_POST = answer

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class StrictCa:
    """A CA with one OIDC provisioner, or those that are given."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder, self.asked, self.signed, self.denied = folder, [], [], False
        self.wants, self.identity = True, True
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = make_cert("Strict Root", self.root_key, ca=True)
        (folder / "root.crt").write_text(pem_of(self.root))
        execute(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", folder / "ca"])
        self.provisioners = []
        self.open = {
            "/version": lambda _: (200, {"version": "0.30.2",
                                         "requireClientAuthentication": self.wants}),
            "/provisioners": lambda _: (200, {"provisioners": self.provisioners,
                                              "nextCursor": ""}),
            "/ssh/sign": self.sign,
        }
        self.closed = {
            "/ssh/hosts": {"hosts": [{"hostname": "web.example"}]},
            "/ssh/roots": {"userKey": [self.public()], "hostKey": [self.public()]},
            "/ssh/config": {"userTemplates": [{"name": "x", "type": "file", "path": "ssh/x",
                                               "comment": "#", "content": b64(CONTENT.encode())}]},
            "/ssh/revoke": {"status": "ok"},
        }
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strict)
        self.server.ca = self
        self.server.socket = self.context().wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"https://localhost:{self.server.server_port}"

    def context(self):
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        cert = make_cert("localhost", key, self.root, self.root_key, extensions=[(san, False)])
        (self.folder / "srv.crt").write_text(pem_of(cert))
        (self.folder / "srv.key").write_text(pem_of(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "srv.crt", self.folder / "srv.key")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(self.folder / "root.crt")
        return context

    def public(self):
        return (self.folder / "ca.pub").read_text().split()[1]

    def knows(self, shown):
        return bool(shown) and not self.denied

    def sign(self, body):
        self.signed.append(body)
        kind = base64.b64decode(body["publicKey"])[4:23].decode()
        (self.folder / "subject.pub").write_text(f"{kind} {body['publicKey']}\n")
        execute(["ssh-keygen", "-q", "-s", self.folder / "ca", "-I", body["keyID"], "-n", "joe",
                 "-V", "+1h", self.folder / "subject.pub"])
        crt = (self.folder / "subject-cert.pub").read_text().split()[1]
        if not self.identity:
            return 201, {"crt": crt}
        csr = x509.load_pem_x509_csr(body["identityCSR"].encode())
        assert csr.is_signature_valid
        now = datetime.datetime.utcnow()
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        cert = (x509.CertificateBuilder().subject_name(csr.subject).issuer_name(self.root.subject)
                .public_key(csr.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(minutes=1))
                .not_valid_after(now + datetime.timedelta(hours=1))
                .add_extension(use, False)
                .add_extension(csr.extensions.get_extension_for_class(
                    x509.SubjectAlternativeName).value, False)
                .sign(self.root_key, hashes.SHA256()))
        return 201, {"crt": crt, "identityCrt": [pem_of(cert), pem_of(self.root)]}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(20)


def oidc(idp, name="people"):  # noqa: F811
    return {"type": "OIDC", "name": name, "clientID": "the client", "clientSecret": "s",
            "configurationEndpoint": idp.provider + "/.well-known/openid-configuration"}


@pytest.fixture
def strict(tmp_path, secure_idp):  # noqa: F811
    made = StrictCa(tmp_path / "strict")
    made.provisioners = [{"type": "ACME", "name": "acme"}, oidc(secure_idp)]
    secure_idp.rules["claims"] = {"email": WHO, "iat": int(time.time())}
    yield made
    made.stop()


@pytest.fixture
def client(strict, tmp_path):
    made = Machine(tmp_path / "client")
    made.env.pop("SSH_AUTH_SOCK", None)
    made.where = ["--ca-url", strict.url, "--root", str(strict.folder / "root.crt")]
    return made


def with_login(client, idp, *words):  # noqa: F811
    """Runs a command and logs in when it asks: (exit code, stdout, stderr)."""
    with Running(client, *words, *client.where, STEP_OPEN_BROWSER="0", BROWSER="false",
                 **idp.trust) as running:
        visit(running.line("http"))
        return running.end()


def host_of(client, strict, serial):
    """A certificate of this CA that speaks for itself: flags for the command."""
    key = client.folder / "hk"
    execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    execute(["ssh-keygen", "-q", "-s", strict.folder / "ca", "-h", "-I", "web", "-n", "web", "-z",
             serial, "-V", "+1h", f"{key}.pub"])
    strict.provisioners.append({"type": "SSHPOP", "name": "sshpop"})
    return ["--sshpop-cert", f"{key}-cert.pub", "--sshpop-key", str(key)]


def paths(strict):
    return [path for path, _ in strict.asked]


def test_hosts_are_listed_after_a_login(client, strict, secure_idp):  # noqa: F811
    code, out, err = with_login(client, secure_idp, "ssh", "hosts", "--set", "team=a")
    assert code == 0, err
    assert out.splitlines()[1].split()[0] == "web.example"
    assert strict.asked[0] == ("/ssh/hosts", False) and strict.asked[-1] == ("/ssh/hosts", True)
    assert paths(strict).count("/ssh/sign") == 1
    asked = strict.signed[0]
    assert asked["certType"] == "user" and asked["keyID"] == WHO and asked["ott"].count(".") == 2
    assert asked["templateData"] == {"team": "a"}
    crt, key = client.path / "identity/identity.crt", client.path / "identity/identity_key"
    assert fit_together(crt, key) and mode(key) == 0o600 and names(leaf(crt))["email"] == [WHO]
    # From now on the identity is shown at once, and nobody is asked.
    strict.asked.clear()
    client.step("ssh", "hosts", *client.where)
    assert strict.asked == [("/ssh/hosts", True)]
    assert not list(client.folder.glob("id*")) and "SSH_AUTH_SOCK" not in client.env


@pytest.mark.parametrize("words", [["hosts"], ["config", "--roots"]])
def test_the_original_client_does_the_same(client, strict, secure_idp,  # noqa: F811
                                           reference, words):  # noqa: F811
    """So this CA is one that it takes for the real one."""
    client.program = reference
    code, out, err = with_login(client, secure_idp, "ssh", *words)
    assert code == 0 and ("web.example" if words == ["hosts"] else strict.public()) in out, err
    assert paths(strict).count("/ssh/sign") == 1 and strict.signed[0]["identityCSR"]
    assert names(leaf(client.path / "identity/identity.crt"))["email"] == [WHO]


def test_files_are_written_after_a_login(client, strict, secure_idp):  # noqa: F811
    code, _, err = with_login(client, secure_idp, "ssh", "config", "--set", "User=joe", "--force")
    assert code == 0, err
    assert (client.path / "ssh/x").read_text() == CONTENT
    client.step("ssh", "config", "--set", "User=joe", "--force", *client.where)
    strict.asked.clear()
    said = client.step("ssh", "config", "--roots", *client.where)
    assert said.stdout.split()[1] == strict.public()
    assert strict.asked == [("/ssh/roots", True)]


def test_keys_are_shown_after_a_login(client, strict, secure_idp):  # noqa: F811
    code, out, err = with_login(client, secure_idp, "ssh", "config", "--roots")
    assert code == 0 and out.split()[1] == strict.public(), err


def test_a_certificate_is_revoked_after_a_login(client, strict, secure_idp):  # noqa: F811
    words = host_of(client, strict, "77")
    code, _, err = with_login(client, secure_idp, "ssh", "revoke", "77", *words)
    assert code == 0 and "has been revoked" in err, err
    assert paths(strict).count("/ssh/revoke") == 2 and paths(strict).count("/ssh/sign") == 1


def test_one_login_is_enough(client, strict, secure_idp):  # noqa: F811
    """A CA that refuses the identity, too: nobody logs in a second time."""
    strict.denied = True
    code, _, err = with_login(client, secure_idp, "ssh", "hosts")
    assert code == 1 and "401" in err and "who are you?" in err
    assert paths(strict).count("/ssh/hosts") == 2 and paths(strict).count("/ssh/sign") == 1


def test_whoever_gives_up_at_the_provider_reads_both_reasons(client, strict,
                                                             secure_idp):  # noqa: F811
    secure_idp.rules["token"] = (200, {"error": "access_denied", "error_description": "no"})
    code, _, err = with_login(client, secure_idp, "ssh", "hosts")
    assert code == 1 and "401" in err and "access_denied" in err
    assert paths(strict).count("/ssh/hosts") == 1 and not (client.path / "identity").exists()


def test_an_answer_without_identity_is_told(client, strict, secure_idp):  # noqa: F811
    strict.identity = False
    code, _, err = with_login(client, secure_idp, "ssh", "hosts")
    assert code == 1 and "no certificate for the identity" in err


def test_without_oidc_it_is_said_what_to_do(client, strict):
    strict.provisioners = [{"type": "JWK", "name": "ops"}, {"type": "ACME", "name": "acme"}]
    err = client.step("ssh", "hosts", *client.where, ok=False).stderr
    assert "401" in err and "no provisioner of type OIDC" in err and "step ssh login" in err


def test_of_several_one_must_be_chosen(client, strict, secure_idp):  # noqa: F811
    strict.provisioners.append(oidc(secure_idp, "others"))
    err = client.step("ssh", "hosts", *client.where, ok=False).stderr
    assert "What provisioner" in err and "401" in err


@pytest.mark.parametrize("words", [["hosts"], ["config", "--roots"], ["check-host", "web.example"]])
def test_a_ca_that_wants_no_certificates_means_what_it_says(client, strict, words):
    """So does every CA where check-host is concerned: ssh asks that before each connection."""
    strict.wants = words[0] == "check-host"
    err = client.step("ssh", *words, *client.where, ok=False).stderr
    assert "401" in err and "log in" not in err
    assert "/ssh/sign" not in paths(strict)
