"""The SSH certificate authority as a whole: under load, killed, on a database of the reference, with
policies, webhooks and templates of the operator, and with RSA keys before a real sshd."""

import base64
import concurrent.futures
import hashlib
import json
import os
import threading
import time
from http.client import HTTPException, HTTPSConnection

import pytest
from conftest import SLOW, STEP, b64url, make_cert, make_csr, sign_jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from machine import Machine, by_password, execute
from sshd_lab import Agent, Sshd, User
from test_legacy_databases import content, db, serve_on, type_of, unpack, write_badger
from test_ssh_api import (FIVE, Cert, SshCa, another, b64, blob_of, line_of,  # noqa: F401
                          pem_of, revoke)
from test_webhooks import hook_of, webhook

# --- A real sshd ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def user():
    made = User()
    yield made
    made.remove()


def known_hosts(ca, path):
    keys = ca.request("GET", "/ssh/roots").json()["hostKey"]
    path.write_text("".join(f"@cert-authority * ssh-rsa {key}\n" for key in keys[:1]))
    return path


def certify(ca, path, name, kind):
    """An Ed25519 key of ssh-keygen's with a certificate beside it."""
    execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path])
    blob = path.with_suffix(".pub").read_text().split()[1]
    cert = ca.certificate({"certType": kind, "principals": [name]}, publicKey=blob)
    line = path.with_name(f"{path.name}-cert.pub")
    line.write_text(f"{cert.name} {b64(cert.blob)}\n")
    return line, cert


def test_a_login_with_rsa_keys_of_the_ca(tmp_path, user):
    """OpenSSH as it comes takes no SHA-1; neither side is told which algorithms to use."""
    ca = SshCa(tmp_path / "ca")
    keys = {"user": rsa.generate_private_key(65537, 2048),
            "host": rsa.generate_private_key(65537, 4096)}
    for name, key in keys.items():
        (ca.folder / name).write_text(pem_of(key))
    ca.start()
    host_line, host = certify(ca, tmp_path / "hk", "localhost", "host")
    line, cert = certify(ca, tmp_path / "id", user.name, "user")
    for one, name in ((cert, "user"), (host, "host")):
        assert one.ca == blob_of(keys[name]) and one.algorithm == "rsa-sha2-256"
        assert "(using rsa-sha2-256)" in one.keygen(tmp_path)
    (tmp_path / "ca.pub").write_text(line_of(keys["user"]) + "\n")
    sshd = Sshd(tmp_path / "sshd", f"HostKey {tmp_path / 'hk'}", f"HostCertificate {host_line}",
                f"TrustedUserCAKeys {tmp_path / 'ca.pub'}").start()

    def ssh(name):
        return execute(["ssh", "-F", "none", "-p", str(sshd.port), "-o", "BatchMode=yes",
                        "-o", f"UserKnownHostsFile={known_hosts(ca, tmp_path / 'known')}",
                        "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes",
                        "-o", "IdentitiesOnly=yes", "-i", tmp_path / "id",
                        "-o", f"CertificateFile={line}", f"{name}@localhost", "echo", "in"],
                       ok=None, env={**ca.env, "SSH_AUTH_SOCK": ""})

    try:
        done = ssh(user.name)
        assert (done.returncode, done.stdout) == (0, "in\n"), done.stderr + sshd.log()
        assert ssh("nobody").returncode == 255
    finally:
        sshd.stop()
        ca.end()


