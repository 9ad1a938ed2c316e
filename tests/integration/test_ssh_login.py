"""OpenSSH's own sshd, ssh, ssh-keygen and ssh-agent with certificates from us."""

import json
import re
import time

import pytest
from conftest import Ca
from machine import Machine, by_password, execute
from sshd_lab import Agent, Sshd, User

# A template that lets the requester set critical options: what an operator would not do, and a test
# wants.
TEMPLATE = """{
  "type": {{ toJson .Type }},
  "keyId": {{ toJson .KeyID }},
  "principals": {{ toJson .Principals }},
  "criticalOptions": {{ toJson .Insecure.User.critical }},
  "extensions": {{ toJson .Extensions }}
}"""


class Lab:
    """A CA, a host with sshd, a user with ssh."""

    def __init__(self, folder):
        self.user = User()
        self.ca = Ca(folder / "ca", ["--ssh"])

        def claims(config):
            ops = config["authority"]["provisioners"][0]
            ops["claims"].update({"minUserSSHCertDuration": "1s", "minHostSSHCertDuration": "1s"})
            custom = json.loads(json.dumps(ops))
            custom["name"] = "custom"
            custom["options"] = {"ssh": {"template": TEMPLATE}}
            config["authority"]["provisioners"].append(custom)

        self.ca.configure(claims)
        self.ca.start()
        self.client = Machine(folder / "client")
        self.client.bootstrap(self.ca)
        self.host = Machine(folder / "host")
        self.host.bootstrap(self.ca)
        self.user_ca = self.host.folder / "ca.pub"
        self.user_ca.write_text(self.host.step("ssh", "config", "--roots").stdout)
        keys = self.host.step("ssh", "config", "--host", "--roots").stdout
        self.known_hosts = self.client.folder / "known_hosts"
        self.known_hosts.write_text("".join(f"@cert-authority * {line}\n"
                                            for line in keys.splitlines()))
        self.host_key = self.host.folder / "hk"
        self.host_cert = self.host.folder / "hk-cert.pub"
        execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.host_key])
        self.host.step("ssh", "certificate", "--host", "--sign", "localhost",
                       f"{self.host_key}.pub", *by_password(self.ca))
        self.sshd = Sshd(self.host.folder / "sshd", f"HostKey {self.host_key}",
                         f"HostCertificate {self.host_cert}", f"TrustedUserCAKeys {self.user_ca}")
        self.sshd.start()

    def end(self):
        self.sshd.stop()
        self.ca.stop()
        self.user.remove()

    def certificate(self, name, *more, key_id=None, provisioner="ops"):
        """A user's certificate in files of that name."""
        self.client.step("ssh", "certificate", key_id or self.user.name, name, "--no-password",
                         "--insecure", "--no-agent", "--force", "--provisioner", provisioner,
                         "--provisioner-password-file", self.ca.password_file, *more)
        return self.client.folder / name

    def ssh(self, *command, identity=None, host="localhost", options=(), env=None, port=None):
        """(exit code, stdout, stderr) of ssh to the server; whatever ~/.ssh has is not looked at."""
        args = ["ssh", "-F", "none", "-p", str(port or self.sshd.port), "-o", "BatchMode=yes", "-o",
                f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null",
                "-o", "StrictHostKeyChecking=yes", "-v"]
        if identity:
            args += ["-o", "IdentitiesOnly=yes", "-i", str(identity), "-o",
                     f"CertificateFile={identity}-cert.pub"]
        for option in options:
            args += ["-o", option]
        environment = {**self.client.env, "SSH_AUTH_SOCK": "", **(env or {})}
        done = execute([*args, f"{self.user.name}@{host}", *command], ok=None, env=environment)
        return done.returncode, done.stdout, done.stderr

    def logs_in(self, **how):
        code, out, err = self.ssh("echo", "in", **how)
        assert code == 0 and out == "in\n", f"{code}\n{out}\n{err}\n{self.sshd.log()}"
        return err

    def refused(self, reason, **how):
        """ssh fails, and sshd says why."""
        before = len(self.sshd.log())
        code, out, _ = self.ssh("echo", "in", **how)
        assert code == 255 and out == ""
        said = self.sshd.log()[before:]
        assert re.search(reason, said), said

    def serial_served(self, **how):
        err = self.logs_in(**how)
        return int(re.search(r"Server host certificate: .* serial (\d+) ", err).group(1))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Lab(tmp_path_factory.mktemp("ssh"))
    yield made
    made.end()


def shown(path):
    return execute(["ssh-keygen", "-L", "-f", path]).stdout


def test_login_without_a_question(lab):
    identity = lab.certificate("id")
    lab.logs_in(identity=identity)
    text = shown(f"{identity}-cert.pub")
    assert "user certificate" in text and lab.user.name in text and "permit-pty" in text


@pytest.mark.parametrize("kind", [["--kty", "RSA"], ["--kty", "EC", "--curve", "P-384"],
                                  ["--kty", "EC", "--curve", "P-521"],
                                  ["--kty", "OKP", "--curve", "Ed25519"]])
def test_login_with_every_type_of_key(lab, kind):
    lab.logs_in(identity=lab.certificate("id-" + kind[-1], *kind))


def test_another_principal_is_refused(lab):
    identity = lab.certificate("other", key_id="someoneelse")
    lab.refused("name is not a listed principal", identity=identity)


def test_an_expired_certificate_is_refused(lab):
    identity = lab.certificate("short", "--not-after", "2s")
    time.sleep(3)
    lab.refused("Certificate invalid: expired", identity=identity)


