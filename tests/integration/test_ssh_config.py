"""The SSH half of a CA's configuration: `step ca init --ssh`, keys and their passwords, files for
`step ssh config`, what is published, and what keeps the server from starting."""

import base64
import itertools
import json
import os
import pty
import select
import signal
import time

import pytest
from conftest import PASSWORD, SLOW, STEP_CA, Ca, b64url
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from machine import Machine, execute, files_below, mode, wait_for
from test_reference_client import reference  # noqa: F401 (a fixture)
from test_start import (KEY_FORMATS, public_of, refused_start, run_config, setting, starts,
                        variant)

SSH_FILES = ["certs/ssh_host_ca_key.pub", "certs/ssh_user_ca_key.pub",
             "secrets/ssh_host_ca_key", "secrets/ssh_user_ca_key"]
TEMPLATES = [f"templates/ssh/{name}.tpl" for name in
             ("ca", "config", "known_hosts", "sshd_config", "step_config", "step_includes")]
USUAL = ["--name", "X", "--dns", "ca.lan", "--address", ":8443", "--provisioner", "ops",
         "--password-file", "p"]


def openssh(key):
    return key.public_bytes(serialization.Encoding.OpenSSH,
                            serialization.PublicFormat.OpenSSH).decode()


def jwk(key):
    numbers = key.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64url(numbers.x.to_bytes(32, "big")),
            "y": b64url(numbers.y.to_bytes(32, "big"))}


def new_key():
    return ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "m")
    (made.folder / "p").write_text(PASSWORD + "\n")
    return made


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """Never started from its own file: tests start variants of it."""
    return Ca(tmp_path_factory.mktemp("idle"), ["--ssh"])


def configured(ca, kind, data=None):
    """The files of /ssh/config as {name: (type, path, content)}."""
    reply = ca.request("POST", "/ssh/config", {"type": kind, "data": data} if data is not None
                       else {"type": kind})
    assert reply.status == 200, reply.body
    files = reply.json().get(f"{kind}Templates", [])
    return {f["name"]: (f["type"], f["path"],
                        None if f["content"] is None else base64.b64decode(f["content"]).decode())
            for f in files}


def roots(ca):
    """(hosts, users) as lines without comments."""
    reply = ca.request("GET", "/ssh/roots")
    if reply.status == 404:
        return [], []

    def lines(name):
        out = []
        for blob in reply.json().get(name, []):
            size = int.from_bytes(base64.b64decode(blob)[:4], "big")
            out.append(f"{base64.b64decode(blob)[4:4 + size].decode()} {blob}")
        return out
    return lines("hostKey"), lines("userKey")


# --- init -------------------------------------------------------------------------------------------


def test_init_makes_keys_and_files(machine):
    said = machine.step("ca", "init", "--ssh", *USUAL, preexec_fn=lambda: os.umask(0o022))
    below = files_below(machine.path)
    assert [f for f in below if "ssh" in f] == sorted(SSH_FILES + TEMPLATES)
    for name in SSH_FILES:
        assert mode(machine.path / name) == 0o600, name
    for name in TEMPLATES:
        assert mode(machine.path / name) == 0o644, name
    assert mode(machine.path / "templates/ssh") == 0o700
    for label in ("SSH user public key", "SSH user private key", "SSH host public key",
                  "SSH host private key", "Templates folder"):
        assert f"✔ {label}: " in said.stderr
    seen = set()
    for kind in ("host", "user"):
        secret = machine.path / f"secrets/ssh_{kind}_ca_key"
        key = serialization.load_pem_private_key(secret.read_bytes(), PASSWORD.encode())
        assert key.curve.name == "secp256r1"
        line = (machine.path / f"certs/ssh_{kind}_ca_key.pub").read_text()
        assert line == openssh(key.public_key()) + "\n"
        execute(["ssh-keygen", "-l", "-f", machine.path / f"certs/ssh_{kind}_ca_key.pub"])
        seen.add(line)
    assert len(seen) == 2


