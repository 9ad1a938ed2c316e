"""The original `step ssh` against our server; SSH files and tokens that cross between the two."""

import json
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import PASSWORD, SLOW, Ca, free_port
from machine import Machine, by_password, execute, files_below, mode
from sshd_lab import Agent
from test_reference_client import (claims_of, configured, plain,  # noqa: F401
                                   reference)  # pylint: disable=unused-import

PLAIN = ["--no-password", "--insecure"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    made = Ca(tmp_path_factory.mktemp("ssh-reference") / "ca", ["--ssh"])
    made.start()
    yield made
    made.stop()


@pytest.fixture
def theirs(reference, ca, tmp_path):  # noqa: F811
    machine = Machine(tmp_path / "theirs", reference)
    machine.env["SSH_AUTH_SOCK"] = ""
    machine.bootstrap(ca)
    return machine


@pytest.fixture
def ours(ca, tmp_path):
    machine = Machine(tmp_path / "ours")
    machine.env["SSH_AUTH_SOCK"] = ""
    machine.bootstrap(ca)
    return machine


@pytest.fixture
def agent(tmp_path):
    made = Agent(tmp_path)
    yield made
    made.stop()


def shown(path):
    return execute(["ssh-keygen", "-L", "-f", path]).stdout


def serial(path):
    return re.search(r"Serial: (\d+)", shown(path)).group(1)


def keygen(path, kind="ed25519", password=""):
    execute(["ssh-keygen", "-q", "-t", kind, "-N", password, "-f", path])
    return path


def certificate(machine, ca, name, path, *flags, **options):
    """Flags stand behind: the original takes a word after a boolean flag for its value."""
    return machine.step("ssh", "certificate", name, path, *flags, *by_password(ca), **options)


def host(machine, ca, name="web.example"):
    """A host's certificate by the original: (certificate, key)."""
    certificate(machine, ca, name, "hk", "--host", *PLAIN)
    return machine.folder / "hk-cert.pub", machine.folder / "hk"


def same_certificate(one, other):
    """All but what is drawn anew."""
    def bare(path):
        text = shown(path).splitlines()[1:]
        return [line for line in text if not re.search("Serial:|Public key:|Valid:", line)]

    return bare(one) == bare(other)


# --- Their client, our server ---------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--kty", "EC", "--curve", "P-384"],
                                   ["--kty", "EC", "--curve", "P-521"], ["--kty", "RSA"],
                                   ["--kty", "OKP"]])
def test_certificates_of_users(ca, theirs, ours, flags):
    for machine in (theirs, ours):
        certificate(machine, ca, "Joe.Doe@x.io", "id", *PLAIN, *flags)
    assert same_certificate(theirs.folder / "id-cert.pub", ours.folder / "id-cert.pub")
    for name in ("id.pub", "id-cert.pub"):
        one, other = ((m.folder / name).read_text().split() for m in (theirs, ours))
        assert one[0] == other[0] and one[2:] == other[2:] == ["Joe.Doe@x.io"]
    assert mode(theirs.folder / "id") == mode(ours.folder / "id")
    assert mode(theirs.folder / "id-cert.pub") & 0o400 and mode(ours.folder / "id-cert.pub") & 0o400


def test_certificates_of_hosts(ca, theirs, ours):
    for machine in (theirs, ours):
        keygen(machine.folder / "k")
        certificate(machine, ca, "Web.example", "k.pub", "--host", "--sign", "-n", "a.example",
                    "-n", "b.example", "--not-after", "48h")
    assert same_certificate(theirs.folder / "k-cert.pub", ours.folder / "k-cert.pub")


def test_add_user(ca, theirs, ours):
    for machine in (theirs, ours):
        certificate(machine, ca, "alice@x.io", "k", "--add-user", *PLAIN)
    assert files_below(theirs.folder) == files_below(ours.folder)
    for name in ("k-cert.pub", "k-provisioner-cert.pub"):
        assert same_certificate(theirs.folder / name, ours.folder / name)
    for name in ("k-provisioner.pub", "k-provisioner-cert.pub"):
        assert (theirs.folder / name).read_text().split()[2:] == (
            ours.folder / name).read_text().split()[2:]


def test_login_list_logout(ca, theirs, ours, agent):
    for machine in (theirs, ours):
        machine.env.update(agent.env)
        machine.step("ssh", "login", "alice@x.io", *by_password(ca))
        assert agent.list(machine.env).count("alice@x.io") == 1, "not a second time"
        machine.step("ssh", "login", "bob@x.io", *by_password(ca), "--force")
    one, other = (m.step("ssh", "list").stdout for m in (theirs, ours))
    assert one == other == execute(["ssh-add", "-l"], env=ours.env).stdout
    assert len(other.splitlines()) == 3
    assert theirs.step("ssh", "list", "--raw").stdout == ours.step("ssh", "list", "--raw").stdout
    theirs.step("ssh", "logout", "alice@x.io")
    assert "alice" not in agent.list(ours.env)
    theirs.step("ssh", "logout")
    assert "cert-v01" not in agent.list(ours.env)


