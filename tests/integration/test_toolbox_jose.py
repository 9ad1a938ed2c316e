"""`step crypto jwt`, `jws`, `jwe`, `jose` and `jwk keyset` against PyJWT, jwcrypto and openssl."""

import fcntl
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jwt as pyjwt
import pytest
from conftest import make_cert, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils, x25519
from jwcrypto import jwe as pyjwe
from jwcrypto import jwk as pyjwk
from jwcrypto import jws as pyjws
from toolbox import PLAIN, TERMINAL, Tool, b64, unb64

KEYS = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "X25519": x25519.X25519PrivateKey.generate,
}
SIGNING = ["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384",
           "PS512", "HS256", "HS384", "HS512"]
SECRET = bytes(range(64))
WHO = ["--iss", "ops", "--aud", "web"]


def kind(alg):
    return "RSA" if alg[:2] in ("RS", "PS") else alg


@pytest.fixture(scope="module")
def keys():
    return {name: make() for name, make in KEYS.items()}


@pytest.fixture
def step(tmp_path, keys):
    tool = Tool(tmp_path)
    for name, key in keys.items():
        tool.put(f"{name}.key", pem_of(key))
        tool.put(f"{name}.pub", key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    tool.put("secret", SECRET)
    tool.put("pw", b"right\n")
    tool.put("wrong", b"wrong\n")
    return tool


def private(alg):
    return "secret" if alg.startswith("HS") else f"{kind(alg)}.key"


def public(alg):
    return "secret" if alg.startswith("HS") else f"{kind(alg)}.pub"


def sign(step, alg, *more, claims=()):
    all_claims = [*WHO, "--sub", "me", "--exp", str(int(time.time()) + 600), *claims]
    return step.line("crypto", "jwt", "sign", "--key", private(alg), "--alg", alg, *all_claims,
                     *more)


def verify(step, token, alg, *more):
    return json.loads(step.ok("crypto", "jwt", "verify", "--key", public(alg), "--alg", alg, *WHO,
                              *more, stdin=token.encode()))


def verifying_key(step, keys, alg):
    return SECRET if alg.startswith("HS") else keys[kind(alg)].public_key()


def forged(header, payload=b'{"iss":"ops","aud":"web"}', signature=b""):
    return f"{b64(json.dumps(header).encode())}.{b64(payload)}.{b64(signature)}"


# --- jwt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", SIGNING)
def test_pyjwt_accepts_what_we_sign(step, keys, alg):
    token = sign(step, alg)
    claims = pyjwt.decode(token, verifying_key(step, keys, alg), [alg], audience="web",
                          issuer="ops", options={"require": ["exp", "iat", "nbf", "jti", "sub"]})
    assert claims["sub"] == "me" and claims["nbf"] == claims["iat"]
    assert len(bytes.fromhex(claims["jti"])) == 32


@pytest.mark.parametrize("alg", SIGNING)
def test_we_accept_what_pyjwt_signs_and_nothing_altered(step, keys, alg):
    key = SECRET if alg.startswith("HS") else keys[kind(alg)]
    claims = {"iss": "ops", "aud": ["x", "web"], "exp": int(time.time()) + 60, "n": 1}
    token = pyjwt.encode(claims, key, alg)
    shown = verify(step, token, alg)
    assert shown["payload"] == claims and shown["header"]["alg"] == alg
    assert shown["signature"] == token.rsplit(".", 1)[1]
    head, body, signature = token.split(".")
    flipped = bytearray(unb64(signature))
    flipped[len(flipped) // 2] ^= 1
    for altered in (f"{head}.{b64(json.dumps(dict(claims, n=2)).encode())}.{signature}",
                    f"{b64(json.dumps({'alg': alg, 'typ': 'jwt'}).encode())}.{body}.{signature}",
                    f"{head}.{body}.{b64(bytes(flipped))}", f"{head}.{body}.",
                    f"{head}.{body}.{b64(unb64(signature)[:-5])}"):
        step.fails("validation failed: invalid signature", "crypto", "jwt", "verify", "--key",
                   public(alg), "--alg", alg, *WHO, stdin=altered.encode())


def test_header_members_are_sorted_and_kid_is_the_thumbprint(step, keys):
    token = sign(step, "ES256", "--header", "zzz=1", "--header", "aaa=b=c")
    kid = pyjwk.JWK.from_pem(step.get("ES256.pub")).thumbprint()
    assert unb64(token.split(".")[0]).decode() == (
        f'{{"aaa":"b=c","alg":"ES256","kid":"{kid}","typ":"JWT","zzz":"1"}}')
    assert sign(step, "ES256").startswith("eyJhbGciOiJFUzI1NiIsImtpZCI6")
    assert sign(step, "ES256", "--no-kid").startswith("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.")


def test_claims_of_the_payload_replace_those_of_flags(step):
    step.put("claims", '{"iss":"other","n":12345678901234567890.50,"a":[{"z":1,"b":2}]}')
    for where in (["claims"], ["-"], []):
        token = step.line("crypto", "jwt", "sign", "--key", "ES256.key", "--subtle", "--iss", "me",
                          "--nbf", "5", "--iat", "6", "--jti", "J", *where,
                          stdin=b"" if where == ["claims"] else step.get("claims"))
        assert unb64(token.split(".")[1]).decode() == (
            '{"a":[{"z":1,"b":2}],"iat":6,"iss":"other","jti":"J","n":12345678901234567890.50,'
            '"nbf":5}')


def test_audiences_and_identifiers(step):
    def claims(*more):
        token = step.line("crypto", "jwt", "sign", "--key", "ES256.key", "--subtle", *more)
        return json.loads(unb64(token.split(".")[1]))
    assert "aud" not in claims()
    assert claims("--aud", "a")["aud"] == "a"
    assert claims("--aud", "a", "--aud", "b")["aud"] == ["a", "b"]
    assert len(claims("--jti", "")["jti"]) == 40
    assert claims()["jti"] != claims()["jti"]


def test_sign_guards(step):
    future = str(int(time.time()) + 60)
    given = []
    for flag, value in (("iss", "a"), ("aud", "b"), ("sub", "c"), ("exp", future)):
        step.fails(f"flag '--{flag}' is required unless '--subtle' is used", "crypto", "jwt",
                   "sign", "--key", "ES256.key", *given)
        given += [f"--{flag}", value]
    step.ok("crypto", "jwt", "sign", "--key", "ES256.key", *given)
    step.fails("flag '--exp' must be in the future unless the '--subtle' flag is provided",
               "crypto", "jwt", "sign", "--key", "ES256.key", *given[:-1], "5")
    step.ok("crypto", "jwt", "sign", "--key", "ES256.key", *given[:-1], "5", "--subtle")
    for text, words in (
            ("one of flag --key or --jwks is required", []),
            ("flag '--key' and flag '--jwks' are mutually exclusive", ["--key", "a", "--jwks", "b"]),
            ("flag '--kid' requires the '--jwks' flag", ["--jwks", "b"]),
            ("cannot use a public key for signing", ["--key", "ES256.pub", "--subtle"]),
            ("error reading nofile: open nofile: no such file or directory",
             ["--key", "nofile", "--subtle"]),
            ("error reading secret: unsupported format", ["--key", "secret", "--subtle"]),
            ("alg 'RS256' is not compatible with kty 'EC' and crv 'P-256'",
             ["--key", "ES256.key", "--subtle", "--alg", "RS256"]),
            ("alg 'none' is not compatible with kty 'EC' and crv 'P-256'",
             ["--key", "ES256.key", "--subtle", "--alg", "none"]),
            ("key X25519 cannot be used for signing", ["--key", "X25519.key", "--subtle"]),
            ("invalid value 'x' for flag '--header'",
             ["--key", "ES256.key", "--subtle", "--header", "x"]),
            ("invalid value 'alg=none' for flag '--header'",
             ["--key", "ES256.key", "--subtle", "--header", "alg=none"]),
            ("open nofile failed: no such file or directory",
             ["--key", "ES256.key", "--subtle", "nofile"]),
            ("error decoding JSON from secret: ", ["--key", "ES256.key", "--subtle", "secret"])):
        step.fails(text, "crypto", "jwt", "sign", *words)
    step.put("list", "[1]")
    step.fails("error decoding JSON from list: ", "crypto", "jwt", "sign", "--key", "ES256.key",
               "--subtle", "list")


def test_verify_tells_everything_that_is_wrong(step, keys):
    now = int(time.time())
    bad = pyjwt.encode({"iss": "x", "aud": "y", "nbf": now + 600, "exp": now - 62},
                       keys["ES256"], "ES256")
    said = step.fails("validation failed: invalid issuer claim (iss), invalid audience claim "
                      "(aud), token not valid yet (nbf), token is expired by 1m", "crypto", "jwt",
                      "verify", "--key", "ES256.pub", *WHO, stdin=bad.encode())
    assert said.endswith("s (exp)\n")
    late = pyjwt.encode({"iss": "ops", "aud": "web", "exp": now - 5}, keys["ES256"], "ES256")
    words = ["crypto", "jwt", "verify", "--key", "ES256.pub", *WHO]
    step.fails("token is expired by ", *words, stdin=late.encode())
    step.fails("flag '--no-exp-check' requires the '--insecure' flag", *words, "--no-exp-check",
               stdin=late.encode())
    step.ok(*words, "--no-exp-check", "--insecure", stdin=late.encode())
    early = pyjwt.encode({"iss": "ops", "aud": "web", "nbf": now + 60}, keys["ES256"], "ES256")
    step.fails("validation failed: token not valid yet (nbf)\n", *words, stdin=early.encode())


def test_verify_guards(step, keys):
    token = sign(step, "ES256").encode()
    words = ["crypto", "jwt", "verify", "--key", "ES256.pub"]
    step.fails("flag '--iss' is required unless the '--subtle' flag is provided", *words,
               stdin=token)
    step.fails("flag '--aud' is required unless the '--subtle' flag is provided", *words, "--iss",
               "ops", stdin=token)
    step.ok(*words, "--subtle", stdin=token)
    step.fails("invalid issuer claim (iss)", *words, "--subtle", "--iss", "x", stdin=token)
    step.fails("one of flag --key or --jwks is required", "crypto", "jwt", "verify", *WHO,
               stdin=token)
    step.fails("flag '--alg' is required with the given key", "crypto", "jwt", "verify", "--key",
               "RSA.pub", *WHO, stdin=sign(step, "RS256").encode())
    step.ok("crypto", "jwt", "verify", "--key", "RSA.pub", *WHO, "--insecure",
            stdin=sign(step, "RS256").encode())
    step.fails("alg RS512 does not match the alg on JWT (RS256)", "crypto", "jwt", "verify",
               "--key", "RSA.pub", "--alg", "RS512", *WHO, stdin=sign(step, "RS256").encode())
    step.fails("'step crypto jwt inspect' requires the '--insecure' flag", "crypto", "jwt",
               "inspect", stdin=token)


def test_algorithm_confusion_is_refused(step, keys):
    """RS256 and ES256 public keys as HMAC secrets (RFC 8725 2.1), and alg none."""
    for alg in ("RS256", "ES256"):
        pem = step.get(public(alg))
        head = b64(json.dumps({"alg": "HS256"}).encode())
        body = b64(b'{"iss":"ops","aud":"web"}')
        mac = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
        token = f"{head}.{body}.{b64(mac)}".encode()
        step.fails(f"alg {alg} does not match the alg on JWT (HS256)", "crypto", "jwt", "verify",
                   "--key", public(alg), "--alg", alg, *WHO, stdin=token)
        step.fails("alg 'HS256' is not compatible with kty", "crypto", "jwt", "verify", "--key",
                   public(alg), "--alg", "HS256", *WHO, "--subtle", "--insecure", stdin=token)
    for none in ("none", "None", "NONE", ""):
        for words in (["--key", "ES256.pub"], ["--key", "ES256.pub", "--insecure", "--subtle"]):
            step.fails("does not match the alg on JWT", "crypto", "jwt", "verify", *words, *WHO,
                       stdin=forged({"alg": none}).encode())
    step.fails("is not compatible with kty", "crypto", "jwt", "verify", "--key", "ES256.pub",
               "--alg", "none", "--subtle", "--insecure", *WHO,
               stdin=forged({"alg": "none"}).encode())


def test_tokens_that_are_none(step):
    for token, text in (
            (b"invalid token", "error parsing token: compact JWS format must have three parts"),
            (b"\n", "error parsing token: compact JWS format must have three parts"),
            (b"a.b.c", "error parsing token: "),
            (b"!.!.!", "error parsing token: "),
            (forged({"alg": "ES256", "crit": ["x"], "x": 1}).encode(), "error parsing token: "),
            (forged({"alg": "ES256", "b64": False, "crit": ["b64"]}).encode(),
             "error parsing token: "),
            (b'{"payload":"","signatures":[]}', "error parsing token: "),
            (b'{"payload":', "error parsing token: "),
            (b"e30." + b"A" * (2 << 20) + b".AA", "more than")):
        step.fails(text, "crypto", "jwt", "verify", "--key", "ES256.pub", *WHO, stdin=token)


def test_claims_of_wrong_types_are_refused_after_the_signature(step, keys):
    for payload in (b"[]", b"foo", b'{"exp":"x"}', b'{"aud":5}', b'{"iss":"a","iss":"b"}'):
        token = pyjws.JWS(payload)
        token.add_signature(pyjwk.JWK.from_pem(step.get("ES256.key")), None, '{"alg":"ES256"}')
        step.fails("error parsing token: ", "crypto", "jwt", "verify", "--key", "ES256.pub",
                   "--subtle", stdin=token.serialize(True).encode())


def test_several_signatures_are_refused(step):
    token = pyjws.JWS(b'{"iss":"ops","aud":"web"}')
    for name in ("ES256", "ES384"):
        token.add_signature(pyjwk.JWK.from_pem(step.get(f"{name}.key")), None,
                            json.dumps({"alg": name}))
    step.fails("expected exactly one signature", "crypto", "jwt", "verify", "--key", "ES256.pub",
               *WHO, stdin=token.serialize().encode())


def test_json_serialization_is_verified_too(step):
    token = pyjws.JWS(b'{"iss":"ops","aud":"web"}')
    token.add_signature(pyjwk.JWK.from_pem(step.get("ES256.key")), None, '{"alg":"ES256"}')
    shown = json.loads(step.ok("crypto", "jwt", "verify", "--key", "ES256.pub", *WHO,
                               stdin=token.serialize().encode()))
    assert shown["payload"] == {"iss": "ops", "aud": "web"}


def test_inspect_shows_without_believing(step):
    token = forged({"alg": "none", "crit": ["x"]}, b'{"aud":5,"x":"\\u001b[31m"}')
    out = step.ok("crypto", "jwt", "inspect", "--insecure", stdin=token.encode())
    assert json.loads(out) == {"header": {"alg": "none", "crit": ["x"]},
                               "payload": {"aud": 5, "x": "\x1b[31m"}, "signature": ""}
    assert b"\x1b" not in out


def test_openssl_verifies_our_token(step, tmp_path):
    head, body, signature = sign(step, "ES256").split(".")
    raw = unb64(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"),
                                     int.from_bytes(raw[32:], "big"))
    step.put("sig", der)
    step.put("input", f"{head}.{body}")
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", "ES256.pub", "-signature",
                           "sig", "input"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_certificates_go_into_the_header(step, keys):
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = make_cert("Root", root_key, ca=True)
    leaf = make_cert("leaf", keys["ES256"], root, root_key)
    step.put("leaf.crt", pem_of(leaf) + pem_of(root))
    step.put("root.crt", pem_of(root))
    der = leaf.public_bytes(serialization.Encoding.DER)
    words = ["crypto", "jwt", "sign", "--subtle"]

    def header(*more):
        return json.loads(unb64(step.line(*words, *more).split(".")[0]))
    chain = header("--x5c-cert", "leaf.crt", "--x5c-key", "ES256.key")["x5c"]
    assert len(chain) == 2 and unb64(chain[0].translate(str.maketrans("+/", "-_"))) == der
    assert "x5cInsecure" in header("--x5c-cert", "leaf.crt", "--key", "ES256.key",
                                   "--x5c-insecure")
    x5t = header("--x5t-cert", "leaf.crt", "--x5t-key", "ES256.key")["x5t"]
    assert unb64(x5t.rstrip("=")) == hashlib.sha1(der).digest()
    step.fails("does not match the public key", *words, "--x5c-cert", "leaf.crt", "--key",
               "ES384.key")
    step.put("ca.key", pem_of(root_key))
    step.fails("digital signature", *words, "--x5c-cert", "root.crt", "--key", "ca.key")
    step.fails("flag '--x5c-cert' and flag '--x5t-cert' are mutually exclusive", *words,
               "--x5c-cert", "leaf.crt", "--x5t-cert", "leaf.crt", "--key", "ES256.key")
    step.fails("flag '--x5c-cert' and flag '--jwks' are mutually exclusive", *words, "--x5c-cert",
               "leaf.crt", "--jwks", "x")


# --- JWKs as keys ------------------------------------------------------------------------------


def test_encrypted_keys_and_wrong_passwords(step):
    step.ok("crypto", "jwk", "create", "pub.json", "priv.json", "--password-file", "pw")
    words = ["crypto", "jwt", "sign", "--key", "priv.json", "--subtle"]
    token = step.line(*words, "--password-file", "pw")
    step.ok("crypto", "jwt", "verify", "--key", "pub.json", "--subtle", stdin=token.encode())
    step.fails("error decrypting priv.json: password incorrect", *words, "--password-file",
               "wrong")
    assert TERMINAL in step.fails("--password-file", *words)
    bomb = json.loads(step.get("priv.json"))
    header = json.loads(unb64(bomb["protected"]))
    header["p2c"] = 1_000_000_000
    bomb["protected"] = b64(json.dumps(header).encode())
    step.put("bomb.json", json.dumps(bomb))
    started = time.monotonic()
    step.fails("p2c", "crypto", "jwt", "sign", "--key", "bomb.json", "--subtle",
               "--password-file", "pw")
    assert time.monotonic() - started < 60


def test_what_a_jwk_says_about_itself_counts(step):
    for name, more in (("sig", ["--kty", "RSA", "--alg", "RS384", "--kid", "K"]),
                       ("enc", ["--use", "enc"])):
        step.ok("crypto", "jwk", "create", f"{name}.pub", f"{name}.key", *more, *PLAIN)
    words = ["crypto", "jwt", "sign", "--subtle", "--key"]
    token = step.line(*words, "sig.key")
    assert json.loads(unb64(token.split(".")[0])) == {"alg": "RS384", "kid": "K", "typ": "JWT"}
    step.fails("kid X does not match the kid on sig.key", *words, "sig.key", "--kid", "X")
    step.fails("invalid jwk use: found 'enc', expecting 'sig' (signature)", *words, "enc.key")
    guarded = ["crypto", "jwt", "sign", *WHO, "--sub", "s", "--exp", str(int(time.time()) + 60)]
    step.fails("alg RS256 does not match the alg on sig.key", *guarded, "--key", "sig.key",
               "--alg", "RS256")
    step.fails("alg RS256 does not match the alg on sig.pub", "crypto", "jwt", "verify", "--key",
               "sig.pub", "--alg", "RS256", *WHO, stdin=token.encode())
    step.fails("invalid jwk use: found 'sig' (signature), expecting 'enc' (encryption)", "crypto",
               "jwe", "encrypt", "--key", "sig.pub", stdin=b"x")


def test_a_set_gives_the_key_of_the_token(step):
    for name in ("a", "b"):
        step.ok("crypto", "jwk", "create", f"{name}.pub", f"{name}.key", "--kid", name, *PLAIN)
        step.ok("crypto", "jwk", "keyset", "add", "set", stdin=step.get(f"{name}.pub"))
        step.ok("crypto", "jwk", "keyset", "add", "private", stdin=step.get(f"{name}.key"))
    token = step.line("crypto", "jwt", "sign", "--jwks", "private", "--kid", "b", "--subtle")
    words = ["crypto", "jwt", "verify", "--subtle", "--jwks", "set"]
    step.ok(*words, stdin=token.encode())
    step.fails("validation failed: invalid signature", *words, "--kid", "a", stdin=token.encode())
    step.fails("cannot find key with kid 4 on set", *words, "--kid", "4", stdin=token.encode())
    step.ok("crypto", "jwk", "keyset", "add", "set", stdin=step.get("b.pub"))
    step.fails("multiple keys with kid b have been found on set", *words, stdin=token.encode())
    step.fails("error reading secret: unsupported format", "crypto", "jwt", "verify", "--subtle",
               "--jwks", "secret", "--kid", "b", stdin=token.encode())


@pytest.fixture
def web(tmp_path):
    """An https server for the directory, with a certificate of a CA that only this test trusts."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = make_cert("Web CA", ca_key, ca=True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = make_cert("localhost", key, ca, ca_key, extensions=[(names, False)])
    (tmp_path / "web.pem").write_text(pem_of(leaf) + pem_of(key))
    (tmp_path / "web-ca.pem").write_text(pem_of(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "web.pem")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_keys_come_from_the_web_when_its_certificate_is_trusted(step, web):
    step.ok("crypto", "jwk", "create", "a.pub", "a.key", "--kid", "a", *PLAIN)
    step.ok("crypto", "jwk", "keyset", "add", "set", stdin=step.get("a.pub"))
    token = step.line("crypto", "jwt", "sign", "--key", "a.key", "--subtle").encode()
    words = ["crypto", "jwt", "verify", "--subtle"]
    step.fails("error reading https://localhost", *words, "--jwks", f"{web}/set", stdin=token,
               lines=2)
    step.env["SSL_CERT_FILE"] = str(step.path / "web-ca.pem")
    step.ok(*words, "--jwks", f"{web}/set", stdin=token)
    step.ok(*words, "--key", f"{web}/a.pub", stdin=token)
    step.fails("the server answered with status 404", *words, "--jwks", f"{web}/none", stdin=token,
               lines=2)
    step.fails("error reading http://localhost/set", *words, "--jwks", "http://localhost/set",
               stdin=token)


# --- keyset ------------------------------------------------------------------------------------


def test_keyset_keeps_its_file_private_and_whole(step):
    words = ["crypto", "jwk", "keyset"]
    step.ok("crypto", "jwk", "create", "o.pub", "o.key", "--kty", "oct", *PLAIN)
    step.ok("crypto", "jwk", "create", "e.pub", "e.key", "--kid", "E", "--password-file", "pw")
    step.ok(*words, "add", "set", stdin=step.get("o.key"))
    step.ok(*words, "add", "set", "--password-file", "pw", stdin=step.get("e.key"))
    step.ok(*words, "add", "set", stdin=step.get("e.pub"))
    assert step.mode("set") == 0o600
    assert step.ok(*words, "list", "set") == b"\nE\nE\n"
    found = step.ok(*words, "find", "set", "--kid", "E")
    assert json.loads(found[found.index(b"}\n") + 2:]) == json.loads(step.get("e.pub"))
    assert pyjwk.JWKSet.from_json(step.get("set").decode())["keys"]
    before = step.get("set")
    for text, more in (("error", ["add", "set"]), ("error", ["add", "new"])):
        step.fails(text, *words, *more, stdin=b"no key")
    step.fails("password incorrect", *words, "add", "new", "--password-file", "wrong",
               stdin=step.get("e.key"))
    assert step.get("set") == before and not (step.path / "new").exists()
    step.ok(*words, "remove", "set", "--kid", "nobody")
    assert step.get("set") == before
    step.ok(*words, "remove", "set", "--kid", "E")
    assert step.ok(*words, "list", "set") == b"\n"
    step.fails("open nofile failed: no such file or directory", *words, "list", "nofile")
    step.fails("open nofile failed: no such file or directory", *words, "remove", "nofile",
               "--kid", "E")
    step.fails("error reading o.pub: ", *words, "list", "o.pub")
    assert not (step.path / "nofile").exists()


def test_keyset_is_locked_while_it_is_changed(step):
    step.ok("crypto", "jwk", "create", "a.pub", "a.key", *PLAIN)
    key = step.get("a.pub")
    step.ok("crypto", "jwk", "keyset", "add", "set", stdin=key)
    with open(step.path / "set", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in (["add", "set"], ["list", "set"], ["remove", "set", "--kid", "x"]):
            step.fails("set is locked by another process", "crypto", "jwk", "keyset", *words,
                       stdin=key)

    def add(_):
        while True:
            done = step.run("crypto", "jwk", "keyset", "add", "set", stdin=key)
            if done.returncode == 0:
                return
            assert b"locked" in done.stderr, done.stderr
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(json.loads(step.get("set"))["keys"]) == 25


# --- jws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", SIGNING)
def test_jws_crosses_over_with_jwcrypto(step, alg):
    payload = bytes(range(256)) * 3
    key = (pyjwk.JWK(kty="oct", k=b64(SECRET)) if alg.startswith("HS")
           else pyjwk.JWK.from_pem(step.get(private(alg))))
    step.put("payload", payload)
    token = pyjws.JWS()
    text = step.line("crypto", "jws", "sign", "--key", private(alg), "--alg", alg, "payload",
                     "--typ", "T", "--cty", "C", "--jku", "https://x.test/keys")
    token.deserialize(text, key)
    assert token.payload == payload
    header = json.loads(token.objects["protected"])
    assert (header["alg"], header["typ"], header["cty"]) == (alg, "T", "C")
    token = pyjws.JWS(payload)
    token.add_signature(key, None, json.dumps({"alg": alg}))
    for compact in (True, False):
        theirs = token.serialize(compact).encode()
        words = ["crypto", "jws", "verify", "--key", public(alg), "--alg", alg]
        assert step.ok(*words, stdin=theirs) == payload
        assert unb64(json.loads(step.ok(*words, "--json", stdin=theirs))["payload"]) == payload
    assert step.ok("crypto", "jws", "inspect", "--insecure", stdin=text.encode()) == payload
    damaged = text[:-6] + ("AAAAAA" if text[-6:] != "AAAAAA" else "BBBBBB")
    step.fails("validation failed: invalid signature", "crypto", "jws", "verify", "--key",
               public(alg), "--alg", alg, stdin=damaged.encode())


def test_jws_of_nothing_and_embedded_keys(step):
    text = step.line("crypto", "jws", "sign", "--key", "ES256.key", "--jwk")
    assert text.split(".")[1] == ""
    embedded = json.loads(unb64(text.split(".")[0]))["jwk"]
    assert "d" not in embedded
    assert pyjwk.JWK(**embedded).thumbprint() == pyjwk.JWK.from_pem(
        step.get("ES256.pub")).thumbprint()
    step.fails("would publish the shared secret", "crypto", "jws", "sign", "--key", "secret",
               "--alg", "HS256", "--jwk")
    step.fails("'step crypto jws inspect' requires the '--insecure' flag", "crypto", "jws",
               "inspect", stdin=text.encode())


# --- jwe ---------------------------------------------------------------------------------------

ENCS = ["A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"]
SIZES = dict(zip(ENCS, (16, 24, 32, 32, 48, 64)))
ENCRYPTING = {"RSA1_5": "RSA", "RSA-OAEP": "RSA", "RSA-OAEP-256": "RSA", "ECDH-ES": "ES256",
              "ECDH-ES+A128KW": "ES384", "ECDH-ES+A192KW": "ES512", "ECDH-ES+A256KW": "X25519",
              "A128KW": 16, "A192KW": 24, "A256KW": 32, "A128GCMKW": 16, "A192GCMKW": 24,
              "A256GCMKW": 32, "dir": None}


def x25519_jwk(key):
    """jwcrypto knows these keys, but does not read their PEM."""
    public = key.public_key().public_bytes(serialization.Encoding.Raw,
                                           serialization.PublicFormat.Raw)
    private_bytes = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                      serialization.NoEncryption())
    return pyjwk.JWK(kty="OKP", crv="X25519", x=b64(public), d=b64(private_bytes))


@pytest.mark.parametrize("alg", ENCRYPTING)
def test_jwe_crosses_over_with_jwcrypto(step, keys, alg):
    plain = b"\0plain text\xff" * 40
    for enc in ENCS:
        size = ENCRYPTING[alg] or SIZES[enc]
        if isinstance(size, int):
            names = ["shared", "shared"]
            key = pyjwk.JWK(kty="oct", k=b64(bytes(range(size))))
            step.put("shared", key.export())
        else:
            names = [f"{size}.pub", f"{size}.key"]
            key = x25519_jwk(keys[size]) if size == "X25519" else pyjwk.JWK.from_pem(
                step.get(names[1]))
        text = step.line("crypto", "jwe", "encrypt", "--key", names[0], "--alg", alg, "--enc", enc,
                         "--typ", "T", "--cty", "C", stdin=plain)
        assert step.ok("crypto", "jwe", "decrypt", "--key", names[1], stdin=text.encode()) == plain
        header = json.loads(unb64(json.loads(text)["protected"]))
        assert (header["alg"], header["enc"], header["typ"]) == (alg, enc, "T")
        theirs = pyjwe.JWE(plain, json.dumps({"alg": alg, "enc": enc}), algs=[alg, enc])
        opened = pyjwe.JWE(algs=[alg, enc])
        opened.deserialize(text, key)
        assert opened.payload == plain
        theirs.add_recipient(key)
        for compact in (True, False):
            assert step.ok("crypto", "jwe", "decrypt", "--key", names[1],
                           stdin=theirs.serialize(compact).encode()) == plain


@pytest.mark.parametrize("alg", ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW",
                                 "PBES2-HS512+A256KW"])
def test_jwe_with_a_password_crosses_over_with_jwcrypto(step, alg):
    key = pyjwk.JWK(kty="oct", k=b64(b"right"))
    text = step.line("crypto", "jwe", "encrypt", "--alg", alg, "--password-file", "pw",
                     stdin=b"hello")
    words = ["crypto", "jwe", "decrypt", "--password-file"]
    assert step.ok(*words, "pw", stdin=text.encode()) == b"hello"
    step.fails("error decrypting the data: password incorrect", *words, "wrong",
               stdin=text.encode())
    # jwcrypto refuses 600 000 rounds: it reads ours with fewer, and we read its.
    theirs = pyjwe.JWE(b"theirs", json.dumps({"alg": alg, "enc": "A256GCM"}),
                       algs=[alg, "A256GCM"])
    theirs.add_recipient(key)
    assert step.ok(*words, "pw", stdin=theirs.serialize().encode()) == b"theirs"
    assert TERMINAL in step.fails("--password-file", "crypto", "jwe", "encrypt", "--alg", alg,
                                  stdin=b"x")
    step.fails(f"flag '--alg {alg}' and flag '--key' are mutually exclusive", "crypto", "jwe",
               "encrypt", "--alg", alg, "--key", "ES256.pub", stdin=b"x")


def test_jwe_guards_and_damage(step):
    encrypt, decrypt = ["crypto", "jwe", "encrypt"], ["crypto", "jwe", "decrypt"]
    text = step.line(*encrypt, "--key", "ES256.pub", stdin=b"hello")
    for error, words in (
            ("one of flag --key or --jwks is required", []),
            ("invalid value 'x' for flag '--alg'", ["--alg", "x", "--key", "ES256.pub"]),
            ("invalid value 'x' for flag '--enc'", ["--enc", "x", "--key", "ES256.pub"]),
            ("alg 'ECDH-ES' is not compatible with kty 'RSA'",
             ["--alg", "ECDH-ES", "--key", "RSA.pub"]),
            ("key Ed25519 cannot be used for encryption", ["--key", "EdDSA.pub"]),
            ("error reading nofile: ", ["--key", "nofile"])):
        step.fails(error, *encrypt, *words, stdin=b"x")
    step.fails("cannot use a public key for decryption", *decrypt, "--key", "ES256.pub",
               stdin=text.encode())
    step.fails("error decrypting data: ", *decrypt, "--key", "ES384.key", stdin=text.encode())
    step.fails("error decrypting data: ", *decrypt, "--key", "RSA.key", stdin=text.encode())
    for member in ("protected", "iv", "ciphertext", "tag"):
        parts = json.loads(text)
        raw = bytearray(unb64(parts[member]))
        raw[-2] ^= 1
        parts[member] = b64(bytes(raw))
        step.fails("error ", *decrypt, "--key", "ES256.key", stdin=json.dumps(parts).encode())
    for junk in (b"a.b.c.d.e", b"{}", b"hello", b'{"ciphertext":1}'):
        step.fails("error parsing data: ", *decrypt, "--key", "ES256.key", stdin=junk)


def test_format_turns_each_form_into_the_other(step):
    compact = sign(step, "ES256")
    flat = step.line("crypto", "jose", "format", stdin=compact.encode())
    token = pyjws.JWS()
    token.deserialize(flat, pyjwk.JWK.from_pem(step.get("ES256.pub")))
    assert step.line("crypto", "jose", "format", stdin=flat.encode()) == compact
    sealed = step.line("crypto", "jwe", "encrypt", "--key", "RSA.pub", stdin=b"hello")
    turned = step.line("crypto", "jose", "format", stdin=sealed.encode())
    assert turned.count(".") == 4
    assert step.ok("crypto", "jwe", "decrypt", "--key", "RSA.key", stdin=turned.encode()) == b"hello"
    assert json.loads(step.line("crypto", "jose", "format",
                                stdin=turned.encode())) == json.loads(sealed)
    for junk in (b"x", b"a.b", b'{"a":1}', b'{"payload":"e30"}', b"{"):
        step.fails("error parsing data: ", "crypto", "jose", "format", stdin=junk)


# --- What others leave out ------------------------------------------------------------------------


def header_of(token):
    return json.loads(unb64(token.split(".")[0]))


def test_a_key_without_a_name_takes_the_one_that_is_given(step):
    for use in ("sig", "enc"):
        step.ok("crypto", "jwk", "create", f"{use}.pub", f"{use}.key", "--use", use, "--kid", "",
                *PLAIN)
        assert "kid" not in json.loads(step.get(f"{use}.pub"))
    token = step.line("crypto", "jwt", "sign", "--key", "sig.key", "--kid", "K", "--subtle", *WHO)
    assert header_of(token)["kid"] == "K"
    step.ok("crypto", "jwt", "verify", "--key", "sig.pub", "--kid", "other", *WHO,
            stdin=token.encode())
    text = step.line("crypto", "jws", "sign", "--key", "sig.key", "--kid", "K", "pw")
    assert header_of(text)["kid"] == "K"
    assert step.ok("crypto", "jws", "verify", "--key", "sig.pub", "--kid", "K",
                   stdin=text.encode()) == b"right\n"
    sealed = step.line("crypto", "jwe", "encrypt", "--key", "enc.pub", stdin=b"hi")
    assert step.ok("crypto", "jwe", "decrypt", "--key", "enc.key", "--kid", "K",
                   stdin=sealed.encode()) == b"hi"
    step.ok("crypto", "jwk", "create", "n.pub", "n.key", "--kid", "N", *PLAIN)
    step.fails("kid K does not match the kid on n.key", "crypto", "jws", "sign", "--key", "n.key",
               "--kid", "K", "pw")


def test_zero_is_now(step):
    before = int(time.time())
    token = step.line("crypto", "jwt", "sign", "--key", "ES256.key", "--subtle", "--iat", "0",
                      "--nbf", "0")
    claims = json.loads(unb64(token.split(".")[1]))
    assert before <= claims["iat"] <= time.time() and claims["nbf"] == claims["iat"]


def test_texts_of_a_header_that_are_empty(step):
    token = step.line("crypto", "jws", "sign", "--key", "ES256.key", "--typ", "", "--cty", "",
                      "--jku", "", "pw")
    assert [header_of(token)[name] for name in ("typ", "cty", "jku")] == ["", "", ""]


def test_a_set_of_null_is_empty(step):
    step.put("set", b'{"keys": null}')
    step.ok("crypto", "jwk", "create", "a.pub", "a.key", "--kid", "a", *PLAIN)
    words = ["crypto", "jwk", "keyset"]
    step.ok(*words, "list", "set")
    step.ok(*words, "remove", "set", "--kid", "a")
    step.ok(*words, "add", "set", stdin=step.get("a.pub"))
    assert [key["kid"] for key in json.loads(step.get("set"))["keys"]] == ["a"]
