"""The SSH certificate authority over HTTP: what each route takes, gives and refuses."""

import base64
import hashlib
import json
import os
import re
import struct
import time
import urllib.request
import uuid

import pytest
from conftest import Ca, b64url, free_port, make_cert, make_csr, pem_of, sign_jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from machine import execute

FIVE = ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
        "permit-user-rc"]
HOUR = 3600


# --- Wire format by hand ---------------------------------------------------------------------------


def text(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def mpint(number):
    size = (number.bit_length() + 8) // 8
    return text(number.to_bytes(size, "big") if number else b"")


def line_of(key):
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH,
                                         serialization.PublicFormat.OpenSSH).decode()


def blob_of(key):
    return base64.b64decode(line_of(key).split()[1])


def b64(data):
    return base64.b64encode(data).decode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data)
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.number(">I"))

    def list(self):
        inner, out = Reader(self.text()), []
        while inner.at < len(inner.data):
            out.append(inner.text().decode())
        return out

    def options(self):
        pairs = self.raw_list()
        return {name.decode(): Reader(value).text().decode() if value else ""
                for name, value in zip(pairs[::2], pairs[1::2])}

    def raw_list(self):
        inner, out = Reader(self.text()), []
        while inner.at < len(inner.data):
            out.append(inner.text())
        return out


class Cert:
    """A certificate as the API gives it, taken apart."""

    def __init__(self, encoded):
        self.blob = base64.b64decode(encoded)
        r = Reader(self.blob)
        self.name = r.text().decode()
        self.nonce = r.text()
        plain = self.name.replace("-cert-v01@openssh.com", "")
        fields = {"ssh-rsa": 2, "ssh-ed25519": 1, "sk-ssh-ed25519": 2, "sk-ecdsa-sha2-nistp256": 3}
        parts = [r.text() for _ in range(fields.get(plain, 2))]
        plain += "@openssh.com" if plain.startswith("sk-") else ""
        self.key = text(plain) + b"".join(text(p) for p in parts)
        self.serial = r.number(">Q")
        self.type = {1: "user", 2: "host"}[r.number(">I")]
        self.key_id = r.text().decode()
        self.principals = r.list()
        self.after, self.before = r.number(">Q"), r.number(">Q")
        self.critical, self.extensions = r.options(), r.options()
        self.reserved = r.text()
        self.ca = r.text()
        signature = Reader(r.text())
        self.algorithm = signature.text().decode()
        assert r.at == len(self.blob)

    def keygen(self, folder):
        """What ssh-keygen says, which verifies the signature too."""
        path = folder / f"{uuid.uuid4().hex}-cert.pub"
        path.write_text(f"{self.name} {b64(self.blob)}\n")
        return execute(["ssh-keygen", "-L", "-f", path]).stdout


# --- The CA ----------------------------------------------------------------------------------------

BROKEN = '{"type": {{ toJson .Type }}, "keyId": "k",'
TEMPLATE = ('{"type": {{ toJson .Type }}, "keyId": {{ toJson .KeyID }}, "principals": '
            '{{ toJson .Principals }}, "extensions": {{ toJson .Extensions }}, "criticalOptions": '
            '{{ toJson .Insecure.User.critical }}}')


