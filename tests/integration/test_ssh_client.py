"""`step ssh` as a client: files that ssh-keygen knows, an agent that is OpenSSH's, a stream."""

import base64
import contextlib
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import SLOW, STEP, Ca, make_cert, pem_of
from cryptography.hazmat.primitives.asymmetric import ec
from machine import Machine, by_password, execute, fit_together, leaf, mode, names
from sshd_lab import Agent
from test_toolbox_services import (Running, idp, secure_idp,  # noqa: F401
                                   visit)  # pylint: disable=unused-import

PLAIN = ["--no-password", "--insecure"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    made = Ca(tmp_path_factory.mktemp("ssh-client") / "ca", ["--ssh"])

    def short(config):
        claims = config["authority"]["provisioners"][0]["claims"]
        claims.update({"minUserSSHCertDuration": "1s", "minHostSSHCertDuration": "1s"})

    made.configure(short)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(ca, tmp_path):
    """Without an agent."""
    made = Machine(tmp_path / "client")
    made.env.pop("SSH_AUTH_SOCK", None)
    made.bootstrap(ca)
    return made


@pytest.fixture
def agent(client, tmp_path):
    made = Agent(tmp_path)
    client.env.update(made.env)
    yield made
    made.stop()


def certificate(client, ca, *args, ok=True, **options):
    return client.step("ssh", "certificate", *args, *by_password(ca), ok=ok, **options)


def shown(path):
    return execute(["ssh-keygen", "-L", "-f", path]).stdout


def principals(path):
    block = re.search(r"Principals: *\n(.*?)\n *Critical", shown(path), re.S).group(1)
    return [line.strip() for line in block.splitlines()]


def serial(path):
    return re.search(r"Serial: (\d+)", shown(path)).group(1)


def key_id(path):
    return re.search(r'Key ID: "(.*)"', shown(path)).group(1)


def public_of(path, password=""):
    """What ssh-keygen makes of a private key."""
    return execute(["ssh-keygen", "-y", "-P", password, "-f", path]).stdout.split()[:2]


def keygen(path, kind="ed25519", password="", bits=None):
    execute(["ssh-keygen", "-q", "-t", kind, "-N", password, "-f", path]
            + (["-b", str(bits)] if bits else []))
    return path


def host(client, ca, name="web", key="hk", *more):
    """A host's key by ssh-keygen, and our certificate for it: (certificate, key)."""
    path = keygen(client.folder / key)
    certificate(client, ca, "--host", "--sign", name, f"{path}.pub", *more)
    return client.folder / f"{key}-cert.pub", path


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def listed(client):
    return execute(["ssh-add", "-L"], ok=None, env=client.env).stdout


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags, label", [
    ([], "ECDSA"), (["--kty", "EC", "--curve", "P-256"], "ECDSA"),
    (["--kty", "EC", "--crv", "P-384"], "ECDSA"), (["--kty", "EC", "--curve", "P-521"], "ECDSA"),
    (["--kty", "RSA"], "RSA"), (["--kty", "RSA", "--size", "3072"], "RSA"),
    (["--kty", "OKP"], "ED25519"), (["--kty", "OKP", "--curve", "Ed25519"], "ED25519")])
def test_new_keys_are_what_ssh_keygen_knows(client, ca, flags, label):
    certificate(client, ca, "alice@example.com", "id", *PLAIN, *flags)
    path = client.folder / "id"
    line = (client.folder / "id.pub").read_text()
    assert public_of(path) == line.split()[:2]
    assert line.endswith(" alice@example.com\n")
    assert (client.folder / "id-cert.pub").read_text().endswith(" alice@example.com\n")
    text = shown(f"{path}-cert.pub")
    assert f"Public key: {label}-CERT" in text and "user certificate" in text
    assert [mode(f) for f in (path, f"{path}.pub", f"{path}-cert.pub")] == [0o600, 0o644, 0o644]
    fingerprint = execute(["ssh-keygen", "-lf", f"{path}.pub"]).stdout.split()[1]
    assert fingerprint in text


@pytest.mark.parametrize("kind", [["--kty", "EC"], ["--kty", "OKP"], ["--kty", "RSA"]])
def test_a_key_with_a_password_opens_with_it_only(client, ca, kind):
    word = client.folder / "word"
    word.write_text("s3cret word\n")
    certificate(client, ca, "bob", "id", "--password-file", word, *kind)
    path = client.folder / "id"
    assert public_of(path, "s3cret word") == (client.folder / "id.pub").read_text().split()[:2]
    assert execute(["ssh-keygen", "-y", "-P", "other", "-f", path], ok=None).returncode != 0
    assert "aes256-ctr" in base64.b64decode(
        "".join(path.read_text().splitlines()[1:-1])).decode("latin1")


def test_without_a_terminal_the_password_must_be_given(client, ca):
    done = certificate(client, ca, "bob", "id", ok=False)
    assert "--password-file" in done.stderr
    assert not (client.folder / "id").exists()


def test_a_short_password_is_refused(client, ca):
    word = client.folder / "word"
    word.write_text("short")
    done = certificate(client, ca, "bob", "id", "--password-file", word, "--min-password-length",
                       "6", ok=False)
    assert "min-password-length" in done.stderr
    certificate(client, ca, "bob", "id", "--password-file", word, "--min-password-length", "5")


@pytest.mark.parametrize("identity, expected", [
    ("bob", ["bob"]), ("alice@x.io", ["alice", "alice@x.io"]),
    ("Joe.Doe@x.io", ["joedoe", "Joe.Doe", "Joe.Doe@x.io"]), ("Ann@x.io", ["ann", "Ann@x.io"]),
    ("A.B", ["ab", "A.B"]), ("zoë@x", ["zo_", "zoë", "zoë@x"])])