def test_the_configuration_that_init_writes(machine):
    machine.step("ca", "init", "--ssh", "--acme", *USUAL)
    config = json.loads((machine.path / "config/ca.json").read_text())
    assert list(config) == ["root", "federatedRoots", "crt", "key", "address", "insecureAddress",
                            "dnsNames", "ssh", "logger", "db", "authority", "tls", "templates"]
    base = machine.path
    assert config["ssh"] == {"hostKey": f"{base}/secrets/ssh_host_ca_key",
                             "userKey": f"{base}/secrets/ssh_user_ca_key"}
    jwk_entry, acme, pop = config["authority"]["provisioners"]
    assert jwk_entry["claims"] == {"enableSSHCA": True}
    assert acme == {"type": "ACME", "name": "acme"}
    assert pop == {"type": "SSHPOP", "name": "sshpop", "claims": {"enableSSHCA": True}}
    assert list(config["templates"]) == ["ssh"]
    entries = config["templates"]["ssh"]
    assert [(e["name"], e["type"], e["path"]) for e in entries["user"]] == [
        ("config.tpl", "snippet", "~/.ssh/config"),
        ("step_includes.tpl", "prepend-line", "${STEPPATH}/ssh/includes"),
        ("step_config.tpl", "file", "ssh/config"),
        ("known_hosts.tpl", "file", "ssh/known_hosts")]
    assert [(e["name"], e["type"], e["path"], e.get("requires")) for e in entries["host"]] == [
        ("sshd_config.tpl", "snippet", "/etc/ssh/sshd_config", ["Certificate", "Key"]),
        ("ca.tpl", "snippet", "/etc/ssh/ca.pub", None)]
    for e in entries["user"] + entries["host"]:
        assert e["comment"] == "#" and e["template"] == f"templates/ssh/{e['name']}"


def test_init_in_other_ways(machine, tmp_path):
    # A provisioner that has the name already.
    args = [*USUAL[:-4], "--provisioner", "sshpop", "--password-file", "p"]
    machine.step("ca", "init", "--ssh", *args)
    names = [p["name"] for p in json.loads((machine.path / "config/ca.json").read_text())
             ["authority"]["provisioners"]]
    assert names == ["sshpop", "sshpop-1"]
    # Every file that is there already is asked about, and nobody is here to answer.
    other = Machine(tmp_path / "other")
    (other.folder / "p").write_text(PASSWORD)
    (other.path / "templates/ssh").mkdir(parents=True)
    (other.path / "templates/ssh/ca.tpl").write_text("mine")
    done = other.step("ca", "init", "--ssh", *USUAL, ok=False)
    assert "ca.tpl" in done.stderr
    assert files_below(other.path) == ["templates/ssh/ca.tpl"]
    # Keys only.
    other.step("ca", "init", "--ssh", "--pki", "--force", *USUAL)
    assert [f for f in files_below(other.path) if "ssh" in f] == SSH_FILES + [TEMPLATES[0]]
    assert (other.path / "templates/ssh/ca.tpl").read_text() == "mine"


def test_init_in_a_context(machine):
    machine.step("ca", "init", "--ssh", "--context", "c", *USUAL)
    base = machine.path / "authorities/c"
    assert sorted(TEMPLATES) == [f for f in files_below(base) if f.startswith("templates")]
    done = machine.step("context", "current")
    assert done.stdout.strip() == "c"
    done = execute([STEP_CA, "export", base / "config/ca.json", "--password-file", "p",
                    "--context", "c"], env=machine.env, cwd=machine.folder)
    assert "templates/ssh/ca.tpl" in json.loads(done.stdout)["files"]


def test_the_reference_reads_our_keys(reference, machine):  # noqa: F811
    machine.step("ca", "init", "--ssh", *USUAL)
    for kind in ("host", "user"):
        line = (machine.path / f"certs/ssh_{kind}_ca_key.pub").read_text()
        plain = execute([reference, "crypto", "key", "format", "--pem", "--password-file", "p",
                         "--no-password", "--insecure",
                         machine.path / f"secrets/ssh_{kind}_ca_key"],
                        env=machine.env, cwd=machine.folder).stdout
        key = serialization.load_pem_private_key(plain.encode(), None)
        assert openssh(key.public_key()) + "\n" == line


# --- Start ------------------------------------------------------------------------------------------


def test_the_keys_are_printed_and_published(make_ca):
    ca = make_ca("--ssh").start()
    lines = {kind: (ca.path / f"certs/ssh_{kind}_ca_key.pub").read_text().strip()
             for kind in ("host", "user")}
    log = ca.log()
    assert f"SSH Host CA Key: {lines['host']}\n" in log
    assert f"SSH User CA Key: {lines['user']}\n" in log
    assert log.index("X.509 Root Fingerprint") < log.index("SSH Host CA Key") < log.index(
        "SSH User CA Key") < log.index("Serving HTTPS")
    assert roots(ca) == ([lines["host"]], [lines["user"]])
    assert "WARNING" not in log
    ca.stop()
    ca.log_path.unlink()
    ca.start("--quiet")
    assert "SSH" not in ca.log()