class SshCa(Ca):
    """With keys made here, so that the tests can sign with them too."""

    def __init__(self, folder, change=None, host=True, user=True):
        super().__init__(folder)
        self.keys = {"host": ec.generate_private_key(ec.SECP256R1()),
                     "user": ed25519.Ed25519PrivateKey.generate()}
        self.former = ec.generate_private_key(ec.SECP256R1())
        self.federated = ec.generate_private_key(ec.SECP256R1())
        self.edge_key = ec.generate_private_key(ec.SECP256R1())
        self.edge_root = make_cert("Edge Root", self.edge_key, ca=True)
        self.metrics_port = free_port()
        for name, key in self.keys.items():
            (self.folder / name).write_text(pem_of(key))

        def configure(c):
            c["ssh"] = {"keys": [
                {"type": "host", "key": jwk_of(self.former)},
                {"type": "host", "federated": True, "key": jwk_of(self.federated)}]}
            if host:
                c["ssh"]["hostKey"] = str(self.folder / "host")
            if user:
                c["ssh"]["userKey"] = str(self.folder / "user")
            c["logger"] = {"format": "json"}
            c["metricsAddress"] = f"127.0.0.1:{self.metrics_port}"
            ops = c["authority"]["provisioners"][0]

            def another(name, claims, **options):
                p = json.loads(json.dumps(ops))
                p.update(name=name, claims=claims, options=options)
                c["authority"]["provisioners"].append(p)

            another("plain", {})
            another("strict", {"enableSSHCA": True})
            another("custom", {"enableSSHCA": True}, ssh={"template": TEMPLATE})
            another("refusing", {"enableSSHCA": True}, ssh={"template": '{{ fail "not today" }}'})
            another("broken", {"enableSSHCA": True}, ssh={"template": BROKEN})
            ops["claims"] = {"enableSSHCA": True, "minHostSSHCertDuration": "1s",
                             "minUserSSHCertDuration": "1s"}
            c["authority"]["provisioners"] += [
                {"type": "X5C", "name": "edge", "claims": {"enableSSHCA": True},
                 "roots": b64(pem_of(self.edge_root).encode())},
                {"type": "SSHPOP", "name": "sshpop"},
                {"type": "SSHPOP", "name": "late", "claims": {"allowRenewalAfterExpiry": True}},
                {"type": "SSHPOP", "name": "off", "claims": {"disableRenewal": True}},
            ]
            if change:
                change(c)

        self.configure(configure)

    def end(self):
        """The server ends as it should, and a sanitizer has found nothing."""
        code = self.stop()
        assert code in (0, None), self.log()
        for word in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
            assert word not in self.log(), self.log()

    # --- tokens ---

    def claims(self, iss, method, sub, fragment="", **more):
        now = int(time.time())
        return {"iss": iss, "sub": sub, "aud": f"{self.url}/1.0/{method}{fragment}", "iat": now,
                "nbf": now, "exp": now + 300, "jti": uuid.uuid4().hex, **more}

    def ssh_token(self, ssh="none", sub="alice", iss="ops", method="ssh/sign", **more):
        key, kid = self.provisioner_key()
        if ssh != "none":
            more["step"] = {"ssh": ssh}
        return sign_jwt(key, {"alg": "ES256", "kid": kid},
                        self.claims(iss, method, sub, **more))

    def pop_token(self, key, cert, method, iss="sshpop", **more):
        header = {"alg": "ES256", "sshpop": b64(cert.blob)}
        claims = self.claims(iss, f"ssh/{method}", str(cert.serial), f"#sshpop/{iss}")
        return sign_jwt(key, header, {**claims, **more})

    # --- requests ---

    def post(self, path, body, **options):
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.request("POST", path, data, **options)

    def ssh_sign(self, ssh="none", sub="alice", iss="ops", key=None, path="/ssh/sign", **body):
        key = key or ec.generate_private_key(ec.SECP256R1())
        body.setdefault("publicKey", b64(blob_of(key)))
        body.setdefault("ott", self.ssh_token({} if ssh == "none" else ssh, sub, iss))
        return self.post(path, body)

    def certificate(self, ssh="none", **more):
        reply = self.ssh_sign(ssh, **more)
        assert reply.status == 201, reply.body
        return Cert(reply.json()["crt"])

    def host(self, *names, before=None):
        """(key, certificate) of a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        ssh = {"certType": "host", "principals": list(names)}
        if before:
            ssh["validBefore"] = before
        return key, self.certificate(ssh, key=key)

    def renew(self, key, cert, **more):
        return self.post("/ssh/renew", {"ott": self.pop_token(key, cert, "renew", **more)})

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer:
            return answer.read().decode()


def jwk_of(key):
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": uuid.uuid4().hex,
            "x": b64url(numbers.x.to_bytes(32, "big")), "y": b64url(numbers.y.to_bytes(32, "big"))}


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    ca = SshCa(tmp_path_factory.mktemp("ssh")).start()
    yield ca
    ca.end()


@pytest.fixture
def another(tmp_path):
    """A CA of the test's own."""
    made = []

    def make(change=None, **options):
        made.append(SshCa(tmp_path / f"ca{len(made)}", change, **options).start())
        return made[-1]

    yield make
    for ca in made:
        ca.end()


# --- Issuance ---------------------------------------------------------------------------------------


def test_a_user_certificate(ssh, tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    reply = ssh.ssh_sign({"certType": "user", "keyID": "alice@x.io",
                          "principals": ["alice", "alice@x.io"], "validBefore": "2h"},
                         key=key, keyID="root", principals=None, validAfter="", validBefore="",
                         identityCSR=None)
    assert reply.status == 201 and list(reply.json()) == ["crt"]
    cert = Cert(reply.json()["crt"])
    assert (cert.type, cert.key_id, cert.principals) == ("user", "alice@x.io",
                                                         ["alice", "alice@x.io"])
    assert list(cert.extensions) == FIVE and not cert.critical and cert.reserved == b""
    assert cert.key == blob_of(key) and cert.ca == blob_of(ssh.keys["user"])
    assert cert.serial > 0 and len(cert.nonce) == 32
    assert abs(cert.before - time.time() - 2 * HOUR) < 60 and abs(cert.after - time.time() + 60) < 60
    said = cert.keygen(tmp_path)
    assert "ssh-ed25519-cert-v01@openssh.com user certificate" in said
    assert "using ssh-ed25519" in said


def test_a_host_certificate(ssh, tmp_path):
    _, cert = ssh.host("Web1.example", "10.0.0.7")
    assert cert.type == "host" and cert.principals == ["Web1.example", "10.0.0.7"]
    assert cert.extensions == {} and cert.critical == {}
    assert cert.ca == blob_of(ssh.keys["host"]) and cert.algorithm == "ecdsa-sha2-nistp256"
    assert cert.before - cert.after == 720 * HOUR + 60
    assert "Extensions: (none)" in cert.keygen(tmp_path)


def subjects():
    point = blob_of(ec.generate_private_key(ec.SECP256R1()))
    reader = Reader(point)
    reader.text()
    curve, where = reader.text(), reader.text()
    plain = Reader(blob_of(ed25519.Ed25519PrivateKey.generate()))
    plain.text()
    return {
        "rsa": blob_of(rsa.generate_private_key(65537, 2048)),
        "p256": blob_of(ec.generate_private_key(ec.SECP256R1())),
        "p384": blob_of(ec.generate_private_key(ec.SECP384R1())),
        "p521": blob_of(ec.generate_private_key(ec.SECP521R1())),
        "ed25519": blob_of(ed25519.Ed25519PrivateKey.generate()),
        "sk-ecdsa": text("sk-ecdsa-sha2-nistp256@openssh.com") + text(curve) + text(where)
        + text("ssh:"),
        "sk-ed25519": text("sk-ssh-ed25519@openssh.com") + text(plain.text()) + text("ssh:"),
    }


def authorities():
    return {
        "rsa2048": (rsa.generate_private_key(65537, 2048), "rsa-sha2-256"),
        "rsa4096": (rsa.generate_private_key(65537, 4096), "rsa-sha2-256"),
        "p256": (ec.generate_private_key(ec.SECP256R1()), "ecdsa-sha2-nistp256"),
        "p384": (ec.generate_private_key(ec.SECP384R1()), "ecdsa-sha2-nistp384"),
        "p521": (ec.generate_private_key(ec.SECP521R1()), "ecdsa-sha2-nistp521"),
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), "ssh-ed25519"),
    }


