"""`step crypto`: keys that openssl, ssh-keygen and python-cryptography read, and theirs that we do."""

import base64
import hashlib
import json
import os
import pty
import select
import stat
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROOT = Path(__file__).resolve().parents[2]
STEP_BIN = os.environ.get("STEP_BIN", str(ROOT / "build/src/cli/step"))
PLAIN = ["--no-password", "--insecure"]
PASSWORD = b"correct horse"


class Step:
    """Runs the program in a directory of its own, without a terminal."""

    def __init__(self, path):
        self.path = path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("STEP")}
        self.env["STEPPATH"] = str(path / ".step")

    def run(self, *words, stdin=b""):
        return subprocess.run([STEP_BIN, *map(str, words)], input=stdin, cwd=self.path,
                              env=self.env, capture_output=True, timeout=120,
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

    def read(self, name):
        return (self.path / name).read_bytes()

    def put(self, name, content):
        (self.path / name).write_bytes(content)
        return name


@pytest.fixture
def step(tmp_path):
    (tmp_path / "pw").write_bytes(PASSWORD + b" \n")
    (tmp_path / "new").write_bytes(b"battery staple\n")
    (tmp_path / "empty").write_bytes(b"\n")
    return Step(tmp_path)


def tool(path, *words):
    return subprocess.run([*map(str, words)], cwd=path, capture_output=True, timeout=120)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def load_pem(data, password=None):
    return serialization.load_pem_private_key(data, password)


def spki(key):
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def open_jwe(text, password):
    """RFC 7516 with PBES2-HS256+A128KW and A256GCM, independent of ours."""
    parts = json.loads(text) if text.lstrip().startswith(b"{") else dict(zip(
        ["protected", "encrypted_key", "iv", "ciphertext", "tag"], text.decode().split(".")))
    header = json.loads(unb64(parts["protected"]))
    assert (header["alg"], header["enc"]) == ("PBES2-HS256+A128KW", "A256GCM")
    salt = header["alg"].encode() + b"\0" + unb64(header["p2s"])
    kek = PBKDF2HMAC(hashes.SHA256(), 16, salt, header["p2c"]).derive(password)
    cek = keywrap.aes_key_unwrap(kek, unb64(parts["encrypted_key"]))
    plain = AESGCM(cek).decrypt(unb64(parts["iv"]), unb64(parts["ciphertext"]) +
                                unb64(parts["tag"]), parts["protected"].encode())
    return header, json.loads(plain)


def seal_jwe(jwk, password):
    """Compact, as in the configuration of a CA."""
    p2s, cek, iv = os.urandom(16), os.urandom(32), os.urandom(12)
    header = b64(json.dumps({"alg": "PBES2-HS256+A128KW", "cty": "jwk+json", "enc": "A256GCM",
                             "p2c": 100000, "p2s": b64(p2s)}).encode())
    kek = PBKDF2HMAC(hashes.SHA256(), 16, b"PBES2-HS256+A128KW\0" + p2s, 100000).derive(password)
    sealed = AESGCM(cek).encrypt(iv, json.dumps(jwk).encode(), header.encode())
    return ".".join([header, b64(keywrap.aes_key_wrap(kek, cek)), b64(iv), b64(sealed[:-16]),
                     b64(sealed[-16:])]).encode()


def ec_jwk(key):
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return {"kty": "EC", "crv": "P-256", "x": b64(public.x.to_bytes(32, "big")),
            "y": b64(public.y.to_bytes(32, "big")),
            "d": b64(numbers.private_value.to_bytes(32, "big"))}


KEYS = {
    "P-256": ([], ec.EllipticCurvePrivateKey),
    "P-384": (["--kty", "EC", "--curve", "P-384"], ec.EllipticCurvePrivateKey),
    "P-521": (["--kty", "EC", "--crv", "P-521"], ec.EllipticCurvePrivateKey),
    "Ed25519": (["--kty", "OKP", "--curve", "Ed25519"], ed25519.Ed25519PrivateKey),
    "RSA": (["--kty", "RSA"], rsa.RSAPrivateKey),
}
EVERY_KEY = pytest.mark.parametrize("name", KEYS)


# --- keypair ----------------------------------------------------------------------------------


@EVERY_KEY
def test_keypair_is_encrypted_and_belongs_together(step, name):
    flags, kind = KEYS[name]
    done = step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw", *flags)
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == ["Your public key has been saved in k.pub.",
                                                 "Your private key has been saved in k.key."]
    assert mode(step.path / "k.pub") == mode(step.path / "k.key") == 0o600
    key = load_pem(step.read("k.key"), PASSWORD)
    assert isinstance(key, kind)
    public = serialization.load_pem_public_key(step.read("k.pub"))
    assert spki(public) == spki(key)
    assert tool(step.path, "openssl", "pkey", "-in", "k.key", "-passin", "pass:correct horse",
                "-check", "-noout").returncode == 0
    with pytest.raises(ValueError):
        load_pem(step.read("k.key"), b"wrong")


@pytest.mark.parametrize("flags,label", [
    ([], "EC PRIVATE KEY"), (["--kty", "RSA"], "RSA PRIVATE KEY"), (["--kty", "OKP"], "PRIVATE KEY"),
])
def test_plain_keypair_has_the_usual_label(step, flags, label):
    step.ok("crypto", "keypair", "k.pub", "k.key", *flags, *PLAIN)
    assert step.read("k.key").decode().startswith(f"-----BEGIN {label}-----\n")
    assert step.read("k.pub").decode().startswith("-----BEGIN PUBLIC KEY-----\n")


def test_keypair_of_small_rsa_keys_needs_consent(step):
    small = ["crypto", "keypair", "k.pub", "k.key", "--kty", "RSA", "--size", "1024"]
    step.fails("flag '--size' requires at least 2048 unless '--insecure' flag is provided", *small,
               "--password-file", "pw")
    step.ok(*small, *PLAIN)
    assert load_pem(step.read("k.key")).key_size == 1024
    step.fails("", "crypto", "keypair", "t.pub", "t.key", "--kty", "RSA", "--size", "16", *PLAIN)
    assert not (step.path / "t.pub").exists()


KEYPAIR_ERRORS = [
    (["a"], "not enough positional arguments were provided in 'step crypto keypair <pub_file> "
            "<priv_file>'"),
    (["a", "b", "c"], "too many positional arguments were provided in 'step crypto keypair "
                      "<pub_file> <priv_file>'"),
    (["a", "a"], "positional arguments <pub_file> and <priv_file> cannot be equal in 'step crypto "
                 "keypair <pub_file> <priv_file>'"),
    (["a", "b", "--no-password"], "flag '--no-password' requires the '--insecure' flag"),
    (["a", "b", "--no-password", "--insecure", "--password-file", "pw"],
     "flag '--no-password' is incompatible with '--password-file'"),
    (["a", "b", "--kty", "foo"], "invalid value 'foo' for flag '--kty'; options are RSA, EC, OKP"),
    (["a", "b", "--kty", "rsa"], "invalid value 'rsa' for flag '--kty'; options are RSA, EC, OKP"),
    (["a", "b", "--curve", "P-256"], "flag '--curve' requires the '--kty' flag"),
    (["a", "b", "--size", "2048"], "flag '--size' requires the '--kty' flag"),
    (["a", "b", "--kty", "RSA", "--curve", "P-256"],
     "flag '--curve' is incompatible with flag '--kty RSA'"),
    (["a", "b", "--kty", "EC", "--curve", "P-192"],
     "flag '--kty EC' is incompatible with flag '--curve P-192'"),
    (["a", "b", "--kty", "EC", "--size", "256"],
     "flag '--size' is incompatible with flag '--kty EC'"),
    (["a", "b", "--kty", "OKP", "--curve", "P-256"],
     "flag '--kty OKP' is incompatible with flag '--curve P-256'"),
    (["a", "b", "--kty", "RSA", "--size", "0", "--insecure"],
     "flag '--size' must be greater than or equal to 0"),
    (["a", "b", "--from-jwk", "x", "--kty", "EC"],
     "flag '--from-jwk' is incompatible with '--kty'"),
    (["a", "b", "--from-jwk", "nothing"], "open nothing failed: no such file or directory"),
    (["a", "b"], "--password-file"),
    (["a", "b", "--password-file", "empty"], "--password-file"),
]


@pytest.mark.parametrize("words,text", KEYPAIR_ERRORS)
def test_keypair_says_what_is_wrong_and_writes_nothing(step, words, text):
    step.fails(text, "crypto", "keypair", *words)
    assert not (step.path / "a").exists() and not (step.path / "b").exists()


def test_keypair_overwrites_only_with_force(step):
    step.put("k.key", b"precious")
    step.fails("--force", "crypto", "keypair", "k.pub", "k.key", *PLAIN)
    assert step.read("k.key") == b"precious" and not (step.path / "k.pub").exists()
    step.ok("crypto", "keypair", "k.pub", "k.key", *PLAIN, "--force")
    load_pem(step.read("k.key"))


def test_keypair_of_a_jwk(step):
    key = ec.generate_private_key(ec.SECP256R1())
    step.put("plain.json", json.dumps(ec_jwk(key)).encode())
    step.ok("crypto", "keypair", "a.pub", "a.key", "--from-jwk", "plain.json", *PLAIN)
    assert spki(load_pem(step.read("a.key"))) == spki(key)
    step.put("jwe", seal_jwe(ec_jwk(key), PASSWORD) + b"\n")
    step.ok("crypto", "keypair", "b.pub", "b.key", "--from-jwk", "jwe", "--password-file", "pw")
    assert spki(load_pem(step.read("b.key"), PASSWORD)) == spki(key)
    public = {k: v for k, v in ec_jwk(key).items() if k != "d"}
    step.put("public.json", json.dumps(public).encode())
    step.ok("crypto", "keypair", "c.pub", "c.key", "--from-jwk", "public.json")
    assert (step.path / "c.pub").exists() and not (step.path / "c.key").exists()
    step.put("oct.json", b'{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}')
    step.fails("oct", "crypto", "keypair", "d.pub", "d.key", "--from-jwk", "oct.json", *PLAIN)


# --- change-pass ------------------------------------------------------------------------------

CHANGE = ["--password-file", "pw", "--new-password-file", "new"]


@EVERY_KEY
def test_change_pass_of_pem(step, name):
    flags, kind = KEYS[name]
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw", *flags)
    before = load_pem(step.read("k.key"), PASSWORD)
    done = step.ok("crypto", "change-pass", "k.key", "--force", *CHANGE)
    assert done.stderr == b"Your key has been saved in k.key.\n"
    assert spki(load_pem(step.read("k.key"), b"battery staple")) == spki(before)
    assert mode(step.path / "k.key") == 0o600
    step.fails("error decrypting k.key: ", "crypto", "change-pass", "k.key", "--force", *CHANGE)
    step.ok("crypto", "change-pass", "k.key", "--out", "p.key", "--password-file", "new", *PLAIN)
    assert spki(load_pem(step.read("p.key"))) == spki(before)
    assert mode(step.path / "p.key") == 0o600
    step.ok("crypto", "change-pass", "p.key", "--output-file", "q.key", "--new-password-file", "new")
    assert spki(load_pem(step.read("q.key"), b"battery staple")) == spki(before)


def test_change_pass_of_old_formats(step):
    tool(step.path, "openssl", "genrsa", "-out", "plain.pem", "-traditional", "2048")
    before = load_pem(step.read("plain.pem"))
    for cipher in ("-aes128", "-aes256", "-des3"):
        done = tool(step.path, "openssl", "rsa", "-in", "plain.pem", cipher, "-traditional",
                    "-passout", "pass:correct horse", "-out", "old.pem")
        assert done.returncode == 0 and b"Proc-Type: 4,ENCRYPTED" in step.read("old.pem")
        step.ok("crypto", "change-pass", "old.pem", "--force", *CHANGE)
        assert spki(load_pem(step.read("old.pem"), b"battery staple")) == spki(before)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_change_pass_keeps_openssh_files(step, kind):
    tool(step.path, "ssh-keygen", "-q", "-t", kind, "-N", "correct horse", "-f", "id")
    step.ok("crypto", "change-pass", "id", "--force", *CHANGE)
    assert step.read("id").startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    done = tool(step.path, "ssh-keygen", "-y", "-P", "battery staple", "-f", "id")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == step.read("id.pub").split()[:2]
    assert tool(step.path, "ssh-keygen", "-y", "-P", "correct horse", "-f", "id").returncode != 0


def test_change_pass_of_a_jwk(step):
    key = ec.generate_private_key(ec.SECP256R1())
    step.put("k.json", seal_jwe(ec_jwk(key), PASSWORD))
    step.ok("crypto", "change-pass", "k.json", "--force", *CHANGE)
    assert step.read("k.json").startswith(b'{\n  "protected": "')
    header, jwk = open_jwe(step.read("k.json"), b"battery staple")
    assert jwk == ec_jwk(key) and header["cty"] == "jwk+json" and header["p2c"] == 600000
    step.fails("password incorrect", "crypto", "change-pass", "k.json", "--force", *CHANGE)
    step.ok("crypto", "change-pass", "k.json", "--force", "--password-file", "new", *PLAIN)
    assert json.loads(step.read("k.json")) == ec_jwk(key)


def test_change_pass_refuses(step):
    change = ["crypto", "change-pass"]
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw")
    before = step.read("k.key")
    step.fails("flag '--no-password' requires the '--insecure' flag", *change, "k.key",
               "--no-password")
    step.fails("flag '--no-password' is incompatible with '--new-password-file'", *change, "k.key",
               *PLAIN, "--new-password-file", "new")
    step.fails("--force", *change, "k.key", *CHANGE)
    step.fails("public key", *change, "k.pub", "--force", *CHANGE)
    step.fails("--new-password-file", *change, "k.key", "--force", "--password-file", "pw")
    step.fails("--password-file", *change, "k.key", "--force")
    step.fails("no such file", *change, "none.key", *CHANGE)
    step.put("two.key", before * 2)
    step.fails("error decoding two.key: contains more than one PEM encoded block", *change,
               "two.key", "--force", *CHANGE)
    step.put("foo.key", b"-----BEGIN FOO PRIVATE KEY-----\nMAA=\n-----END FOO PRIVATE KEY-----\n")
    step.fails("error decoding foo.key: contains an unexpected header 'FOO PRIVATE KEY'", *change,
               "foo.key", "--force", *CHANGE)
    step.put("bad.key", b"-----BEGIN PRIVATE KEY-----\n")
    step.fails("error decoding bad.key: not a valid PEM encoded block", *change, "bad.key",
               "--force", *CHANGE)
    assert step.read("k.key") == before


# --- key format -------------------------------------------------------------------------------

FORMATS = ["--pem", "--der", "--ssh", "--jwk"]


@EVERY_KEY
@pytest.mark.parametrize("way", FORMATS)
@pytest.mark.parametrize("back", FORMATS)
def test_private_key_survives_two_formats(step, name, way, back):
    step.ok("crypto", "keypair", "k.pub", "k.key", *KEYS[name][0], *PLAIN)
    once = step.ok("crypto", "key", "format", "k.key", way, *PLAIN).stdout
    twice = step.ok("crypto", "key", "format", back, *PLAIN, stdin=once).stdout
    final = step.ok("crypto", "key", "format", "--pem", *PLAIN, stdin=twice).stdout
    assert final == step.read("k.key")


@EVERY_KEY
@pytest.mark.parametrize("way", FORMATS)
def test_public_key_survives_every_format(step, name, way):
    step.ok("crypto", "keypair", "k.pub", "k.key", *KEYS[name][0], *PLAIN)
    text = step.ok("crypto", "key", "format", "k.pub", way).stdout
    assert step.ok("crypto", "key", "format", "--pem", stdin=text).stdout == step.read("k.pub")


@EVERY_KEY
def test_encrypted_formats_open_elsewhere(step, name):
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw", *KEYS[name][0])
    key = load_pem(step.read("k.key"), PASSWORD)
    form = ["crypto", "key", "format", "k.key", "--password-file", "pw"]
    step.ok(*form, "--ssh", "--out", "id")
    assert mode(step.path / "id") == 0o600
    done = tool(step.path, "ssh-keygen", "-y", "-P", "correct horse", "-f", "id")
    line = step.ok("crypto", "key", "format", "k.pub", "--ssh").stdout
    assert done.stdout.split()[:2] == line.split()
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert tool(step.path, "ssh-keygen", "-l", "-f", "id").returncode == 0
    pem = step.ok(*form, "--pem").stdout
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert spki(load_pem(pem, PASSWORD)) == spki(key)
    der = step.ok(*form).stdout
    assert spki(serialization.load_der_private_key(der, None)) == spki(key)
    jwe = step.ok(*form, "--jwk").stdout
    assert jwe.count(b"\n") == 1 and list(json.loads(jwe)) == ["protected", "encrypted_key", "iv",
                                                               "ciphertext", "tag"]
    header, jwk = open_jwe(jwe, PASSWORD)
    assert "d" in jwk and "kid" not in jwk and header["cty"] == "jwk+json"
    with pytest.raises((keywrap.InvalidUnwrap, InvalidTag)):
        open_jwe(jwe, b"wrong")


@pytest.mark.parametrize("name,old,new", [
    ("P-256", "EC PRIVATE KEY", "PRIVATE KEY"), ("RSA", "RSA PRIVATE KEY", "PRIVATE KEY"),
    ("Ed25519", "PRIVATE KEY", "PRIVATE KEY"),
])
def test_pkcs8_is_a_choice(step, name, old, new):
    step.ok("crypto", "keypair", "k.pub", "k.key", *KEYS[name][0], *PLAIN)
    form = ["crypto", "key", "format", "k.key", *PLAIN]
    for words, label in (([], old), (["--pkcs8"], new)):
        pem = step.ok(*form, "--pem", *words).stdout.decode()
        assert pem.startswith(f"-----BEGIN {label}-----\n")
        der = step.ok(*form, "--der", *words).stdout
        assert der == base64.b64decode("".join(pem.splitlines()[1:-1]))


def test_format_without_a_flag_goes_to_der_and_to_pem(step):
    step.ok("crypto", "keypair", "k.pub", "k.key", *PLAIN)
    der = step.ok("crypto", "key", "format", "k.pub").stdout
    assert der == spki(load_pem(step.read("k.key")))
    for stdin in (der, step.ok("crypto", "key", "format", "k.pub", "--ssh").stdout,
                  step.ok("crypto", "key", "format", "k.pub", "--jwk").stdout):
        assert step.ok("crypto", "key", "format", "-", stdin=stdin).stdout == step.read("k.pub")


def test_certificates_and_requests_give_their_key(step):
    tool(step.path, "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "k.key",
         "-out", "k.crt", "-subj", "/CN=x")
    tool(step.path, "openssl", "req", "-new", "-key", "k.key", "-out", "k.csr", "-subj", "/CN=x")
    expected = tool(step.path, "openssl", "pkey", "-in", "k.key", "-pubout").stdout
    for name in ("k.crt", "k.csr"):
        pem = step.ok("crypto", "key", "format", "--pem", name).stdout
        assert pem == expected
    tool(step.path, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", "ec.key")
    assert step.read("ec.key").startswith(b"-----BEGIN EC PARAMETERS")
    pem = step.ok("crypto", "key", "format", "--pem", "--pkcs8", *PLAIN, "ec.key").stdout
    assert spki(load_pem(pem)) == spki(load_pem(step.read("ec.key")))
    tool(step.path, "openssl", "genrsa", "-out", "rsa.key", "2048")
    rsa_public = tool(step.path, "openssl", "rsa", "-in", "rsa.key", "-RSAPublicKey_out", "-outform",
                      "DER").stdout
    pem = step.ok("crypto", "key", "format", stdin=rsa_public).stdout
    assert pem == tool(step.path, "openssl", "pkey", "-in", "rsa.key", "-pubout").stdout


def test_out_gets_the_mode_of_the_input(step):
    step.ok("crypto", "keypair", "k.pub", "k.key", *PLAIN)
    (step.path / "k.pub").chmod(0o644)
    done = step.ok("crypto", "key", "format", "k.pub", "--out", "a.der")
    assert done.stdout == b"" and done.stderr == b"Your key has been saved in a.der.\n"
    assert mode(step.path / "a.der") == 0o644
    (step.path / "k.key").chmod(0o644)
    step.ok("crypto", "key", "format", "k.key", "--out", "b.der")
    assert mode(step.path / "b.der") == 0o600
    step.ok("crypto", "key", "format", "--out", "c.der", stdin=step.read("k.pub"))
    assert mode(step.path / "c.der") == 0o600
    step.fails("--force", "crypto", "key", "format", "k.pub", "--out", "c.der")
    step.ok("crypto", "key", "format", "k.pub", "--out", "c.der", "--force")


def test_format_refuses(step):
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw")
    form = ["crypto", "key", "format"]
    step.fails("flag '--pem' is incompatible with '--der'", *form, "k.pub", "--pem", "--der")
    step.fails("flag '--ssh' is incompatible with '--jwk'", *form, "k.pub", "--ssh", "--jwk")
    step.fails("flag '--no-password' requires the '--insecure' flag", *form, "k.key", "--pem",
               "--no-password")
    step.fails("error decrypting k.key: ", *form, "k.key", "--password-file", "new")
    step.fails("--password-file", *form, "k.key")
    step.fails("more than one PEM encoded block", *form, stdin=step.read("k.pub") * 2)
    step.fails("expected a key", *form, stdin=os.urandom(200))
    step.fails("is empty", *form)
    step.fails("oct", *form, stdin=b'{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}')
    step.fails("", *form, stdin=b'{"kty":"EC"}')
    key = ec.generate_private_key(ec.SECP256R1())
    jwe = seal_jwe(ec_jwk(key), PASSWORD)
    step.fails("2 encrypted keys", *form, "--pkcs8", "--password-file", "pw",
               stdin=jwe + b"\n" + jwe + b"\n")
    step.fails("password incorrect", *form, "--password-file", "new", stdin=jwe)
    step.put("too-big", b"\0" * (2 << 20))
    step.fails("more than", *form, "too-big")


def test_pkcs8_says_nothing_to_other_formats(step):
    step.ok("crypto", "keypair", "k.pub", "k.key", *PLAIN)
    form = ["crypto", "key", "format", "k.key", "--pkcs8", *PLAIN]
    assert json.loads(step.ok(*form, "--jwk").stdout)["kty"] == "EC"
    assert step.ok(*form, "--ssh").stdout.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")


# --- Where files are links, mounted, or in a directory of others --------------------------------


def test_what_a_link_leads_to_is_written(step):
    step.put("real.key", b"old")
    (step.path / "real.key").chmod(0o640)
    (step.path / "l.key").symlink_to("real.key")
    (step.path / "d.key").symlink_to("new.key")
    step.ok("crypto", "keypair", "d.pub", "d.key", *PLAIN)  # nothing is there: no question
    step.ok("crypto", "keypair", "l.pub", "l.key", *PLAIN, "-f")
    step.ok("crypto", "change-pass", "l.key", "--new-password-file", "new", "-f")
    assert os.readlink(step.path / "l.key") == "real.key"
    assert os.readlink(step.path / "d.key") == "new.key"
    assert step.read("new.key").startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert step.read("real.key").startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert (step.path / "real.key").stat().st_mode & 0o777 == 0o640
    step.fails("password incorrect", "crypto", "key", "format", "real.key", "--password-file", "pw")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_mounted_file_is_written_where_it_is(step):
    step.put("real.key", b"old and much longer than a key " * 100)
    step.put("m.key", b"")
    script = f'mount --bind real.key m.key && exec {STEP_BIN} crypto keypair m.pub m.key -f "$@"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *PLAIN], cwd=step.path,
                          env=step.env, capture_output=True, timeout=60)
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    openssl = subprocess.run(["openssl", "pkey", "-in", "real.key", "-pubout"], cwd=step.path,
                             capture_output=True, check=True)
    assert openssl.stdout == step.read("m.pub") and step.read("m.key") == b""
    assert sorted(p.name for p in step.path.glob("*.key*")) == ["m.key", "real.key"]


def test_half_a_pair_does_not_stay(step):
    for words in (["keypair"], ["jwk", "create"]):
        step.fails("no such file or directory", "crypto", *words, "none/a.pub", "a.key", *PLAIN)
        assert not (step.path / "a.key").exists()


# --- Asking on a terminal while standard input is a pipe ---------------------------------------


class Terminal:
    """The program with a controlling terminal; what it reads and writes besides are pipes."""

    def __init__(self, step, words, stdin):
        self.master, slave = pty.openpty()
        self.seen = b""

        def attach():
            os.setsid()
            import fcntl
            import termios
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([STEP_BIN, *words], cwd=step.path, env=step.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=slave, preexec_fn=attach, pass_fds=[slave])
        os.close(slave)
        self.process.stdin.write(stdin)
        self.process.stdin.close()

    def expect(self, text):
        """Echo is off by the time the prompt is there; what is typed must not be seen again."""
        until = time.monotonic() + 60
        while text not in self.seen:
            assert time.monotonic() < until and self.more(1), self.seen
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def more(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return self.process.poll() is None
        try:
            piece = os.read(self.master, 4096)
        except OSError:
            return False
        self.seen += piece
        return bool(piece)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        out = self.process.stdout.read()
        status = self.process.wait(timeout=60)
        while self.more(0.1) and select.select([self.master], [], [], 0.1)[0]:
            pass
        os.close(self.master)
        return status, out


def test_pipeline_asks_on_the_terminal(step):
    key = ec.generate_private_key(ec.SECP256R1())
    config = {"authority": {"provisioners": [
        {"type": "ACME", "name": "acme"},
        {"type": "JWK", "encryptedKey": seal_jwe(ec_jwk(key), PASSWORD).decode()}]}}
    step.put("ca.json", json.dumps(config).encode())
    line = tool(step.path, "jq", "-r",
                '.authority.provisioners[] | select(.type == "JWK").encryptedKey', "ca.json").stdout
    terminal = Terminal(step, ["crypto", "key", "format", "--pkcs8"], line)
    terminal.expect(b"password to decrypt the key")
    terminal.type(PASSWORD + b"\n")
    terminal.expect(b"password to encrypt the private key")
    terminal.type(b"secret\n")
    status, out = terminal.end()
    assert status == 0, terminal.seen
    assert out.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert spki(load_pem(out, b"secret")) == spki(key)
    assert b"secret" not in terminal.seen and PASSWORD not in terminal.seen


def test_wrong_answers_are_asked_again_three_times(step):
    key = ec.generate_private_key(ec.SECP256R1())
    terminal = Terminal(step, ["crypto", "key", "format"], seal_jwe(ec_jwk(key), PASSWORD))
    for _ in range(3):
        terminal.expect(b"password to decrypt the key")
        terminal.type(b"wrong\n")
    status, out = terminal.end()
    assert status == 1 and out == b"" and b"password incorrect" in terminal.seen


# --- jwk --------------------------------------------------------------------------------------


def thumbprint(jwk):
    names = {"EC": ["crv", "kty", "x", "y"], "OKP": ["crv", "kty", "x"], "RSA": ["e", "kty", "n"],
             "oct": ["k", "kty"]}[jwk["kty"]]
    text = json.dumps({n: jwk[n] for n in names}, separators=(",", ":"), sort_keys=True)
    return b64(hashlib.sha256(text.encode()).digest())


JWKS = [
    ([], {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}),
    (["--crv", "P-384"], {"kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig"}),
    (["--kty", "EC", "--curve", "P-521"], {"kty": "EC", "alg": "ES512", "use": "sig"}),
    (["--type", "OKP"], {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}),
    (["--kty", "RSA"], {"kty": "RSA", "alg": "RS256", "use": "sig"}),
    (["--kty", "RSA", "--size", "3072", "--alg", "PS384"], {"kty": "RSA", "alg": "PS384"}),
    (["--kty", "RSA", "--use", "enc"], {"kty": "RSA", "alg": "RSA-OAEP-256", "use": "enc"}),
    (["--use", "enc"], {"kty": "EC", "alg": "ECDH-ES", "use": "enc"}),
    (["--use", "enc", "--algorithm", "ECDH-ES+A128KW"], {"alg": "ECDH-ES+A128KW", "use": "enc"}),
    (["--kty", "oct"], {"kty": "oct", "alg": "HS256", "use": "sig"}),
    (["--kty", "oct", "--use", "enc"], {"kty": "oct", "alg": "A256GCMKW", "use": "enc"}),
    (["--kid", "me"], {"kid": "me", "alg": "ES256"}),
    (["--use", "other", "--alg", "any"], {"use": "other", "alg": "any"}),
]


@pytest.mark.parametrize("flags,members", JWKS)
def test_jwk_create_makes_both_files(step, flags, members):
    step.ok("crypto", "jwk", "create", "p.json", "s.json", "--password-file", "pw", *flags)
    assert mode(step.path / "p.json") == mode(step.path / "s.json") == 0o600
    public = json.loads(step.read("p.json"))
    assert step.read("p.json").startswith(b'{\n  "use": "')
    assert public.items() >= members.items()
    header, private = open_jwe(step.read("s.json"), PASSWORD)
    assert header["cty"] == "jwk+json" and header["p2c"] == 600000
    assert step.read("s.json").startswith(b'{\n  "protected": "')
    if public["kty"] == "oct":
        assert private == public and "kid" not in public and len(unb64(public["k"])) == 32
        return
    assert "d" in private and not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(public)
    assert {k: private[k] for k in public} == public
    if "kid" not in members:
        assert public["kid"] == thumbprint(public)
    assert step.ok("crypto", "jwk", "thumbprint",
                   stdin=step.read("p.json")).stdout.decode() == thumbprint(public) + "\n"
    shown = step.ok("crypto", "jwk", "public", "--password-file", "pw", stdin=step.read("s.json"))
    assert shown.stdout == step.read("p.json")


def test_jwk_create_plain_and_small_oct_keys(step):
    step.ok("crypto", "jwk", "create", "p.json", "s.json", *PLAIN)
    private = json.loads(step.read("s.json"))
    assert len(unb64(private["d"])) == 32 and step.read("s.json").startswith(b'{\n  "use"')
    step.ok("crypto", "jwk", "create", "o.json", "os.json", "--kty", "oct", "--size", "8", *PLAIN)
    assert len(unb64(json.loads(step.read("o.json"))["k"])) == 8
    assert step.ok("crypto", "jwk", "public", stdin=step.read("os.json")).stdout == (
        step.read("o.json"))
    assert step.ok("crypto", "jwk", "thumbprint", stdin=step.read("o.json")).stdout.decode() == (
        thumbprint(json.loads(step.read("o.json"))) + "\n")


JWK_ERRORS = [
    (["a", "a"], "positional arguments <public-jwk-file> and <private-jwk-file> cannot be equal in "
                 "'step crypto jwk create <public-jwk-file> <private-jwk-file>'"),
    (["a"], "not enough positional arguments were provided in 'step crypto jwk create "
            "<public-jwk-file> <private-jwk-file>'"),
    (["a", "b", "--kty", "rsa"],
     "invalid value 'rsa' for flag '--kty'; options are EC, RSA, OKP, or oct"),
    (["a", "b", "--size", "256"], "flag '--size' is incompatible with '--kty EC'"),
    (["a", "b", "--kty", "OKP", "--size", "256"], "flag '--size' is incompatible with '--kty OKP'"),
    (["a", "b", "--kty", "oct", "--crv", "P-256"], "flag '--crv' is incompatible with '--kty oct'"),
    (["a", "b", "--kty", "RSA", "--curve", "P-256"],
     "flag '--crv' is incompatible with '--kty RSA'"),
    (["a", "b", "--kty", "RSA", "--size", "1024", "--insecure"],
     "the size of the RSA key should be at least 2048 bits"),
    (["a", "b", "--kty", "oct", "--size", "8"],
     "flag '--size' requires at least 16 unless '--insecure' flag is provided"),
    (["a", "b", "--kty", "oct", "--size", "0", "--insecure"], "must be greater than or equal to 0"),
    (["a", "b", "--kty", "RSA", "--alg", "ES256"],
     "alg 'ES256' is not compatible with kty 'RSA'"),
    (["a", "b", "--alg", "ES384"],
     "alg 'ES384' is not compatible with kty 'EC' and crv 'P-256'"),
    (["a", "b", "--kty", "OKP", "--use", "enc"], "not compatible"),
    (["a", "b", "--no-password"], "flag '--no-password' requires the '--insecure' flag"),
    (["a", "b", "--no-password", "--insecure", "--password-file", "pw"],
     "flag '--no-password' is incompatible with '--password-file'"),
    (["a", "b", "--from-pem", "x", "--kty", "EC"],
     "flag '--from-pem' is incompatible with '--kty'"),
    (["a", "b"], "--password-file"),
]


@pytest.mark.parametrize("words,text", JWK_ERRORS)
def test_jwk_create_says_what_is_wrong_and_writes_nothing(step, words, text):
    step.fails(text, "crypto", "jwk", "create", *words)
    assert not (step.path / "a").exists() and not (step.path / "b").exists()


def test_jwk_of_pem_keys_and_certificates(step):
    create = ["crypto", "jwk", "create"]
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw")
    step.ok(*create, "p.json", "s.json", "--from-pem", "k.key", "--password-file", "pw")
    _, private = open_jwe(step.read("s.json"), PASSWORD)
    numbers = load_pem(step.read("k.key"), PASSWORD).private_numbers()
    assert private["d"] == b64(numbers.private_value.to_bytes(32, "big"))
    step.ok(*create, "q.json", "none.json", "--from-pem", "k.pub")
    assert step.read("q.json") == step.read("p.json") and not (step.path / "none.json").exists()

    def certify(name, usage):
        tool(step.path, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
             "x.key", "-out", name, "-subj", "/CN=x", "-addext", "keyUsage=" + usage)

    certify("sig.crt", "digitalSignature")
    step.ok(*create, "sig.json", "none.json", "--from-pem", "sig.crt")
    jwk = json.loads(step.read("sig.json"))
    der = base64.b64decode("".join(step.read("sig.crt").decode().splitlines()[1:-1]))
    assert jwk["use"] == "sig" and [base64.b64decode(c) for c in jwk["x5c"]] == [der]
    certify("enc.crt", "keyEncipherment")
    step.ok(*create, "enc.json", "none.json", "--from-pem", "enc.crt")
    assert json.loads(step.read("enc.json")).items() >= {"use": "enc", "alg": "RSA-OAEP-256"}.items()
    step.fails("contradicts", *create, "x.json", "none.json", "--from-pem", "enc.crt", "--use",
               "sig")
    certify("both.crt", "digitalSignature,keyEncipherment")
    step.fails("'--subtle'", *create, "x.json", "none.json", "--from-pem", "both.crt")
    step.ok(*create, "x.json", "none.json", "--from-pem", "both.crt", "--use", "enc", "--subtle")
    assert json.loads(step.read("x.json"))["use"] == "enc"


def test_jwk_input_that_is_none(step):
    for command in ("public", "thumbprint"):
        step.fails("", "crypto", "jwk", command, stdin=b"{}")
        step.fails("", "crypto", "jwk", command, stdin=b'{"kty":"EC","crv":"P-256","x":"AA"}')
        step.fails("is empty", "crypto", "jwk", command)
        step.fails("", "crypto", "jwk", command, stdin=b"bogus")
    step.ok("crypto", "keypair", "k.pub", "k.key", *PLAIN)
    step.fails("expected a JWK", "crypto", "jwk", "public", stdin=step.read("k.pub"))


def test_unknown_commands_of_the_groups_have_exit_code_3(step):
    step.fails("No help topic for 'nothing'", "crypto", "nothing", status=3)
    step.fails("No help topic for 'nothing'", "crypto", "key", "nothing", status=3)
    for group in (["crypto"], ["crypto", "key"], ["crypto", "jwk"]):
        assert step.run(*group).returncode == 0


def test_secrets_stay_out_of_what_is_said(step):
    step.env["STEPDEBUG"] = "1"
    step.ok("crypto", "keypair", "k.pub", "k.key", "--password-file", "pw")
    for words in (["crypto", "change-pass", "k.key", "--force", *CHANGE],
                  ["crypto", "change-pass", "k.key", "--force", *CHANGE],
                  ["crypto", "key", "format", "k.key", "--password-file", "pw"]):
        done = step.run(*words)
        for secret in (PASSWORD, b"battery staple"):
            assert secret not in done.stderr and secret not in done.stdout
