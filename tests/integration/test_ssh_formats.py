"""Keys and certificates of every type, as `step ssh inspect` and `fingerprint` show them: the same
as what ssh-keygen and, where it can be built, the original client say about the same files."""

import base64
import json
import re
import struct
import time

import pytest
from conftest import PASSWORD, pem_of
from machine import Machine, execute
from test_reference_client import reference  # noqa: F401 (a fixture)
from test_ssh_api import SshCa, authorities, b64, subjects, text

ZONES = ["UTC", "America/New_York", "Asia/Kolkata"]
CERTS = {  # name: arguments of ssh-keygen
    "user": ["-I", "alice@x.io", "-n", "alice,alice@x.io", "-z", "42", "-V",
             "20260101000000Z:20260102030405Z"],
    "host": ["-h", "-I", "web", "-n", "web.example,10.0.0.7", "-z", "18446744073709551615", "-V",
             "20200630120000Z:20400101000000Z"],
    "forever": ["-I", "x", "-V", "always:forever"],
    "since": ["-I", "x", "-n", "x", "-V", "20260101000000Z:forever"],
    "until": ["-I", "x", "-n", "x", "-V", "always:20260101000000Z"],
    "bare": ["-h", "-I", "", "-V", "20260101000000Z:20270101000000Z"],
    "options": ["-I", 'a "quoted" <id> &', "-n", "a b,ü", "-O", "clear", "-O", "permit-pty", "-O",
                "force-command=/bin/sh -c 'echo hi'", "-O", "source-address=10.0.0.0/8,::1/128",
                "-O", "verify-required", "-O", "critical:x@example.com=1", "-O",
                "extension:login@example.com=joe", "-V", "20260101000000Z:20270101000000Z"],
    "sha2-512": ["-t", "rsa-sha2-512", "-I", "x", "-V", "20260101000000Z:20270101000000Z"],
    "sha2-256": ["-t", "rsa-sha2-256", "-I", "x", "-V", "20260101000000Z:20270101000000Z"],
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="module")
def keys(machine):
    """Subjects of every type as .pub files: name -> path."""
    out = {}
    for name, blob in subjects().items():
        size = struct.unpack(">I", blob[:4])[0]
        out[name] = machine.folder / f"{name}.pub"
        out[name].write_text(f"{blob[4:4 + size].decode()} {b64(blob)} comment of {name}\n")
    return out


@pytest.fixture(scope="module")
def cas(machine):
    """Keys that sign: name -> path."""
    out = {}
    for name, (key, _) in authorities().items():
        out[name] = machine.folder / f"ca-{name}"
        out[name].write_text(pem_of(key))
        out[name].chmod(0o600)
        machine.step("crypto", "key", "format", "--ssh", "--no-password", "--insecure", "--force",
                     "--out", out[name], out[name])
    return out


# --- ssh-keygen's answers, taken apart ------------------------------------------------------------


def keygen_lists(path, zone="UTC"):
    """ssh-keygen -L: field -> text, or list of lines."""
    said = execute(["ssh-keygen", "-L", "-f", path], env={"TZ": zone}).stdout
    return fields(said)


def fields(said):
    out, last = {}, None
    for line in said.splitlines()[1:]:
        if line.startswith(" " * 16):
            out[last].append(line.strip())
            continue
        last, _, value = line.strip().partition(":")
        value = value.strip()
        out[last] = value if value and value != "(none)" else []
    return out


def same_label(value):
    """Their names of the keys on tokens."""
    return value.replace("ECDSA-SK", "SK-ECDSA").replace("ED25519-SK", "SK-ED25519")


def validity(theirs, cert):
    """ssh-keygen leaves the beginning or the end away; the original client shows both, or none."""
    if theirs.startswith(("after", "forever")):
        return "forever"
    return theirs.replace("before", f"from {cert} to") if theirs.startswith("before") else theirs


def known_value(line):
    """What ssh-keygen does not know, it shows in hexadecimal."""
    found = re.fullmatch(r"(\S+) UNKNOWN .*: ([0-9a-f]+) \(len \d+\)", line)
    if not found:
        return line
    return f"{found[1]} {bytes.fromhex(found[2])[4:].decode()}"