def test_principals_follow_from_the_key_id(client, ca, identity, expected):
    certificate(client, ca, identity, "id", *PLAIN)
    shows = json.loads(client.step("ssh", "inspect", "--format", "json", "id-cert.pub").stdout)
    assert shows["Principals"] == expected


def test_named_principals_are_taken(client, ca):
    certificate(client, ca, "ci@x.io", "id", *PLAIN, "-n", "deploy", "-n", "backup")
    assert principals(client.folder / "id-cert.pub") == ["deploy", "backup"]
    assert key_id(client.folder / "id-cert.pub") == "ci@x.io"


def test_a_host_has_its_name_as_principal(client, ca):
    certificate(client, ca, "--host", "Web.example", "hk", *PLAIN)
    text = shown(client.folder / "hk-cert.pub")
    assert "host certificate" in text and "Extensions: (none)" in text
    assert principals(client.folder / "hk-cert.pub") == ["Web.example"]


@pytest.mark.parametrize("kind, bits", [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384),
                                        ("ecdsa", 521), ("rsa", 2048)])
def test_keys_of_ssh_keygen_are_signed(client, ca, kind, bits):
    path = keygen(client.folder / "their", kind, "", bits)
    before = sorted(p.name for p in client.folder.iterdir())
    certificate(client, ca, "--sign", "carol", "their.pub")
    assert sorted(p.name for p in client.folder.iterdir()) == sorted(before + ["their-cert.pub"])
    assert execute(["ssh-keygen", "-lf", f"{path}.pub"]).stdout.split()[1] in shown(
        f"{path}-cert.pub")


def test_validity_is_as_asked(client, ca):
    certificate(client, ca, "bob", "id", *PLAIN, "--not-before", "10m", "--not-after", "70m")
    begin, end = re.search(r"from (\S+) to (\S+)", shown(client.folder / "id-cert.pub")).groups()

    def at(text):
        return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))

    assert at(end) - at(begin) == 3600
    certificate(client, ca, "bob", "id2", *PLAIN, "--not-after", "100000h", ok=False)


def test_existing_files_are_asked_for(client, ca):
    certificate(client, ca, "bob", "id", *PLAIN)
    old = (client.folder / "id").read_bytes()
    assert "--force" in certificate(client, ca, "bob", "id", *PLAIN, ok=False).stderr
    assert (client.folder / "id").read_bytes() == old
    os.chmod(client.folder / "id", 0o644)
    certificate(client, ca, "bob", "id", *PLAIN, "--force")
    assert (client.folder / "id").read_bytes() != old
    assert mode(client.folder / "id") == 0o600


def test_add_user_makes_three_more_files(client, ca):
    certificate(client, ca, "--add-user", "Alice@x.io", "k", *PLAIN)
    text = shown(client.folder / "k-provisioner-cert.pub")
    assert principals(client.folder / "k-provisioner-cert.pub") == ["provisioner"]
    assert "force-command sudo useradd -m alice;" in text and "Extensions: (none)" in text
    pub = (client.folder / "k-provisioner.pub").read_text()
    assert pub.endswith(" alice-provisioner\n")
    assert public_of(client.folder / "k-provisioner") == pub.split()[:2]
    assert mode(client.folder / "k-provisioner") == 0o600
    done = certificate(client, ca, "--add-user", "J.D@x.io", "k3", *PLAIN)
    assert "no certificate that adds the user" in done.stderr
    assert not (client.folder / "k3-provisioner").exists()


def test_template_data_reaches_the_template(client, ca, tmp_path):
    other = Ca(tmp_path / "ca2", ["--ssh"])
    template = ('{"type":{{toJson .Type}},"keyId":{{toJson .KeyID}},"principals":'
                '{{toJson .Principals}},"extensions":{"team@example.com":'
                '{{toJson .Insecure.User.team}}}}')

    def change(config):
        config["authority"]["provisioners"][0]["options"] = {"ssh": {"template": template}}

    other.configure(change)
    other.start()
    try:
        machine = Machine(tmp_path / "m2")
        machine.bootstrap(other)
        machine.step("ssh", "certificate", "bob", "id", *PLAIN, "--set", "team=blue",
                     *by_password(other))
        assert re.search(r"team@example.com UNKNOWN", shown(machine.folder / "id-cert.pub"))
    finally:
        other.stop()


@pytest.mark.parametrize("args, word", [
    (["a"], "not enough positional arguments"), (["a", "b", "c"], "too many positional"),
    (["a", "b", "--no-password"], "'--insecure'"),
    (["a", "b", *PLAIN, "--password-file", "x"], "'--password-file'"),
    (["a", "b", *PLAIN, "--min-password-length", "9"], "'--min-password-length'"),
    (["a", "b", *PLAIN, "--token", "x", "--provisioner-password-file", "y"], "'--token'"),
    (["a", "b", *PLAIN, "--host", "--add-user"], "'--add-user'"),
    (["a", "b", *PLAIN, "--host-id", "machine"], "'--host'"),
    (["a", "b", *PLAIN, "--host", "--host-id", "x"], "UUID"),
    (["a", "b", *PLAIN, "--add-user", "-n", "x", "-n", "y"], "more than one principal"),
    (["a", "b", *PLAIN, "--curve", "P-384"], "'--kty'"),
    (["a", "b", *PLAIN, "--kty", "RSA", "--curve", "P-384"], "incompatible"),
    (["a", "b", *PLAIN, "--kty", "OKP", "--size", "2048"], "incompatible"),
    (["a\nb", "b", *PLAIN], "control character"), (["", "b", *PLAIN], "empty"),
    (["a", "b", *PLAIN, "-n", "x\ny"], "control character")])
