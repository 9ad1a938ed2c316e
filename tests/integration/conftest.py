"""A certificate authority of its own for each test that wants one, run as a user would run it."""

import base64
import datetime
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import uuid
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
STEP = os.environ.get("STEP_BIN", str(ROOT / "build/src/cli/step"))
STEP_CA = os.environ.get("STEP_CA_BIN", str(ROOT / "build/src/server/step-ca"))
SLOW = 5 if os.environ.get("NEWEL_SANITIZED") else 1  # sanitized binaries take their time
PASSWORD = "a password of the tests"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STEP")}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        kept.pop(name, None)
    kept.update(more)
    return kept


def make_csr(names=("web.test",), key=None, common_name=None, extensions=()):
    """A request of python-cryptography: (key, PEM text)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    cn = names[0] if common_name is None and names else common_name or ""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)] if cn else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    algorithm = hashes.SHA256() if hasattr(key, "curve") or hasattr(key, "key_size") else None
    csr = builder.sign(key, algorithm)
    return key, csr.public_bytes(serialization.Encoding.PEM).decode()


def sign_jwt(key, header, claims):
    """ES256 by hand: what our verifier must accept comes from somebody else's signer."""
    head = b64url(json.dumps(header).encode())
    body = b64url(json.dumps(claims).encode())
    der = key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return f"{head}.{body}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def read_all(tls):
    """What a socket gives until its end."""
    got = b""
    try:
        while piece := tls.recv(65536):
            got += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return got


def pem_of(thing):
    """PEM text of a certificate, or of a private key in the clear."""
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM).decode()
    return thing.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption()).decode()