REFUSED = [
    ("ssh.hostKey", "/nowhere/key", ["ssh.hostKey", "/nowhere/key"]),
    ("ssh.userKey", "/nowhere/key", ["ssh.userKey", "/nowhere/key"]),
    ("ssh.userKey", "/etc", ["ssh.userKey", "/etc"]),
    ("ssh.hostKey", "softkms:path=/nowhere/k", ["ssh.hostKey", "/nowhere/k"]),
    ("ssh.userKey", "yubikey:slot-id=9c?pin-value=1234", ["ssh.userKey", '"yubikey"']),
    ("ssh.hostKey", 5, ["variant.json", "ssh.hostKey"]),
    ("ssh", [], ["ssh"]),
    ("ssh.keys", [{"type": "hosts", "key": {}}], ["variant.json:", "ssh.keys[0].type", "hosts"]),
    ("ssh.keys", [{"type": "host", "key": {}}], ["variant.json:", "ssh.keys[0].key"]),
    ("ssh.keys", [{"type": "host", "key": {"kty": "oct", "k": "AAAA"}}], ["ssh.keys[0].key"]),
    ("templates.data", {"User": 1}, ["variant.json:", "templates.data.User"]),
    ("templates.ssh.user", [{"name": "", "type": "file", "path": "p", "template": "t"}],
     ["variant.json:", "templates.ssh.user[0].name"]),
    ("templates.ssh.user", [{"name": "n", "type": "x", "path": "p", "template": "t"}],
     ["variant.json:", "templates.ssh.user[0].type", '"x"']),
    ("templates.ssh.host", [{"name": "n", "type": "file", "path": "p"}],
     ["variant.json:", "templates.ssh.host[0]", "template"]),
    ("templates.ssh.host", [{"name": "n", "type": "file", "path": "p", "template": "nowhere.tpl"}],
     ["variant.json:", "templates.ssh.host[0].template", "/step/nowhere.tpl"]),
    ("templates.ssh.host", [{"name": "n", "type": "file", "path": "p", "template": "config"}],
     ["templates.ssh.host[0].template", "not a regular file"]),
]


@pytest.mark.parametrize("path, value, words", REFUSED,
                         ids=[f"{i}-{r[0]}" for i, r in enumerate(REFUSED)])
def test_a_wrong_value_is_fatal_and_named(idle, tmp_path, path, value, words):
    refused_start(idle, setting(path, value), tmp_path, *words)


@pytest.mark.parametrize("source, word", [
    ("{{ if }}", ":1:"), ("line\n{{ .Step", ":2"), ("{{ env \"HOME\" }}", "env"),
    ("{{ unknown }}", "unknown")])
def test_a_broken_template_is_fatal(idle, tmp_path, source, word):
    (tmp_path / "t.tpl").write_text(source)
    entry = [{"name": "n", "type": "file", "path": "p", "template": str(tmp_path / "t.tpl")}]
    line = refused_start(idle, setting("templates.ssh.user", entry), tmp_path,
                         "templates.ssh.user[0].template", "t.tpl", word)
    assert "variant.json:" in line

    def without_ssh(config):
        del config["ssh"]
        config["templates"] = {"ssh": {"user": entry}}
    refused_start(idle, without_ssh, tmp_path, "templates.ssh.user[0].template")


def test_a_private_key_among_the_published_is_refused(idle, tmp_path):
    entry = [{"type": "user", "key": dict(jwk(new_key()), d="AAAA")}]
    line = refused_start(idle, setting("ssh.keys", entry), tmp_path, "ssh.keys[0].key")
    assert "AAAA" not in line
    wrong = x25519.X25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    entry = [{"type": "user", "key": {"kty": "OKP", "crv": "X25519", "x": b64url(wrong)}}]
    refused_start(idle, setting("ssh.keys", entry), tmp_path, "ssh.keys[0].key")


