"""Databases that the original implementation filled, behind our server, with the keys in our hands.

The original client is the original authority too when it is told `--offline`: it opens the
database that ca.json names, and issues, renews and revokes in it.  So each kind of database is
created and filled by it here, and then our server starts on the same ca.json.
"""

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import PASSWORD, SLOW, STEP, STEP_CA, free_port, sign_jwt
from cryptography import x509
from machine import (Machine, chain, der, execute, fit_together, key_of, leaf, names,
                     openssl_verifies, wait_for)
from test_legacy_databases import state_of
from test_reference_client import (SPKI, claims_of, configured,  # noqa: F401
                                   reference)  # pylint: disable=unused-import
from sql_servers import new_server

PLAIN = ["--no-password", "--insecure"]
SERVERS = ["mysql", "postgresql"]
FILES = ["badger", "badgerv2", "bbolt"]
SANS = ["web.test", "10.0.0.1", "eve@web.test", "spiffe://td/web"]


# --- The original at work -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(reference, tmp_path_factory):  # noqa: F811
    """Keys, certificates and a ca.json, all by the original client."""
    made = Machine(tmp_path_factory.mktemp("pki"), reference)
    made.env.pop("SSH_AUTH_SOCK", None)
    (made.folder / "password").write_text(PASSWORD)
    made.step("ca", "init", "--ssh", "--name", "Their", "--dns", "localhost", "--address",
              f"127.0.0.1:{free_port()}", "--provisioner", "ops", "--password-file", "password")
    config = ["--ca-config", made.path / "config/ca.json"]
    made.step("ca", "provisioner", "add", "second", "--type", "JWK", "--create",
              "--password-file", "password", *config)
    made.step("ca", "provisioner", "add", "edge", "--type", "X5C", "--x5c-root",
              made.path / "certs/root_ca.crt", *config)
    return made