def make_cert(name, key, issuer=None, issuer_key=None, ca=False, start=-60, length=86400,
              extensions=(), path_length=None):
    """A certificate by python-cryptography: a root without an issuer, else below it."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer.subject if issuer else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(seconds=start))
               .not_valid_after(now + datetime.timedelta(seconds=start + length))
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, path_length), True)
    usage = [not ca] + [False] * 4 + [ca, ca] + [False] * 2
    builder = builder.add_extension(x509.KeyUsage(*usage), True)
    if issuer:
        ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = issuer_key or key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm)


class Reply:
    """Status, headers and body of an answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Ca:
    """One authority: its directory, its server, its clients."""

    def __init__(self, folder, init_args=(), password=PASSWORD):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "step"
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.password_file = self.folder / "password"
        self.password_file.write_text(password + "\n")
        self.env = clean_environment(STEPPATH=str(self.path), HOME=str(self.folder))
        self.process = None
        self.log_path = self.folder / "log"
        self.step("ca", "init", "--name", "Test", "--dns", "localhost", "--dns", "127.0.0.1",
                  "--address", f"127.0.0.1:{self.port}", "--provisioner", "ops",
                  "--password-file", str(self.password_file), *init_args)
        self.config_path = self.path / "config/ca.json"
        self.root_path = self.path / "certs/root_ca.crt"
        self._provisioner_key = None

    # --- programs ---

    def run(self, args, ok=True, **options):
        options.setdefault("env", self.env)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("cwd", self.folder)
        done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120 * SLOW,
                              start_new_session=True, check=False, **options)
        if ok:
            assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def step(self, *args, ok=True, **options):
        return self.run([STEP, *args], ok=ok, **options)

    # --- the server ---

    def config(self):
        return json.loads(self.config_path.read_text())

    def configure(self, change):
        config = self.config()
        change(config)
        self.config_path.write_text(json.dumps(config, indent=2))

    def start(self, *args, wait=True, preexec_fn=None):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [STEP_CA, str(self.config_path), "--password-file", str(self.password_file), *args],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, preexec_fn=preexec_fn)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        for _ in range(int(200 * SLOW)):
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.log()}")
            try:
                if self.request("GET", "/health").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the server does not answer: {self.log()}")

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(timeout=90 * SLOW)
        self.process = None
        return code

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, count=1, seconds=10):
        """Waits until the log holds text so often."""
        end = time.monotonic() + seconds * SLOW
        while self.log().count(text) < count:
            assert time.monotonic() < end, f"no {text!r} in the log: {self.log()}"
            time.sleep(0.02)

    def reload(self):
        """SIGHUP, and the outcome: True when the new configuration is in force."""
        good, bad = "the configuration was read again", "reload failed"
        before = self.log().count(good), self.log().count(bad)
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20 * SLOW
        while time.monotonic() < end:
            log = self.log()
            if log.count(good) > before[0]:
                return True
            if log.count(bad) > before[1]:
                return False
            time.sleep(0.02)
        raise AssertionError(f"the reload does not end: {self.log()}")

    # --- HTTP ---

    def connect(self, context=None, timeout=30):
        """A TLS connection for bytes of one's own."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOW)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.tls()).wrap_socket(plain, server_hostname="localhost")

    def raw(self, data, timeout=30):
        """Everything that comes back until the server closes or falls silent."""
        with self.connect(timeout=timeout) as tls:
            tls.sendall(data)
            return read_all(tls)

    def tls(self, cert=None, key=None):
        context = ssl.create_default_context(cafile=str(self.root_path))
        if cert:
            context.load_cert_chain(str(cert), str(key))
        return context

    def request(self, method, path, body=None, headers=None, cert=None, key=None, timeout=30):
        connection = HTTPSConnection("localhost", self.port, context=self.tls(cert, key),
                                     timeout=timeout * SLOW)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    # --- keys of the hierarchy ---

    def root(self):
        """The root's certificate and private key."""
        key = serialization.load_pem_private_key(
            (self.path / "secrets/root_ca_key").read_bytes(), PASSWORD.encode())
        return x509.load_pem_x509_certificate(self.root_path.read_bytes()), key

    # --- tokens made outside ---

    def provisioner_key(self):
        if self._provisioner_key is None:
            jwe = self.config()["authority"]["provisioners"][0]["encryptedKey"]
            self._provisioner_key = open_jwe(jwe, PASSWORD)
        return self._provisioner_key

    def token(self, subject="web.test", sans=None, key=None, header=None, audience=None, **claims):
        now = int(time.time())
        private, kid = self.provisioner_key()
        if audience is None:
            audience = f"{self.url}/1.0/sign"
        full = {"iss": "ops", "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 300, "jti": uuid.uuid4().hex}
        if sans is not None:
            full["sans"] = sans
        full.update(claims)
        full = {k: v for k, v in full.items() if v is not None}
        head = {"alg": "ES256", "kid": kid, "typ": "JWT"}
        head.update(header or {})
        return sign_jwt(key or private, head, full)

    def sign(self, token=None, csr=None, **members):
        body = {"csr": csr if csr is not None else make_csr()[1],
                "ott": token if token is not None else self.token()}
        body.update(members)
        return self.request("POST", "/1.0/sign", body)

    def issue(self, name="web.test", folder=None, *more):
        """A certificate by our client: (certificate path, key path)."""
        folder = Path(folder or self.folder)
        crt, key = folder / f"{name}.crt", folder / f"{name}.key"
        self.step("ca", "certificate", name, crt, key, "--provisioner", "ops",
                  "--provisioner-password-file", self.password_file, "--force", *more)
        return crt, key


def open_jwe(text, password):
    """The provisioner's key out of PBES2-HS256+A128KW / A256GCM, with python-cryptography."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

    def raw(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    head, wrapped, iv, ciphertext, tag = text.split(".")
    header = json.loads(raw(head))
    salt = header["alg"].encode() + b"\0" + raw(header["p2s"])
    kek = PBKDF2HMAC(hashes.SHA256(), 16, salt, header["p2c"]).derive(password.encode())
    cek = aes_key_unwrap(kek, raw(wrapped))
    jwk = json.loads(AESGCM(cek).decrypt(raw(iv), raw(ciphertext) + raw(tag), head.encode()))
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(raw(jwk["x"]), "big"),
                                            int.from_bytes(raw(jwk["y"]), "big"),
                                            ec.SECP256R1())
    private = ec.EllipticCurvePrivateNumbers(int.from_bytes(raw(jwk["d"]), "big"), numbers)
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    assert b64url(hashlib.sha256(canonical.encode()).digest()) == jwk["kid"]
    return private.private_key(), jwk["kid"]


@pytest.fixture
def make_ca(tmp_path):
    """make_ca(*init_args) -> Ca, not started; all are stopped at the end."""
    made = []

    def make(*init_args):
        ca = Ca(tmp_path / f"ca{len(made)}", init_args)
        made.append(ca)
        return ca

    yield make
    for ca in made:
        if ca.process is not None:
            ca.process.kill()
            ca.process.wait()
        assert "ERROR: AddressSanitizer" not in ca.log(), ca.log()
        assert "LeakSanitizer" not in ca.log(), ca.log()
        assert "runtime error:" not in ca.log(), ca.log()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """One running authority for the tests of a file that do not change it."""
    made = Ca(tmp_path_factory.mktemp("ca")).start()
    yield made
    code = made.stop()
    assert code == 0, made.log()
    assert "ERROR: AddressSanitizer" not in made.log()
    assert "LeakSanitizer" not in made.log()
    assert "runtime error:" not in made.log()


def need(program):
    """Skips where a program is missing, naming it."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
