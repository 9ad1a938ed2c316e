"""The original client's `step ssh` against our server."""

import json

import pytest
from machine import Machine, by_password, execute
from sshd_lab import Agent
from test_reference_client import reference  # noqa: F401 (a fixture)
from test_ssh_api import SshCa, line_of

PLAIN = ["--no-password", "--insecure"]
POP = ["--provisioner", "sshpop"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    ca = SshCa(tmp_path_factory.mktemp("ssh-ca")).start()
    yield ca
    ca.stop()


@pytest.fixture
def theirs(reference, ca, tmp_path):  # noqa: F811
    machine = Machine(tmp_path / "theirs", reference)
    machine.bootstrap(ca)
    return machine


def inspected(machine, path):
    return json.loads(machine.step("ssh", "inspect", "--format", "json", path).stdout)


def test_roots(theirs, ca):
    said = theirs.step("ssh", "config", "--roots").stdout
    assert said.strip() == line_of(ca.keys["user"])
    said = theirs.step("ssh", "config", "--host", "--federation").stdout
    assert said.splitlines() == [line_of(ca.keys["host"]), line_of(ca.federated)]


def test_certificate_of_a_user(theirs, ca):
    theirs.step("ssh", "certificate", "alice@x.io", "id", "--no-agent", *PLAIN, *by_password(ca))
    said = execute(["ssh-keygen", "-L", "-f", theirs.folder / "id-cert.pub"]).stdout
    assert "user certificate" in said and 'Key ID: "alice@x.io"' in said
    seen = inspected(theirs, "id-cert.pub")
    assert seen["Principals"] == ["alice", "alice@x.io"] and len(seen["Extensions"]) == 5
    theirs.step("ssh", "certificate", "kim", "kim", "--add-user", "--no-agent", *PLAIN,
                *by_password(ca))
    seen = inspected(theirs, "kim-provisioner-cert.pub")
    assert seen["CriticalOptions"]["force-command"].startswith("sudo useradd -m kim;")


def test_life_of_a_host_certificate(theirs, ca):
    theirs.step("ssh", "certificate", "web9.test", "hk", "--host", *PLAIN, *by_password(ca))
    assert theirs.step("ssh", "check-host", "WEB9.test", "-v").stdout.strip() == "true"
    assert theirs.step("ssh", "check-host", "web8.test", ok=None).returncode == 1
    assert "web9.test" in theirs.step("ssh", "hosts").stdout
    first = inspected(theirs, "hk-cert.pub")
    theirs.step("ssh", "renew", "--force", *POP, "hk-cert.pub", "hk")
    second = inspected(theirs, "hk-cert.pub")
    assert second["Serial"] != first["Serial"]
    assert second["KeyFingerprint"] == first["KeyFingerprint"]
    theirs.step("ssh", "rekey", "--force", *PLAIN, *POP, "hk-cert.pub", "hk")
    third = inspected(theirs, "hk-cert.pub")
    assert third["KeyFingerprint"] != first["KeyFingerprint"]
    assert third["Principals"] == ["web9.test"]
    theirs.step("ssh", "revoke", "--sshpop-cert", "hk-cert.pub", "--sshpop-key", "hk", *POP)
    theirs.step("ssh", "renew", "--force", *POP, "hk-cert.pub", "hk", ok=False)
    theirs.step("ssh", "revoke", str(second["Serial"]), *by_password(ca))


def test_login_and_logout(theirs, ca):
    agent = Agent(theirs.folder)
    env = agent.env
    try:
        theirs.step("ssh", "login", "alice", *by_password(ca), env=env)
        listed = theirs.step("ssh", "list", env=env).stdout
        assert "alice" in listed and "CERT" in listed
        theirs.step("ssh", "logout", "alice", env=env)
        assert "CERT" not in theirs.step("ssh", "list", env=env).stdout
    finally:
        agent.stop()


def test_configuration_of_both_sides(theirs, ca):
    theirs.step("ssh", "config", "--set", "User=alice")
    known = (theirs.path / "ssh/known_hosts").read_text()
    assert f"@cert-authority * {line_of(ca.keys['host'])}\n" in known
    assert "Match exec" in (theirs.path / "ssh/config").read_text()
    done = theirs.step("ssh", "config", "--host", "--set", "Certificate=hk-cert.pub", "--set",
                       "Key=hk", "--dry-run")
    assert "HostCertificate /etc/ssh/hk-cert.pub" in done.stdout + done.stderr