class Site:
    """A database of one kind, the original that fills it, and our server on the same ca.json."""

    def __init__(self, pki, kind, folder, server=None):
        folder.mkdir()
        self.folder, self.server = folder, server
        self.theirs = Machine(folder, pki.program)
        self.theirs.env.update(pki.env)
        self.x509, self.ssh, self.files = {}, {}, {}  # what there is of each; paths by name
        ca = self.ca = configured(folder, pki.path)
        ca.password_file = pki.folder / "password"
        config = ca.config()
        ca.port = free_port()
        ca.url = f"https://localhost:{ca.port}"
        ca.config_path = folder / "ca.json"
        source = server.source() if server else str(folder / "old")
        self.spec = f"{kind}:{server.source('ca') if server else source}"
        db = {"type": kind, "dataSource": source}
        if server:
            db.update(database="ca", inventory=True)
        config.update(db=db, password=PASSWORD, address=f"127.0.0.1:{ca.port}",
                      crl={"enabled": True, "generateOnRevoke": True})
        # without this tokens of before the start are refused, whether they were used or not
        config["authority"]["disableIssuedAtCheck"] = True
        ca.config_path.write_text(json.dumps(config))
        ca.config_path.chmod(0o600)
        self.online = ["--ca-url", ca.url, "--root", ca.root_path]

    def words(self, provisioner="ops"):
        return ["--provisioner", provisioner, "--provisioner-password-file", self.ca.password_file]

    def offline(self, *args, ok=True):
        """Flags stand behind: the original takes a word after a boolean flag for its value."""
        return self.theirs.step(*args, "--offline", "--ca-config", self.ca.config_path, ok=ok)

    def note(self, crt):
        """Remembers a certificate that was issued: its serial number as text."""
        if str(crt).endswith("-cert.pub"):
            number = re.search(r"Serial: (\d+)", execute(["ssh-keygen", "-L", "-f", crt]).stdout)[1]
            self.ssh[number] = base64.b64decode(crt.read_text().split()[1])
            return number
        number = str(leaf(crt).serial_number)
        self.x509[number] = leaf(crt)
        return number

    def issue(self, name, *flags, provisioner=None):
        """By the original: (certificate, key)."""
        pair = self.files[name] = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        self.offline("ca", "certificate", name, *pair, *(provisioner or self.words()), *flags)
        self.note(pair[0])
        return pair

    def change(self, *args):
        """Renews or rekeys by the original; certificate and key stand last."""
        before = self.note(args[-2])
        self.offline(*args, "--force")
        assert self.note(args[-2]) != before

    def ssh_issue(self, subject, name, *flags):
        self.offline("ssh", "certificate", subject, name, *flags, *PLAIN, *self.words())
        pair = self.files[name] = self.folder / f"{name}-cert.pub", self.folder / name
        self.note(pair[0])
        return pair

    def fill(self):
        web = self.issue("web.test", *[f"--san={san}" for san in SANS])
        twice = self.issue("twice.test", "--not-after=12h")
        self.change("ca", "renew", *twice)
        self.change("ca", "renew", "--mtls=false", *twice)
        other = self.issue("other.test", "--kty=OKP", provisioner=self.words("second"))
        self.change("ca", "rekey", "--kty=EC", "--curve=P-384", *other)
        self.issue("edge.test", provisioner=["--provisioner", "edge", "--x5c-cert", web[0],
                                             "--x5c-key", web[1]])
        execute(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "signed.key",
                 "-out", "signed.csr", "-subj", "/CN=signed.test", "-addext",
                 "subjectAltName=DNS:signed.test"], cwd=self.folder)
        crt, _ = self.files["signed.test"] = self.folder / "signed.crt", self.folder / "signed.key"
        self.offline("ca", "sign", "signed.csr", crt, *self.words())
        self.note(crt)
        self.issue("by-token.test")
        self.issue("by-mtls.test")
        crt, key = self.issue("lost.test")
        self.offline("ca", "revoke", "--cert", crt, "--key", key, "--reason", "left in a train",
                     "--reasonCode", "keyCompromise")
        assert self.offline("ca", "renew", crt, key, "--force", ok=None).returncode == 1

        self.ssh_issue("eve@x.test", "eve")
        self.ssh_issue("mallory@x.test", "mallory")
        self.offline("ssh", "revoke", self.note(self.files["mallory"][0]), *self.words())
        host = self.ssh_issue("host.test", "host", "--host")
        self.change("ssh", "renew", *host)
        self.offline("ssh", "rekey", *host, "--force", *PLAIN)
        self.note(host[0])
        self.ssh_issue("second.test", "second", "--host")
        crt, key = self.ssh_issue("stolen.test", "stolen", "--host")
        self.offline("ssh", "revoke", "--sshpop-cert", crt, "--sshpop-key", key)
        self.issued, self.issued_ssh = dict(self.x509), dict(self.ssh)

    # --- ours ---

    def ours(self, *args, ok=True):
        return execute([STEP, *args, *self.online], ok, self.ca.env, cwd=self.folder)

    def renew(self, name):
        crt, key = self.files[name]
        return self.ca.request("POST", "/renew", "", cert=crt, key=key)

    def revoke(self, serial):
        token = self.ca.token(serial, audience=f"{self.ca.url}/1.0/revoke")
        return self.ca.request("POST", "/revoke", {"serial": serial, "passive": True, "ott": token})

    def db(self, *args, ok=True):
        return self.ca.run([STEP_CA, "db", *args], ok=ok).stdout

    def dump(self, *source):
        """All rows, as bytes: of what the old place holds, or of what our server uses."""
        tables = json.loads(self.db("dump", *(source or ["--config", self.ca.config_path])))
        return {table: {base64.b64decode(r["k"]): base64.b64decode(r["v"]) for r in rows}
                for table, rows in tables["tables"].items()}

    def listed(self, *filters):
        text = self.db("list", "--format=json", *filters, "--config", self.ca.config_path)
        return {row["serial"]: row for row in json.loads(text)}

    def refused(self, request, reason):
        """401 for whoever looks at it, and the log says for which reason."""
        count = self.ca.log().count(reason)
        assert getattr(request(), "status", 401) == 401
        self.ca.wait_log(reason, count + 1)

    def crl(self):
        """What is served, and its number."""
        crl = x509.load_der_x509_crl(self.ca.request("GET", "/crl").body)
        return crl, crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    def fails_to_start(self, word):
        self.ca.start(wait=False)
        assert self.ca.process.wait(timeout=20 * SLOW) == 2
        self.ca.process = None
        assert word in self.ca.log(), self.ca.log()