LISTED = {
    "user": "Principals: \n{0}b\n{0}a\n".format(" " * 16) + "Critical Options: (none)\n"
    + "Extensions: \n" + "".join(f"{' ' * 16}{name}\n" for name in FIVE),
    "host": "Principals: \n{0}b\n{0}a\n".format(" " * 16) + "Critical Options: (none)\n"
    + "Extensions: (none)\n"}


def test_every_key_is_signed_by_every_key(another, tmp_path):
    """ssh-keygen verifies all of them; the CA takes its new keys at SIGHUP."""
    ca, subject = another(), subjects()
    for name, (key, algorithm) in authorities().items():
        for type_ in ("user", "host"):
            (ca.folder / type_).write_text(pem_of(key))
        assert ca.reload()
        lines, types = "", []
        for n, (kind, blob) in enumerate(subject.items()):
            type_ = ("user", "host")[n % 2]
            types.append(type_)
            cert = ca.certificate({"certType": type_, "principals": ["b", "a"]},
                                  publicKey=b64(blob))
            assert cert.key == blob and cert.ca == blob_of(key), (name, kind)
            assert cert.algorithm == algorithm
            lines += f"{cert.name} {b64(cert.blob)}\n"
        path = tmp_path / "all-cert.pub"
        path.write_text(lines)
        said = execute(["ssh-keygen", "-L", "-f", path]).stdout
        said = re.split(r"^.*all-cert.pub(?::\d+)?:\n", said, flags=re.M)[1:]
        assert len(said) == len(subject)
        fingerprint = b64(hashlib.sha256(blob_of(key)).digest()).rstrip("=")
        for text_, type_ in zip(said, types):
            text_ = re.sub(r"^        (?=\S)", "", text_, flags=re.M)
            assert f"openssh.com {type_} certificate\n" in text_, text_
            assert f"SHA256:{fingerprint} (using {algorithm})\n" in text_, text_
            assert LISTED[type_] in text_, text_


def test_what_was_asked_for_is_issued_when_the_token_allows_it(ssh):
    allowed = {"principals": ["a", "b", "c"]}
    assert ssh.certificate(allowed).principals == ["a", "b", "c"]
    assert ssh.certificate(allowed, principals=["C", "a"]).principals == ["a", "c"]
    assert ssh.certificate(allowed, principals=[]).principals == ["a", "b", "c"]
    # a token for nobody in particular is for its subject
    assert ssh.certificate({}, principals=["root"]).principals == ["alice"]


def test_paths_of_old_and_below_1_0(ssh):
    for path in ("/ssh/sign", "/1.0/ssh/sign", "/sign-ssh", "/1.0/sign-ssh"):
        assert ssh.ssh_sign(path=path).status == 201
    for path in ("/ssh/roots", "/ssh/federation", "/ssh/hosts", "/ssh/get-hosts"):
        for prefix in ("", "/1.0"):
            assert ssh.request("GET", prefix + path).status == 200, prefix + path
    for path in ("/ssh/renew", "/ssh/rekey", "/ssh/revoke", "/ssh/config", "/ssh/config/user",
                 "/ssh/check-host", "/ssh/bastion"):
        for prefix in ("", "/1.0"):
            assert ssh.post(prefix + path, "[]").status == 400, prefix + path
    head = ssh.request("HEAD", "/ssh/roots")
    assert head.status == 200 and head.body == b""


def test_times_of_request_and_token(ssh):
    def lasts(token, **body):
        return ssh.ssh_sign({"principals": ["a"], **token}, **body)

    cert = Cert(lasts({}, validAfter="10m", validBefore="30m").json()["crt"])
    assert cert.before - cert.after == 1200
    assert lasts({"validBefore": "60m"}, validBefore="1h").status == 201
    assert lasts({"validBefore": "1h"}, validBefore="2h").status == 403
    assert lasts({}, validAfter="2h", validBefore="1h").status == 400
    assert lasts({}, validBefore="10000h").status == 403
    assert lasts({}, validAfter=5).status == 400
    assert lasts({}, validBefore="tomorrow").status == 400
    assert lasts({}, validBefore="-1h").status == 400
    reply = ssh.ssh_sign(iss="strict", validBefore="1s")
    assert reply.status == 403 and "5m0s" in reply.json()["message"]


CONTRADICTIONS = [
    ({"principals": ["alice"]}, {"principals": ["root"]}, 403, "wanted [alice], got [root]"),
    ({"principals": ["alice"]}, {"principals": ["alice", "root"]}, 403, "principals"),
    ({"certType": "user"}, {"certType": "host"}, 403, "wanted user, got host"),
    ({"certType": "foo"}, {}, 400, "foo"),
    ({"principals": ["a,b"]}, {}, 400, "comma"),
    ({"principals": ["a\nb"]}, {}, 400, "control"),
    ({"principals": ["a\0b"]}, {}, 400, "control"),
]


