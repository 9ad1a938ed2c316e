"""Files and tokens between our `step` and the original client: each reads what the other writes,
and both make the same of the same input.  Without Go, which compiles the original, skipped."""

import json
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from test_reference_client import reference  # noqa: F401  pylint: disable=unused-import
from toolbox import PLAIN, Tool

MESSAGE = b"a message of the tests\n"
KINDS = {"p256": ["--kty", "EC"], "rsa": ["--kty", "RSA"], "ed": ["--kty", "OKP"]}


@pytest.fixture
def pair(reference, tmp_path):  # noqa: F811  pylint: disable=redefined-outer-name
    """Both clients in one directory, and the ways round."""
    tools = Tool(tmp_path), Tool(tmp_path, reference)
    tools[0].put("pw", b"right\n")
    tools[0].put("pw2", b"other\n")
    tools[0].put("message", MESSAGE)
    return tools


def ways(pair):  # pylint: disable=redefined-outer-name
    ours, theirs = pair
    return (("ours", ours, theirs), ("theirs", theirs, ours))


def openssl(tool, *words):
    done = subprocess.run(["openssl", *words], cwd=tool.path, capture_output=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.decode()


# --- Keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_keys_in_every_format(pair, kind):
    for who, one, other in ways(pair):
        one.ok("crypto", "keypair", "--password-file", "pw", *KINDS[kind], f"{who}.pub",
               f"{who}.key", "-f")
        public = one.get(f"{who}.pub")
        assert other.ok("crypto", "key", "public", "--password-file", "pw",
                        f"{who}.key") == public
        # Private: sealed in each form by one, opened by the other.
        for form in ("--pem", "--ssh", "--jwk"):
            one.ok("crypto", "key", "format", form, "--password-file", "pw", "--out", "sealed",
                   "-f", f"{who}.key")
            plain = other.ok("crypto", "key", "format", "--der", "--password-file", "pw", "sealed")
            other.put("plain.der", plain)
            assert openssl(other, "pkey", "-inform", "DER", "-in", "plain.der",
                           "-pubout") == public.decode(), form
        for form in ("--pem", "--der", "--ssh", "--jwk"):
            one.put("public", one.ok("crypto", "key", "format", form, f"{who}.pub"))
            assert other.ok("crypto", "key", "format", "--pem", "public") == public, form


# --- JWK, JWT, JWS, JWE -------------------------------------------------------------------------


SIGNING = {"ES256": ["--kty", "EC"], "ES384": ["--kty", "EC", "--crv", "P-384"],
           "ES512": ["--kty", "EC", "--crv", "P-521"], "EdDSA": ["--kty", "OKP"],
           **{a: ["--kty", "RSA", "--alg", a] for a in ("RS256", "RS384", "RS512", "PS256",
                                                        "PS384", "PS512")},
           **{a: ["--kty", "oct", "--size", "64", "--alg", a] for a in ("HS256", "HS384",
                                                                        "HS512")}}


@pytest.mark.parametrize("alg", SIGNING)
def test_jwk_jwt_and_jws(pair, alg):
    secret = alg.startswith("HS")
    sealed = alg in ("ES256", "RS256", "HS256")
    how, opening = (["--password-file", "pw"],) * 2 if sealed else (PLAIN, [])
    for _, one, other in ways(pair):
        one.ok("crypto", "jwk", "create", *how, "-f", *SIGNING[alg], "j.pub", "j.key")
        public = one.get("j.pub")
        shown = [tool.ok("crypto", "jwk", "public", stdin=public) for tool in (one, other)]
        assert json.loads(shown[0]) == json.loads(shown[1])
        if not secret:  # for these the original cannot
            prints = {t.ok("crypto", "jwk", "thumbprint", stdin=public) for t in (one, other)}
            assert len(prints) == 1
        # The key file of one signs in the hands of the other, and the first one verifies.
        for signer, judge in ((one, other), (other, one)):
            token = signer.line("crypto", "jwt", "sign", "--key", "j.key", *opening, "--iss", "me",
                                "--aud", "you", "--sub", "it", "--exp", "4102444800")
            seen = [tool.ok("crypto", "jwt", "verify", "--key", "j.pub", "--iss", "me", "--aud",
                            "you", stdin=token.encode()) for tool in (signer, judge)]
            assert seen[0] == seen[1] and json.loads(seen[0])["header"]["alg"] == alg
            head, body, signature = token.split(".")
            changed = f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
            judge.fails("", "crypto", "jwt", "verify", "--key", "j.pub", "--iss", "me", "--aud",
                        "you", stdin=changed.encode())
            jws = signer.line("crypto", "jws", "sign", "--key", "j.key", *opening,
                              *([] if secret else ["--jwk"]), "message")
            assert judge.ok("crypto", "jws", "verify", "--key", "j.pub",
                            stdin=jws.encode()) == MESSAGE
            for words in (["inspect", "--insecure", "--json"], ["verify", "--key", "j.pub",
                                                                "--json"]):
                seen = [json.loads(t.ok("crypto", "jws", *words, stdin=jws.encode()))
                        for t in (signer, judge)]
                assert seen[0] == seen[1]


SEALING = {**{a: ["--kty", "EC", "--alg", a] for a in ("ECDH-ES", "ECDH-ES+A128KW",
                                                       "ECDH-ES+A192KW", "ECDH-ES+A256KW")},
           **{a: ["--kty", "RSA", "--alg", a] for a in ("RSA1_5", "RSA-OAEP", "RSA-OAEP-256")},
           **{a: ["--kty", "oct", "--size", str(n), "--alg", a] for a, n in (
               ("A128KW", 16), ("A192KW", 24), ("A256KW", 32), ("A128GCMKW", 16),
               ("A192GCMKW", 24), ("A256GCMKW", 32), ("dir", 32))}}
CONTENT = ("A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512")


@pytest.mark.parametrize("alg", SEALING)
def test_jwe(pair, alg):
    for who, one, other in ways(pair):
        if who == "theirs" and "oct" in SEALING[alg]:
            continue  # the original cannot encrypt with a symmetric key
        other.ok("crypto", "jwk", "create", "--use", "enc", *PLAIN, "-f", *SEALING[alg], "e.pub",
                 "e.key")
        every = alg in ("ECDH-ES", "RSA-OAEP", "A256KW")
        for enc in CONTENT if every else ("A256GCM",):
            sealed = one.ok("crypto", "jwe", "encrypt", "--key", "e.pub", "--enc", enc,
                            stdin=MESSAGE)
            assert other.ok("crypto", "jwe", "decrypt", "--key", "e.key", stdin=sealed) == MESSAGE
            compact = other.ok("crypto", "jose", "format", stdin=sealed)
            assert compact.count(b".") == 4
            assert one.ok("crypto", "jwe", "decrypt", "--key", "e.key", stdin=compact) == MESSAGE


def test_key_sets(pair):
    for _, one, other in ways(pair):
        one.put("set.json", b'{"keys":[]}')
        for number, tool in enumerate((one, other, one)):
            tool.ok("crypto", "jwk", "create", "--kid", f"k{number}", *PLAIN, "-f", "j.pub",
                    f"j{number}.key")
            tool.ok("crypto", "jwk", "keyset", "add", "set.json", stdin=tool.get("j.pub"))
        for tool in (one, other):
            assert tool.ok("crypto", "jwk", "keyset", "list", "set.json") == b"k0\nk1\nk2\n"
        found = [json.loads(t.ok("crypto", "jwk", "keyset", "find", "--kid", "k1", "set.json"))
                 for t in (one, other)]
        assert found[0] == found[1]
        token = one.line("crypto", "jwt", "sign", "--key", "j1.key", "--subtle")
        assert other.ok("crypto", "jwt", "verify", "--jwks", "set.json", "--subtle",
                        stdin=token.encode())
        other.ok("crypto", "jwk", "keyset", "remove", "--kid", "k1", "set.json")
        assert one.ok("crypto", "jwk", "keyset", "list", "set.json") == b"k0\nk2\n"


# --- PKCS #12 -----------------------------------------------------------------------------------


def shape(text):
    """openssl's description without what is random."""
    lines = [line.strip() for line in text.splitlines()]
    return [re.sub(r"<Empty|, salt length.*", "<No", line) for line in lines
            if line and not re.fullmatch(r"[A-Za-z0-9+/=]+", line)]


@pytest.mark.parametrize("more", [[], ["--legacy"]])
def test_p12_of_both_is_the_same(pair, more):
    """The original cannot read PKCS #12, so that openssl and python read both, and compare."""
    ours, theirs = pair
    ours.ok("certificate", "create", "Root", "root.crt", "root.key", "--profile", "root-ca", *PLAIN)
    ours.ok("certificate", "create", "web.test", "web.crt", "web.key", "--ca", "root.crt",
            "--ca-key", "root.key", *PLAIN)
    seen = {}
    for who, tool, _ in ways(pair):
        tool.ok("certificate", "p12", "--ca", "root.crt", "--password-file", "pw", "-f", *more,
                f"{who}.p12", "web.crt", "web.key")
        tool.ok("certificate", "p12", "--ca", "root.crt", "--password-file", "pw", "-f", *more,
                f"{who}-trust.p12")
        for name in (who, who + "-trust"):
            done = subprocess.run(["openssl", "pkcs12", "-in", f"{name}.p12", "-passin", "file:pw",
                                   "-info", "-nodes", *(["-legacy"] if more else [])],
                                  cwd=tool.path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            seen[name] = shape(done.stdout), sorted(shape(done.stderr))
        seen[who + "+"] = pkcs12.load_key_and_certificates(tool.get(f"{who}.p12"), b"right")[1:]
        key = pkcs12.load_key_and_certificates(tool.get(f"{who}.p12"), b"right")[0]
        assert key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption())
    for name in ("ours", "ours-trust", "ours+"):
        assert seen[name] == seen[name.replace("ours", "theirs")], name


# --- Certificates -------------------------------------------------------------------------------


SHOW = '{"subject": {"commonName": {{ toJson (toJson .) }} }, "notAfter": "2100-01-01T00:00:00Z"}'
WISH = """{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }},
 "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"], "unknownExtKeyUsage": ["1.2.3"],
 "basicConstraints": {"isCA": false}, "extensions": [{"id": "1.2.3.4", "value": "BQA="}]}"""


def common_name(cert):
    return cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value


def test_templates_see_the_same(pair):
    ours, theirs = pair
    ours.put("show.tpl", SHOW)
    ours.put("wish.tpl", WISH)
    ours.ok("certificate", "create", "Root", "root.crt", "root.key", "--profile", "root-ca", *PLAIN)
    for name, more in (("full", ["-subj", "/C=DE/O=Ex/O=Am/CN=a.test/emailAddress=x@y.z",
                                 "-addext", "subjectAltName=URI:https://x/y,DNS:b.test,IP:10.0.0.1"
                                 ",email:e@x.y", "-addext", "keyUsage=digitalSignature"]),
                       ("bare", ["-subj", "/O=Ex/CN=a.test"])):
        openssl(ours, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", *more)
        for words in ([], ["--omit-cn-san"], ["--path-len", "3", "--set", "n=3", "--set", "t=x"]):
            said = [common_name(x509.load_pem_x509_certificate(tool.ok(
                "certificate", "sign", "--template", "show.tpl", *words, f"{name}.csr", "root.crt",
                "root.key"))) for tool in pair]
            assert said[0] == said[1], words
    for words in (["--csr"], ["--csr", "--san", "b.test", "--set", "k=[1]"], []):
        said = []
        for tool in pair:
            tool.ok("certificate", "create", *words, "--template", "show.tpl", *PLAIN, "-f",
                    "a.test", "x.pem", "x.key")
            load = x509.load_pem_x509_csr if words else x509.load_pem_x509_certificate
            text = common_name(load(tool.get("x.pem")))
            said.append(text if words else json.loads(text)["SANs"])
        assert said[0] == said[1], words
    wishes = []
    for tool in pair:
        tool.ok("certificate", "create", "--csr", "--template", "wish.tpl", "--san", "b.test",
                "--san", "10.0.0.1", *PLAIN, "-f", "a.test", "x.csr", "x.key")
        csr = x509.load_pem_x509_csr(tool.get("x.csr"))
        assert csr.is_signature_valid
        wishes.append((csr.subject, {x.oid: x for x in csr.extensions}))
    assert wishes[0] == wishes[1] and len(wishes[0][1]) == 5


def test_fingerprints_are_the_same_in_every_notation(pair):
    ours, theirs = pair
    for number in range(12):  # every byte, as good as surely
        ours.ok("crypto", "keypair", "--kty", "OKP", *PLAIN, "-f", "k.pub", "k.key")
        for form in ("emoji",) if number else ("hex", "base64", "base64-url", "base64-raw",
                                               "base64-url-raw", "emoji", "EmojiSum"):
            words = ["crypto", "key", "fingerprint", "--format", form, "k.pub"]
            assert ours.ok(*words) == theirs.ok(*words), form