def test_one_word_is_enough_after_step_ssh_config(make_ca, tmp_path, user):
    """ssh asks check-host whether the host is ours, goes through proxycommand, and believes the
    host by the file of keys; no option of ssh's says so."""
    ca = make_ca("--ssh").start()
    client, agent, programs = Machine(tmp_path / "client"), Agent(tmp_path), tmp_path / "programs"
    programs.mkdir()
    (programs / "step").symlink_to(STEP)
    env = {**client.env, **agent.env, "PATH": f"{programs}:{os.environ['PATH']}"}
    client.bootstrap(ca)
    client.step("ssh", "certificate", "--host", "localhost", "hk", "--no-password", "--insecure",
                "--no-agent", *by_password(ca))
    (tmp_path / "ca.pub").write_text(client.step("ssh", "config", "--roots").stdout)
    sshd = Sshd(tmp_path / "sshd", f"HostKey {client.folder / 'hk'}",
                f"HostCertificate {client.folder / 'hk-cert.pub'}",
                f"TrustedUserCAKeys {tmp_path / 'ca.pub'}").start()

    def ssh(host):
        return execute(["ssh", "-F", client.folder / ".ssh/config", "-o", "BatchMode=yes",
                        "-p", str(sshd.port), host, "echo", "in"], ok=None, env=env)

    try:
        client.step("ssh", "login", user.name, *by_password(ca), env=agent.env)
        client.step("ssh", "config", env=agent.env)
        done = ssh("localhost")
        assert (done.returncode, done.stdout) == (0, "in\n"), done.stderr + sshd.log()
        # a host that is none of ours has no key that could be believed
        assert ssh("127.0.0.1").returncode == 255
    finally:
        sshd.stop()
        agent.stop()


# --- Load and faults --------------------------------------------------------------------------------

CERTIFICATES, THREADS = 1000, 16


def in_parallel(ca, bodies, after=lambda number: None, path="/ssh/sign"):
    """Sends all of them over a few connections: the answers by number, without those that a broken
    connection cost."""
    jobs, done, lock = list(enumerate(bodies)), {}, threading.Lock()

    def work():
        connection = HTTPSConnection("localhost", ca.port, context=ca.tls(), timeout=60 * SLOW)
        while True:
            with lock:
                if not jobs:
                    return
                number, body = jobs.pop()
            try:
                connection.request("POST", path, json.dumps(body))
                response = connection.getresponse()
                reply = response.status, json.loads(response.read())
            except (OSError, HTTPException, ValueError):
                return
            with lock:
                done[number] = reply
                after(len(done))

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(work) for _ in range(THREADS)]:
            one.result()
    return done


def hosts_asked_for(ca, count):
    """Bodies for hosts of one key, each with a name of its own and one that all have."""
    key = b64(blob_of(ec.generate_private_key(ec.SECP256R1())))
    return [{"publicKey": key, "ott": ca.ssh_token(
        {"certType": "host", "principals": [f"many{n}.test", "shared.test"]})}
        for n in range(count)]


def stored(ca):
    """Serial number -> blob, by the database's own command."""
    rows = json.loads(db("dump", "--config", ca.config_path).stdout)["tables"]["ssh_certs"]
    return {base64.b64decode(r["k"]).decode(): base64.b64decode(r["v"]) for r in rows}


def hosts(ca):
    return {h["hostname"] for h in ca.request("GET", "/ssh/hosts").json()["hosts"]}


def test_a_thousand_at_once_lose_nothing(another):  # noqa: F811
    """Serial numbers differ, and every certificate and every host is known afterwards."""
    ca = another()
    replies = in_parallel(ca, hosts_asked_for(ca, CERTIFICATES))
    assert len(replies) == CERTIFICATES and {status for status, _ in replies.values()} == {201}
    certs = [Cert(body["crt"]) for _, body in replies.values()]
    assert len({c.serial for c in certs}) == len({c.nonce for c in certs}) == CERTIFICATES
    assert hosts(ca) == {"shared.test", *(f"many{n}.test" for n in range(CERTIFICATES))}
    assert stored(ca) == {str(c.serial): c.blob for c in certs}
    listed = json.loads(db("list", "--config", ca.config_path, "--ssh", "--format=json").stdout)
    assert {row["serial"] for row in listed} == {str(c.serial) for c in certs}


def test_sigkill_loses_no_certificate_that_somebody_has(another):  # noqa: F811
    ca = another(lambda c: c["authority"].update(disableIssuedAtCheck=True))
    bodies, limit = hosts_asked_for(ca, CERTIFICATES), CERTIFICATES // 4
    replies = in_parallel(ca, bodies, lambda n: ca.process.kill() if n == limit else None)
    ca.process.wait()
    ca.process = None
    assert limit <= len(replies) < CERTIFICATES
    ca.start()
    known, names = stored(ca), hosts(ca)
    for number, (status, body) in replies.items():
        assert status == 201, body
        cert = Cert(body["crt"])
        assert known[str(cert.serial)] == cert.blob and f"many{number}.test" in names
    # what was answered with a certificate is spent
    for number in list(replies)[:20]:
        assert ca.post("/ssh/sign", bodies[number]).status == 401
    assert ca.ssh_sign().status == 201