@pytest.mark.parametrize("token,body,status,says", CONTRADICTIONS)
def test_contradictions(ssh, token, body, status, says):
    reply = ssh.ssh_sign(token, **body)
    assert reply.status == status and says in reply.json()["message"], reply.body


def bad_keys():
    good = blob_of(ec.generate_private_key(ec.SECP256R1()))
    weak = blob_of(rsa.generate_private_key(65537, 1024))
    old = dsa.generate_private_key(1024)
    return {
        "missing": (None, 400, "publicKey"),
        "empty": ("", 400, "publicKey"),
        "no base64": ("!", 400, "publicKey"),
        "no padding": (b64(good + b"x").rstrip("=") + "A", 400, "publicKey"),
        "number": (5, 400, "publicKey"),
        "trailing": (b64(good + b"x"), 400, "publicKey"),
        "truncated": (b64(good[:-1]), 400, "publicKey"),
        "dsa": (b64(blob_of(old)), 400, "ssh-dss"),
        "short rsa": (b64(weak), 403, "2048"),
        "unknown": (b64(text("ssh-foo") + text("x")), 400, "publicKey"),
    }


@pytest.mark.parametrize("name", bad_keys())
def test_keys_that_get_no_certificate(ssh, name):
    blob, status, says = bad_keys()[name]
    reply = ssh.ssh_sign(publicKey=blob)
    assert reply.status == status and says in reply.json()["message"], reply.body


def test_a_certificate_is_no_key(ssh):
    cert = ssh.certificate()
    reply = ssh.ssh_sign(publicKey=b64(cert.blob))
    assert reply.status == 400 and "certificate" in reply.json()["message"]
    assert ssh.ssh_sign(addUserPublicKey=b64(cert.blob)).status == 400
    # lines are wrapped by some
    wrapped = b64(blob_of(ec.generate_private_key(ec.SECP256R1())))
    assert ssh.ssh_sign(publicKey=wrapped[:40] + "\r\n" + wrapped[40:]).status == 201


@pytest.mark.parametrize("body,says", [
    ({"ott": ""}, "ott"), ({"ott": None}, "ott"), ({"certType": "foo"}, "certType"),
    ({"certType": "User"}, "certType"), ({"principals": [""]}, "principals"),
    ({"principals": "a"}, "principals"), ({"principals": ["a"] * 257}, "principals"),
    ({"addUserPublicKey": "AAAA"}, "addUserPublicKey"), ({"identityCSR": "x"}, "identityCSR"),
])
def test_bodies_that_are_wrong(ssh, body, says):
    reply = ssh.ssh_sign(**body)
    assert reply.status == 400 and says in reply.json()["message"], reply.body


def test_bodies_that_are_none(ssh):
    for body in ("", "x", "[]", "null", "{", '{"ott":{}}'):
        assert ssh.post("/ssh/sign", body).status == 400


def test_tokens_that_authorize_nothing(ssh):
    used = ssh.ssh_token({})
    assert ssh.ssh_sign(ott=used).status == 201
    assert ssh.ssh_sign(ott=used).status == 401
    assert ssh.ssh_sign(ott=ssh.ssh_token()).status == 401  # no step.ssh
    assert ssh.ssh_sign(iss="plain").status == 401  # enableSSHCA
    assert ssh.ssh_sign(ott=ssh.ssh_token({}, method="ssh/revoke")).status == 401
    assert ssh.ssh_sign(ott=ssh.ssh_token({}, method="ssh/renew")).status == 401
    assert ssh.ssh_sign(ott="a.b.c").status == 401
    key, kid = ssh.provisioner_key()
    other = ec.generate_private_key(ec.SECP256R1())
    forged = sign_jwt(other, {"alg": "ES256", "kid": kid},
                      ssh.claims("ops", "ssh/sign", "alice", step={"ssh": {}}))
    assert ssh.ssh_sign(ott=forged).status == 401
    # the audience for X.509 will do
    assert ssh.ssh_sign(ott=ssh.ssh_token({}, method="sign")).status == 201
    assert key is not other


def test_a_forged_token_uses_nothing_up(ssh):
    key, kid = ssh.provisioner_key()
    claims = ssh.claims("ops", "ssh/sign", "alice", step={"ssh": {}})
    forged = sign_jwt(ec.generate_private_key(ec.SECP256R1()), {"alg": "ES256", "kid": kid}, claims)
    assert ssh.ssh_sign(ott=forged).status == 401
    assert ssh.ssh_sign(ott=sign_jwt(key, {"alg": "ES256", "kid": kid}, claims)).status == 201


def test_x5c_certificates_do_not_outlive_the_leaf(ssh):
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make_cert("device", key, ssh.edge_root, ssh.edge_key, length=2 * HOUR)

    def sign(**body):
        header = {"alg": "ES256", "x5c": [b64(leaf.public_bytes(serialization.Encoding.DER))]}
        claims = ssh.claims("edge", "ssh/sign", "alice", "#x5c/edge",
                            step={"ssh": {"certType": "host"}})
        return ssh.ssh_sign(ott=sign_jwt(key, header, claims), **body)

    end = leaf.not_valid_after.replace(tzinfo=None)
    cert = Cert(sign().json()["crt"])
    assert cert.before == int((end - end.utcfromtimestamp(0)).total_seconds())
    assert sign(validBefore="3h").status == 403
    assert sign(validAfter="3h").status == 403