def test_renew_rekey_revoke(ca, theirs):
    crt, key = host(theirs, ca)
    first, line = serial(crt), crt.read_text().split()
    theirs.step("ssh", "renew", crt, key, "--force")
    assert serial(crt) != first and crt.read_text().split()[2:] == line[2:]
    theirs.step("ssh", "renew", "--out", theirs.folder / "other.pub", crt, key)
    assert same_certificate(crt, theirs.folder / "other.pub")
    theirs.step("ssh", "rekey", crt, key, "--out", "next", *PLAIN)
    assert same_certificate(crt, theirs.folder / "next-cert.pub")
    theirs.step("ssh", "rekey", crt, key, "--force", *PLAIN)
    assert execute(["ssh-keygen", "-y", "-P", "", "-f", key]).stdout.split()[:2] == Path(
        f"{key}.pub").read_text().split()[:2]
    theirs.step("ssh", "revoke", first, *by_password(ca))
    theirs.step("ssh", "revoke", first, *by_password(ca), ok=False)
    theirs.step("ssh", "revoke", "--sshpop-cert", crt, "--sshpop-key", key)
    theirs.step("ssh", "renew", crt, key, "--force", ok=False)
    theirs.step("ssh", "renew", "next-cert.pub", "next", "--force")


def test_users_do_not_renew(ca, theirs):
    certificate(theirs, ca, "bob", "id", *PLAIN)
    assert theirs.step("ssh", "renew", "id-cert.pub", "id", "--force", ok=False).stderr


def test_hosts_and_check_host(ca, theirs, ours):
    host(theirs, ca, "Listed.example")
    for machine in (theirs, ours):
        assert machine.step("ssh", "check-host", "listed.example").returncode == 0
        assert machine.step("ssh", "check-host", "LISTED.example", "-v").stdout.strip() == "true"
        assert machine.step("ssh", "check-host", "nobody.example", ok=None).returncode == 1
    one, other = (m.step("ssh", "hosts").stdout for m in (theirs, ours))
    assert "listed.example" in one
    assert [line.split() for line in one.splitlines()] == [
        line.split() for line in other.splitlines()]


def test_roots_and_federation(ca, theirs, ours):
    for flags in (["--roots"], ["--roots", "--host"], ["--federation"], ["--federation", "--host"]):
        one, other = (m.step("ssh", "config", *flags).stdout for m in (theirs, ours))
        assert one == other and one.startswith("ecdsa-sha2-nistp256 ")


def test_files_of_config(ca, theirs, ours, agent):
    """Both write the same, and OpenSSH takes it."""
    for machine in (theirs, ours):
        machine.env.update(agent.env)
        machine.step("ssh", "login", "alice@x.io", *by_password(ca))
        machine.step("ssh", "config", "--force")
        machine.step("ssh", "config", "--force")
    names = [n for n in files_below(theirs.folder) if n.startswith((".ssh", "step/ssh"))]
    assert names == [n for n in files_below(ours.folder) if n.startswith((".ssh", "step/ssh"))]
    assert len(names) == 4

    def text(machine, name):
        content = (machine.folder / name).read_text().strip().replace(str(machine.folder), "HOME")
        return re.sub("(autogenerated by step @ ).*", r"\1", content)

    for name in names:
        assert text(theirs, name) == text(ours, name), name
        assert mode(theirs.folder / name) == mode(ours.folder / name), name
    config = text(ours, ".ssh/config")
    assert config.count("autogenerated by step") == 1 and "Include" in config


def test_a_host_is_set_up(ca, theirs):
    done = theirs.step("ssh", "config", "--host", "--dry-run", "--set", "Certificate=hk-cert.pub",
                       "--set", "Key=hk")
    text = plain(done.stderr)
    for word in ("TrustedUserCAKeys", "HostCertificate /etc/ssh/hk-cert.pub",
                 "HostKey /etc/ssh/hk"):
        assert word in text
    assert "Certificate" in theirs.step("ssh", "config", "--host", ok=False).stderr


def test_proxycommand(ca, theirs, agent):
    theirs.env.update(agent.env)
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"hello ")
                while piece := peer.recv(4096):
                    peer.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with subprocess.Popen([theirs.program, "ssh", "proxycommand", "alice", "localhost",
                               str(server.getsockname()[1]), *map(str, by_password(ca))],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=theirs.env, cwd=theirs.folder,
                              start_new_session=True) as process:
            process.stdin.write(b"there")
            process.stdin.flush()
            assert process.stdout.read(11) == b"hello there"
            process.stdin.close()
            process.wait(timeout=20 * SLOW)
        thread.join(20)
    assert "alice" in agent.list(theirs.env)


# --- Tokens and files cross -----------------------------------------------------------------------


@pytest.mark.parametrize("args", [
    ["alice@x.io", "--ssh"], ["alice", "--ssh", "-n", "a", "-n", "b"], ["web", "--ssh", "--host"],
    ["7", "--ssh", "--revoke"], ["7", "--ssh", "--renew"], ["7", "--ssh", "--rekey"],
    ["alice", "--ssh", "--cert-not-before", "2030-01-01T00:00:00Z", "--not-after", "10m"]])