def test_what_an_operator_should_know(idle, tmp_path):
    log = starts(idle, setting("ssh.hostKey", idle.config()["ssh"]["userKey"]), tmp_path,
                 "ssh.hostKey and ssh.userKey are the same key")
    assert "enableSSHCA" not in log

    def nobody(config):
        config["authority"]["provisioners"][0]["claims"] = {}
    starts(idle, nobody, tmp_path, "no provisioner has enableSSHCA")

    def everybody(config):
        nobody(config)
        config["authority"]["claims"] = {"enableSSHCA": True}
    assert "WARNING" not in starts(idle, everybody, tmp_path)
    assert "WARNING" not in starts(idle, setting("ssh", {}), tmp_path)


# --- Keys and their passwords -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """Its own key has another password than those of the tests."""
    return Ca(tmp_path_factory.mktemp("keyed"), password="of the issuing key")


@pytest.mark.parametrize("name", [n for n in KEY_FORMATS if n != "pkcs1-des"])
def test_every_key_format(keyed, tmp_path, name):
    """As host and as user key: what is encrypted opens with the password of the flag."""
    make, mark = KEY_FORMATS[name]
    path = tmp_path / "key"
    make(path)
    assert mark in path.read_text(errors="replace")
    (tmp_path / "own").write_text(PASSWORD + "\n")
    keyed.configure(lambda c: c.update(ssh={"hostKey": str(path), "userKey": f"softkms:{path}"}))
    keyed.start("--ssh-host-password-file", tmp_path / "own",
                "--ssh-user-password-file", tmp_path / "own")
    try:
        line = openssh(public_of(path))
        assert roots(keyed) == ([line], [line])
    finally:
        keyed.stop()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """Three keys with three passwords."""
    ca = Ca(tmp_path_factory.mktemp("sealed"), ["--ssh"])
    for kind in ("host", "user"):
        (ca.folder / kind).write_text(f"of the {kind} key\n")
        execute(["openssl", "ec", "-in", ca.path / f"secrets/ssh_{kind}_ca_key", "-passin",
                 f"pass:{PASSWORD}", "-aes256", "-passout", f"pass:of the {kind} key", "-out",
                 ca.folder / f"{kind}.key"])

    def change(c):
        c["ssh"] = {f"{kind}Key": str(ca.folder / f"{kind}.key") for kind in ("host", "user")}
        c["address"] = "127.0.0.1:0"
    ca.configure(change)
    return ca


@pytest.mark.parametrize("args, words", [
    (["password", None, "user"], ["ssh.hostKey", "host.key", "password incorrect"]),
    (["password", "host", None], ["ssh.userKey", "user.key", "password incorrect"]),
    (["password", "user", "user"], ["ssh.hostKey", "password incorrect"]),
    (["password", "nowhere", "user"], ["--ssh-host-password-file", "nowhere"]),
    (["password", "host", "nowhere"], ["--ssh-user-password-file", "nowhere"]),
    ([None, "host", "user"], ["intermediate_ca_key", "cannot allocate a terminal"]),
])
def test_a_wrong_or_missing_password_is_fatal(sealed, args, words):
    flags = ["--password-file", "--ssh-host-password-file", "--ssh-user-password-file"]
    given = [(flag, sealed.folder / name) for flag, name in zip(flags, args) if name]
    done = run_config(sealed, sealed.config_path, *itertools.chain(*given))
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    for word in words:
        assert word in last, (word, last)