def test_templates(ssh):
    reply = ssh.ssh_sign(iss="custom", templateData={"critical": {"source-address": "10.0.0.0/8",
                                                                  "force-command": "/bin/true"}})
    cert = Cert(reply.json()["crt"])
    assert cert.critical == {"force-command": "/bin/true", "source-address": "10.0.0.0/8"}
    assert list(cert.extensions) == FIVE
    # without a template the request's data has no effect
    assert ssh.certificate(templateData={"critical": {"a": "b"}}).critical == {}
    reply = ssh.ssh_sign(iss="refusing")
    assert reply.status == 400 and "not today" in reply.json()["message"]
    reply = ssh.ssh_sign(iss="broken")
    assert reply.status == 500 and "certificate template" in reply.json()["message"]


def test_policies(another):
    def change(c):
        c["authority"]["policy"] = {"ssh": {"user": {"allow": {"principal": ["kim"]}}}}

    ca = another(change)
    assert ca.ssh_sign({"principals": ["kim"]}).status == 201
    reply = ca.ssh_sign({"principals": ["kim", "root"]})
    assert reply.status == 403 and "root" in reply.json()["message"]
    assert ca.ssh_sign({"certType": "host", "principals": ["a.test"]}).status == 403


def test_only_what_has_a_key_is_issued(another):
    ca = another(host=False)
    assert ca.ssh_sign({"certType": "user"}).status == 201
    reply = ca.ssh_sign({"certType": "host"})
    assert reply.status == 501 and "hostKey" in reply.json()["message"]
    ca = another(lambda c: c.update(ssh={}), host=False, user=False)
    assert ca.ssh_sign().status == 501
    assert ca.request("GET", "/ssh/roots").status == 404
    assert ca.request("GET", "/ssh/federation").status == 404
    assert ca.post("/ssh/config", {}).status == 404
    assert ca.post("/ssh/bastion", {"hostname": "a"}).json() == {"hostname": "a"}


def test_without_ssh(another):
    ca = another(lambda c: c.pop("ssh"))
    assert ca.ssh_sign().status == 501
    for path in ("/ssh/renew", "/ssh/rekey"):
        key = b64(blob_of(ec.generate_private_key(ec.SECP256R1())))
        assert ca.post(path, {"ott": "x", "publicKey": key}).status == 501
    assert ca.request("GET", "/ssh/roots").status == 404
    assert ca.request("GET", "/ssh/krl").status == 404
    assert ca.post("/ssh/config", {"type": "user"}).status == 404
    assert ca.post("/ssh/bastion", {"hostname": "a"}).status == 404


# --- Accounts and identities ------------------------------------------------------------------------


def test_add_user(ssh, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())

    def ask(*principals):
        return ssh.ssh_sign({"principals": list(principals)}, addUserPublicKey=b64(blob_of(key)))

    body = ask("kim", "kim@x.io").json()
    assert list(body) == ["crt", "addUserCrt"]
    user, add = Cert(body["crt"]), Cert(body["addUserCrt"])
    assert (add.type, add.key_id, add.principals) == ("user", "kim-provisioner", ["provisioner"])
    assert add.critical == {"force-command": "sudo useradd -m kim; nc -q0 localhost 22"}
    assert add.extensions == {} and add.key == blob_of(key)
    assert (add.after, add.before) == (user.after, user.before) and add.serial != user.serial
    assert "force-command sudo useradd -m kim" in add.keygen(tmp_path)
    assert list(ask("a", "b", "a@x.io").json()) == ["crt"]
    for bad in ("a;id", "$(id)", "-rf", "a b", "a'b", "x" * 65):
        reply = ask(bad)
        assert reply.status == 403 and "command" in reply.json()["message"], bad


def identity_csr(uris):
    key = ec.generate_private_key(ec.SECP256R1())
    san = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris])
    return key, make_csr([], key, "alice", [(san, False)])[1]


def chain_of(reply):
    return [x509.load_pem_x509_certificate(c.encode()) for c in reply.json()["identityCrt"]]


def seconds(moment):
    return int((moment - moment.utcfromtimestamp(0)).total_seconds())


def test_identity_certificates(ssh, tmp_path):
    machine = "urn:uuid:" + str(uuid.uuid4())
    key, csr = identity_csr(["https://other.test/x", machine])
    reply = ssh.ssh_sign({"certType": "host", "principals": ["id.test"]}, identityCSR=csr)
    assert reply.status == 201, reply.body
    cert, chain = Cert(reply.json()["crt"]), chain_of(reply)
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [machine]
    assert names.get_values_for_type(x509.DNSName) == ["alice"]
    # as long as the SSH certificate, which is longer than TLS certificates may be
    assert seconds(chain[0].not_valid_before) == cert.after
    assert seconds(chain[0].not_valid_after) == cert.before
    assert chain[0].issuer == chain[1].subject
    assert ssh.ssh_sign(identityCSR="").status == 201

    # a host renews both at once, when it comes with its certificate
    (tmp_path / "id.crt").write_text("".join(reply.json()["identityCrt"]))
    (tmp_path / "id.key").write_text(pem_of(key))
    host_key, held = ssh.host("id.test")
    reply = ssh.post("/ssh/renew", {"ott": ssh.pop_token(host_key, held, "renew")},
                     cert=tmp_path / "id.crt", key=tmp_path / "id.key")
    assert reply.status == 201, reply.body
    renewed = chain_of(reply)[0]
    assert renewed.subject == chain[0].subject and renewed.serial_number != chain[0].serial_number
    assert (seconds(renewed.not_valid_after) - seconds(renewed.not_valid_before)
            == held.before - held.after)