# The servers come first: a test that names these two alone shares them with the tests of all.
@pytest.fixture(scope="module", params=[*SERVERS, *FILES])
def site(request, pki):
    """Filled by the original, then taken over by ours, which runs."""
    server = new_server(request.param) if request.param in SERVERS else None
    made = Site(pki, request.param, pki.folder / f"site-{request.param}", server)
    try:
        made.fill()
        made.before = made.dump(made.spec)
        made.ca.start()
        made.after = made.dump()
        yield made
        assert made.ca.stop() == 0
        assert "Sanitizer" not in made.ca.log() and "runtime error:" not in made.ca.log()
    finally:
        made.ca.stop()
        if server:
            server.remove()


# --- What stands in it ----------------------------------------------------------------------------


def test_everything_that_it_wrote_is_there(site):
    """What the original gave to its user, and what our two readers find."""
    rows = {table: found for table, found in site.before.items() if found}
    assert rows["x509_certs"] == {n.encode(): der(c) for n, c in site.issued.items()}
    assert rows["ssh_certs"] == {n.encode(): blob for n, blob in site.issued_ssh.items()}
    assert set(rows["x509_certs_data"]) == set(rows["x509_certs"])
    assert set(rows["ssh_users"]) >= {b"eve", b"mallory"}
    assert set(rows["ssh_hosts"]) == {b"host.test", b"second.test", b"stolen.test"}
    assert len(rows["revoked_x509_certs"]) == 1 and len(rows["revoked_ssh_certs"]) == 2
    assert len(rows["used_ott"]) == 18
    kept = {t: r for t, r in site.after.items() if r and not t.startswith("newel_")}
    assert set(kept) == set(rows)
    for table in set(rows) - {"x509_crl"}:
        assert kept[table] == rows[table], table


def test_the_inventory_has_what_it_issued(site):
    config = ["--config", site.ca.config_path]
    if site.server:  # what was there comes by itself, what others issue later when it is asked for
        wait_for("the inventory", lambda: set(site.issued) <= set(site.listed("--x509")))
        later = site.note(site.issue("later.test")[0])
        site.db("reindex", *config)
        assert later in site.listed()
    assert "sound" in site.db("check", *config)
    rows = site.listed("--x509")
    for number in site.before["x509_certs"]:
        certificate, row = site.x509[number.decode()], rows[number.decode()]
        assert {"provisioner": row["provisioner"]} == json.loads(
            site.before["x509_certs_data"][number])
        assert set(row["names"]) == {f"{k}:{n}" for k, v in names(certificate).items() for n in v}
        assert row["commonName"] in row["subject"] == certificate.subject.rfc4514_string()
    assert {row["provisioner"]["name"] for row in rows.values()} == {"ops", "second", "edge"}
    hosts = site.listed("--ssh")
    assert {n.decode() for n in site.before["ssh_certs"]} <= set(hosts)
    assert {r["kind"] for r in hosts.values()} == {"ssh-user", "ssh-host"}
    lost = site.note(site.files["lost.test"][0])
    assert rows[lost]["status"] == "revoked" and lost in site.listed("--revoked", "--x509")
    gone = {site.note(site.files[n][0]) for n in ("mallory", "stolen")}
    assert gone <= set(site.listed("--revoked", "--ssh"))
    assert "left in a train" in site.db("show", lost, *config)
    assert set(site.listed("--san", "10.0.0.1")) & {site.note(site.files["web.test"][0])}
    bundle = site.folder / "all.pem"
    bundle.write_text(site.db("export", "--format=pem", "--x509", *config))
    assert {der(c) for c in chain(bundle)} >= set(site.before["x509_certs"].values())