def test_wrong_flags_are_told_before_anybody_is_asked(tmp_path, args, word):
    machine = Machine(tmp_path / "m")
    (machine.folder / "x").write_text("x")
    done = machine.step("ssh", "certificate", *args, "--ca-url", "https://127.0.0.1:1", ok=False)
    assert word in done.stderr
    assert not (machine.folder / "b").exists()


def test_what_is_no_public_key_is_not_signed(client, ca):
    crt, key = host(client, ca)
    assert "certificate" in certificate(client, ca, "--sign", "x", crt, ok=False).stderr
    assert certificate(client, ca, "--sign", "x", key, ok=False).stderr


# --- Tokens ---------------------------------------------------------------------------------------


def test_a_token_brings_everything_along(client, ca, tmp_path):
    token = client.step("ca", "token", "--ssh", "-n", "deploy", "--cert-not-after", "1h", "ci@x.io",
                        *by_password(ca)).stdout.strip()
    assert claims_of(token)["step"]["ssh"] == {
        "certType": "user", "keyID": "ci@x.io", "principals": ["deploy"], "validAfter": "",
        "validBefore": "1h"}
    assert claims_of(token)["aud"] == f"{ca.url}/1.0/ssh/sign" and "sans" not in claims_of(token)
    stranger = Machine(tmp_path / "stranger")
    stranger.step("ssh", "certificate", "--token", token, "ci@x.io", "id", *PLAIN)
    assert principals(stranger.folder / "id-cert.pub") == ["deploy"]
    stranger.step("ssh", "certificate", "--token", token, "ci@x.io", "id2", *PLAIN, ok=False)


def test_a_token_leaves_no_principals_to_name(client, ca):
    token = client.step("ca", "token", "--ssh", "bob", *by_password(ca)).stdout.strip()
    done = client.step("ssh", "certificate", "--token", token, "-n", "root", "bob", "id", *PLAIN,
                       ok=False)
    assert "'--principal'" in done.stderr and "'--token'" in done.stderr


@pytest.mark.parametrize("args", [["--san", "x", "--ssh"], ["--host"], ["-n", "x"],
                                  ["--ssh", "--host", "--san", "x"], ["--sshpop-cert", "x"]])
def test_flags_of_ssh_tokens_go_together(client, ca, args):
    assert "flag '--" in client.step("ca", "token", "x", *args, ok=False).stderr


def test_kinds_of_ssh_tokens(client, ca):
    def audience(*args):
        done = client.step("ca", "token", "7", "--ssh", *by_password(ca), *args)
        return claims_of(done.stdout.strip())["aud"].rpartition("/1.0/")[2]

    assert audience("--host") == "ssh/sign"
    assert audience("--revoke") == "ssh/revoke"
    assert audience("--renew") == "ssh/renew"
    assert audience("--rekey") == "ssh/rekey"
    execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", client.folder / "k"])
    assert audience("--cnf-file", client.folder / "k.pub") == "ssh/sign"


def test_only_provisioners_that_can_are_offered(client, ca):
    """Nobody is asked to choose between a JWK and an SSHPOP provisioner."""
    word = ["--provisioner-password-file", ca.password_file]
    client.step("ssh", "certificate", "bob", "id", *PLAIN, *word)
    client.step("ssh", "revoke", serial(client.folder / "id-cert.pub"), *word)
    client.step("ca", "certificate", "web.test", "w.crt", "w.key", *word)
    done = client.step("ca", "token", "7", "--ssh", "--rekey", *word, ok=False)
    assert "'--sshpop-cert'" in done.stderr
    done = client.step("ssh", "certificate", "bob", "id2", *PLAIN, "--provisioner", "sshpop",
                       ok=False)
    assert "only renews, rekeys and revokes" in done.stderr


def test_x5c_authorizes_a_certificate(client, ca, tmp_path):
    key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = make_cert("X5C Root", key, ca=True)
    leaf = make_cert("holder", leaf_key, root, key)
    other = Ca(tmp_path / "ca3", ["--ssh"])
    roots = base64.b64encode(pem_of(root).encode()).decode()

    def change(config):
        config["authority"]["provisioners"].append(
            {"type": "X5C", "name": "x5c", "roots": roots, "claims": {"enableSSHCA": True}})

    other.configure(change)
    other.start()
    try:
        machine = Machine(tmp_path / "m3")
        machine.bootstrap(other)
        (machine.folder / "l.crt").write_text(pem_of(leaf))
        (machine.folder / "l.key").write_text(pem_of(leaf_key))
        done = machine.step("ssh", "certificate", "bob", "id", *PLAIN, "--x5c-cert", "l.crt",
                            "--x5c-key", "l.key", "--not-after", "30m")
        assert "x5c (X5C)" in done.stderr
        assert principals(machine.folder / "id-cert.pub") == ["bob"]
    finally:
        other.stop()


# --- Agent ----------------------------------------------------------------------------------------


def test_no_agent_is_only_a_remark(client, ca):
    done = certificate(client, ca, "bob", "id", *PLAIN)
    assert "not added to an SSH agent" in done.stderr
    assert "SSH_AUTH_SOCK" in done.stderr
    assert "agent" not in certificate(client, ca, "bob", "id2", *PLAIN, "--no-agent").stderr