def agree(machine, path, zone="UTC"):
    theirs = keygen_lists(path, zone)
    ours = fields(machine.step("ssh", "inspect", path, env={"TZ": zone}).stdout)
    shown = json.loads(machine.step("ssh", "inspect", "--format", "json", path).stdout)
    assert list(ours) == [*theirs, "Signature"]
    for name in ("Type", "Key ID", "Serial", "Principals", "Signing CA"):
        assert ours[name] == theirs[name], name
    assert ours["Public key"] == same_label(theirs["Public key"])
    epoch = time.strftime("%Y-%m-%dT%H:%M:%S", local(0, zone))
    assert ours["Valid"] == validity(theirs["Valid"], epoch)
    for name in ("Critical Options", "Extensions"):
        assert ours[name] == [known_value(line) for line in theirs[name]], name
    # JSON: the same once more
    kind, _, what = ours["Type"].partition(" ")
    assert (shown["KeyName"], shown["Type"]) == (kind, what.split()[0])
    assert ours["Public key"] == f"{shown['KeyAlgo']}-CERT {shown['KeyFingerprint']}"
    signed = f"{shown['SigningKeyAlgo']} {shown['SigningKeyFingerprint']}"
    assert ours["Signing CA"] == f"{signed} (using {shown['Signature']['Type']})"
    assert ours["Key ID"] == f'"{shown["KeyID"]}"' and ours["Serial"] == str(shown["Serial"])
    assert ours["Principals"] == (shown["Principals"] or [])
    for name, member in (("Critical Options", "CriticalOptions"), ("Extensions", "Extensions")):
        assert ours[name] == [f"{k} {v}".strip() for k, v in shown[member].items()]
    value = base64.b64decode(shown["Signature"]["Value"])
    assert "".join(ours["Signature"]) == ":".join(f"{byte:02x}" for byte in value)
    return shown


def local(seconds, zone):
    return time.gmtime(seconds + {"UTC": 0, "America/New_York": -5 * 3600,
                                  "Asia/Kolkata": 5.5 * 3600}[zone])


def certify(ca, key, *args):
    """A certificate by ssh-keygen."""
    execute(["ssh-keygen", "-q", "-s", ca, *args, key])
    return key.with_name(key.name.replace(".pub", "-cert.pub"))


# --- Tests ----------------------------------------------------------------------------------------


def test_fingerprints_are_those_of_openssh(machine, keys, cas):
    for name, path in keys.items():
        for file in (path, certify(cas["ed25519"], path, "-I", "x")):
            theirs = execute(["ssh-keygen", "-l", "-f", file]).stdout
            assert machine.step("ssh", "fingerprint", file).stdout == same_label(theirs), name
            assert machine.step("ssh", "fingerprint", "-", input=file.read_text(),
                                stdin=None).stdout == same_label(theirs)


@pytest.mark.parametrize("kind", CERTS)
def test_every_field_is_shown_as_openssh_shows_it(machine, keys, cas, kind):
    ca = cas["rsa2048" if kind.startswith("sha2") else "p384"]
    path = certify(ca, keys["ed25519"], *CERTS[kind])
    for zone in ZONES:
        shown = agree(machine, path, zone)
    if kind == "sha2-512":
        assert shown["Signature"]["Type"] == "rsa-sha2-512"
    if kind == "user":
        assert (shown["ValidAfter"], shown["ValidBefore"]) == ("2026-01-01T00:00:00Z",
                                                               "2026-01-02T03:04:05Z")


def test_every_type_by_every_type(tmp_path, machine, keys):
    """What our CA signs, with keys of each type, for keys of each type."""
    ca = SshCa(tmp_path / "ca").start()
    try:
        for name, (key, algorithm) in authorities().items():
            (ca.folder / "host").write_text(pem_of(key))
            assert ca.reload(), name
            for kind, public in keys.items():
                blob = public.read_text().split()[1]
                cert = ca.certificate({"certType": "host", "principals": ["b", "a"]},
                                      publicKey=blob)
                path = tmp_path / f"{name}-{kind}-cert.pub"
                path.write_text(f"{cert.name} {b64(cert.blob)} {kind}\n")
                shown = agree(machine, path)
                assert shown["Type"] == "host" and shown["Signature"]["Type"] == algorithm
                assert shown["Principals"] == ["b", "a"] and shown["Extensions"] == {}
                assert shown["Serial"] == cert.serial
    finally:
        ca.stop()


def test_base64_alone_is_enough(machine, keys, cas):
    path = certify(cas["p256"], keys["p256"], "-I", "x", "-n", "y")
    whole = machine.step("ssh", "inspect", path).stdout.splitlines()
    alone = machine.step("ssh", "inspect", "-", input=path.read_text().split()[1], stdin=None)
    assert alone.stdout.splitlines() == ["-:", *whole[1:]]