def test_it_can_be_moved_elsewhere(site):
    copy = f"sqlite:{site.folder}/copy.sqlite"
    site.db("import", "--from", site.spec, "--to", copy)
    rows, source = ({t: r for t, r in site.dump(spec).items() if r and "newel_" not in t}
                    for spec in (copy, site.spec))
    assert rows == source
    assert set(rows["x509_certs"]) >= set(site.before["x509_certs"])
    assert "sound" in site.db("check", "--db", copy)


# --- Certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web.test", "twice.test", "other.test", "edge.test",
                                  "signed.test"])
def test_certificates_are_renewed(site, name):
    """Over TLS, with a token, with a new key; and what came of it once more."""
    crt, key = site.files[name]
    first = leaf(crt)
    seen = {first.serial_number}
    for how in (["renew"], ["renew", "--mtls=false"], ["rekey"], ["renew"]):
        site.ours("ca", *how, "--force", crt, key)
        now = leaf(crt)
        seen.add(now.serial_number)
        assert now.subject == first.subject and names(now) == names(first)
        assert now.not_valid_after - now.not_valid_before == (first.not_valid_after
                                                              - first.not_valid_before)
        assert fit_together(crt, key)
        openssl_verifies(site.ca, crt)
    assert len(seen) == 5
    assert leaf(crt).public_key().public_bytes(*SPKI) != first.public_key().public_bytes(*SPKI)
    kept = json.loads(site.dump()["x509_certs_data"][site.note(crt).encode()])["provisioner"]
    before = json.loads(site.before["x509_certs_data"][str(first.serial_number).encode()])
    assert kept == before["provisioner"]


def test_what_it_revoked_stays_revoked(site):
    crt, key = site.files["lost.test"]
    serial = leaf(crt).serial_number
    for _ in range(2):
        site.refused(lambda: site.renew("lost.test"), "revoked")
        site.refused(lambda: site.ours("ca", "renew", "--mtls=false", "--force", crt, key,
                                       ok=False), "revoked")
        site.ours("ca", "rekey", "--force", crt, key, ok=False)
        assert leaf(crt).serial_number == serial and fit_together(crt, key)
        assert site.revoke(str(serial)).status == 400
        crl, number = site.crl()
        entry = crl.get_revoked_certificate_by_serial_number(serial)
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason == x509.ReasonFlags.key_compromise
        assert entry.revocation_date.isoformat()[:16] in site.before["revoked_x509_certs"][
            str(serial).encode()].decode()
        assert crl.is_signature_valid(leaf(site.ca.path / "certs/intermediate_ca.crt").public_key())
        assert number >= json.loads(site.before["x509_crl"][b"crl"])["Number"]
        assert site.ca.stop() == 0
        site.ca.start()
    assert site.ca.log().count("importing") == (0 if site.server else 1)


@pytest.mark.parametrize("how", ["by-token", "by-mtls"])
def test_its_certificates_are_revoked(site, how):
    crt, key = site.files[f"{how}.test"]
    serial = site.note(crt)
    assert site.renew(f"{how}.test").status == 201
    if how == "by-token":
        assert site.revoke(serial).status == 200
    else:
        site.ours("ca", "revoke", "--cert", crt, "--key", key)
    site.refused(lambda: site.renew(f"{how}.test"), "revoked")
    site.ours("ca", "renew", "--mtls=false", "--force", crt, key, ok=False)
    record = json.loads(site.dump()["revoked_x509_certs"][serial.encode()])
    assert record["MTLS"] == (how == "by-mtls")
    data = json.loads(site.before["x509_certs_data"][serial.encode()])
    assert record["ProvisionerID"] == data["provisioner"]["id"]
    crl, number = site.crl()
    assert crl.get_revoked_certificate_by_serial_number(int(serial))
    assert number > json.loads(site.before["x509_crl"][b"crl"])["Number"]


# --- Tokens ---------------------------------------------------------------------------------------