@pytest.mark.parametrize("kind", [["--kty", "EC"], ["--kty", "EC", "--curve", "P-384"],
                                  ["--kty", "EC", "--curve", "P-521"], ["--kty", "OKP"],
                                  ["--kty", "RSA"]])
def test_the_agent_gets_keys_of_every_type(client, ca, agent, kind):
    certificate(client, ca, "bob", "id", *PLAIN, *kind, "--comment", "my key")
    blob = (client.folder / "id-cert.pub").read_text().split()[1]
    assert f"{blob} my key" in listed(client)
    data, public = client.folder / "data", client.folder / "id-cert.pub"
    data.write_text("text")
    # the agent signs with it: the private half is the right one
    execute(["ssh-keygen", "-Y", "sign", "-f", public, "-n", "test", data], env=client.env)
    theirs = execute(["ssh-add", "-l"], env=client.env).stdout
    assert client.step("ssh", "list").stdout == theirs
    assert client.step("ssh", "list", "--raw").stdout == listed(client)


def test_a_signed_key_goes_to_the_agent_with_its_private_half(client, ca, agent):
    path = keygen(client.folder / "mine", "ecdsa")
    keygen(client.folder / "other")
    certificate(client, ca, "--sign", "bob", f"{path}.pub")
    assert listed(client) == "The agent has no identities.\n"
    certificate(client, ca, "--sign", "bob", f"{path}.pub", "--private-key", "other", "-f",
                ok=False)
    certificate(client, ca, "--sign", "bob", f"{path}.pub", "--private-key", path, "-f")
    assert "cert-v01" in listed(client)
    certificate(client, ca, "--host", "--sign", "web", f"{client.folder}/other.pub")
    assert listed(client).count("\n") == 1


def test_login_list_logout(client, ca, agent):
    keygen(client.folder / "old")
    execute(["ssh-add", "-q", client.folder / "old"], env=client.env)
    before = sorted(client.folder.iterdir())
    client.step("ssh", "login", "Alice@x.io", *by_password(ca))
    assert sorted(client.folder.iterdir()) == before, "nothing is written"
    assert len(client.step("ssh", "list", "Alice@x.io").stdout.splitlines()) == 1
    assert "(ECDSA-CERT)" in client.step("ssh", "list", "Alice@x.io").stdout
    raw = client.folder / "raw"
    raw.write_text(client.step("ssh", "list", "--raw", "Alice@x.io").stdout)
    assert principals(raw) == ["Alice@x.io"], "nothing beyond the identity"
    again = client.step("ssh", "login", "Alice@x.io")
    assert "already present" in again.stderr
    client.step("ssh", "login", "--force", "Alice@x.io", "--not-after", "1h", *by_password(ca))
    assert listed(client).count("cert-v01@openssh.com A") == 2
    client.step("ssh", "login", "--comment", "second", "bob", "-n", "deploy", *by_password(ca))
    assert "not found" in client.step("ssh", "logout", "nobody").stdout
    assert "removed" in client.step("ssh", "logout", "second").stdout
    assert listed(client).count("cert-v01@openssh.com A") == 2
    client.step("ssh", "logout")
    assert "cert-v01" not in listed(client) and listed(client).startswith("ssh-ed25519 ")
    client.step("ssh", "logout", "--all")
    assert listed(client) == "The agent has no identities.\n"
    assert "no identities" in client.step("ssh", "list").stderr


def test_logout_leaves_certificates_of_others(client, ca, agent):
    for name in ("ca", "id"):
        keygen(client.folder / name)
    execute(["ssh-keygen", "-q", "-s", client.folder / "ca", "-I", "x", "-n", "bob",
             client.folder / "id.pub"])
    execute(["ssh-add", "-q", client.folder / "id"], env=client.env)
    client.step("ssh", "login", "bob", *by_password(ca))
    client.step("ssh", "logout")
    assert listed(client).count("cert-v01") == 1, "another CA's stays"
    client.step("ssh", "logout", "--ca-url", "https://127.0.0.1:1")
    assert "cert-v01" not in listed(client), "without the CA every certificate counts"


def test_the_agent_forgets_what_has_ended(client, ca, agent):
    client.step("ssh", "login", "bob", "--not-after", "2s", *by_password(ca))
    end = time.monotonic() + 15 * SLOW
    while "cert-v01" in listed(client):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_login_that_makes_the_account(client, ca, agent):
    client.step("ssh", "login", "--add-user", "--kty", "OKP", "bob@x.io", *by_password(ca))
    lines = client.step("ssh", "list").stdout.splitlines()
    assert [line.split()[2:] for line in lines] == [["bob@x.io", "(ED25519-CERT)"],
                                                    ["bob-provisioner", "(ED25519-CERT)"]]


def test_a_login_clears_away_what_has_ended(client, ca, agent):
    certificate(client, ca, "bob", "old", *PLAIN, "--no-agent", "--not-after", "3s")
    execute(["ssh-add", "-q", "old"], env=client.env, cwd=client.folder)
    blob = (client.folder / "old-cert.pub").read_text().split()[1]
    comment = next(line for line in listed(client).splitlines() if blob in line).split(" ", 2)[2]
    time.sleep(3.2)
    assert blob in listed(client), "the agent was not told when it ends"
    client.step("ssh", "login", "bob", "--comment", comment, *by_password(ca))
    assert blob not in listed(client) and "cert-v01" in listed(client)


def test_login_needs_an_agent(client, ca):
    assert "SSH_AUTH_SOCK" in client.step("ssh", "login", "bob", *by_password(ca), ok=False).stderr
    client.env["SSH_AUTH_SOCK"] = str(client.folder / "nobody")
    assert "no ssh-agent" in client.step("ssh", "list", ok=False).stderr


