"""`step crypto key`, `hash`, `kdf`, `nacl`, `otp`, `rand`, `winpe` and `step base64`, each against
another implementation: openssl, python-cryptography, coreutils, argon2-cffi, bcrypt, passlib,
libsodium through PyNaCl, oathtool, zbarimg, osslsigncode."""

import base64
import collections
import hashlib
import json
import math
import os
import pty
import re
import select
import struct
import subprocess
import time
import uuid
import zlib

import argon2
import bcrypt
import nacl.bindings
import nacl.exceptions
import nacl.hash
import nacl.public
import nacl.secret
import nacl.signing
import pytest
from conftest import SLOW, make_cert, make_csr, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from passlib.hash import scrypt as passlib_scrypt
from test_reference_client import CACHE, VERSION
from toolbox import PLAIN, TERMINAL, Tool, b64, unb64

MESSAGE = b"a message of the tests\n"
SPKI = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def keys():
    return {"p256": ec.generate_private_key(ec.SECP256R1()),
            "p384": ec.generate_private_key(ec.SECP384R1()),
            "p521": ec.generate_private_key(ec.SECP521R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
            "rsa": rsa.generate_private_key(65537, 2048)}


@pytest.fixture
def step(tmp_path, keys):
    tool = Tool(tmp_path)
    for name, key in keys.items():
        tool.put(f"{name}.key", pem_of(key))
        tool.put(f"{name}.pub", key.public_key().public_bytes(*SPKI))
    tool.put("message", MESSAGE)
    tool.put("other", b"another message\n")
    tool.put("pw", b"right\n")
    tool.put("wrong", b"wrong\n")
    return tool


@pytest.fixture
def theirs(tmp_path):
    program = CACHE / f"cli-{VERSION}" / "step"
    if not program.exists():
        pytest.skip(f"the original step client is not in {CACHE}")
    return Tool(tmp_path, str(program))


def command(step, *words, **options):
    """Another program in the same directory: its output, whole."""
    done = subprocess.run([str(w) for w in words], cwd=step.path, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120 * SLOW, check=False, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def at_terminal(step, answer, *words):
    """Runs on a pseudo-terminal and answers its one question; exit code and what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(step.path)
        os.execve(step.program, [step.program, *words], dict(step.env, TERM="dumb"))
    shown, answered, end = b"", False, time.monotonic() + 60 * SLOW
    while time.monotonic() < end and select.select([terminal], [], [], 30 * SLOW)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if not answered and b": " in shown:
            os.write(terminal, answer + b"\r")
            answered = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


# --- key ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["p256", "p384", "p521", "ed", "rsa"])
def test_public_key_of_everything(step, keys, name):
    key = keys[name]
    expected = step.get(f"{name}.pub")
    step.put("cert", pem_of(make_cert("x", key)))
    csr_key = key if name != "ed" else keys["p256"]
    step.put("csr", make_csr(key=csr_key)[1])
    step.put("sealed", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"right")))
    step.put("bundle", step.get("cert") + pem_of(make_cert("y", keys["p384"])).encode())
    public = ["crypto", "key", "public"]
    for source in (f"{name}.key", f"{name}.pub", "cert", "bundle"):
        assert step.ok(*public, source) == expected
    assert step.ok(*public, "csr") == csr_key.public_key().public_bytes(*SPKI)
    assert step.ok(*public, stdin=step.get(f"{name}.key")) == expected
    assert step.ok(*public, "sealed", "--password-file", "pw") == expected
    step.fails("password incorrect", *public, "sealed", "--password-file", "wrong")
    assert TERMINAL in step.fails("--password-file", *public, "sealed")
    step.ok(*public, "cert", "--out", "out")
    assert step.get("out") == expected and step.mode("out") == 0o600
    step.fails("--force", *public, "cert", "--out", "out")


def test_public_writes_nothing_for_a_bad_key(step):
    step.put("damaged", step.get("p256.key")[:-60])
    for source in ("damaged", "message"):
        step.fails("error decoding", "crypto", "key", "public", source, "--out", "out")
    assert not (step.path / "out").exists()


def blocks(text):
    """'X:' and indented lines of hexadecimal: {name: number}."""
    found = {}
    for name, body in re.findall(r"^([^\n:]+):\n((?:    [0-9a-f:]+\n)+)", text, re.M):
        lines = body.splitlines()
        assert all(len(line) == 4 + 16 * 3 for line in lines[:-1]), body
        found[name] = int(body.replace(":", "").replace("\n", "").replace(" ", ""), 16)
    return found


def test_inspect_shows_the_numbers_of_a_key(step, keys):
    def look(source):
        text = step.ok("crypto", "key", "inspect", source).decode()
        return text.splitlines()[0], blocks(text), text
    for name, bits, curve in (("p256", 256, "P-256"), ("p384", 384, "P-384"),
                              ("p521", 521, "P-521")):
        numbers = keys[name].private_numbers()
        head, found, text = look(f"{name}.key")
        public = {"X": numbers.public_numbers.x, "Y": numbers.public_numbers.y}
        assert head == f"EC PrivateKey-Key: ({bits} bit)"
        assert found == {**public, "D": numbers.private_value}
        assert text.endswith(f"\nCurve: {curve}\n")
        head, found, _ = look(f"{name}.pub")
        assert head == f"EC Public-Key: ({bits} bit)" and found == public
    n = keys["rsa"].private_numbers()
    head, found, text = look("rsa.key")
    assert head == "RSA Private-Key: (2048 bit)"
    assert "\nPublic Exponent: 65537 (0x10001)\n" in text
    assert found == {"Modulus": n.public_numbers.n, "Private Exponent": n.d, "Prime #1": n.p,
                     "Prime #2": n.q, "Exponent #1": n.dmp1, "Exponent #2": n.dmq1,
                     "Coefficient": n.iqmp}
    head, found, text = look("rsa.pub")
    assert head == "RSA Public-Key: (2048 bit)" and "\nExponent: 65537 (0x10001)\n" in text
    assert found == {"Modulus": n.public_numbers.n}
    raw = keys["ed"].public_key().public_bytes(serialization.Encoding.Raw,
                                               serialization.PublicFormat.Raw)
    secret = keys["ed"].private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                      serialization.NoEncryption())
    head, found, _ = look("ed.key")
    assert head == "Ed25519 Private-Key: (512 bit)"
    assert found == {"Public": int.from_bytes(raw, "big"), "Private": int.from_bytes(secret, "big")}
    assert look("ed.pub")[0] == "Ed25519 Public-Key: (256 bit)"


@pytest.mark.parametrize("name", ["p256", "p521", "ed", "rsa"])
def test_fingerprints_are_digests_of_what_they_say(step, keys, name):
    public = keys[name].public_key()
    spki = public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)
    ski = x509.SubjectKeyIdentifier.from_public_key(public).digest
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    wire = base64.b64decode(line.split()[1])
    words = ["crypto", "key", "fingerprint"]

    def digest(data):
        return hashlib.sha256(data).digest()
    bits = step.ok(*words, "--raw", f"{name}.pub")
    assert hashlib.sha1(bits).digest() == ski
    for source in (f"{name}.key", f"{name}.pub"):
        assert step.line(*words, source) == f"SHA256:{base64.b64encode(digest(bits)).decode()}"
        assert step.line(*words, "--sha1", source) == f"SHA1:{ski.hex()}"
        for flags, data in ((["--pkix"], spki), (["--ssh"], wire), ([], bits)):
            for form, text in (("hex", digest(data).hex()),
                               ("base64-url-raw", b64(digest(data)))):
                assert step.line(*words, *flags, "--format", form, source) == f"SHA256:{text}"
            assert step.ok(*words, *flags, "--raw", source) == data
    step.put("line.pub", line)
    shown = command(step, "ssh-keygen", "-lf", "line.pub").decode().split()[1]
    assert step.line(*words, "--ssh", "--format", "base64-raw", "line.pub") == shown
    step.fails("flag '--pkix' and flag '--ssh' are mutually exclusive", *words, "--pkix", "--ssh",
               f"{name}.pub")
    step.fails("invalid value 'x' for flag '--format'", *words, "--format", "x", f"{name}.pub")


DIGESTS = ["sha1", "sha224", "sha256", "sha384", "sha512", "sha512-224", "sha512-256", "md5"]


def openssl_verifies(step, name, signature, *options):
    step.put("sig", signature)
    command(step, "openssl", "dgst", *options, "-verify", f"{name}.pub", "-signature", "sig",
            "message")


@pytest.mark.parametrize("digest", DIGESTS)
def test_rsa_signatures_cross_over_with_openssl(step, digest):
    for pss in (False, True):
        ours = ["--alg", digest, *(["--pss"] if pss else [])]
        options = [f"-{digest}", *(["-sigopt", "rsa_padding_mode:pss"] if pss else [])]
        raw = step.ok("crypto", "key", "sign", "--key", "rsa.key", *ours, "--raw", "message")
        openssl_verifies(step, "rsa", raw, *options)
        for salt in ([[]] if not pss else [[], ["-sigopt", "rsa_pss_saltlen:digest"]]):
            sig = command(step, "openssl", "dgst", *options, *salt, "-sign", "rsa.key", "message")
            words = ["crypto", "key", "verify", "--key", "rsa.pub", *ours, "--sig",
                     base64.b64encode(sig).decode()]
            assert step.ok(*words, "message") == b"true\n"
            assert step.fails("false", *words, "other") == "false\n"
            step.fails("false", *words[:7], *(["--pss"] if not pss else []), "--sig", words[-1],
                       "message")


@pytest.mark.parametrize("name,digest", [("p256", "sha256"), ("p384", "sha384"),
                                         ("p521", "sha512")])
def test_ec_signatures_cross_over_with_openssl(step, name, digest):
    text = step.line("crypto", "key", "sign", "--key", f"{name}.key", stdin=MESSAGE)
    openssl_verifies(step, name, base64.b64decode(text), f"-{digest}")
    sig = command(step, "openssl", "dgst", f"-{digest}", "-sign", f"{name}.key", "message")
    words = ["crypto", "key", "verify", "--key", f"{name}.pub", "--signature",
             base64.b64encode(sig).decode()]
    assert step.ok(*words, "message") == b"true\n"
    assert step.ok(*words, stdin=MESSAGE) == b"true\n"
    step.fails("false", *words, "other")
    step.fails("false", *words[:3], "--key", "rsa.pub", *words[5:], "message")


def test_ed25519_signs_the_message_itself(step, keys):
    raw = step.ok("crypto", "key", "sign", "--key", "ed.key", "--raw", "message")
    assert raw == keys["ed"].sign(MESSAGE)
    step.ok("crypto", "key", "verify", "--key", "ed.pub", "--sig",
            base64.b64encode(raw).decode(), "message")


def test_key_sign_guards(step, keys):
    step.put("sealed", keys["p256"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"right")))
    sign, verify = ["crypto", "key", "sign"], ["crypto", "key", "verify"]
    step.ok(*sign, "--key", "sealed", "--password-file", "pw", "message")
    step.fails("password incorrect", *sign, "--key", "sealed", "--password-file", "wrong",
               "message")
    step.fails("'step crypto key sign' requires the '--key' flag", *sign, "message")
    step.fails("key p256.pub is not a signer", *sign, "--key", "p256.pub", "message")
    step.fails("invalid value 'x' for flag '--alg'", *sign, "--key", "rsa.key", "--alg", "x",
               "message")
    step.fails("'step crypto key verify' requires the '--signature' flag", *verify, "--key",
               "p256.pub", "message")
    step.fails("error decoding base64 signature", *verify, "--key", "p256.pub", "--sig", "!",
               "message")
    for sig in ("AAAA", "MAA="):
        step.fails("false", *verify, "--key", "p256.pub", "--sig", sig, "message")


# --- hash --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIGESTS[:5] + ["md5"])
def test_digest_equals_coreutils(step, name):
    big = os.urandom(300_000)
    step.put("big", big)
    step.put("empty", b"")
    more = ["--insecure"] if name == "md5" else []
    ours = step.ok("crypto", "hash", "digest", "--alg", name, *more, "message", "big", "empty")
    assert ours == command(step, f"{name}sum", "message", "big", "empty")


def test_digest_knows_truncated_sha512(step):
    for name in ("sha512-224", "sha512-256"):
        ours = step.line("crypto", "hash", "digest", "--alg", name, "message")
        theirs = command(step, "openssl", "dgst", f"-{name}", "-r", "message").decode()
        assert ours.split()[0] == theirs.split()[0]
    assert step.line("crypto", "hash", "digest", "--alg", "sha", "message").split()[0] == (
        hashlib.sha1(MESSAGE).hexdigest())


def go_mode(st):
    kinds = {0o040000: 0x80000000, 0o120000: 0x08000000}
    mode = st.st_mode & 0o777 | kinds.get(st.st_mode & 0o170000, 0)
    for bit, value in ((0o4000, 0x00800000), (0o2000, 0x00400000), (0o1000, 0x00100000)):
        mode |= value if st.st_mode & bit else 0
    return struct.pack("<I", mode)


def tree_digest(path):
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).digest()
    h = hashlib.sha256(go_mode(path.stat()))
    for name in sorted(os.listdir(path)):
        entry = path / name
        if entry.is_symlink() or not entry.is_dir():
            h.update(go_mode(entry.lstat()))
        h.update(tree_digest(entry))
    return h.digest()


@pytest.fixture
def tree(step):
    top = step.path / "tree"
    (top / "sub dir").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "a").write_bytes(b"a")
    (top / "B").write_bytes(b"b" * 100_000)
    (top / "sub dir" / "x").write_bytes(b"")
    (top / "link").symlink_to("a")
    (top / "dirlink").symlink_to("sub dir")
    (top / "a").chmod(0o4751)
    (top / "empty").chmod(0o2750)
    (top / "sub dir").chmod(0o1777)
    return top


def test_digest_of_a_directory_covers_names_modes_and_contents(step, tree):
    before = step.line("crypto", "hash", "digest", "tree")
    assert before == f"{tree_digest(tree).hex()}  tree"
    (tree / "a").chmod(0o4755)
    assert step.line("crypto", "hash", "digest", "tree") != before
    (tree / "a").chmod(0o4751)
    assert step.line("crypto", "hash", "digest", "tree") == before
    (tree / "sub dir" / "x").write_bytes(b"x")
    assert step.line("crypto", "hash", "digest", "tree") != before


def test_directories_that_do_not_end_are_refused(step, tree):
    (tree / "loop").symlink_to(".")
    step.fails("failed", "crypto", "hash", "digest", "tree")
    (tree / "loop").unlink()
    os.mkfifo(tree / "fifo")
    step.fails("expected a file or a directory", "crypto", "hash", "digest", "tree")
    (tree / "fifo").unlink()
    (tree / "dangling").symlink_to("nowhere")
    step.fails("no such file or directory", "crypto", "hash", "digest", "tree")


def test_compare_and_guards(step):
    right = hashlib.sha256(MESSAGE).hexdigest()
    words = ["crypto", "hash", "compare"]
    assert step.ok(*words, right, "message") == b"ok\n"
    assert step.ok(*words, right.upper(), "message") == b"ok\n"
    assert step.fails("fail", *words, right, "other") == "fail\n"
    for hash_text in (right[:-2], "aa", right + "00"):
        assert step.fails("fail", *words, hash_text, "message") == "fail\n"
    step.fails("error decoding zz", *words, "zz", "message")
    step.fails("flag '--alg md5' requires the '--insecure' flag", *words, "--alg", "md5", right,
               "message")
    step.fails("invalid value 'x' for flag '--alg'", *words, "--alg", "x", right, "message")
    step.fails("stat nofile failed: no such file or directory", *words, right, "nofile")


# --- kdf ---------------------------------------------------------------------------------------

SECRET = b"correct horse\xc3\xa9"


def test_our_password_hashes_satisfy_others(step):
    def hashed(alg):
        return step.line("crypto", "kdf", "hash", "--alg", alg, stdin=SECRET)
    assert passlib_scrypt.verify(SECRET, hashed("scrypt"))
    assert bcrypt.checkpw(SECRET, hashed("bcrypt").encode())
    for alg, kind, costs in (("argon2i", argon2.Type.I, "m=32768,t=3,p=4"),
                             ("argon2id", argon2.Type.ID, "m=65536,t=1,p=4")):
        text = hashed(alg)
        assert text.startswith(f"${alg}$v=19${costs}$")
        assert argon2.low_level.verify_secret(text.encode(), SECRET, kind)
    assert hashed("scrypt").startswith("$scrypt$ln=15,r=8,p=1$")
    assert hashed("bcrypt").startswith("$2a$10$")
    assert hashed("scrypt") != hashed("scrypt")


def others(secret):
    yield passlib_scrypt.using(rounds=4, parallelism=2).hash(secret)
    yield bcrypt.hashpw(secret, bcrypt.gensalt(4)).decode()
    yield bcrypt.hashpw(secret, bcrypt.gensalt(4, b"2a")).decode()
    for kind in (argon2.Type.I, argon2.Type.ID):
        yield argon2.low_level.hash_secret(secret, b"0123456789", 2, 64, 2, 24, kind).decode()
    old = argon2.low_level.hash_secret(secret, b"0123456789", 2, 64, 2, 24, argon2.Type.I,
                                       version=16).decode()
    yield old.replace("$v=16", "")


def test_password_hashes_of_others_are_compared(step):
    for text in others(SECRET):
        words = ["crypto", "kdf", "compare", text]
        assert step.ok(*words, stdin=SECRET) == b"ok\n", text
        for wrong in (SECRET + b"\n", SECRET[:-1], b"x"):
            assert step.fails("fail", *words, stdin=wrong) == "fail\n"
        step.fails("positional argument <INPUT> requires the '--insecure' flag", *words, "x")
        assert step.ok(*words, SECRET.decode(), "--insecure") == b"ok\n"


def test_password_hashes_that_cost_too_much_are_refused_at_once(step):
    salt, value = "AAECAwQFBgcICQoLDA0ODw", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
    started = time.monotonic()
    for text, error in (
            (f"$scrypt$ln=30,r=8,p=1${salt}${value}", "invalid scrypt parameter ln"),
            (f"$scrypt$ln=20,r=32,p=1${salt}${value}", "1 GiB"),
            (f"$argon2id$v=19$m=4294967295,t=1,p=1${salt}${value}", "parameter m"),
            (f"$argon2id$v=19$m=65536,t=4294967295,p=1${salt}${value}", "parameter t"),
            (f"$argon2id$v=19$m=8,t=1,p=4${salt}${value}", "at least 8 p"),
            ("$2a$31$EjgjuVb0Yfcv.ac4B6CQ3uXvLeR9nKiQbg1xR4EJUYLyC3LXWkQtm", "bcrypt cost 31"),
            ("foo", "cannot decode password hash"), ("$1$abc$def", "unknown algorithm")):
        step.fails(error, "crypto", "kdf", "compare", text, stdin=SECRET)
    assert time.monotonic() - started < 60 * SLOW


def test_kdf_guards(step):
    words = ["crypto", "kdf", "hash"]
    step.fails("positional argument <INPUT> requires the '--insecure' flag", *words, "secret")
    step.ok(*words, "secret", "--insecure")
    step.fails("invalid value 'md5' for flag '--alg'", *words, "--alg", "md5", stdin=SECRET)
    step.fails("password length exceeds 72 bytes", *words, "--alg", "bcrypt", stdin=b"x" * 73)
    step.fails("zero byte", *words, "--alg", "bcrypt", stdin=b"a\0b")
    step.fails(TERMINAL, *words)


def test_kdf_asks_on_a_terminal_without_echo(step):
    code, shown = at_terminal(step, b"typed secret", "crypto", "kdf", "hash", "--alg", "bcrypt")
    assert code == 0 and b"typed secret" not in shown, shown
    text = re.search(rb"\$2a\$10\$[./A-Za-z0-9]{53}", shown).group()
    assert bcrypt.checkpw(b"typed secret", text)
    assert at_terminal(step, b"typed secret", "crypto", "kdf", "compare", text.decode())[0] == 0
    assert at_terminal(step, b"another", "crypto", "kdf", "compare", text.decode())[0] == 1


# --- nacl --------------------------------------------------------------------------------------


def nonce(text):
    return text.ljust(24, b"\0")


def test_box_crosses_over_with_libsodium(step):
    step.ok("crypto", "nacl", "box", "keypair", "a.pub", "a.priv")
    step.ok("crypto", "nacl", "box", "keypair", "b.pub", "b.priv")
    assert step.mode("a.priv") == step.mode("a.pub") == 0o600
    box = nacl.public.Box(nacl.public.PrivateKey(step.get("b.priv")),
                          nacl.public.PublicKey(step.get("a.pub")))
    assert nacl.public.PrivateKey(step.get("a.priv")).public_key.encode() == step.get("a.pub")
    seal = ["crypto", "nacl", "box", "seal"]
    text = step.line(*seal, "n1", "b.pub", "a.priv", stdin=MESSAGE)
    assert box.decrypt(unb64(text), nonce(b"n1")) == MESSAGE
    raw = step.ok(*seal, "--raw", "base64:AAH/", "b.pub", "a.priv", stdin=MESSAGE)
    assert box.decrypt(raw, nonce(b"\x00\x01\xff")) == MESSAGE
    sealed = box.encrypt(b"theirs", nonce(b"base64:x")).ciphertext
    open_ = ["crypto", "nacl", "box", "open", "string:base64:x", "b.pub", "a.priv"]
    assert step.ok(*open_, stdin=b64(sealed).encode() + b"\n") == b"theirs"
    assert step.ok(*open_, "--raw", stdin=sealed) == b"theirs"
    refused = "error authenticating or decrypting input"
    step.fails(refused, *open_, "--raw", stdin=sealed[:-1] + bytes([sealed[-1] ^ 1]))
    step.fails(refused, *open_, "--raw", stdin=sealed[:10])
    step.fails(refused, *open_[:4], "other", *open_[5:], "--raw", stdin=sealed)
    step.fails("error decoding base64 input", *open_, stdin=b"!!!!")


def test_secretbox_auth_and_sign_cross_over_with_libsodium(step):
    key = bytes(range(32))
    step.put("k", key)
    words = ["crypto", "nacl", "secretbox"]
    text = step.line(*words, "seal", "n", "k", stdin=MESSAGE)
    assert nacl.secret.SecretBox(key).decrypt(unb64(text), nonce(b"n")) == MESSAGE
    sealed = nacl.secret.SecretBox(key).encrypt(b"theirs", nonce(b"m")).ciphertext
    assert step.ok(*words, "open", "m", "k", "--raw", stdin=sealed) == b"theirs"
    step.fails("error authenticating or decrypting input", *words, "open", "n", "k", "--raw",
               stdin=sealed)

    step.ok("crypto", "nacl", "sign", "keypair", "s.pub", "s.priv")
    signing = nacl.signing.SigningKey(step.get("s.priv")[:32])
    assert signing.verify_key.encode() == step.get("s.pub")
    text = step.line("crypto", "nacl", "sign", "sign", "s.priv", stdin=MESSAGE)
    assert signing.verify_key.verify(unb64(text)) == MESSAGE
    signed = bytes(signing.sign(b"theirs"))
    words = ["crypto", "nacl", "sign", "open", "s.pub"]
    assert step.ok(*words, "--raw", stdin=signed) == b"theirs"
    step.fails("error authenticating input", *words, "--raw", stdin=signed[:-1] + b"X")
    step.fails("error authenticating input", *words, "--raw", stdin=signed[:63])

    # The first vector of libsodium's test auth6: HMAC-SHA-512-256.
    jefe = b"Jefe" + b"\0" * 28
    step.put("jefe", jefe)
    mac = step.line("crypto", "nacl", "auth", "digest", "jefe",
                    stdin=b"what do ya want for nothing?")
    assert mac == "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
    words = ["crypto", "nacl", "auth", "verify", "jefe"]
    assert step.ok(*words, mac, stdin=b"what do ya want for nothing?") == b"ok\n"
    for wrong in (mac[:-2] + "00", mac[:-2], "aa"):
        assert step.fails("fail", *words, wrong, stdin=b"what do ya want for nothing?") == "fail\n"
    step.fails("error decoding digest", *words, "zz", stdin=b"x")


def test_nacl_guards(step):
    step.put("short", b"x" * 31)
    step.put("k", b"k" * 32)
    for text, words in (
            ("nonce cannot be longer than 24 bytes", ["secretbox", "seal", "x" * 25, "k"]),
            ("error decoding base64 nonce", ["secretbox", "seal", "base64:AAE", "k"]),
            ("invalid key file: key size is not 32 bytes", ["secretbox", "seal", "n", "short"]),
            ("invalid key file: key size is not 32 bytes", ["auth", "digest", "short"]),
            ("invalid public key: key size is not 32 bytes", ["box", "seal", "n", "short", "k"]),
            ("invalid private key: key size is not 32 bytes", ["box", "seal", "n", "k", "short"]),
            ("invalid private key: key size is not 64 bytes", ["sign", "sign", "k"]),
            ("open nofile failed: no such file", ["sign", "open", "nofile"])):
        step.fails(text, "crypto", "nacl", *words, stdin=b"hello")
    step.put("zero", bytes(32))
    step.fails("small order", "crypto", "nacl", "box", "seal", "n", "zero", "k", stdin=b"x")
    step.fails("positional arguments <pub-file> and <priv-file> cannot be equal", "crypto", "nacl",
               "box", "keypair", "x", "x")
    step.ok("crypto", "nacl", "sign", "keypair", "p", "q")
    before = step.get("p"), step.get("q")
    step.fails("--force", "crypto", "nacl", "sign", "keypair", "p", "q")
    assert before == (step.get("p"), step.get("q"))
    step.ok("crypto", "nacl", "sign", "keypair", "p", "q", "--force")
    assert before != (step.get("p"), step.get("q"))


# --- otp ---------------------------------------------------------------------------------------

NAMED = ["--issuer", "Some CA", "--account", "me@x.test"]


def totp(step, secret, *options):
    return command(step, "oathtool", "-b", *options, secret).strip()


@pytest.mark.parametrize("alg", ["SHA1", "SHA256", "SHA512"])
def test_passcodes_equal_oathtool(step, alg):
    secret = step.line("crypto", "otp", "generate", *NAMED, "--alg", alg)
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    step.put("s", secret)
    for when, period, digits in (("2009-02-13T23:31:30Z", 30, 6), ("2033-05-18T03:33:20Z", 60, 8)):
        code = totp(step, secret, f"--totp={alg}", "-d", digits, "-s", f"{period}s", "-N",
                    when.replace("T", " ").replace("Z", " UTC"))
        words = ["crypto", "otp", "verify", "--secret", "s", "--alg", alg, "--period", period,
                 "--digits", digits, "--time", when]
        assert step.ok(*words, stdin=code + b"\n") == b"ok\n"
        assert step.ok(*words[:3], "s", *words[5:], stdin=code) == b"ok\n"
        wrong = str((int(code) + 1) % 10**digits).zfill(digits).encode()
        done = step.run(*words, stdin=wrong)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"fail\n", b"")
    now = step.run("crypto", "otp", "verify", "--secret", "s", "--alg", alg, "--skew", "1",
                   stdin=totp(step, secret, f"--totp={alg}"))
    assert now.stdout == b"ok\n"


def test_skew_accepts_neighbours_only(step):
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    step.put("s", secret)
    code = totp(step, secret, "--totp", "-N", "2020-01-01 00:00:00 UTC")

    def said(time_text, *more):
        return step.run("crypto", "otp", "verify", "--secret", "s", "--time", time_text, *more,
                        stdin=code).stdout
    assert said("2020-01-01T00:00:29Z") == b"ok\n"
    assert said("2020-01-01T00:00:30Z") == said("2019-12-31T23:59:59Z") == b"fail\n"
    assert said("2020-01-01T00:00:30Z", "--skew", "1") == b"ok\n"
    assert said("2019-12-31T23:59:59Z", "--skew", "1") == b"ok\n"
    assert said("2020-01-01T00:01:00Z", "--skew", "1") == b"fail\n"
    step.fails("'--skew' values greater than 1 require the '--insecure' flag", "crypto", "otp",
               "verify", "--secret", "s", "--skew", "2", stdin=code)
    assert said("2020-01-01T00:01:00Z", "--skew", "2", "--insecure") == b"ok\n"


def test_a_qr_code_carries_the_url(step):
    url = step.line("crypto", "otp", "generate", *NAMED, "--url", "--qr", "qr.png", "--alg",
                    "SHA256", "--digits", "8", "--period", "60")
    assert re.fullmatch(r"otpauth://totp/Some%20CA:me@x\.test\?algorithm=SHA256&digits=8&"
                        r"issuer=Some%20CA&period=60&secret=[A-Z2-7]{32}", url)
    png = step.get("qr.png")
    assert png[:24] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 200, 200)
    assert step.mode("qr.png") == 0o644
    chunks, at = {}, 8
    while at < len(png):
        size, = struct.unpack_from(">I", png, at)
        body = png[at + 4:at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size)[0] == zlib.crc32(body)
        chunks[body[:4]] = body[4:]
        at += 12 + size
    assert len(zlib.decompress(chunks[b"IDAT"])) == 200 * 26
    read = subprocess.run(["zbarimg", "-q", "--raw", "qr.png"], cwd=step.path, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    assert read.stdout.decode().strip() == url
    step.put("url", url)
    secret = url.rsplit("=", 1)[1]
    code = totp(step, secret, "--totp=SHA256", "-d", 8, "-s", "60s", "-N",
                "2020-01-01 00:00:00 UTC")
    assert step.ok("crypto", "otp", "verify", "--secret", "url", "--time", "2020-01-01T00:00:00Z",
                   stdin=code) == b"ok\n"
    step.fails("--force", "crypto", "otp", "generate", *NAMED, "--qr", "qr.png")
    assert step.get("qr.png") == png
    shown = step.run("crypto", "otp", "generate", *NAMED, "--qr", "-")
    assert re.fullmatch(rb"[A-Z2-7]{32}\n", shown.stdout)
    rows = shown.stderr.decode().splitlines()
    assert len({len(row) for row in rows}) == 1 and set("".join(rows)) <= set(" ▀▄█")
    assert draw(step, rows).startswith("otpauth://totp/Some%20CA:me@x.test?")


def draw(step, rows):
    """Half blocks of a dark terminal as pixels, read by zbarimg."""
    pixels = []
    for row in rows:
        pixels.append([c in "█▀" for c in row])
        pixels.append([c in "█▄" for c in row])
    scale, width = 4, len(rows[0])
    lines = b"".join(bytes(255 if p else 0 for p in line for _ in range(scale)) * scale
                     for line in pixels)
    step.put("t.pgm", b"P5 %d %d 255\n" % (width * scale, len(pixels) * scale) + lines)
    return subprocess.run(["zbarimg", "-q", "--raw", "t.pgm"], cwd=step.path, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=60).stdout.decode()


def test_otp_guards(step):
    generate, verify = ["crypto", "otp", "generate"], ["crypto", "otp", "verify"]
    step.fails("'step crypto otp generate' requires the '--issuer' flag", *generate)
    step.fails("'step crypto otp generate' requires the '--account' flag", *generate, *NAMED[:2])
    step.fails("invalid value 'MD5' for flag '--alg'", *generate, *NAMED, "--alg", "MD5")
    for flag, value in (("digits", "5"), ("digits", "11"), ("period", "-1"),
                        ("secret-size", "129")):
        step.fails("invalid value", *generate, *NAMED, f"--{flag}", value)
    assert len(step.line(*generate, *NAMED, "--secret-size", "10")) == 16
    step.put("s", "GEZDGNBVGY3TQOJQ")
    step.fails(TERMINAL, *verify, "--secret", "s")
    step.fails("'step crypto otp verify' requires the '--secret' flag", *verify, stdin=b"1")
    step.fails("open nofile failed: no such file", *verify, "--secret", "nofile", stdin=b"1")
    step.put("none", "not base32!")
    step.fails("expected a secret in base32", *verify, "--secret", "none", stdin=b"123456")
    step.fails("Input length unexpected", *verify, "--secret", "s", stdin=b"12345")
    step.put("u", "otpauth://totp/x?secret=GEZDGNBV&digits=99")
    step.fails("error reading u: otpauth URL", *verify, "--secret", "u", stdin=b"123456")


# --- rand --------------------------------------------------------------------------------------

ALPHABETS = {"ascii": "".join(map(chr, range(33, 127))), "hex": "0123456789abcdef",
             "hexadecimal": "0123456789abcdef", "dec": "0123456789", "decimal": "0123456789",
             "lower": "abcdefghijklmnopqrstuvwxyz", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
             "alphabet": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
             "alphanumeric": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}


def assert_uniform(counts, kinds, total):
    """Chi-squared, six standard deviations of its distribution: a bias of modulo shows."""
    expected = total / kinds
    assert len(counts) == kinds
    chi = sum((n - expected) ** 2 / expected for n in counts.values())
    assert abs(chi - (kinds - 1)) < 6 * math.sqrt(2 * (kinds - 1)) + 10, chi


@pytest.mark.parametrize("form", ALPHABETS)
def test_every_letter_is_equally_likely(step, form):
    assert len(step.line("crypto", "rand", "--format", form)) == 32
    text = step.line("crypto", "rand", "--format", form, 200_000)
    assert len(text) == 200_000 and set(text) == set(ALPHABETS[form])
    assert_uniform(collections.Counter(text), len(ALPHABETS[form]), len(text))


def test_other_random_formats(step):
    words = ["crypto", "rand", "--format"]
    assert len(step.ok(*words, "raw", 1000)) == 1000
    emoji = step.line(*words, "emoji", 50_000)
    assert len(emoji) == 50_000
    assert_uniform(collections.Counter(emoji), 256, len(emoji))
    assert uuid.UUID(step.line(*words, "uuid")).version == 4
    rolls = collections.Counter(step.line(*words, "die") for _ in range(120))
    assert set(rolls) == set("123456")
    assert 1 <= int(step.line(*words, "dice", 20)) <= 20
    assert step.line(*words, "die", 1) == "1"
    for bits in (2, 16, 32, 512):
        number = step.line(*words, "prime", bits)
        assert int(number).bit_length() == bits
        assert b"is prime" in command(step, "openssl", "prime", number)
    step.put("dict", "alpha\r\n\n  beta \ngamma\n")
    drawn = step.line("crypto", "rand", "--dictionary", "dict").split("-")
    assert len(drawn) == 6 and set(drawn) <= {"alpha", "beta", "gamma"}
    many = step.line("crypto", "rand", "--dict", "dict", 3000).split("-")
    assert_uniform(collections.Counter(many), 3, 3000)


def test_rand_guards(step):
    words = ["crypto", "rand"]
    step.put("empty", "\n\n")
    for text, more in (
            ('positional argument <length> "0" must be greater than 0', ["0"]),
            ('positional argument <length> "x" is not a valid number', ["x"]),
            ('positional argument <length> "-5" must be greater than 0', ["--", "-5"]),
            ("must be at most", ["99999999"]), ("must be at most", ["--format", "prime", "9000"]),
            ("a prime has 2 to", ["--format", "prime", "1"]),
            ("invalid value 'x' for flag '--format'", ["--format", "x"]),
            ("flag '--format' is incompatible with '--dictionary'",
             ["--format", "hex", "--dictionary", "empty"]),
            ("expected words", ["--dictionary", "empty"]),
            ("open nofile failed", ["--dictionary", "nofile"]),
            ("too many positional arguments", ["1", "2"])):
        step.fails(text, *words, *more)


# --- winpe -------------------------------------------------------------------------------------


def program():
    """The least that is a program for Windows to osslsigncode: headers and one empty section."""
    image = bytearray(0x400)
    image[0:2] = b"MZ"
    struct.pack_into("<I", image, 0x3c, 0x80)
    image[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", image, 0x84, 0x8664, 1, 0, 0, 0, 240, 0x22)
    struct.pack_into("<HBBIIIII", image, 0x98, 0x20b, 0, 0, 0, 0, 0, 0x1000, 0x1000)
    struct.pack_into("<QII", image, 0x98 + 24, 0x400000, 0x1000, 0x200)
    struct.pack_into("<II", image, 0x98 + 56, 0x2000, 0x200)
    struct.pack_into("<I", image, 0x98 + 108, 16)
    image[0x188:0x18d] = b".text"
    struct.pack_into("<IIII", image, 0x190, 0x200, 0x1000, 0x200, 0x200)
    return bytes(image)


def test_certificates_of_a_signed_program(step, keys):
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = make_cert("Root", root_key, ca=True)
    leaf = make_cert("Signer", keys["rsa"], root, root_key)
    step.put("chain.crt", pem_of(leaf) + pem_of(root))
    step.put("in.exe", program())
    command(step, "osslsigncode", "sign", "-certs", "chain.crt", "-key", "rsa.key", "-in",
            "in.exe", "-out", "out.exe")
    out = step.ok("crypto", "winpe", "extract", "out.exe")
    end = b"-----END CERTIFICATE-----\n"
    found = [x509.load_pem_x509_certificate(part + end) for part in out.split(end)[:-1]]
    assert len(found) == 2 and set(found) == {leaf, root}
    step.fails("it is not signed", "crypto", "winpe", "extract", "in.exe")
    step.fails("no DOS header", "crypto", "winpe", "extract", "message")
    step.put("cut.exe", step.get("out.exe")[:-100])
    step.fails("Unable to open the PE file", "crypto", "winpe", "extract", "cut.exe")
    step.fails("open nofile failed", "crypto", "winpe", "extract", "nofile")


# --- base64 ------------------------------------------------------------------------------------


def test_base64_equals_coreutils(step):
    for n in (1, 2, 3, 56, 57, 58, 3000):
        data = os.urandom(n)
        standard = command(step, "base64", "-w0", input=data).decode()
        url = command(step, "basenc", "--base64url", "-w0", input=data).decode()
        for flags, text in (([], standard), (["-r"], standard.rstrip("=")), (["--url"], url),
                            (["-u", "--raw"], url.rstrip("="))):
            assert step.line("base64", *flags, stdin=data) == text
            assert step.ok("base64", "-d", stdin=text.encode()) == data
            assert step.ok("base64", "--decode", *flags, stdin=text.encode() + b"\n") == data
        folded = command(step, "base64", input=data)
        assert step.ok("base64", "-d", stdin=folded) == data
    assert step.line("base64", "foo", "bar") == base64.b64encode(b"foo bar").decode()
    assert step.ok("base64", "-d", "Zm9v") == b"foo"


def test_base64_that_is_none_is_refused(step):
    for text, flags in ((b"!!", []), (b"Zm9vY", []), (b"Zg==", ["-r"]), (b"Zg", ["-u"]),
                        (b"a-b+", []), (b"_-__", ["-r"]), (b"Zm9v\0", [])):
        step.fails("error decoding input", "base64", "-d", *flags, stdin=text)
    step.fails(TERMINAL, "base64")


# --- the original client -----------------------------------------------------------------------


def test_tools_agree_with_the_original(step, theirs, tree):
    for name in ("p256.key", "p521.pub", "rsa.key", "rsa.pub", "ed.key", "ed.pub"):
        for words in (["inspect"], ["public"], ["fingerprint"], ["fingerprint", "--sha1"]):
            assert step.ok("crypto", "key", *words, name) == theirs.ok("crypto", "key", *words,
                                                                       name)
    assert step.ok("crypto", "hash", "digest", "tree") == theirs.ok("crypto", "hash", "digest",
                                                                    "tree")
    for alg in ("scrypt", "bcrypt", "argon2i", "argon2id"):
        for one, other in ((step, theirs), (theirs, step)):
            text = one.line("crypto", "kdf", "hash", "--alg", alg, stdin=SECRET)
            assert other.ok("crypto", "kdf", "compare", text, stdin=SECRET) == b"ok\n"


def test_tokens_cross_over_with_the_original(step, theirs):
    for one, other in ((step, theirs), (theirs, step)):
        one.ok("crypto", "jwk", "create", "j.pub", "j.key", "--password-file", "pw", "--force")
        one.ok("crypto", "jwk", "create", "e.pub", "e.key", "--use", "enc", *PLAIN, "--force")
        token = one.line("crypto", "jwt", "sign", "--key", "j.key", "--password-file", "pw",
                         "--subtle")
        shown = [tool.ok("crypto", "jwt", "verify", "--key", "j.pub", "--subtle",
                         stdin=token.encode()) for tool in (one, other)]
        assert shown[0] == shown[1] and json.loads(shown[0])["header"]["alg"] == "ES256"
        sealed = one.ok("crypto", "jwe", "encrypt", "--key", "e.pub", stdin=MESSAGE)
        assert other.ok("crypto", "jwe", "decrypt", "--key", "e.key", stdin=sealed) == MESSAGE


# --- The case of names ----------------------------------------------------------------------------


def test_names_of_digests_and_formats_in_any_case(step):
    step.put("message", b"hi\n")
    words = ["crypto", "hash", "digest", "--alg"]
    assert step.ok(*words, "SHA512-256", "message") == step.ok(*words, "sha512-256", "message")
    digest = hashlib.sha256(b"hi\n").hexdigest()
    step.ok("crypto", "hash", "compare", "--alg", "SHA256", digest, "message")
    step.fails("flag '--alg md5' requires the '--insecure' flag", *words, "MD5", "message")
    assert re.fullmatch("[0-9a-f]{9}", step.line("crypto", "rand", "--format", "HEX", "9"))
    assert len(step.line("crypto", "rand", "--format", "")) == 32


def test_signing_with_the_digest_that_others_take(step):
    step.put("message", b"hi\n")
    for name, key in (("rsa", rsa.generate_private_key(65537, 2048)),
                      ("p224", ec.generate_private_key(ec.SECP224R1()))):
        step.put(f"{name}.key", pem_of(key))
        usual = step.ok("crypto", "key", "sign", "--key", f"{name}.key", "--raw", "message")
        if name == "rsa":
            for alg in ("", "SHA256"):
                assert step.ok("crypto", "key", "sign", "--key", "rsa.key", "--alg", alg, "--raw",
                               "message") == usual
            key.public_key().verify(usual, b"hi\n", padding.PKCS1v15(), hashes.SHA256())
        else:
            key.public_key().verify(usual, b"hi\n", ec.ECDSA(hashes.SHA224()))
            step.put("p224.pub", key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
            step.ok("crypto", "key", "verify", "--key", "p224.pub", "--signature",
                    base64.b64encode(usual).decode(), "message")