def spent(site, operation):
    """The tokens that the original took, which it keeps whole."""
    tokens = [token.decode() for token in site.before["used_ott"].values()]
    place = f"https://localhost/{operation}"
    return [t for t in tokens if claims_of(t)["aud"].split("#")[0] == place]


def test_tokens_that_it_took_are_not_taken_again(site):
    """A fresh one of its make shows that nothing else is wrong with them."""
    ca, sans = site.ca, [f"--san={san}" for san in SANS]
    csr = site.folder / "full.csr"
    execute([STEP, "certificate", "create", "web.test", csr, site.folder / "full.key", "--csr",
             "--force", *PLAIN, *sans], cwd=site.folder)
    fresh = site.theirs.step("ca", "token", "web.test", *sans, "--offline", "--ca-config",
                             ca.config_path, *site.words()).stdout.strip()
    [old] = [t for t in spent(site, "sign") if claims_of(t)["sub"] == "web.test"]
    assert claims_of(fresh)["aud"] == claims_of(old)["aud"]
    assert ca.sign(fresh, csr.read_text()).status == 201
    for token in (fresh, old):
        site.refused(lambda t=token: ca.sign(t, csr.read_text()), "the token was already used")


@pytest.mark.parametrize("operation", ["sign", "renew", "rekey"])
def test_tokens_for_ssh_are_not_taken_again(site, operation):
    assert (tokens := spent(site, f"ssh/{operation}"))
    for token in tokens:
        subject = claims_of(token)["sub"]
        name = subject.split("@")[0] if "@" in subject else "host"
        body = {"ott": token, "publicKey": (site.folder / f"{name}.pub").read_text().split()[1]}
        site.refused(lambda b=body: site.ca.request("POST", f"/ssh/{operation}", b),
                     "the token was already used")


def test_renew_tokens_are_not_taken_again(site):
    """They have no id: neither those that the original took, nor ours by the key that it uses."""
    def bearer(token):
        return site.ca.request("POST", "/renew", "", {"Authorization": "Bearer " + token})

    [old] = spent(site, "renew")
    assert "jti" not in claims_of(old)
    crt, key = site.files["web.test"]
    header = {"alg": "ES256",
              "x5cInsecure": [base64.b64encode(der(c)).decode() for c in chain(crt)]}
    fresh = sign_jwt(key_of(key), header, {**claims_of(old), "sub": "web.test"})
    assert bearer(fresh).status == 201
    for token in (fresh, old):
        site.refused(lambda t=token: bearer(t), "the renew token was already used")
    assert hashlib.sha256(fresh.encode()).hexdigest().encode() in site.dump()["used_ott"]


# --- SSH ------------------------------------------------------------------------------------------


def test_ssh_hosts_live_on(site):
    crt, key = site.files["host"]
    seen = {site.note(crt)}
    for how in (["renew"], ["rekey", *PLAIN]):
        site.ours("ssh", *how, "--force", crt, key)
        seen.add(site.note(crt))
    assert len(seen) == 3
    told = execute(["ssh-keygen", "-L", "-f", crt]).stdout
    assert "host.test" in told and "host certificate" in told
    public = execute(["ssh-keygen", "-y", "-P", "", "-f", key]).stdout.split()[1]
    assert public == Path(f"{key}.pub").read_text().split()[1]
    site.ours("ssh", "check-host", "host.test")
    assert site.ours("ssh", "check-host", "no.test", ok=None).returncode == 1
    assert set(site.dump()["ssh_certs"]) > set(site.before["ssh_certs"])


def test_ssh_revocations_count(site):
    crt, key = site.files["stolen"]
    pop = ["--sshpop-cert", crt, "--sshpop-key", key]
    for args in (["renew", "--force", crt, key], ["rekey", "--force", *PLAIN, crt, key],
                 ["revoke", *pop]):
        site.refused(lambda a=args: site.ours("ssh", *a, ok=False), "revoked")
    site.ours("ssh", "revoke", site.note(site.files["mallory"][0]), *site.words(), ok=False)
    crt, key = site.files["second"]
    site.ours("ssh", "renew", "--force", "--out", site.folder / "third-cert.pub", crt, key)
    site.ours("ssh", "revoke", site.note(crt), *site.words())
    site.refused(lambda: site.ours("ssh", "renew", "--force", crt, key, ok=False), "revoked")
    site.ours("ssh", "renew", "--force", site.folder / "third-cert.pub", key)
    eve = site.note(site.files["eve"][0])
    site.ours("ssh", "revoke", eve, *site.words())
    site.ours("ssh", "revoke", eve, *site.words(), ok=False)