def test_both_clients_make_the_same_claims(ca, theirs, ours, args):
    one, other = (claims_of(m.token(ca, *args)) for m in (theirs, ours))
    assert not one.pop("user", None)
    assert set(one) == set(other)
    for name in ("aud", "iss", "sub", "sha", "step"):
        assert one.get(name) == other.get(name)
    assert abs((one["exp"] - one["nbf"]) - (other["exp"] - other["nbf"])) <= 1


def test_tokens_of_a_certificate_are_the_same(ca, theirs, ours):
    crt, key = host(theirs, ca)
    pair = ["--ssh", "--renew", "--sshpop-cert", crt, "--sshpop-key", key]
    tokens = [m.step("ca", "token", serial(crt), *pair).stdout.strip() for m in (theirs, ours)]
    one, other = map(claims_of, tokens)
    assert not one.pop("user", None)
    assert set(one) == set(other) and one["aud"] == other["aud"] and one["sub"] == other["sub"]
    assert tokens[0].split(".")[0] == tokens[1].split(".")[0]
    for token in tokens:
        assert ca.request("POST", "/ssh/renew", {"ott": token}).status == 201


def test_tokens_of_one_are_good_for_the_other(ca, theirs, ours):
    for maker, taker in ((theirs, ours), (ours, theirs)):
        token = maker.token(ca, "dave@x.io", "--ssh", "-n", "dave", "-n", "dave@x.io")
        taker.step("ssh", "certificate", "dave@x.io", "tk", "--token", token, *PLAIN)
        assert "dave" in shown(taker.folder / "tk-cert.pub")
        number = serial(taker.folder / "tk-cert.pub")
        token = maker.token(ca, number, "--ssh", "--revoke")
        taker.step("ssh", "revoke", "--token", token, number)


@pytest.mark.parametrize("flags", [[], ["--kty", "RSA"], ["--kty", "OKP"]])
def test_keys_cross_both_ways(ca, theirs, ours, flags):
    """Made by one with a password, used by the other to renew."""
    for maker, reader in ((theirs, ours), (ours, theirs)):
        (maker.folder / "pw").write_text("secret\n")
        certificate(maker, ca, "web", "c", "--host", "--password-file", "pw", *flags)
        assert execute(["ssh-keygen", "-y", "-P", "secret", "-f", maker.folder / "c"])
        reader.step("ssh", "renew", maker.folder / "c-cert.pub", maker.folder / "c", "-f",
                    "--out", "renewed.pub", "--provisioner-password-file", maker.folder / "pw")
        assert same_certificate(maker.folder / "c-cert.pub", reader.folder / "renewed.pub")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_both_show_the_same(ca, theirs, ours, kind):
    keygen(ours.folder / "k", kind)
    certificate(ours, ca, "alice@x.io", "k.pub", "--sign")
    for name in ("k.pub", "k-cert.pub"):
        path = ours.folder / name
        for form in ([], ["--format", "hex"], ["--format", "base64-url"], ["--format", "emoji"]):
            assert theirs.step("ssh", "fingerprint", path, *form).stdout == ours.step(
                "ssh", "fingerprint", path, *form).stdout
    for form in ([], ["--format", "json"]):
        one, other = (m.step("ssh", "inspect", ours.folder / "k-cert.pub", *form).stdout
                      for m in (theirs, ours))
        if form:
            assert json.loads(one) == json.loads(other)
        else:  # theirs has options in the order of a hash table
            assert sorted(one.splitlines()) == sorted(other.splitlines())
    for expiry in ([], ["--expires-in", "1%"], ["--expires-in", "20h"], ["--expires-in", "1h"]):
        codes = [m.step("ssh", "needs-renewal", ours.folder / "k-cert.pub", *expiry,
                        ok=None).returncode for m in (theirs, ours)]
        assert codes[0] == codes[1], expiry


# --- What their init makes ------------------------------------------------------------------------


def test_our_server_on_what_their_init_made(reference, tmp_path):  # noqa: F811
    maker = Machine(tmp_path / "init", reference)
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "password").write_text(PASSWORD + "\n")
    maker.step("ca", "init", "--ssh", "--name", "Theirs", "--dns", "localhost", "--address",
               f"127.0.0.1:{free_port()}", "--provisioner", "ops", "--password-file",
               folder / "password", "--deployment-type", "standalone")
    made = configured(folder, maker.path)
    made.configure(lambda config: config.update(
        db={"type": "sqlite", "dataSource": str(folder / "db.sqlite")}))
    made.start()
    try:
        for program in (reference, None):
            machine = Machine(tmp_path / f"m-{'theirs' if program else 'ours'}",
                              *([program] if program else []))
            machine.env["SSH_AUTH_SOCK"] = ""
            machine.bootstrap(made)
            certificate(machine, made, "alice@x.io", "id", *PLAIN)
            crt, key = host(machine, made)
            machine.step("ssh", "renew", crt, key, "--force")
            done = machine.step("ssh", "config", "--force", "--set", "User=alice")
            assert "known_hosts" in plain(done.stderr)
    finally:
        made.stop()