def test_damage_is_noticed(machine, keys, cas):
    path = certify(cas["ed25519"], keys["ed25519"], "-I", "x", "-n", "alice")
    kind, encoded, *_ = path.read_text().split()
    blob = base64.b64decode(encoded)
    changed = machine.folder / "changed-cert.pub"

    def inspect(data):
        changed.write_text(f"{kind} {b64(data)}\n")
        return machine.step("ssh", "inspect", changed, ok=None)

    assert inspect(blob).stderr == ""
    other = blob.replace(text("alice"), text("bobby"))
    said = inspect(other)
    assert said.returncode == 0 and "bobby" in said.stdout
    assert "nobody should trust this certificate" in said.stderr
    for wrong in (blob[:-1], blob + b"\0", blob[:100], blob.replace(text("alice"), text("alic"))):
        said = inspect(wrong)
        assert said.returncode == 1 and said.stdout == "" and "SSH certificate" in said.stderr
    said = machine.step("ssh", "inspect", keys["p256"], ok=None)
    assert said.returncode == 1 and "found a key of type ecdsa-sha2-nistp256" in said.stderr
    said = machine.step("ssh", "fingerprint", "--certificate", keys["p256"], ok=None)
    assert said.returncode == 1 and "found a key" in said.stderr


def test_text_of_a_certificate_cannot_steer_the_terminal(machine, keys, cas):
    path = certify(cas["ed25519"], keys["ed25519"], "-I", "a\x1b[31mred\nSerial: 1", "-n",
                   "x\x1b]0;title\x07,y\nz")
    said = machine.step("ssh", "inspect", path).stdout
    assert "\x1b" not in said and "\x07" not in said and said.count("Serial:") == 2
    assert 'Key ID: "a?[31mred?Serial: 1"' in said
    shown = json.loads(machine.step("ssh", "inspect", "--format", "json", path).stdout)
    assert shown["KeyID"] == "a\x1b[31mred\nSerial: 1"


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "p521", "ed25519"])
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_private_keys_go_both_ways(machine, kind, password, tmp_path):
    """Ours open with ssh-keygen, those of ssh-keygen with ours."""
    args = {"rsa": ["-t", "rsa", "-b", "2048"], "ed25519": ["-t", "ed25519"]}.get(
        kind, ["-t", "ecdsa", "-b", kind[1:]])
    theirs, ours, word = tmp_path / "theirs", tmp_path / "ours", tmp_path / "password"
    word.write_text(password or "")
    lock = ["--password-file", word] if password else ["--no-password", "--insecure"]
    unlock = ["--password-file", word] if password else []
    execute(["ssh-keygen", "-q", *args, "-N", password or "", "-f", theirs])
    public = " ".join((tmp_path / "theirs.pub").read_text().split()[:2])
    machine.step("crypto", "key", "format", "--pem", *lock, "--out", tmp_path / "pem", theirs)
    machine.step("crypto", "key", "format", "--ssh", *lock, "--out", ours, tmp_path / "pem")
    ours.chmod(0o600)
    said = execute(["ssh-keygen", "-y", "-P", password or "", "-f", ours]).stdout
    assert " ".join(said.split()[:2]) == public
    assert machine.step("crypto", "key", "public", *unlock, ours).stdout.startswith("-----BEGIN")


def test_the_original_client_says_the_same(reference, machine, keys, cas):  # noqa: F811
    theirs = Machine(machine.folder / "reference", reference)
    formats = ["hex", "base64", "base64-url", "base64-raw", "base64-url-raw", "emoji"]
    for name, key in keys.items():
        for kind, args in CERTS.items():
            ca = cas["rsa2048" if kind.startswith("sha2") else "p521"]
            if name != "p384" and kind not in ("user", "host"):
                continue
            path = certify(ca, key, *args)
            for words in (["inspect", "--format", "json"], ["fingerprint"]):
                assert (machine.step("ssh", *words, path).stdout
                        == theirs.step("ssh", *words, path).stdout), (name, kind)
            one, other = (m.step("ssh", "inspect", path).stdout for m in (machine, theirs))
            assert in_order(one) == in_order(other), (name, kind)
    for file in (keys["rsa"], certify(cas["p256"], keys["rsa"], "-I", "x")):
        for form in formats:
            for more in ([], ["--certificate"]):
                if more and "-cert" not in file.name:
                    continue
                words = ["ssh", "fingerprint", "--format", form, *more, file]
                assert machine.step(*words).stdout == theirs.step(*words).stdout


def in_order(said):
    """The original prints options in any order."""
    out, part = [], []
    for line in said.splitlines():
        if line.startswith(" " * 16) and ":" not in line[:19]:
            part.append(line)
            continue
        out += [*sorted(part), line]
        part = []
    return out + part