def test_an_identity_needs_proof_and_a_token_for_it(ssh):
    key, csr = identity_csr([])
    broken = csr.replace("\n", "", 1)
    assert ssh.ssh_sign(identityCSR=broken).status == 400
    # the common name must be one of the token's
    _, other = make_csr([], ec.generate_private_key(ec.SECP256R1()), "root")
    assert ssh.ssh_sign(identityCSR=other).status == 403
    assert key is not None


# --- Renewal ----------------------------------------------------------------------------------------


def test_renewal(ssh, tmp_path):
    key, old = ssh.host("renew.test", before="40m")
    reply = ssh.renew(key, old)
    assert reply.status == 201 and list(reply.json()) == ["crt"]
    new = Cert(reply.json()["crt"])
    assert new.serial != old.serial and new.nonce != old.nonce
    assert (new.key, new.key_id, new.principals) == (old.key, old.key_id, old.principals)
    assert new.before - new.after == old.before - old.after
    assert "renew.test" in new.keygen(tmp_path)


def test_rekey(ssh):
    key, old = ssh.host("rekey.test", before="40m")
    fresh = ed25519.Ed25519PrivateKey.generate()

    def ask(blob):
        return ssh.post("/ssh/rekey", {"ott": ssh.pop_token(key, old, "rekey"), "publicKey": blob})

    new = Cert(ask(b64(blob_of(fresh))).json()["crt"])
    assert new.key == blob_of(fresh) and new.principals == old.principals
    assert ask("").status == 400
    assert ask("AAAA").status == 400
    assert ask(b64(blob_of(rsa.generate_private_key(65537, 1024)))).status == 403
    token = ssh.pop_token(key, old, "rekey", iss="off")
    assert ssh.post("/ssh/rekey", {"ott": token,
                                   "publicKey": b64(blob_of(fresh))}).status == 401
    assert ssh.post("/ssh/rekey", {"publicKey": b64(blob_of(fresh))}).status == 400
    # the old one goes on
    assert ssh.renew(key, old).status == 201


def test_who_may_renew(ssh):
    key, cert = ssh.host("who.test")
    user_key = ec.generate_private_key(ec.SECP256R1())
    user = ssh.certificate({"certType": "user"}, key=user_key)
    reply = ssh.renew(user_key, user)
    assert reply.status == 400 and "host" in reply.json()["message"]
    assert ssh.renew(key, cert, iss="off").status == 401
    assert ssh.renew(ec.generate_private_key(ec.SECP256R1()), cert).status == 401
    token = ssh.pop_token(key, cert, "renew")
    assert ssh.post("/ssh/renew", {"ott": token}).status == 201
    assert ssh.post("/ssh/renew", {"ott": token}).status == 401
    for method in ("revoke", "rekey", "sign"):
        assert ssh.post("/ssh/renew", {"ott": ssh.pop_token(key, cert, method)}).status == 401
    assert ssh.post("/ssh/renew", {}).status == 400
    assert ssh.post("/ssh/renew", {"ott": ssh.ssh_token({}, method="ssh/renew")}).status == 401
    # SSHPOP signs nothing else
    assert ssh.ssh_sign(ott=ssh.pop_token(key, cert, "sign")).status == 401


def keygen_sign(folder, ca_key, key, *options):
    """A certificate of ssh-keygen's, by any key."""
    ca, pub = folder / "ca", folder / "k.pub"
    ca.write_bytes(ca_key.private_bytes(serialization.Encoding.PEM,
                                        serialization.PrivateFormat.OpenSSH,
                                        serialization.NoEncryption()))
    ca.chmod(0o600)
    pub.write_text(line_of(key) + "\n")
    execute(["ssh-keygen", "-q", "-s", ca, "-I", "k", "-h", "-n", "gen.test", *options, pub])
    return Cert((folder / "k-cert.pub").read_text().split()[1])