def test_login_by_a_token(client, ca, agent, tmp_path):
    token = client.step("ca", "token", "--ssh", "dave", *by_password(ca)).stdout.strip()
    stranger = Machine(tmp_path / "stranger")
    stranger.step("ssh", "login", "--token", token, env=agent.env)
    assert "(ECDSA-CERT)" in client.step("ssh", "list", "dave").stdout


@pytest.mark.parametrize("answer", [b"", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\2\x0c",
                                    b"\0\0\0\5\x0c\xff\xff\xff\xff", b"\0\0\0\1\5"])
def test_a_strange_agent_is_an_error(client, tmp_path, answer):
    path = tmp_path / "strange"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve():
        peer, _ = server.accept()
        with peer:
            peer.recv(100)
            peer.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    done = client.step("ssh", "list", env={"SSH_AUTH_SOCK": str(path)}, ok=False)
    thread.join()
    server.close()
    assert "agent" in done.stderr


# --- Renew, rekey, revoke -------------------------------------------------------------------------


def test_renewal_keeps_key_and_names(client, ca):
    crt, key = host(client, ca, "web.example", "hk", "-n", "web.example", "-n", "web")
    old = serial(crt)
    assert "--force" in client.step("ssh", "renew", crt, key, ok=False).stderr
    client.step("ssh", "renew", "--out", "new.pub", crt, key)
    new = client.folder / "new.pub"
    assert serial(crt) == old and serial(new) != old
    assert principals(new) == ["web.example", "web"] and key_id(new) == "web.example"
    assert new.read_text().endswith(" web.example\n")
    client.step("ssh", "renew", "-f", crt, key)
    assert serial(crt) not in (old, serial(new))
    assert re.search("Public key: .*", shown(crt)).group() == re.search(
        "Public key: .*", shown(new)).group()


def test_renewal_opens_a_key_with_a_password(client, ca):
    path = keygen(client.folder / "hk", "ecdsa", "host word")
    certificate(client, ca, "--host", "--sign", "web", f"{path}.pub")
    word = client.folder / "word"
    word.write_text("host word\n")
    client.step("ssh", "renew", "-f", f"{path}-cert.pub", path, ok=False)
    client.step("ssh", "renew", "-f", f"{path}-cert.pub", path, "--provisioner-password-file", word)


def test_users_do_not_renew(client, ca):
    certificate(client, ca, "bob", "id", *PLAIN)
    done = client.step("ssh", "renew", "-f", "id-cert.pub", "id", ok=False)
    assert "400" in done.stderr and "host" in done.stderr
    assert "400" in client.step("ssh", "rekey", "-f", *PLAIN, "id-cert.pub", "id", ok=False).stderr


def test_another_key_does_not_renew(client, ca):
    crt, _ = host(client, ca)
    keygen(client.folder / "other")
    assert "does not belong" in client.step("ssh", "renew", "-f", crt, "other", ok=False).stderr


def test_rekey_in_place_and_beside(client, ca):
    crt, key = host(client, ca)
    old = key.read_bytes(), crt.read_bytes()
    client.step("ssh", "rekey", *PLAIN, "--out", "next", crt, key)
    assert (key.read_bytes(), crt.read_bytes()) == old
    assert public_of(client.folder / "next") == (client.folder / "next.pub").read_text().split()[:2]
    assert "ECDSA-CERT" in shown(client.folder / "next-cert.pub")
    assert principals(client.folder / "next-cert.pub") == ["web"]
    client.step("ssh", "rekey", *PLAIN, "--force", crt, key)
    assert public_of(key) == Path(f"{key}.pub").read_text().split()[:2]
    assert mode(key) == 0o600 and key.read_bytes() != old[0]
    client.step("ssh", "renew", "-f", crt, key)
    word = client.folder / "word"
    word.write_text("new word")
    client.step("ssh", "rekey", "--force", "--password-file", word, "--kty", "OKP", crt, key)
    assert public_of(key, "new word")[0] == "ssh-ed25519"
    assert "'--insecure'" in client.step("ssh", "rekey", "--no-password", crt, key, ok=False).stderr


def trio(folder, base):
    return [folder / f"{base}{end}" for end in ("", ".pub", "-cert.pub")]


def waiting(path):
    return path.with_name(path.name + ".rekey")


def fits(key, pub, crt):
    """All three speak of one key, and nothing is left to do."""
    own = public_of(key)
    found = re.search(r"Public key: \S+ (\S+)", shown(crt)).group(1)
    return (own == pub.read_text().split()[:2] and
            found == execute(["ssh-keygen", "-lf", pub]).stdout.split()[1] and
            not any(waiting(path).exists() for path in (pub, crt)))


@pytest.mark.parametrize("command", ["renew", "rekey"])
@pytest.mark.parametrize("moved", [1, 2])
def test_an_interrupted_rekey_is_mended(client, ca, command, moved):
    """What a crash leaves after so many of the three files have taken their places."""
    crt, key = host(client, ca)
    client.step("ssh", "rekey", *PLAIN, "--out", "next", crt, key)
    old, new = trio(client.folder, "hk"), trio(client.folder, "next")
    for number, (was, then) in enumerate(zip(old, new)):
        os.rename(then, was if number < moved else waiting(was))
    at_once = serial(waiting(crt))
    flags = PLAIN if command == "rekey" else []
    done = client.step("ssh", command, "-f", *flags, crt, key)
    assert "of an interrupted rekey was put there" in done.stderr
    assert fits(*old) and serial(crt) != at_once
    assert "did not fit" not in client.step("ssh", "renew", "-f", crt, key).stderr