def on_terminal(ca, answers, *args):
    """Starts on a terminal and answers each question in turn: (exit code, what it showed)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(STEP_CA, [STEP_CA, str(ca.config_path), *map(str, args)], ca.env)
    shown, answers, ended = "", list(answers), False
    while select.select([master], [], [], 30 * SLOW)[0]:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece.decode()
        if answers and shown.rstrip(" ").endswith(":") and "password to decrypt" in \
                shown.splitlines()[-1]:
            time.sleep(0.05)
            os.write(master, answers.pop(0).encode() + b"\n")
        if not ended and "Serving HTTPS" in shown:
            ended = True
            os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return os.waitstatus_to_exitcode(status), shown


def test_each_key_is_asked_for_by_name(sealed):
    code, shown = on_terminal(sealed, [PASSWORD, "of the host key", "of the user key"])
    assert code == 0, shown
    asked = [line for line in shown.splitlines() if "Please enter" in line]
    assert [("intermediate_ca_key" in asked[0]), ("host.key" in asked[1]),
            ("user.key" in asked[2])] == [True] * 3 and len(asked) == 3
    code, shown = on_terminal(sealed, [PASSWORD, "wrong"])
    assert code == 2 and shown.count("Please enter") == 2 and "ssh.hostKey" in shown
    code, shown = on_terminal(sealed, [PASSWORD, "of the user key"],
                              "--ssh-host-password-file", sealed.folder / "host")
    assert code == 0 and shown.count("Please enter") == 2


def test_a_reload_takes_new_keys_with_the_same_passwords(make_ca, tmp_path):
    ca = make_ca("--ssh")
    (tmp_path / "own").write_text("own\n")
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "new").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"own")))
    old = (ca.path / "certs/ssh_host_ca_key.pub").read_text().strip()
    own = ca.folder / "own"
    own.write_text(PASSWORD)
    ca.start("--ssh-host-password-file", own)
    assert roots(ca)[0] == [old]
    ca.configure(setting("ssh.hostKey", str(tmp_path / "new")))
    assert not ca.reload()  # the password of the old key
    assert roots(ca)[0] == [old]
    own.write_text("own")
    former = serialization.load_ssh_public_key(old.encode())
    ca.configure(setting("ssh.keys", [{"type": "host", "key": jwk(former)}]))
    assert ca.reload()
    assert roots(ca)[0] == [openssh(key.public_key()), old]
    ca.configure(lambda c: c.pop("ssh"))
    assert ca.reload()
    assert roots(ca) == ([], [])
    assert ca.request("POST", "/ssh/config", {}).status == 404


def test_keys_that_are_only_published(make_ca):
    ca = make_ca("--ssh")
    one, two, three = new_key(), new_key(), new_key()
    ca.configure(setting("ssh.keys", [
        {"type": "host", "key": jwk(one)}, {"type": "host", "federated": True, "key": jwk(two)},
        {"type": "user", "federated": True, "key": jwk(three)}]))
    ca.start()
    host = (ca.path / "certs/ssh_host_ca_key.pub").read_text().strip()
    user = (ca.path / "certs/ssh_user_ca_key.pub").read_text().strip()
    assert roots(ca) == ([host, openssh(one)], [user])
    reply = ca.request("GET", "/ssh/federation").json()
    assert reply == {"userKey": [user.split()[1], openssh(three).split()[1]],
                     "hostKey": [host.split()[1], openssh(two).split()[1]]}
    files = configured(ca, "user", {"StepPath": "/p"})
    assert files["known_hosts.tpl"][2] == "".join(
        f"@cert-authority * {line}\n" for line in (host, openssh(two)))
    files = configured(ca, "host", {"Certificate": "c", "Key": "k"})
    assert files["ca.tpl"][2] == f"{user}\n{openssh(three)}\n"


# --- Files ------------------------------------------------------------------------------------------


def requests():
    paths = [None, "", "/home/u/.step", "C:\\Users\\x\\.step"]
    more = [{}, {"Context": "c"}, {"Console": "true"}, {"Provisioner": "p q", "User": "u"},
            {"Context": "", "Console": "", "User": "", "StepSSHTemplateVersion": "v2"},
            {"Context": "a", "Console": "true", "Provisioner": "p", "User": "x"}]
    for system, path, base, extra in itertools.product(("linux", "windows", None), paths, paths,
                                                       more):
        known = {"GOOS": system, "StepPath": path, "StepBasePath": base}
        data = {k: v for k, v in known.items() if v is not None}
        if system != "windows" or path is not None:
            yield {**data, **extra}


def test_the_built_in_files_are_those_of_the_reference(reference, make_ca, tmp_path):  # noqa: F811
    """The template files that the original `step ca init --ssh` writes, run by our server, give
    the bytes that the built-in ones give, and so do the files of our own init."""
    theirs = Machine(tmp_path / "theirs", reference)
    (theirs.folder / "p").write_text(PASSWORD)
    theirs.step("ca", "init", "--ssh", "--deployment-type", "standalone", *USUAL)
    ca = make_ca("--ssh").start()
    own = ca.config()["templates"]

    def answers(step=9):
        made = [configured(ca, "user", data) for data in list(requests())[::step]]
        made.append(configured(ca, "host", {"Certificate": "c", "Key": "k"}))
        made += [ca.request("POST", "/ssh/config", {"type": "host", "data": data}).body
                 for data in ({}, {"Key": "k"})]
        made.append(configured(ca, "user"))
        return made

    for federated in (False, True):
        keys = [{"type": t, "federated": federated, "key": jwk(new_key())}
                for t in ("host", "user")]
        results = []
        for templates in (None, own, {"ssh": {
                kind: [dict(e, template=str(theirs.path / e["template"])) for e in entries]
                for kind, entries in json.loads(
                    (theirs.path / "config/ca.json").read_text())["templates"]["ssh"].items()}}):
            def change(c):
                c["ssh"]["keys"] = keys
                c.pop("templates", None)
                if templates:
                    c["templates"] = templates
            ca.configure(change)
            assert ca.reload(), ca.log()
            results.append(answers(1 if federated else 9))
        assert results[0] == results[1] == results[2]


def test_the_engine_of_the_reference_agrees(reference, make_ca):  # noqa: F811
    """Its client without a server renders our template files and its own built-in ones, and both
    times what our server answers stands there."""
    ca = make_ca("--ssh")
    ca.configure(setting("ssh.keys", [{"type": "host", "federated": True, "key": jwk(new_key())}]))
    ca.start()
    whole = ca.config()
    del whole["db"]
    whole["password"] = PASSWORD
    bare = {k: v for k, v in whole.items() if k != "templates"}
    for number, data in enumerate(list(requests())[5::41]):
        data = {"GOOS": "", "StepPath": "", "StepBasePath": "", "User": "", **data}
        answers = configured(ca, "user", {**data, "StepSSHTemplateVersion": "v2"})
        assert len(answers) == 4
        for config in (whole, bare):
            (ca.folder / "theirs.json").write_text(json.dumps(config))
            said = execute([reference, "ssh", "config", "--offline", "--ca-config",
                            ca.folder / "theirs.json", "--dry-run", *itertools.chain(*(
                                ("--set", f"{k}={v}") for k, v in data.items()))],
                           env=ca.env, cwd=ca.folder)
            for name, (_, _, content) in answers.items():
                assert f"\n{content}\n" in said.stdout + said.stderr, (number, name)


def test_a_ca_of_the_reference_is_taken_over(reference, make_ca, tmp_path):  # noqa: F811
    """Keys in its old encryption, its templates, its configuration."""
    theirs = Machine(tmp_path / "theirs", reference)
    (theirs.folder / "p").write_text(PASSWORD)
    theirs.step("ca", "init", "--ssh", "--deployment-type", "standalone", *USUAL)
    assert "DEK-Info" in (theirs.path / "secrets/ssh_host_ca_key").read_text()
    ca = make_ca()
    port = ca.config()["address"]
    ca.env["STEPPATH"] = str(theirs.path)
    ca.config_path = theirs.path / "config/ca.json"
    ca.root_path = theirs.path / "certs/root_ca.crt"
    ca.configure(lambda c: c.update(address=port, dnsNames=["localhost"]))
    ca.start()
    line = (theirs.path / "certs/ssh_host_ca_key.pub").read_text().strip()
    assert roots(ca)[0] == [line]
    files = configured(ca, "user", {"StepPath": "/p"})
    assert files["known_hosts.tpl"] == ("file", "ssh/known_hosts", f"@cert-authority * {line}\n")
    assert "WARNING" not in ca.log()


def test_own_files_are_read_anew_for_each_request(make_ca):
    ca = make_ca("--ssh")
    template = ca.path / "templates/ssh/motd.tpl"
    template.write_text("{{ .Domain | upper }} {{ .User.Team }}\n")

    def change(c):
        c["templates"]["ssh"]["user"] = [
            {"name": "motd", "type": "file", "path": "ssh/motd",
             "template": "templates/ssh/motd.tpl"},
            {"name": "keys", "type": "directory", "path": "ssh/keys"}]
        c["templates"]["data"] = {"Domain": "corp.test", "List": [1, {"a": None}]}
    ca.configure(change)
    ca.start()
    files = configured(ca, "user", {"Team": "blue"})
    assert files == {"motd": ("file", "ssh/motd", "CORP.TEST blue\n"),
                     "keys": ("directory", "ssh/keys", None)}
    template.write_text("{{ index .List 0 }}")
    assert configured(ca, "user")["motd"][2] == "1"
    template.write_text("{{ end }}")
    reply = ca.request("POST", "/ssh/config", {"type": "user"})
    assert reply.status == 500 and b"motd" not in reply.body
    wait_for("the cause in the log", lambda: "motd" in ca.log())
    assert not ca.reload()
    template.write_text("good again")
    assert configured(ca, "user")["motd"][2] == "good again"
    assert ca.reload()


def test_missing_values_show_the_whole_command(make_ca):
    ca = make_ca("--ssh").start()
    reply = ca.request("POST", "/ssh/config", {"type": "host", "data": {"Key": "hk"}})
    assert reply.status == 400
    assert "step ssh config --host --set Certificate=VALUE --set Key=hk" in reply.json()["message"]
    reply = ca.request("POST", "/ssh/config",
                       {"type": "host", "data": {"Key": "hk\nPermitRootLogin yes",
                                                 "Certificate": "c"}})
    assert reply.status == 400 and "control character" in reply.json()["message"]


def test_rewriting_keeps_ssh_and_templates(idle, tmp_path):
    path = variant(idle, setting("ssh.bastion", {"hostname": "b", "port": "22"}), tmp_path)
    before = json.loads(path.read_text())
    before["ssh"]["own"] = 1
    path.write_text(json.dumps(before))
    idle.step("ca", "provisioner", "add", "pop", "--type", "SSHPOP", "--ca-config", path)
    after = json.loads(path.read_text())
    assert after["ssh"] == before["ssh"] and after["templates"] == before["templates"]
    assert after["authority"]["provisioners"][-1] == {
        "type": "SSHPOP", "name": "pop", "claims": {
            "enableSSHCA": True, "disableRenewal": False, "allowRenewalAfterExpiry": False,
            "disableSmallstepExtensions": False}}


def test_export_has_the_ssh_part(idle):
    export = json.loads(idle.run([STEP_CA, "export", idle.config_path, "--password-file",
                                  idle.password_file]).stdout)
    assert export["ssh"] == {"hostKey": "secrets/ssh_host_ca_key",
                             "userKey": "secrets/ssh_user_ca_key"}
    assert [f["type"] for f in export["templates"]["ssh"]["users"]] == [
        "SNIPPET", "PREPEND_LINE", "FILE", "FILE"]
    assert export["templates"]["ssh"]["hosts"][0]["requires"] == ["Certificate", "Key"]
    for name in ["secrets/ssh_host_ca_key", "secrets/ssh_user_ca_key", *TEMPLATES]:
        assert base64.b64decode(export["files"][name]) == (idle.path / name).read_bytes()


# --- Provisioners -----------------------------------------------------------------------------------


def test_flags_of_provisioners(idle, tmp_path):
    path = variant(idle, lambda c: None, tmp_path)
    template = tmp_path / "t.tpl"
    template.write_text(' {"type": {{ toJson .Type }}, "keyId": "k", "principals": []}\n')
    (tmp_path / "d.json").write_text('{"Team": "blue"}')

    def update(*args, ok=True):
        return idle.step("ca", "provisioner", "update", "ops", *args, "--ca-config", path, ok=ok)

    def ops():
        return json.loads(path.read_text())["authority"]["provisioners"][0]

    update("--ssh=false", "--ssh-user-default-dur", "1h", "--ssh-user-max-dur", "2h",
           "--ssh-user-min-dur", "1m", "--ssh-host-default-dur", "10h", "--ssh-host-max-dur", "20h",
           "--ssh-host-min-dur", "2m", "--ssh-template", template, "--ssh-template-data",
           tmp_path / "d.json")
    claims = ops()["claims"]
    assert claims["enableSSHCA"] is False
    assert {k: v for k, v in claims.items() if "SSHCert" in k} == {
        "minUserSSHCertDuration": "1m0s", "maxUserSSHCertDuration": "2h0m0s",
        "defaultUserSSHCertDuration": "1h0m0s", "minHostSSHCertDuration": "2m0s",
        "maxHostSSHCertDuration": "20h0m0s", "defaultHostSSHCertDuration": "10h0m0s"}
    assert ops()["options"]["ssh"] == {"template": template.read_text().strip(),
                                       "templateData": {"Team": "blue"}}
    update("--ssh", "--ssh-template", "", "--ssh-template-data", "")
    assert ops()["claims"]["enableSSHCA"] is True and ops()["options"]["ssh"] == {}
    before = path.read_text()
    template.write_text("{{ if }}")
    assert "t.tpl" in update("--ssh-template", template, ok=False).stderr
    done = idle.step("ca", "provisioner", "update", "sshpop", "--ssh-template", template,
                     "--ca-config", path, ok=False)
    assert "--ssh-template" in done.stderr and "SSHPOP" in done.stderr
    assert path.read_text() == before