def test_whose_certificates_are_renewed(ssh, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    stranger = ec.generate_private_key(ec.SECP256R1())
    cases = [(stranger, 401), (ssh.federated, 401), (ssh.keys["user"], 401), (ssh.former, 201),
             (ssh.keys["host"], 201)]
    for n, (by, status) in enumerate(cases):
        folder = tmp_path / str(n)
        folder.mkdir()
        cert = keygen_sign(folder, by, key, "-z", "7", "-V", "-1h:+1h")
        reply = ssh.renew(key, cert)
        assert reply.status == status, (n, reply.body)
        if status == 201:
            assert Cert(reply.json()["crt"]).ca == blob_of(ssh.keys["host"])
    forever = keygen_sign(tmp_path, ssh.keys["host"], key, "-z", "7")
    assert forever.before == 2**64 - 1
    assert ssh.renew(key, forever).status == 400


def test_expired_certificates(ssh):
    key, cert = ssh.host("expired.test", before="1s")
    while time.time() < cert.before + 0.1:
        time.sleep(0.1)
    assert ssh.renew(key, cert).status == 401
    assert ssh.renew(key, cert, iss="late").status == 201
    token = ssh.pop_token(key, cert, "rekey", iss="late")
    assert ssh.post("/ssh/rekey", {"ott": token, "publicKey": b64(blob_of(key))}).status == 401
    assert ssh.post("/ssh/revoke", {"ott": ssh.pop_token(key, cert, "revoke"), "passive": True,
                                    "serial": str(cert.serial)}).status == 401


# --- Revocation -------------------------------------------------------------------------------------


def revoke(ca, serial, ott=None, **body):
    ott = ott or ca.ssh_token(sub=str(serial), method="ssh/revoke")
    return ca.post("/ssh/revoke", {"serial": str(serial), "ott": ott, "passive": True, **body})


def test_revocation_by_jwk(ssh):
    key, cert = ssh.host("revoked.test")
    reply = revoke(ssh, cert.serial, reasonCode=1, reason="lost")
    assert reply.status == 200 and reply.json() == {"status": "ok"}
    reply = revoke(ssh, cert.serial)
    assert reply.status == 400 and "already" in reply.json()["message"]
    assert ssh.renew(key, cert).status == 401
    token = ssh.pop_token(key, cert, "rekey")
    assert ssh.post("/ssh/rekey", {"ott": token, "publicKey": b64(blob_of(key))}).status == 401
    # a number that nobody knows may be revoked too
    assert revoke(ssh, 4711).status == 200
    # whoever issues none may revoke
    token = ssh.ssh_token(iss="plain", sub="4712", method="ssh/revoke")
    assert revoke(ssh, 4712, token).status == 200


def test_revocation_by_the_certificate(ssh):
    key = ec.generate_private_key(ec.SECP256R1())
    cert = ssh.certificate({"certType": "user"}, key=key)
    assert revoke(ssh, cert.serial + 1, ssh.pop_token(key, cert, "revoke")).status == 403
    other = ssh.pop_token(key, cert, "revoke", sub=str(cert.serial + 1))
    assert revoke(ssh, cert.serial + 1, other).status == 403
    assert revoke(ssh, cert.serial, ssh.pop_token(key, cert, "renew")).status == 401
    assert revoke(ssh, cert.serial, ssh.pop_token(key, cert, "revoke")).status == 200


@pytest.mark.parametrize("change,status", [
    ({"serial": ""}, 400), ({"serial": "0"}, 400), ({"serial": "-1"}, 400),
    ({"serial": "0x10"}, 400), ({"serial": "18446744073709551616"}, 400), ({"serial": 5}, 400),
    ({"reasonCode": 11}, 400), ({"reasonCode": -1}, 400), ({"passive": False}, 501),
    ({"ott": ""}, 400), ({"ott": "x"}, 401),
])
def test_revocations_that_are_refused(ssh, change, status):
    body = {"serial": "99", "ott": ssh.ssh_token(sub="99", method="ssh/revoke"), "passive": True}
    body.update(change)
    assert ssh.post("/ssh/revoke", body).status == status


def test_the_token_is_about_one_serial(ssh):
    reply = revoke(ssh, 1234, ssh.ssh_token(sub="1235", method="ssh/revoke"))
    assert reply.status == 403 and "1235" in reply.json()["message"]
    assert revoke(ssh, 1234, ssh.ssh_token({}, sub="1234")).status == 401  # for signing


def test_without_a_database(another):
    ca = another(lambda c: c.pop("db"))
    key, cert = ca.host("nodb.test")
    assert ca.renew(key, cert).status == 201
    assert revoke(ca, cert.serial).status == 501
    assert ca.post("/ssh/check-host", {"type": "host", "principal": "nodb.test"}).status == 501
    assert ca.request("GET", "/ssh/hosts").status == 501


def test_revoked_certificates_are_published(ssh, tmp_path):
    _, cert = ssh.host("krl.test")
    _, good = ssh.host("krl2.test")
    assert revoke(ssh, cert.serial).status == 200
    reply = ssh.request("GET", "/ssh/krl")
    assert reply.status == 200
    (tmp_path / "krl").write_bytes(reply.body)
    for one, revoked in ((cert, True), (good, False)):
        path = tmp_path / f"{one.serial}-cert.pub"
        path.write_text(f"{one.name} {b64(one.blob)}\n")
        done = execute(["ssh-keygen", "-Q", "-f", tmp_path / "krl", path], ok=None)
        assert (done.returncode != 0) == revoked, done.stdout


# --- What is published ------------------------------------------------------------------------------


def test_roots_and_federation(ssh):
    host, user = b64(blob_of(ssh.keys["host"])), b64(blob_of(ssh.keys["user"]))
    assert ssh.request("GET", "/ssh/roots").json() == {
        "userKey": [user], "hostKey": [host, b64(blob_of(ssh.former))]}
    assert ssh.request("GET", "/ssh/federation").json() == {
        "userKey": [user], "hostKey": [host, b64(blob_of(ssh.federated))]}


def test_hosts(ssh):
    def exists(name, kind="host"):
        return ssh.post("/ssh/check-host", {"type": kind, "principal": name, "token": "ignored"})

    assert exists("new.test").json() == {"exists": False}
    key, cert = ssh.host("New.test", before="1s")
    assert exists("new.test").json() == {"exists": True}
    assert exists("NEW.TEST").json() == {"exists": True}
    assert exists("new.test", "user").status == 400
    assert exists("new.test", "").status == 400
    assert exists("").status == 400

    def listed():
        hosts = ssh.request("GET", "/ssh/hosts").json()["hosts"]
        assert all(set(h) == {"hid", "host_tags", "hostname"} for h in hosts)
        names = [h["hostname"] for h in hosts]
        assert names == sorted(names)
        return "new.test" in names

    assert listed() or time.time() > cert.before
    while time.time() < cert.before + 0.1:
        time.sleep(0.1)
    assert not listed() and exists("new.test").json() == {"exists": True}
    # users are no hosts
    ssh.certificate({"certType": "user", "principals": ["someone"]})
    assert exists("someone").json() == {"exists": False}
    assert key is not None


def test_the_list_of_hosts_can_be_disabled(another):
    ca = another(lambda c: c["authority"].update(disableGetSSHHosts=True))
    assert ca.request("GET", "/ssh/hosts").status == 404
    assert ca.post("/ssh/check-host", {"type": "host", "principal": "a"}).json() == {
        "exists": False}


def test_no_hosts_are_an_empty_list(another):
    assert another().request("GET", "/ssh/hosts").body == b'{"hosts":[]}\n'


def test_bastion(ssh, another):
    assert ssh.post("/ssh/bastion", {"user": "a", "hostname": "web1"}).json() == {
        "hostname": "web1"}
    assert ssh.post("/ssh/bastion", {"user": "a"}).status == 400
    bastion = {"hostname": "b.test", "user": "ec2", "port": "2222", "cmd": "nc %h %p", "flags": "-v"}
    ca = another(lambda c: c["ssh"].update(bastion=bastion))
    assert ca.post("/ssh/bastion", {"hostname": "web1"}).json() == {"hostname": "web1",
                                                                    "bastion": bastion}
    assert ca.post("/ssh/bastion", {"hostname": "B.test"}).json() == {"hostname": "B.test"}


def test_configuration_files(ssh):
    data = {"StepPath": "/home/a/.step", "StepSSHTemplateVersion": "v2", "GOOS": "linux"}
    reply = ssh.post("/ssh/config", {"data": data})
    assert reply.status == 200, reply.body
    files = reply.json()["userTemplates"]
    content = {f["name"]: base64.b64decode(f["content"]).decode() for f in files}
    assert line_of(ssh.keys["host"]) in content["known_hosts.tpl"]
    reply = ssh.post("/ssh/config", {"type": "host", "data": {"Certificate": "c", "Key": "k"}})
    assert "HostKey /etc/ssh/k" in str([base64.b64decode(f["content"])
                                        for f in reply.json()["hostTemplates"]])
    assert ssh.post("/ssh/config/host", {"data": {"Certificate": "c", "Key": "k"}}).json() == \
        reply.json()
    assert ssh.post("/ssh/config/host", {"type": "user"}).status == 400
    assert ssh.post("/ssh/config", {"type": "x"}).status == 400
    assert ssh.post("/ssh/config", "").status == 400
    reply = ssh.post("/ssh/config", {"type": "host", "data": {"Key": "k"}})
    assert reply.status == 400 and "Certificate" in reply.json()["message"]
    assert ssh.post("/ssh/config", {"data": {"User": "a\nb"}}).status == 400
    assert ssh.post("/ssh/config", {"data": {"User": 5}}).status == 400
    assert ssh.post("/ssh/config", {"data": []}).status == 400


# --- Records ----------------------------------------------------------------------------------------


def records(ca, path):
    return [r for r in map(json.loads, re.findall(r"^\{.*\}$", ca.log(), re.M))
            if r["path"] == path]


def test_the_log(another):
    ca = another()
    key, cert = ca.host("log.test")
    token = ca.pop_token(key, cert, "renew")
    renewed = Cert(ca.post("/ssh/renew", {"ott": token}).json()["crt"])
    assert revoke(ca, cert.serial, reasonCode=4, reason="why").status == 200
    record = records(ca, "/ssh/sign")[0]
    fingerprint = b64(hashlib.sha256(cert.key).digest()).rstrip("=")
    assert record["serial"] == str(cert.serial) and record["principals"] == ["log.test"]
    assert record["public-key"] == f"SHA256:{fingerprint} (ECDSA)"
    assert record["certificate-type"] == ("ecdsa-sha2-nistp256-cert-v01@openssh.com host "
                                          "certificate")
    assert record["certificate"] == b64(cert.blob) and record["provisioner"] == "ops"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["valid-to"])
    assert "valid-from" in record and record["token-id"]
    record = records(ca, "/ssh/renew")[0]
    assert record["serial"] == str(renewed.serial) and record["provisioner"] == "sshpop"
    record = records(ca, "/ssh/revoke")[0]
    assert {k: record[k] for k in ("serial", "reasonCode", "reason", "passiveOnly", "mTLS", "ssh")} \
        == {"serial": str(cert.serial), "reasonCode": 4, "reason": "why", "passiveOnly": True,
            "mTLS": False, "ssh": True}
    assert token not in ca.log()


def test_metrics(another):
    ca = another()
    key, cert = ca.host("metrics.test")
    ca.certificate()
    ca.renew(key, cert)
    ca.ssh_sign({"certType": "foo"})
    ca.post("/ssh/rekey", {"ott": ca.pop_token(key, cert, "rekey"), "publicKey": b64(cert.key)})
    said = ca.metrics()
    for line in ('signed_total{provisioner="ops",success="true",type="host"} 1',
                 'signed_total{provisioner="ops",success="true",type="user"} 1',
                 'signed_total{provisioner="",success="false",type=""} 1',
                 'renewed_total{provisioner="sshpop",success="true",type="host"} 1',
                 'rekeyed_total{provisioner="sshpop",success="true",type="host"} 1'):
        assert f"step_ca_ssh_{line}\n" in said, said


def test_restarts_keep_hosts_and_revocations(another):
    ca = another()
    key, cert = ca.host("kept.test")
    assert revoke(ca, cert.serial).status == 200
    assert ca.stop() == 0
    ca.start()
    assert ca.post("/ssh/check-host", {"type": "host", "principal": "kept.test"}).json() == {
        "exists": True}
    assert ca.renew(key, cert).status == 401
    assert os.path.exists(ca.config_path)