def test_an_interrupted_rekey_into_new_files_is_mended(client, ca):
    crt, key = host(client, ca)
    client.step("ssh", "rekey", *PLAIN, "--out", "next", crt, key)
    new = trio(client.folder, "next")
    for path in new[1:]:
        os.rename(path, waiting(path))
    client.step("ssh", "renew", "-f", new[2], new[0])
    assert fits(*new)


def test_what_waits_for_another_key_is_left_alone(client, ca):
    crt, key = host(client, ca)
    stranger = keygen(client.folder / "stranger")
    certificate(client, ca, "--host", "--sign", "web", f"{stranger}.pub")
    os.rename(client.folder / "stranger-cert.pub", waiting(crt))
    client.step("ssh", "renew", "-f", crt, key)  # they fit: nobody looks
    other = keygen(client.folder / "other")
    done = client.step("ssh", "renew", "-f", crt, other, ok=False)
    assert "does not belong" in done.stderr and waiting(crt).exists()
    crt.unlink()
    assert "hk-cert.pub" in client.step("ssh", "renew", "-f", crt, other, ok=False).stderr


def test_a_killed_rekey_leaves_files_that_can_go_on(client, ca):
    crt, key = host(client, ca)
    files = trio(client.folder, "hk")
    for delay in (0.004, 0.008, 0.012, 0.016, 0.02, 0.03):
        command = [STEP, "ssh", "rekey", "-f", *PLAIN, str(crt), str(key)]
        with subprocess.Popen(command, env=client.env, cwd=client.folder,
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            time.sleep(delay * SLOW)
            running.kill()
        client.step("ssh", "renew", "-f", crt, key)
        assert public_of(key) == files[1].read_text().split()[:2]
    client.step("ssh", "rekey", "-f", *PLAIN, crt, key)
    assert fits(*files) and not waiting(key).exists()


def test_revocation_by_serial_number(client, ca):
    crt, key = host(client, ca)
    client.step("ssh", "revoke", serial(crt), "--reason", "gone", "--reasonCode", "superseded",
                *by_password(ca))
    assert "already" in client.step("ssh", "revoke", serial(crt), *by_password(ca), ok=False).stderr
    assert "401" in client.step("ssh", "renew", "-f", crt, key, ok=False).stderr
    client.step("ssh", "revoke", "0", *by_password(ca), ok=False)
    client.step("ssh", "revoke", "x", *by_password(ca), ok=False)
    client.step("ssh", "revoke", "7", "--reasonCode", "11", *by_password(ca), ok=False)
    client.step("ssh", "revoke", ok=False)


def test_revocation_by_the_certificate_itself(client, ca):
    certificate(client, ca, "bob", "id", *PLAIN)
    pair = ["--sshpop-cert", "id-cert.pub", "--sshpop-key", "id"]
    done = client.step("ssh", "revoke", "1", *pair, ok=False)
    assert serial(client.folder / "id-cert.pub") in done.stderr
    client.step("ssh", "revoke", *pair)
    assert "already" in client.step("ssh", "revoke", *pair, ok=False).stderr


def test_revocation_by_a_token(client, ca, tmp_path):
    crt, _ = host(client, ca)
    token = client.step("ca", "token", "--ssh", "--revoke", serial(crt),
                        *by_password(ca)).stdout.strip()
    stranger = Machine(tmp_path / "stranger")
    assert "do not match" in stranger.step("ssh", "revoke", "5", "--token", token, ok=False).stderr
    stranger.step("ssh", "revoke", serial(crt), "--token", token)


def test_a_token_of_the_certificate_itself(client, ca):
    crt, key = host(client, ca)
    token = client.step("ca", "token", serial(crt), "--ssh", "--renew", "--sshpop-cert", crt,
                        "--sshpop-key", key).stdout.strip()
    assert claims_of(token)["aud"] == f"{ca.url}/1.0/ssh/renew#sshpop/sshpop"
    assert ca.request("POST", "/ssh/renew", {"ott": token}).status == 201
    assert ca.request("POST", "/ssh/renew", {"ott": token}).status == 401


def test_needs_renewal(client, ca):
    crt, _ = host(client, ca)

    def code(*args):
        return client.step("ssh", "needs-renewal", *args, ok=None).returncode

    assert code(crt) == 1
    assert code(crt, "--expires-in", "0%") == 0
    assert code(crt, "--expires-in", "99999h") == 0
    assert code(client.folder / "nothing") == 2
    assert code(f"{client.folder}/hk.pub") == 255


# --- Offline --------------------------------------------------------------------------------------


def test_offline_this_process_is_the_ca(tmp_path):
    ca = Ca(tmp_path / "ca", ["--ssh"])
    machine = Machine(tmp_path / "m")
    machine.env.update(STEPPATH=str(ca.path))
    machine.env.pop("SSH_AUTH_SOCK", None)
    same = ["--offline", "--ca-config", ca.config_path]
    machine.step("ssh", "certificate", "bob", "id", *PLAIN, *same, *by_password(ca))
    assert principals(machine.folder / "id-cert.pub") == ["bob"]
    assert public_of(machine.folder / "id")
    crt, key = machine.folder / "hk-cert.pub", keygen(machine.folder / "hk")
    machine.step("ssh", "certificate", "--host", "--sign", "web", "hk.pub", *same, *by_password(ca))
    old = serial(crt)
    opened = [*same, "--password-file", ca.password_file]
    machine.step("ssh", "renew", "-f", crt, key, *opened)
    assert serial(crt) != old
    machine.step("ssh", "rekey", "-f", *PLAIN, crt, key, *same, "--provisioner-password-file",
                 ca.password_file)
    assert public_of(key) == Path(f"{key}.pub").read_text().split()[:2]
    machine.step("ssh", "revoke", "--sshpop-cert", crt, "--sshpop-key", key, *opened)
    assert "revoked" in machine.step("ssh", "renew", "-f", crt, key, *opened, ok=False).stderr
    machine.step("ssh", "revoke", old, *opened, *by_password(ca))
    # and the server knows
    ca.start()
    try:
        online = ["--ca-url", ca.url, "--root", ca.root_path]
        done = machine.step("ssh", "renew", "-f", crt, key, *online, ok=False)
        assert "401" in done.stderr
    finally:
        ca.stop()


# --- Proxy ----------------------------------------------------------------------------------------


class Echo:
    """One connection: a greeting, everything back, and the end when the client has ended."""

    def __init__(self, greeting=b"hello\n"):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.greeting = greeting
        self.got = b""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        peer, _ = self.server.accept()
        with peer:
            peer.sendall(self.greeting)
            while piece := peer.recv(65536):
                self.got += piece
                peer.sendall(piece)
            peer.sendall(b"bye\n")

    def stop(self):
        self.thread.join(20)
        self.server.close()


def proxy(client, ca, port, data, *more, host_name="127.0.0.1"):
    return subprocess.run([STEP, "ssh", "proxycommand", "bob", host_name, str(port),
                           *map(str, by_password(ca)), *map(str, more)], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=client.env,
                          cwd=client.folder, timeout=60 * SLOW, start_new_session=True, check=False)


@pytest.mark.parametrize("size", [0, 5, 3_000_000])
def test_the_stream_passes_unharmed_while_the_user_is_logged_in(client, ca, agent, size):
    echo = Echo()
    data = os.urandom(size)
    done = proxy(client, ca, echo.port, data)
    echo.stop()
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"hello\n" + data + b"bye\n" and echo.got == data
    assert "bob" in client.step("ssh", "list").stdout
    assert b"SSH Agent" not in done.stdout


def test_a_second_connection_does_not_log_in_again(client, ca, agent):
    client.step("ssh", "login", "bob@x.io", *by_password(ca))
    echo = Echo()
    assert proxy(client, ca, echo.port, b"x").stdout == b"hello\nxbye\n"
    echo.stop()
    assert len(client.step("ssh", "list").stdout.splitlines()) == 1


def test_without_a_login_the_connection_is_made_all_the_same(client, ca):
    echo = Echo()
    done = proxy(client, ca, echo.port, b"x", host_name="localhost")
    echo.stop()
    assert done.stdout == b"hello\nxbye\n" and done.returncode == 0
    assert b"SSH_AUTH_SOCK" in done.stderr


def test_the_end_of_the_host_is_the_end(client, ca, agent):
    """Standard input stays open; the host has gone."""
    server = socket.create_server(("127.0.0.1", 0))
    with subprocess.Popen([STEP, "ssh", "proxycommand", "bob", "127.0.0.1",
                           str(server.getsockname()[1]), *map(str, by_password(ca))],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=client.env, cwd=client.folder, start_new_session=True) as process:
        peer, _ = server.accept()
        peer.sendall(b"so long")
        peer.close()
        assert process.stdout.read() == b"so long"
        assert process.wait(timeout=20 * SLOW) == 0
    server.close()


def test_a_host_that_is_not_there(client, ca):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = proxy(client, ca, port, b"")
    assert done.returncode == 1 and b"cannot connect" in done.stderr


def test_a_bastion_is_reached_by_ssh(client, ca, agent, tmp_path):
    other = Ca(tmp_path / "ca4", ["--ssh"])

    def change(config):
        config["ssh"]["bastion"] = {"hostname": "bastion.example", "user": "jump", "port": "2222",
                                    "cmd": "connect %h %p as %r at 100%%", "flags": "-A -v"}

    other.configure(change)
    other.start()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text("#!/bin/sh\nfor a; do echo \"[$a]\"; done\ncat\n")
    os.chmod(tools / "ssh", 0o755)
    machine = Machine(tmp_path / "m4")
    machine.env.update(agent.env)
    machine.env["PATH"] = f"{tools}:{machine.env['PATH']}"
    machine.bootstrap(other)
    try:
        done = proxy(machine, other, 22, b"stream", host_name="web.example")
        assert done.stdout.decode().splitlines() == [
            "[-l]", "[jump]", "[-p]", "[2222]", "[-A]", "[-v]", "[bastion.example]",
            "[connect web.example 22 as bob at 100%]", "stream"]
        assert proxy(machine, other, 22, b"", host_name="web;id").returncode == 1
        assert proxy(machine, other, 22, b"", host_name="$(id)").returncode == 1
    finally:
        other.stop()


# --- Identity -------------------------------------------------------------------------------------


class Demanding(http.server.BaseHTTPRequestHandler):
    """In front of the CA: says that it wants client certificates, and passes everything on."""

    ca = None

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        self.server.seen[self.path] = body
        reply = self.ca.request(self.command, self.path, body)
        text = self.server.instead.get(self.path, reply.body)
        self.server.said[self.path] = text
        if self.path == "/version":
            text = json.dumps({**json.loads(text), "requireClientAuthentication": True}).encode()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def in_front_of(ca, folder):
    crt, key = ca.issue("localhost", folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             type("Handler", (Demanding,), {"ca": ca}))
    server.seen, server.said, server.instead = {}, {}, {}
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"https://localhost:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


@pytest.fixture
def demanding(ca, tmp_path):
    """Address of a CA that wants client certificates."""
    with in_front_of(ca, tmp_path) as server:
        yield server.url


def test_an_identity_comes_along_and_is_renewed(client, ca, demanding):
    uuid = "0aa3d8d3-9d41-4c6c-8a4b-0d4a6c4be001"
    certificate(client, ca, "--host", "web.example", "hk", *PLAIN, "--host-id", uuid, "--ca-url",
                demanding)
    crt, key = client.path / "identity/identity.crt", client.path / "identity/identity_key"
    assert json.loads((client.path / "config/identity.json").read_text()) == {
        "type": "mTLS", "crt": str(crt), "key": str(key)}
    assert mode(key) == 0o600 and fit_together(crt, key)
    assert names(leaf(crt))["uri"] == [f"urn:uuid:{uuid}"]
    assert names(leaf(crt))["dns"] == ["web.example"]
    first = leaf(crt).serial_number
    # the CA itself asks for nothing, but sees the certificate and renews it, too
    client.step("ssh", "renew", "-f", "hk-cert.pub", "hk")
    assert leaf(crt).serial_number != first and fit_together(crt, key)
    assert client.step("ssh", "check-host", "web.example").returncode == 0
    # another certificate of this machine has its UUID
    certificate(client, ca, "--host", "www.example", "hk2", *PLAIN, "--ca-url", demanding)
    assert names(leaf(crt))["uri"] == [f"urn:uuid:{uuid}"]
    if Path("/etc/machine-id").exists():
        certificate(client, ca, "--host", "www.example", "hk3", *PLAIN, "--ca-url", demanding,
                    "--host-id", "machine")
        assert names(leaf(crt))["uri"] != [f"urn:uuid:{uuid}"]


def test_a_broken_identity_is_told_and_not_used(client, ca):
    (client.path / "config/identity.json").write_text('{"type": "mTLS", "crt": "x", "key": "y"}')
    assert "identity is not used" in client.step("ssh", "hosts").stderr


def test_users_have_an_identity_without_a_machine(client, ca, demanding, agent):
    client.step("ssh", "login", "bob", "--ca-url", demanding, *by_password(ca))
    assert names(leaf(client.path / "identity/identity.crt")) == {
        "dns": ["bob"], "ip": [], "email": [], "uri": []}


def test_another_certificate_than_the_one_that_was_asked_for_is_refused(client, ca, tmp_path):
    with in_front_of(ca, tmp_path) as server:
        there = ["--ca-url", server.url]
        certificate(client, ca, "bob", "one", *PLAIN, *there)
        server.instead["/ssh/sign"] = server.said["/ssh/sign"]
        done = certificate(client, ca, "bob", "two", *PLAIN, *there, ok=False)
        assert "for another key" in done.stderr and not (client.folder / "two").exists()
        # bits of the signature turned over
        blob = bytearray(base64.b64decode(json.loads(server.said["/ssh/sign"])["crt"]))
        blob[-1] ^= 1
        server.instead["/ssh/sign"] = json.dumps({"crt": base64.b64encode(blob).decode()}).encode()
        certificate(client, ca, "--sign", "bob", "one.pub", "-f", *there, ok=False)
        # of the other type
        certificate(client, ca, "--host", "--sign", "bob", "one.pub", "-f", *there, ok=False)
        del server.instead["/ssh/sign"]
        certificate(client, ca, "--sign", "bob", "one.pub", "-f", *there)
        server.instead["/ssh/sign"] = server.said["/ssh/sign"]
        done = certificate(client, ca, "--host", "--sign", "bob", "one.pub", "-f", *there, ok=False)
        assert "user certificate instead of" in done.stderr


# --- Login at a provider --------------------------------------------------------------------------


def test_an_identity_token_says_who_it_is(client, agent, secure_idp, tmp_path):  # noqa: F811
    """What the CA is asked for; that it is refused there is another matter."""
    other = Ca(tmp_path / "ca5", ["--ssh"])
    other.configure(lambda c: c["authority"]["provisioners"].append({
        "type": "OIDC", "name": "people", "clientID": "the client", "clientSecret": "s",
        "configurationEndpoint": secure_idp.provider + "/.well-known/openid-configuration"}))
    other.start()
    secure_idp.rules["claims"] = {"email": "Joe.Doe@x.io", "iat": int(time.time())}
    try:
        client.bootstrap(other, "--force")
        with in_front_of(other, tmp_path) as server:
            words = ["ssh", "login", "--provisioner", "people", "--ca-url", server.url]
            with Running(client, *words, STEP_OPEN_BROWSER="0", **secure_idp.trust) as running:
                visit(running.line("http"))
                assert running.end()[0] == 1
            asked = json.loads(server.seen["/ssh/sign"])
    finally:
        other.stop()
    assert asked["keyID"] == "Joe.Doe@x.io" and asked["certType"] == "user"
    assert asked["principals"] == ["joedoe", "Joe.Doe", "Joe.Doe@x.io"]
    assert asked["identityCSR"] and asked["validAfter"]


# --- Help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["certificate", "login", "logout", "list", "proxycommand", "renew",
                                  "rekey", "revoke"])
def test_help_has_everything(client, name):
    text = client.step("help", "ssh", name).stdout
    for part in ("NAME", "USAGE", "DESCRIPTION", "EXAMPLES"):
        assert part in text
    assert text.count("$ ") >= 2