def test_a_certificate_of_tomorrow_is_refused(lab):
    identity = lab.certificate("early", "--not-before", "30m", "--not-after", "60m")
    lab.refused("Certificate invalid: not yet valid", identity=identity)


def test_a_host_certificate_is_no_login(lab):
    execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", lab.client.folder / "hostid"])
    lab.client.step("ssh", "certificate", "--host", "--sign", lab.user.name, "hostid.pub",
                    *by_password(lab.ca))
    # ssh itself does not offer it, or sshd refuses it
    code, out, _ = lab.ssh("echo", "in", identity=lab.client.folder / "hostid")
    assert code == 255 and out == ""


def test_a_certificate_of_another_ca_is_refused(lab, tmp_path):
    for name in ("ca", "id"):
        execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name])
    execute(["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "x", "-n", lab.user.name,
             tmp_path / "id.pub"])
    code, _, _ = lab.ssh("true", identity=tmp_path / "id")
    assert code == 255


def test_a_host_by_another_name_is_not_believed(lab):
    identity = lab.certificate("id")
    code, _, err = lab.ssh("true", identity=identity, host="127.0.0.1")
    assert code == 255 and "Certificate invalid: name is not a listed principal" in err


def test_an_expired_host_certificate_is_not_believed(lab, tmp_path):
    execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "hk"])
    lab.host.step("ssh", "certificate", "--host", "--sign", "localhost", tmp_path / "hk.pub",
                  "--not-after", "2s", *by_password(lab.ca))
    sshd = Sshd(tmp_path / "sshd", f"HostKey {tmp_path / 'hk'}",
                f"HostCertificate {tmp_path / 'hk-cert.pub'}", f"TrustedUserCAKeys {lab.user_ca}")
    time.sleep(3)
    sshd.start()
    try:
        code, _, err = lab.ssh("true", identity=lab.certificate("id"), port=sshd.port)
        assert code == 255 and "Certificate invalid: expired" in err
    finally:
        sshd.stop()


def with_critical(lab, name, critical):
    data = lab.client.folder / f"{name}.json"
    data.write_text(json.dumps({"critical": critical}))
    return lab.certificate(name, "--set-file", data, provisioner="custom")


def test_force_command_is_obeyed(lab):
    identity = with_critical(lab, "forced", {"force-command": "echo forced"})
    code, out, err = lab.ssh("echo", "mine", identity=identity)
    assert (code, out) == (0, "forced\n"), err
    assert re.search(r"force-command echo forced", shown(f"{identity}-cert.pub"))


def test_source_address_is_obeyed(lab):
    good = with_critical(lab, "near", {"source-address": "127.0.0.0/8,::1/128"})
    lab.logs_in(identity=good)
    far = with_critical(lab, "far", {"source-address": "192.0.2.0/24"})
    lab.refused("not from a permitted host|from a permitted", identity=far)


def test_a_revoked_certificate_is_refused(lab, tmp_path):
    identity = lab.certificate("lost")
    krl = tmp_path / "revoked.krl"

    def fetch():
        reply = lab.ca.request("GET", "/ssh/krl")
        assert reply.status == 200
        krl.write_bytes(reply.body)

    fetch()
    sshd = Sshd(tmp_path / "sshd", f"HostKey {lab.host_key}", f"HostCertificate {lab.host_cert}",
                f"TrustedUserCAKeys {lab.user_ca}", f"RevokedKeys {krl}")
    sshd.start()
    try:
        lab.logs_in(identity=identity, port=sshd.port)
        serial = re.search(r"Serial: (\d+)", shown(f"{identity}-cert.pub")).group(1)
        lab.client.step("ssh", "revoke", serial, *by_password(lab.ca))
        lab.client.step("ssh", "revoke", serial, *by_password(lab.ca), ok=False)
        fetch()
        assert execute(["ssh-keygen", "-Q", "-f", krl, f"{identity}-cert.pub"],
                       ok=None).returncode == 1
        code, out, _ = lab.ssh("echo", "in", identity=identity, port=sshd.port)
        assert code == 255 and out == ""
        assert "revoked" in sshd.log()
        fresh = lab.certificate("found")
        lab.logs_in(identity=fresh, port=sshd.port)
        assert execute(["ssh-keygen", "-Q", "-f", krl, f"{fresh}-cert.pub"]).returncode == 0
    finally:
        sshd.stop()


def test_the_host_certificate_renews_itself(lab):
    identity = lab.certificate("id")
    before = lab.serial_served(identity=identity)
    lab.host.step("ssh", "renew", "--force", lab.host_cert, lab.host_key)
    lab.sshd.reload()
    after = lab.serial_served(identity=identity)
    assert before != after
    assert f"Serial: {after}" in shown(lab.host_cert)


def test_the_agent_holds_the_login_until_logout(lab, tmp_path):
    agent = Agent(tmp_path)
    try:
        lab.client.step("ssh", "login", lab.user.name, *by_password(lab.ca), env=agent.env)
        assert lab.user.name in agent.list(lab.client.env)
        lab.logs_in(env=agent.env)
        listed = lab.client.step("ssh", "list", env=agent.env).stdout
        assert lab.user.name in listed and "CERT" in listed
        lab.client.step("ssh", "logout", lab.user.name, env=agent.env)
        assert "cert-v01" not in agent.list(lab.client.env)
        assert lab.ssh("true", env=agent.env)[0] == 255
    finally:
        agent.stop()