# --- Both at the same time ------------------------------------------------------------------------


@pytest.mark.parametrize("site", SERVERS, indirect=True)
def test_both_use_one_database_in_turns(site):
    crt, key = site.issue("turns.test")
    assert site.renew("turns.test").status == 201
    for how in ("--mtls=true", "--mtls=false"):
        site.ours("ca", "renew", "--force", how, crt, key)
        site.change("ca", "renew", how, crt, key)
    ours = site.folder / "ours.crt", site.folder / "ours.key"
    site.ours("ca", "certificate", "ours.test", *ours, *site.words())
    site.files["ours.test"] = ours
    assert site.renew("ours.test").status == 201
    site.offline("ca", "revoke", "--cert", ours[0], "--key", ours[1], "--reasonCode", "superseded")
    site.refused(lambda: site.renew("ours.test"), "revoked")
    site.ours("ca", "renew", "--mtls=false", "--force", *ours, ok=False)
    assert site.revoke(site.note(ours[0])).status == 400
    number = leaf(ours[0]).serial_number
    assert site.crl()[0].get_revoked_certificate_by_serial_number(number)
    # and the other way round
    assert site.revoke(site.note(crt)).status == 200
    assert site.offline("ca", "renew", crt, key, "--force", ok=None).returncode == 1
    assert site.offline("ca", "revoke", "--cert", crt, "--key", key, ok=None).returncode == 1


@pytest.mark.parametrize("site", SERVERS, indirect=True)
def test_both_look_after_ssh_hosts_in_turns(site):
    crt, key = site.ssh_issue("turns.test", "turns", "--host")
    site.ours("ssh", "renew", "--force", crt, key)
    site.change("ssh", "renew", crt, key)
    site.ours("ssh", "revoke", "--sshpop-cert", crt, "--sshpop-key", key)
    assert site.offline("ssh", "renew", crt, key, "--force", ok=None).returncode == 1
    ours = site.folder / "mine-cert.pub", site.folder / "mine"
    site.ours("ssh", "certificate", "--host", "mine.test", ours[1], *PLAIN, *site.words())
    site.change("ssh", "renew", *ours)
    site.offline("ssh", "revoke", "--sshpop-cert", ours[0], "--sshpop-key", ours[1])
    site.refused(lambda: site.ours("ssh", "renew", "--force", *ours, ok=False), "revoked")


def old_files(folder):
    return {k: v for k, v in state_of(folder).items() if "/old" in k and "sqlite" not in k}


@pytest.mark.parametrize("kind", FILES)
def test_files_belong_to_one_at_a_time(pki, kind):
    """While the original runs ours does not start; when the original went on later neither."""
    site = Site(pki, kind, pki.folder / f"alone-{kind}")
    crt, key = site.issue("web.test")
    said = site.folder / "daemon.log"
    with open(said, "wb") as log:
        daemon = subprocess.Popen([pki.program, "ca", "renew", crt, key, "--daemon", "--offline",
                                   "--ca-config", site.ca.config_path], env=site.theirs.env,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for("the daemon", lambda: "first renewal in" in said.read_text())
        site.fails_to_start("locked")
        assert not list(site.folder.rglob("*.sqlite*"))
        daemon.kill()
        daemon.wait()
        before = old_files(site.folder)
        site.ca.start()
        assert site.renew("web.test").status == 201
        assert site.ca.stop() == 0
        assert before and old_files(site.folder) == before
        site.change("ca", "renew", crt, key)
        site.fails_to_start("two databases")
    finally:
        daemon.kill()
        daemon.wait()
        site.ca.stop()