def test_one_of_many_wins(another):  # noqa: F811
    """The same token, the same serial number: at once."""
    ca = another()
    replies = in_parallel(ca, hosts_asked_for(ca, 1) * 40)
    assert sorted(s for s, _ in replies.values()) == [201] + [401] * 39
    key, cert = ca.host("once.test")
    body = {"ott": ca.pop_token(key, cert, "renew")}
    replies = in_parallel(ca, [body] * 40, path="/ssh/renew")
    assert sorted(s for s, _ in replies.values()) == [201] + [401] * 39
    bodies = [{"serial": str(cert.serial), "passive": True,
               "ott": ca.ssh_token(sub=str(cert.serial), method="ssh/revoke")} for _ in range(40)]
    replies = in_parallel(ca, bodies, path="/ssh/revoke")
    assert sorted(s for s, _ in replies.values()) == [200] + [400] * 39


# --- Databases of the reference ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stepca-badgerv1-crash", "stepca-badgerv2", "stepca-bbolt"])
def test_what_the_reference_issued_is_known(tmp_path, name):
    ca = SshCa(tmp_path / "ca")
    serve_on(ca, type_of(name), unpack(name, tmp_path), badgerFileLoadingMode="FileIO")
    ca.start()
    try:
        tables = content(name)
        for row in tables["ssh_host_principals"]:
            host = base64.b64decode(row["k"]).decode()
            end = json.loads(base64.b64decode(row["v"]))["Expiry"]
            for spelled, known in ((host, True), (host.upper(), True), (host + ".x", False)):
                reply = ca.post("/ssh/check-host", {"type": "host", "principal": spelled})
                assert reply.json() == {"exists": known}
            assert (host in hosts(ca)) == (end > time.time())
        for row in tables["ssh_users"]:
            user_name = base64.b64decode(row["k"]).decode()
            reply = ca.post("/ssh/check-host", {"type": "host", "principal": user_name})
            assert reply.json() == {"exists": False}
        serials = [base64.b64decode(r["k"]).decode() for r in tables["ssh_certs"]]
        blobs = {base64.b64decode(r["k"]).decode(): r["v"] for r in tables["ssh_certs"]}
        assert len(serials) == 2
        for serial in serials:
            assert revoke(ca, serial).status == 200
            assert revoke(ca, serial).status == 400
        rows = json.loads(db("dump", "--config", ca.config_path).stdout)["tables"]
        for row in rows["revoked_ssh_certs"]:
            record = json.loads(base64.b64decode(row["v"]))
            end = Cert(blobs[record["Serial"]]).before
            assert record["ExpiresAt"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    finally:
        ca.end()


def test_hosts_and_revocations_survive_the_switch(another, tmp_path):  # noqa: F811
    ca = another()
    key, good = ca.host("good.test")
    bad_key, bad = ca.host("bad.test")
    spent = ca.ssh_token({})
    assert ca.ssh_sign(ott=spent).status == 201 and revoke(ca, bad.serial).status == 200
    assert ca.stop() == 0
    tables = json.loads(db("dump", "--config", ca.config_path).stdout)["tables"]
    write_badger(tmp_path / "old", tables)
    serve_on(ca, "badger", tmp_path / "old")
    ca.configure(lambda c: c["authority"].update(disableIssuedAtCheck=True))
    ca.start()
    assert hosts(ca) == {"good.test", "bad.test"}
    assert ca.renew(key, good).status == 201
    reply = ca.renew(bad_key, bad)
    assert reply.status == 401 and revoke(ca, bad.serial).status == 400
    assert ca.ssh_sign(ott=spent).status == 401
    krl = ca.request("GET", "/ssh/krl").body
    (tmp_path / "krl").write_bytes(krl)
    (tmp_path / "bad-cert.pub").write_text(f"{bad.name} {b64(bad.blob)}\n")
    assert execute(["ssh-keygen", "-Q", "-f", tmp_path / "krl", tmp_path / "bad-cert.pub"],
                   ok=None).returncode == 1


# --- Policies, by the command -----------------------------------------------------------------------

RULES = [("user", "allow", "principal", "kim", "ops"), ("user", "allow", "email", "@lab.test"),
         ("user", "deny", "email", "boss@lab.test"), ("user", "deny", "principal", "ops"),
         ("host", "allow", "dns", "*.lab.test"), ("host", "allow", "ip", "10.1.0.0/16"),
         ("host", "deny", "dns", "bad.lab.test")]
JUDGED = [("user", ["kim"], True), ("user", ["KIM", "kim@lab.test"], True),
          ("user", ["ops"], False), ("user", ["kim", "root"], False),
          ("user", ["boss@lab.test"], False), ("user", ["kim@other.test"], False),
          ("user", ["10.1.0.1"], False), ("user", ["a:b"], False),
          ("host", ["a.lab.test", "10.1.2.3"], True), ("host", ["A.LAB.test"], True),
          ("host", ["a.b.lab.test"], False), ("host", ["bad.lab.test"], False),
          ("host", ["10.2.0.1"], False), ("host", ["kim@lab.test"], False),
          ("host", ["a.lab.test", "a.lab.test:22"], False)]


@pytest.mark.parametrize("level,more", [("authority", []),
                                        ("provisioner", ["--provisioner", "ops"])])
def test_policies_of_principals(another, level, more):  # noqa: F811
    ca = another()
    key, held = ca.host("before.test")

    def policy(*words, ok=True):
        return ca.step("ca", "policy", level, *words, "--ca-config", ca.config_path, *more, ok=ok)

    for use, side, kind, *names in RULES:
        policy("ssh", use, side, kind, *names)
    assert ca.reload()
    for kind, names, good in JUDGED:
        reply = ca.ssh_sign({"certType": kind, "principals": names})
        assert reply.status == (201 if good else 403), (kind, names, reply.body)
        if not good:
            assert any(n in reply.json()["message"] for n in names), reply.body
    # another provisioner has other rules
    strict = ca.ssh_sign({"principals": ["root"]}, iss="strict")
    assert strict.status == (403 if level == "authority" else 201)
    # what was allowed once goes on, and one type alone shuts the other one out
    assert ca.renew(key, held).status == 201
    for side, kind, *names in (r[1:] for r in RULES if r[0] == "host"):
        policy("ssh", "host", side, kind, *names, "--remove")
    assert ca.reload()
    reply = ca.ssh_sign({"certType": "host", "principals": ["a.lab.test"]})
    assert reply.status == 403 and "other type" in reply.json()["message"]
    policy("remove")
    assert ca.reload()
    assert ca.ssh_sign({"principals": ["root"]}).status == 201
    # a rule that cannot be is refused by the command and by the server
    assert policy("ssh", "host", "allow", "ip", "10.0.0.0/99", ok=False).returncode != 0


# --- Templates and webhooks -------------------------------------------------------------------------

HEAD = ('{"type": {{ toJson .Type }}, "keyId": {{ toJson .KeyID }}, "principals": '
        '{{ toJson .Principals }}')


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    ca = SshCa(tmp_path_factory.mktemp("shared")).start()
    yield ca
    ca.end()


@pytest.fixture(scope="module")
def hook(shared, tmp_path_factory):
    server = hook_of(shared, tmp_path_factory.mktemp("hook"))
    yield server
    server.release.set()
    server.shutdown()


def use(ca, *webhooks, iss="ops", policy=None, **ssh):
    def change(config):
        options = {"webhooks": list(webhooks)}
        if policy:
            options["policy"] = policy
        if ssh:
            options["ssh"] = ssh
        for p in config["authority"]["provisioners"]:
            if p["name"] == iss:
                p["options"] = options
    ca.configure(change)
    assert ca.reload(), ca.log()


def test_a_template_file_may_come_later(shared):
    path = shared.path / "templates/user.tpl"
    path.parent.mkdir(exist_ok=True)
    use(shared, templateFile="templates/user.tpl")
    shared.wait_log("templates/user.tpl")  # a warning
    reply = shared.ssh_sign()
    assert reply.status == 500 and str(shared.path) not in reply.body.decode()
    for number in ("one", "two"):  # read again when it changed
        path.write_text(HEAD + ', "extensions": {"login@github.com": "%s"}}' % number)
        assert shared.certificate().extensions == {"login@github.com": number}
    path.write_text(HEAD + "{{")
    assert shared.ssh_sign().status == 500
    path.unlink()
    assert shared.ssh_sign().status == 500
    path.write_text(HEAD + "}")
    assert shared.certificate().extensions == {}


def test_a_missing_template_file_does_not_keep_the_server_from_starting(another):  # noqa: F811
    def change(config):
        config["authority"]["provisioners"][0]["options"] = {
            "ssh": {"templateFile": "templates/none.tpl"}}

    ca = another(change)
    assert "templates/none.tpl" in ca.log() and ca.ssh_sign().status == 500
    assert ca.ssh_sign(iss="strict").status == 201


def test_templates_say_what_is_in_a_certificate(shared, tmp_path):
    use(shared, template='{"type": "{{ .Type }}", "keyId": "{{ .Token.sub }} of {{ .team }}", '
        '"principals": {{ concat .Principals (list "extra" "alice") | uniq | toJson }}, '
        '"extensions": {{ set .Extensions "login@github.com" "kim" | toJson }}, '
        '"criticalOptions": {"source-address": "10.0.0.0/8", "force-command": "/bin/true"}}',
        templateData={"team": "ops"})
    cert = shared.certificate({"principals": ["alice", "bob"]})
    assert cert.key_id == "alice of ops" and cert.principals == ["alice", "bob", "extra"]
    assert cert.extensions == {"login@github.com": "kim", **dict.fromkeys(FIVE, "")}
    assert list(cert.critical) == ["force-command", "source-address"]
    said = cert.keygen(tmp_path)
    assert "source-address 10.0.0.0/8" in said and "login@github.com" in said
    # of the request only what the template takes
    use(shared, template=HEAD + ', "extensions": {"asked@x": {{ toJson .Insecure.CR.KeyID }}, '
        '"type@x": {{ toJson .Insecure.CR.Key.Type }}, '
        '"user@x": {{ toJson .Insecure.User.note }}}}')
    cert = shared.certificate({}, keyID='root","x":"', templateData={"note": '"}'})
    assert cert.extensions == {"asked@x": 'root","x":"', "type@x": "ecdsa-sha2-nistp256",
                               "user@x": '"}'}
    assert cert.key_id == "alice"


@pytest.mark.parametrize("template,status,words", [
    ('{{ fail "no" }}', 400, "no"),
    ('{{ if eq .Type "user" }}{{ fail "hosts only" }}{{ end }}' + HEAD + "}", 400, "hosts only"),
    (HEAD, 500, "certificate template"), (HEAD + ",}", 500, "certificate template"),
    ('{"type": "user", "keyId": "k", "principals": "root"}', 500, "certificate template"),
    ('{"type": "admin", "keyId": "k"}', 500, "certificate template"),
    ('{"keyId": "k"}', 500, "certificate template"),
    ('{"type": "user", "keyId": "k", "serial": -1}', 500, "certificate template"),
    ('{"type": "user", "keyId": "k", "extensions": {"a": 5}}', 500, "certificate template"),
    ("{{ .Nobody.Here }}", 500, ""), ("{{ range until 100000000 }}x{{ end }}", 500, ""),
    ('{"type": "user", "keyId": ""}', 403, "key id"),
    ('{"type": "user", "keyId": "k", "principals": ["a,b"]}', 400, "comma"),
    ('{"type": "user", "keyId": "k", "principals": ["a", ""]}', 400, "empty"),
    ('{"type": "user", "keyId": "k", "principals": ["a\\u0000"]}', 400, "control"),
    ('{"type": "user", "keyId": "k", "principals": {{ until 257 | toStrings | toJson }}}', 400,
     "256"),
    (HEAD + ', "validBefore": "9999-01-01T00:00:00Z"}', 403, "more than"),
    (HEAD + ', "validBefore": "1999-01-01T00:00:00Z"}', 400, "past"),
    (HEAD + ', "validAfter": "2222-01-01T00:00:00Z", "validBefore": "2221-01-01T00:00:00Z"}', 400,
     "before"),
    ('{"type": "host", "keyId": "k", "principals": ["a"], "validBefore": "2222-01-01T00:00:00Z"}',
     403, "more than"),
], ids=range(20))
def test_templates_that_make_no_certificate(shared, template, status, words):
    use(shared, template=template)
    reply = shared.ssh_sign()
    assert reply.status == status and words in reply.json()["message"], reply.body
    use(shared)
    assert shared.ssh_sign().status == 201


def test_policies_judge_what_a_template_made(shared):
    use(shared, template=HEAD.replace(".Principals", '(append .Principals "root")') + "}")
    assert shared.certificate({"principals": ["kim"]}).principals == ["kim", "root"]
    use(shared, template=HEAD.replace(".Principals", '(append .Principals "root")') + "}",
        policy={"ssh": {"user": {"deny": {"principal": ["root"]}}}})
    reply = shared.ssh_sign({"principals": ["kim"]})
    assert reply.status == 403 and '"root"' in reply.json()["message"]
    # a "*" for principals of hosts, which they have none of, lets no host through
    use(shared, policy={"ssh": {"host": {"allow": {"principal": ["*"], "dns": ["*.lab.test"]}}}})
    assert "match no host" in shared.log()
    assert shared.ssh_sign({"certType": "host", "principals": ["a.lab.test"]}).status == 201
    assert shared.ssh_sign({"certType": "host", "principals": ["a.web.test"]}).status == 403
    use(shared)


def test_a_certificate_for_anybody_is_a_warning(shared):
    use(shared, template='{"type": "user", "keyId": "k"}')
    cert = shared.certificate()
    assert cert.principals == []
    shared.wait_log(f"SSH certificate {cert.serial} has no principals")


def test_a_template_uses_what_a_webhook_said(shared, hook):
    hook.answer("/people", {"allow": True, "data": {"groups": ["db", "web"], "say": 'a"b'}})
    hook.answers["/tls"] = [{"allow": False}]
    use(shared, webhook(hook), webhook(hook, "tls", certType="X509"),
        template='{"type": {{ toJson .Type }}, "keyId": {{ toJson .Webhooks.people.say }}, '
        '"principals": {{ concat .Principals .Webhooks.people.groups | toJson }}}')
    key = ed25519.Ed25519PrivateKey.generate()
    cert = shared.certificate({"principals": ["alice"]}, key=key, keyID="asked",
                              certType="user", principals=["ALICE"])
    assert (cert.key_id, cert.principals) == ('a"b', ["alice", "db", "web"])
    (call,) = hook.calls("/people")
    body = json.loads(call.body)
    assert body["sshCertificateRequest"] == {"publicKey": b64(blob_of(key)), "type": "user",
                                             "keyID": "asked", "principals": ["ALICE"]}
    assert body["provisionerName"] == "ops" and "x509CertificateRequest" not in body
    assert hook.calls("/tls") == []


def test_a_webhook_that_refuses(shared, hook):
    token = shared.ssh_token({})
    hook.answer("/people", {"allow": False, "error": {"code": "E1", "message": "not today"}})
    use(shared, webhook(hook))
    before = len(stored(shared))
    reply = shared.ssh_sign(ott=token)
    assert reply.status == 403 and "not today (E1)" in reply.json()["message"]
    assert shared.ssh_sign(ott=token).status == 401  # spent all the same
    for answer in ({}, b"no JSON", (500, {"allow": True}), (404, {"allow": True})):
        hook.answer("/people", answer)
        reply = shared.ssh_sign()
        assert reply.status == 403 and "not allowed by a webhook" in reply.json()["message"]
    assert len(stored(shared)) == before


def test_an_authorizing_webhook_sees_the_certificate(shared, hook):
    hook.answer("/gate", {"allow": True}, {"allow": False})
    use(shared, webhook(hook, "gate", "AUTHORIZING", certType="SSH"))
    key = ec.generate_private_key(ec.SECP256R1())
    cert = shared.certificate({"principals": ["alice"], "validBefore": "2h"}, key=key)
    seen = json.loads(hook.calls("/gate")[0].body)["sshCertificate"]
    assert seen["publicKey"] == b64(blob_of(key)) and seen["signatureKey"] is None
    assert (seen["type"], seen["keyId"], seen["principals"]) == ("user", "alice", ["alice"])
    assert seen["extensions"] == dict.fromkeys(FIVE, "") and not seen["criticalOptions"]
    assert (seen["validAfter"], seen["validBefore"]) == (cert.after, cert.before)
    before = len(stored(shared))
    reply = shared.ssh_sign({"principals": ["alice"]})
    assert reply.status == 403 and len(stored(shared)) == before
    # renewal and revocation ask nobody
    key, held = certificate_of_host(shared, hook)
    assert shared.renew(key, held).status == 201 and revoke(shared, held.serial).status == 200
    assert hook.seen == []
    said = shared.metrics()
    for line in ("enriched_total", "authorized_total"):
        for success in ("true", "false"):
            assert f'step_ca_ssh_webhook_{line}{{provisioner="ops",success="{success}"}}' in said


def certificate_of_host(ca, hook):
    hook.answer("/gate", {"allow": True})
    made = ca.host("asked.test")
    assert len(hook.calls("/gate")) == 1
    hook.answer("/gate", {"allow": False})
    return made


def test_an_identity_asks_the_webhooks_of_both(shared, hook):
    for name in ("ssh", "x509"):
        hook.answers[f"/{name}"] = [{"allow": True}]
    hook.answer("/all", {"allow": True})
    use(shared, webhook(hook, "ssh", certType="SSH"), webhook(hook, "x509", certType="X509"),
        webhook(hook, "all", "AUTHORIZING"))
    _, csr = make_csr([], ec.generate_private_key(ec.SECP256R1()), "alice")
    reply = shared.ssh_sign(identityCSR=csr)
    assert reply.status == 201, reply.body
    kinds = [(c.path, sorted(k for k in json.loads(c.body) if "Certificate" in k))
             for c in hook.seen]
    assert kinds == [("/ssh", ["sshCertificateRequest"]), ("/all", ["sshCertificate"]),
                     ("/x509", ["x509CertificateRequest"]), ("/all", ["x509Certificate"])]
    cert = Cert(reply.json()["crt"])
    assert stored(shared)[str(cert.serial)] == cert.blob
    leaf = x509.load_pem_x509_certificate(reply.json()["identityCrt"][0].encode())
    tables = json.loads(db("dump", "--config", shared.config_path).stdout)["tables"]
    assert b64(str(leaf.serial_number).encode()) in {r["k"] for r in tables["x509_certs"]}
    hook.answer("/x509", {"allow": False})
    assert shared.ssh_sign(identityCSR=csr).status == 403


def test_templates_and_webhooks_see_the_certificate_of_x5c(shared, hook):
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = make_cert("device-7", key, shared.edge_root, shared.edge_key, length=7200)
    der = leaf.public_bytes(serialization.Encoding.DER)
    hook.answer("/people", {"allow": True})
    use(shared, webhook(hook), iss="edge", template='{"type": {{ toJson .Type }}, "keyId": '
        '{{ toJson .AuthorizationCrt.Subject.CommonName }}, "principals": ["x"]}')

    def sign(key_of_token):
        claims = shared.claims("edge", "ssh/sign", "alice", "#x5c/edge", step={"ssh": {}})
        return shared.ssh_sign(ott=sign_jwt(key_of_token, {"alg": "ES256", "x5c": [b64(der)]},
                                            claims))

    assert Cert(sign(key).json()["crt"]).key_id == "device-7"
    body = json.loads(hook.calls("/people")[0].body)
    assert body["authorizationPrincipal"] == "device-7"
    assert body["x5cCertificate"]["raw"] == b64(der)
    assert sign(ec.generate_private_key(ec.SECP256R1())).status == 401


# --- Tokens, keys and bodies ------------------------------------------------------------------------


def test_tokens_of_another_time_or_another_ca(shared):
    use(shared)
    key, kid = shared.provisioner_key()
    now = int(time.time())

    def status(**change):
        claims = shared.claims("ops", "ssh/sign", "alice", step={"ssh": {}})
        claims.update(change)
        claims = {k: v for k, v in claims.items() if v is not None}
        return shared.ssh_sign(ott=sign_jwt(key, {"alg": "ES256", "kid": kid}, claims)).status

    assert status() == 201
    for change in ({"exp": now - 120, "nbf": now - 600}, {"nbf": now + 600, "exp": now + 900},
                   {"aud": "https://other.test/1.0/ssh/sign"}, {"aud": None}, {"iss": "plain"},
                   {"iss": "nobody"}, {"sub": ""}, {"iat": now - 86400}):
        assert status(**change) == 401, change
    host_key, cert = shared.host("pop.test")
    pop = f"{shared.url}/1.0/ssh/renew"
    for change in ({"aud": "https://other.test/1.0/ssh/renew#sshpop/sshpop"},
                   {"iss": "late", "aud": f"{pop}#sshpop/sshpop"},
                   {"aud": pop + "#sshpop/late"}, {"aud": pop + "#x5c/edge"}, {"sub": ""},
                   {"iat": now - 86400},
                   {"exp": now - 120, "nbf": now - 600}, {"nbf": now + 600, "exp": now + 900}):
        assert shared.renew(host_key, cert, **change).status == 401, change
    assert shared.renew(host_key, cert, aud=f"{shared.url}/ssh/renew#sshpop/sshpop").status == 201


def test_cnf_binds_a_token_to_one_key(shared):
    key = ec.generate_private_key(ec.SECP256R1())
    _, csr = make_csr([], ec.generate_private_key(ec.SECP256R1()), "alice")

    def sign(digest, **more):
        return shared.ssh_sign(ott=shared.ssh_token({}, cnf={"x5rt#S256": digest}), key=key, **more)

    own = b64url(hashlib.sha256(blob_of(key)).digest())
    assert sign(own).status == 201 and sign(own, identityCSR=csr).status == 201
    other = ec.generate_private_key(ec.SECP256R1())
    for wrong in (b64url(hashlib.sha256(blob_of(other)).digest()), own[:-1], own + "=", "x"):
        reply = sign(wrong)
        assert reply.status == 403 and "cnf" in reply.json()["message"], reply.body
    for odd in ("", 5, None):
        assert sign(odd).status == 401


def test_keys_for_accounts_are_judged(shared):
    short = rsa.generate_private_key(65537, 1024)
    old = dsa.generate_private_key(1024)
    for key, status in ((short, 403), (old, 400)):
        reply = shared.ssh_sign(addUserPublicKey=b64(blob_of(key)))
        assert reply.status == status and "addUserPublicKey" in reply.json()["message"]
    # whoever is refused has got nothing
    before = len(stored(shared))
    good = b64(blob_of(ec.generate_private_key(ec.SECP256R1())))
    assert shared.ssh_sign({"principals": ["a;id"]}, addUserPublicKey=good).status == 403
    assert len(stored(shared)) == before


def test_bodies_have_a_limit(shared):
    body = {"publicKey": "A" * (3 << 20), "ott": "x"}
    assert shared.post("/ssh/sign", body).status in (400, 413)
    many = [f"p{n}" for n in range(257)]
    assert shared.ssh_sign({"principals": many}).status == 401
    assert shared.certificate({"principals": many[:256]}).principals == many[:256]


def test_renewal_goes_on_in_the_list_of_hosts(shared):
    key, cert = shared.host("short.test", before="1m")
    assert shared.renew(key, cert).status == 201
    # the new key is judged by what the SSHPOP provisioner allows
    token = shared.pop_token(key, cert, "rekey")
    assert shared.post("/ssh/rekey", {"ott": token, "publicKey": b64(cert.key)}).status == 403
    key, cert = shared.host("long.test", before="1h")
    new = Cert(shared.renew(key, cert).json()["crt"])
    rows = json.loads(db("dump", "--config", shared.config_path).stdout)["tables"]
    record = {base64.b64decode(r["k"]): json.loads(base64.b64decode(r["v"]))
              for r in rows["ssh_host_principals"]}[b"long.test"]
    assert record == {"Serial": str(new.serial), "Expiry": new.before}
