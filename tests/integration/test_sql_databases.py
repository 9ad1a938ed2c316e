"""MySQL and PostgreSQL as the database: real servers, two of ours on one of them, a server that is
killed, and the tables as another implementation would find them."""

import base64
import concurrent.futures
import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from http.client import HTTPException
from pathlib import Path

import pytest
from acme_lab import Client, Names, Web, jws
from conftest import SLOW, STEP_CA, Ca, free_port, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sql_servers import KINDS, PASSWORD, new_server

UNITS = Path(os.environ.get("NEWEL_UNITS") or Path(STEP_CA).parents[2]) / "tests/unit/store"
TABLES = """x509_certs x509_certs_data revoked_x509_certs x509_crl revoked_ssh_certs used_ott
ssh_certs ssh_hosts ssh_users ssh_host_principals acme_accounts acme_keyID_accountID_index
acme_account_orders_index acme_orders acme_authzs acme_challenges acme_certs
acme_serial_certs_index nonces acme_external_account_keys
acme_external_account_keyID_reference_index acme_external_account_keyID_provisionerID_index
wire_acme_dpop_token wire_acme_oidc_token admins provisioners authority_policies""".split()


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request):
    made = new_server(request.param)
    yield made
    made.remove()


@pytest.fixture
def name():
    """A database that nobody has used."""
    return "ca_" + uuid.uuid4().hex[:12]


def use(ca, server, database, source=None, **more):
    db = {"type": server.type, "dataSource": source or server.source(), "database": database}
    ca.configure(lambda c: c.update(db={**db, **more}))
    ca.config_path.chmod(0o600)
    return ca


def start_fails(ca, *words):
    done = ca.run([STEP_CA, ca.config_path, "--password-file", ca.password_file], ok=False)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert PASSWORD not in done.stderr and "s%3Ae" not in done.stderr, done.stderr
    assert "Sanitizer" not in done.stderr
    return done.stderr


def serial_of(reply):
    return str(x509.load_pem_x509_certificate(reply.json()["crt"].encode()).serial_number)


def revoke(ca, serial, issuer=None):
    issuer = issuer or ca
    return ca.request("POST", "/revoke", {
        "serial": serial, "passive": True,
        "ott": issuer.token(serial, audience=f"{issuer.url}/1.0/revoke")})


def keys(server, database, table):
    return {row[0] for row in server.rows(
        f"SELECT {server.text('nkey')} FROM {table}", database)}


# --- The engine's own tests -----------------------------------------------------------------------


@pytest.mark.parametrize("suite", ["engines", "threads", "sql", "inventory", "tend"])
def test_the_suite_of_all_engines(server, suite):
    program = UNITS / f"test_store_{suite}"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    variable = "NEWEL_TEST_" + server.type.upper()
    done = subprocess.run([str(program)], env={**os.environ, variable: server.source()},
                          capture_output=True, text=True, timeout=600 * SLOW, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "FAILED" not in done.stderr + done.stdout


# --- The schema and what stands in it --------------------------------------------------------------


def columns(server, database, table):
    return server.rows(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE "
        f"table_name='{table}' AND "
        + (f"table_schema='{database}'" if server.type == "mysql" else "table_schema='public'")
        + " ORDER BY column_name", database)


def test_the_schema_is_the_reference_s(server, make_ca, name):
    ca = use(make_ca(), server, name, type=server.type.upper())
    ca.start()
    assert f'the database "{name}" was created' in ca.log()
    expected = ([["nkey", "varbinary", "NO"], ["nvalue", "blob", "YES"]]
                if server.type == "mysql" else
                [["nkey", "bytea", "NO"], ["nvalue", "bytea", "YES"]])
    for table in TABLES:
        assert columns(server, name, table) == expected, table
    if server.type == "mysql":
        made = server.sql("SHOW CREATE TABLE acme_keyID_accountID_index", name)
        assert "`nkey` varbinary(255) NOT NULL" in made and "PRIMARY KEY (`nkey`)" in made
        assert "InnoDB" in made
    assert PASSWORD not in ca.log()
    assert ca.stop() == 0
    ca.start()
    assert ca.log().count("was created") == 1
    assert ca.sign().status == 201


def test_records_are_those_of_the_reference(server, make_ca, name):
    ca = use(make_ca("--acme"), server, name).start()
    token = ca.token()
    reply = ca.sign(token)
    serial = serial_of(reply)
    der = x509.load_pem_x509_certificate(reply.json()["crt"].encode()).public_bytes(
        serialization.Encoding.DER)
    key, hexed = "nkey", "HEX(nvalue)" if server.type == "mysql" else "upper(encode(nvalue,'hex'))"
    rows = server.rows(f"SELECT {server.text(key)}, {hexed} FROM x509_certs", name)
    assert rows == [[serial, der.hex().upper()]]

    provisioner = ca.config()["authority"]["provisioners"][0]
    [[found, text]] = server.rows(
        f"SELECT {server.text('nkey')}, {server.text('nvalue')} FROM x509_certs_data", name)
    assert found == serial and text == (
        '{"provisioner":{"id":"ops:' + provisioner["key"]["kid"] + '","name":"ops","type":"JWK"}}')

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert keys(server, name, "used_ott") == {claims["jti"]}

    assert revoke(ca, serial).status == 200
    assert revoke(ca, serial).status == 400
    [[found, text]] = server.rows(
        f"SELECT {server.text('nkey')}, {server.text('nvalue')} FROM revoked_x509_certs", name)
    assert found == serial
    assert re.fullmatch(
        r'\{"Serial":"%s","ProvisionerID":"ops:[^"]+","ReasonCode":0,"Reason":"","RevokedAt":'
        r'"[-0-9T:.]+Z","ExpiresAt":"[-0-9T:]+Z","TokenID":"[^"]+","MTLS":false,"ACME":false\}'
        % serial, text), text

    nonce = ca.request("HEAD", "/acme/acme/new-nonce").headers["Replay-Nonce"]
    [[found, text]] = server.rows(
        f"SELECT {server.text('nkey')}, {server.text('nvalue')} FROM nonces", name)
    assert found == nonce and len(nonce) == 43
    assert re.fullmatch(r'\{"ID":"%s","CreatedAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",'
                        r'"DeletedAt":"0001-01-01T00:00:00Z"\}' % nonce, text), text


def test_a_certificate_that_somebody_else_wrote_is_revoked_by_its_row(server, make_ca, name):
    """The reference looks at the key alone, and stores NULL where it means nothing."""
    ca = use(make_ca(), server, name).start()
    crt, key = ca.issue()
    serial = x509.load_pem_x509_certificate(Path(crt).read_bytes()).serial_number
    assert ca.request("POST", "/renew", "", cert=crt, key=key).status == 201
    cast = f"'{serial}'" if server.type == "mysql" else f"'{serial}'::bytea"
    server.sql(f"INSERT INTO revoked_x509_certs VALUES({cast}, NULL)", name)
    assert ca.request("POST", "/renew", "", cert=crt, key=key).status == 401


# --- Ways to a server ------------------------------------------------------------------------------


def test_sources_of_all_forms(server, make_ca, name):
    ca = make_ca()
    sources = [server.socket_source(), server.socket_source(name), server.source(name)]
    if server.type == "postgresql":
        sources.append(server.source(name, "?application_name=tests&statement_timeout=7s"))
        sources.append(server.source("ignored"))  # "database" counts
        sources.append("")
        ca.env.update(PGHOST=str(server.folder), PGPORT=str(server.port), PGUSER="step",
                      PGPASSWORD=PASSWORD)
    else:
        sources.append(server.source(name, "?timeout=2s&readTimeout=5s&charset=utf8mb4&compress=1&"
                                     "tx_isolation=%27SERIALIZABLE%27&innodb_lock_wait_timeout=3"))
    for source in sources:
        use(ca, server, name)
        ca.configure(lambda c, s=source: c["db"].update(dataSource=s))
        ca.start()
        assert ca.sign().status == 201, source
        assert ca.stop() == 0
    assert len(keys(server, name, "x509_certs")) == len(sources)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_tls(kind, make_ca, name):
    server = new_server(kind, tls=True)
    try:
        ca = make_ca()
        root = server.folder / "root.pem"
        if kind == "mysql":
            good = [f"?tls=true&tls-ca={str(root).replace('/', '%2F')}", "?tls=skip-verify",
                    "?tls=preferred"]
            bad = [("?tls=true", "ertificate"), ("", "mysql: "), ("?tls=false", "mysql: "),
                   ("?tls=foo", "parameter tls")]
        else:
            good = [f"?sslmode=verify-full&sslrootcert={root}", "?sslmode=require",
                    f"?sslmode=verify-ca&sslrootcert={root}", ""]
            bad = [("?sslmode=verify-full", "certificate"), ("?sslmode=disable", "no encryption"),
                   ("?sslmode=bogus", "sslmode")]
        for query, word in bad:
            use(ca, server, name, server.source(name, query))
            start_fails(ca, word, "db.dataSource")
        for query in good:
            use(ca, server, name, server.source(name, query))
            ca.start()
            assert ca.sign().status == 201, query
            assert ca.stop() == 0
    finally:
        server.remove()


def test_a_plain_server_is_refused_when_tls_is_asked_for(server, make_ca, name):
    ca = make_ca()
    queries = (["?tls=true", "?tls=skip-verify"] if server.type == "mysql"
               else ["?sslmode=require", "?sslmode=verify-full"])
    for query in queries:
        use(ca, server, name, server.source(name, query))
        text = start_fails(ca, "db.dataSource")
        assert "TLS" in text or "SSL" in text
    if server.type == "mysql":
        for query in ("?tls=true&allowFallbackToPlaintext=true", "?tls=preferred"):
            use(ca, server, name, server.source(name, query))
            ca.start()
            assert ca.stop() == 0


# --- What stops the start --------------------------------------------------------------------------


def test_a_source_that_cannot_be_read(server, make_ca, name):
    ca = make_ca()
    if server.type == "mysql":
        use(ca, server, name, server.source()[:-1].rsplit("/", 1)[0].replace("/", "") + ")")
        ca.configure(lambda c: c["db"].update(dataSource="step:pw@tcp(127.0.0.1:3306)"))
        start_fails(ca, "user:password@tcp(127.0.0.1:3306)/", "slash")
        use(ca, server, "", server.source(""))
        start_fails(ca, "no database is named")
    else:
        use(ca, server, name, f"host=127.0.0.1 password={PASSWORD} oops")
        start_fails(ca, "keyword=value")


def test_wrong_passwords_and_missing_servers(server, make_ca, name):
    ca = use(make_ca(), server, name)
    ca.configure(lambda c: c["db"].update(
        dataSource=c["db"]["dataSource"].replace("step:s", "step:wrong-s")))
    text = start_fails(ca, "db.dataSource", "step")
    assert "wrong-s" not in text
    use(ca, server, name, server.source().replace(str(server.port), str(free_port())))
    start_fails(ca, "db.dataSource", "127.0.0.1")


def test_missing_privileges(server, make_ca, name):
    """Who may not create a database can use one that is there, tables and all."""
    ca = make_ca()
    other = "u" + uuid.uuid4().hex[:8]
    if server.type == "mysql":
        server.sql(f"CREATE USER {other}@'%' IDENTIFIED BY '{PASSWORD}'")
    else:
        server.sql(f"CREATE ROLE {other} LOGIN PASSWORD '{PASSWORD}'")
    source = server.source().replace("step:", f"{other}:", 1)
    use(ca, server, name, source)
    start_fails(ca, "db.dataSource", name)
    use(ca, server, name).start()  # by somebody who may
    assert ca.stop() == 0
    if server.type == "mysql":
        server.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {other}@'%'")
    else:
        server.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public "
                   f"TO {other}", name)
    use(ca, server, name, source).start()
    assert ca.sign().status == 201
    assert ca.stop() == 0
    server.sql("DROP TABLE acme_orders", name)
    start_fails(ca, "create table acme_orders")


def test_foreign_tables_and_newer_versions(server, make_ca, name):
    ca = use(make_ca(), server, name).start()
    assert ca.stop() == 0
    server.sql("DROP TABLE nonces; CREATE TABLE nonces (id INT, nvalue TEXT)", name)
    start_fails(ca, "nonces", "belongs to something else")
    server.sql("DROP TABLE nonces; CREATE TABLE nonces (nkey INT, nvalue INT)", name)
    start_fails(ca, "nonces", "belongs to something else")
    server.sql("DROP TABLE nonces", name)
    if server.type == "mysql":
        server.sql("CREATE TABLE nonces(nkey VARBINARY(255) PRIMARY KEY, nvalue BLOB) "
                   "ENGINE=MyISAM", name)
        start_fails(ca, "nonces", "InnoDB")
        server.sql("ALTER TABLE nonces ENGINE=InnoDB", name)
    ca.start()
    assert ca.stop() == 0
    server.sql("UPDATE newel_meta SET nvalue='99' WHERE nkey='schema'", name)
    start_fails(ca, "newer version")


def test_a_password_that_everybody_can_read_is_warned_about(server, make_ca, name):
    ca = use(make_ca(), server, name)
    ca.config_path.chmod(0o644)
    ca.start()
    assert "everybody can read this file" in ca.log()
    assert ca.stop() == 0


# --- Two of ours on one ----------------------------------------------------------------------------


class Twins:
    """Two servers with one configuration and one database, behind a proxy that takes turns."""

    def __init__(self, make_ca, server, database, *args):
        self.first = use(make_ca("--acme"), server, database)
        self.second = Ca.__new__(Ca)
        self.second.__dict__.update(self.first.__dict__)
        self.second.port = free_port()
        self.second.url = f"https://localhost:{self.second.port}"
        self.second.config_path = self.first.folder / "second.json"
        self.second.log_path = self.first.folder / "log2"
        config = {**self.first.config(), "address": f"127.0.0.1:{self.second.port}"}
        self.second.config_path.write_text(json.dumps(config))
        self.second.config_path.chmod(0o600)
        self.both = [self.first, self.second]
        self.proxy = None
        for ca in self.both:
            ca.start(*args)

    def front(self):
        """A Ca object whose port is the proxy's."""
        if not shutil.which("haproxy") and not Path("/usr/sbin/haproxy").exists():
            pytest.skip("haproxy is not installed")
        ca = Ca.__new__(Ca)
        ca.__dict__.update(self.first.__dict__)
        ca.port = free_port()
        ca.url = f"https://localhost:{ca.port}"
        conf = self.first.folder / "haproxy.cfg"
        conf.write_text("\n".join([
            "defaults", " mode tcp", " timeout connect 5s", " timeout client 60s",
            " timeout server 60s", f"listen ca\n bind 127.0.0.1:{ca.port}", " balance roundrobin",
            *[f" server s{i} 127.0.0.1:{c.port}" for i, c in enumerate(self.both)], ""]))
        self.proxy = subprocess.Popen(
            [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(conf)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ca.process = self.first.process
        ca.wait_ready()
        return ca

    def stop(self):
        if self.proxy:
            self.proxy.kill()
            self.proxy.wait()
        for ca in self.both:
            if ca.process:
                assert ca.stop() == 0, ca.log()
            assert "Sanitizer" not in ca.log() and "runtime error:" not in ca.log(), ca.log()
            assert PASSWORD not in ca.log()


@pytest.fixture
def twins(make_ca, server, name):
    made = []

    def make(*args):
        made.append(Twins(make_ca, server, name, *args))
        return made[0]

    yield make
    for t in made:
        t.stop()


def test_a_token_is_good_once_at_two_servers(twins, server, name):
    pair = twins()
    first, second = pair.both
    _, csr = make_csr()
    for _ in range(20):
        token = first.token()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            got = sorted(r.status for r in pool.map(
                lambda ca, t=token: ca.sign(t, csr), pair.both * 5))
        assert got == [201] + [401] * 9
    assert len(keys(server, name, "x509_certs")) == 20
    reply = first.sign(csr=csr)
    assert revoke(second, serial_of(reply), first).status == 200
    assert revoke(first, serial_of(reply)).status == 400


def test_revoked_at_one_is_refused_by_the_other(twins):
    pair = twins()
    first, second = pair.both
    crt, key = first.issue()
    assert second.request("POST", "/renew", "", cert=crt, key=key).status == 201
    serial = str(x509.load_pem_x509_certificate(Path(crt).read_bytes()).serial_number)
    assert revoke(first, serial).status == 200
    assert second.request("POST", "/renew", "", cert=crt, key=key).status == 401
    assert first.request("POST", "/renew", "", cert=crt, key=key).status == 401


def hold(server, database, sql, end):
    """A transaction of somebody else that stays open for a while; the thread that runs it."""
    pause = "DO SLEEP(2)" if server.type == "mysql" else "SELECT pg_sleep(2)"
    thread = threading.Thread(target=server.sql, args=(f"BEGIN; {sql}; {pause}; {end}", database))
    thread.start()
    return thread


def open_transactions(server, database):
    return int(server.rows(
        "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified>0"
        if server.type == "mysql" else
        "SELECT COUNT(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND "
        f"datname='{database}'", database)[0][0])


@pytest.mark.parametrize("end,status", [("COMMIT", 401), ("ROLLBACK", 201)])
def test_a_renewal_waits_for_a_revocation_under_way(server, make_ca, name, end, status):
    """One of the reference's, say: nobody can see yet whether it will be."""
    ca = use(make_ca(), server, name).start()
    crt, key = ca.issue()
    serial = x509.load_pem_x509_certificate(Path(crt).read_bytes()).serial_number
    before = keys(server, name, "x509_certs")
    cast = "" if server.type == "mysql" else "::bytea"
    thread = hold(server, name,
                  f"INSERT INTO revoked_x509_certs VALUES('{serial}'{cast}, NULL)", end)
    try:
        limit = time.monotonic() + 20 * SLOW
        while open_transactions(server, name) == 0:
            assert thread.is_alive() and time.monotonic() < limit
            time.sleep(0.2)  # MariaDB's answer is as old as that
        assert ca.request("POST", "/renew", "", cert=crt, key=key).status == status
    finally:
        thread.join()
    assert len(keys(server, name, "x509_certs") - before) == (status == 201)
    assert (f"certificate {serial} is revoked" in ca.log()) == (status == 401)


def test_renewal_and_revocation_at_two_servers(server, twins, name):
    """Whoever comes first: a renewal that was granted was committed before the revocation."""
    if server.type == "postgresql":
        server.sql("ALTER SYSTEM SET track_commit_timestamp=on")
        server.stop()
        server.start()
    first, second = twins().both
    granted = []
    for number in range(18):
        crt, key = first.issue()
        serial = str(x509.load_pem_x509_certificate(Path(crt).read_bytes()).serial_number)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            renewals = [pool.submit(ca.request, "POST", "/renew", "", cert=crt, key=key)
                        for ca in (first, second)]
            time.sleep(number % 9 / 1000)
            assert pool.submit(revoke, first, serial).result().status == 200
            for reply in (r.result() for r in renewals):
                assert reply.status in (201, 401), reply.body
                if reply.status == 201:
                    granted.append((serial_of(reply), serial))
        assert second.request("POST", "/renew", "", cert=crt, key=key).status == 401
    stored = keys(server, name, "x509_certs")
    assert {new for new, _ in granted} <= stored and len(stored) == 18 + len(granted)
    if server.type == "mysql":
        return
    for new, old in granted:
        [[ordered]] = server.rows(
            "SELECT pg_xact_commit_timestamp(x.xmin) < pg_xact_commit_timestamp(r.xmin) "
            f"FROM x509_certs x, revoked_x509_certs r WHERE x.nkey='{new}' AND r.nkey='{old}'",
            name)
        assert ordered == "t", (new, old)


class Wanderer(Client):
    """Every request on a connection of its own: the proxy gives it to the other server."""

    def send(self, *args, **how):  # pylint: disable=arguments-differ
        try:
            return super().send(*args, **how)
        finally:
            self.close()


@pytest.fixture
def internet():
    names, web = Names(), Web()
    yield names, web
    names.stop()
    web.stop()


def acme_args(names, web):
    return ("--insecure", "--acme-http-port", str(web.port), "--resolver", names.address)


def test_acme_through_a_proxy_in_front_of_two(twins, server, name, internet):
    names, web = internet
    front = twins(*acme_args(names, web)).front()
    client = Wanderer(front)
    serials = set()
    for i in range(3):
        leaf, _ = client.certificate(web, f"a{i}.test", f"b{i}.test")
        serials.add(str(leaf.serial_number))
    assert serials <= keys(server, name, "x509_certs")
    assert serials <= keys(server, name, "acme_serial_certs_index")

    # Many orders of one account at the same time, at both.
    def order(i):
        own = Wanderer(front, key=client.key, account=False)
        own.kid = client.kid
        return own.certificate(web, f"many{i}.test")[0]

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        leaves = list(pool.map(order, range(20)))
    assert len({leaf.serial_number for leaf in leaves}) == 20


def test_a_nonce_is_spent_once_at_two_servers(twins, server, name, internet):
    pair = twins(*acme_args(*internet))
    front = pair.front()
    client = Wanderer(front)
    for _ in range(10):
        message = json.dumps(jws(client.key, client.header(client.kid), None))

        def post(_, m=message):
            own = Wanderer(front, account=False)
            return own.send("POST", client.kid, m, {"Content-Type": "application/jose+json"})

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = sorted(r.status for r in pool.map(post, range(8)))
        assert got == [200] + [400] * 7
    assert len(client.fresh_nonce()) == 43


@pytest.mark.parametrize("value", ["NULL", "''", "'[]'", "'[\"gone\"]'"])
def test_lists_of_orders_that_the_reference_left_behind(twins, server, name, internet, value):
    names, web = internet
    pair = twins(*acme_args(names, web))
    client = Client(pair.first)
    account = client.kid.rsplit("/", 1)[1]
    cast = "" if server.type == "mysql" or value == "NULL" else "::bytea"
    key = f"'{account}'" + ("" if server.type == "mysql" else "::bytea")
    server.sql(f"INSERT INTO acme_account_orders_index VALUES({key}, {value}{cast})", name)
    order = client.order("list.test")
    [[text]] = server.rows(f"SELECT {server.text('nvalue')} FROM acme_account_orders_index", name)
    # One that is gone leaves the list when it has grown.
    assert [i for i in json.loads(text) if i != "gone"] == [order.url.rsplit("/", 1)[1]]
    order.prove(web)
    order.finish()
    client.close()


# --- Trouble ---------------------------------------------------------------------------------------


class Load:
    """Threads that ask for certificates and remember what they were told."""

    def __init__(self, cas, threads=12):
        self.cas = cas
        self.csr = make_csr()[1]
        self.issued, self.refused, self.others = [], [], []
        self.lock = threading.Lock()
        self.ending = False
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        ca = self.cas[number % len(self.cas)]
        while not self.ending:
            token = ca.token()
            try:
                reply = ca.sign(token, self.csr)
            except (OSError, HTTPException):
                continue
            with self.lock:
                if reply.status == 201:
                    self.issued.append((serial_of(reply), token))
                elif reply.status in (500, 503):
                    self.refused.append(token)
                else:
                    self.others.append((reply.status, reply.body))
            if reply.status != 201:
                time.sleep(0.05)

    def wait_issued(self, more, seconds=60):
        target = len(self.issued) + more
        end = time.monotonic() + seconds * SLOW
        while len(self.issued) < target:
            assert time.monotonic() < end, (len(self.issued), target, self.others[:3])
            time.sleep(0.02)

    def stop(self):
        self.ending = True
        for thread in self.threads:
            thread.join()


def test_a_killed_server_loses_nothing_and_is_found_again(make_ca, request, name):
    for kind in sorted(KINDS):
        check_killed_server(make_ca, new_server(kind), f"{name}_{kind}")


def check_killed_server(make_ca, server, database):
    pair = None
    try:
        pair = Twins(make_ca, server, database)
        load = Load(pair.both)
        try:
            for _ in range(3):
                load.wait_issued(30)
                server.kill()
                before = len(load.refused)
                time.sleep(0.7)
                assert len(load.refused) > before
                assert pair.first.request("GET", "/health").status == 200
                server.start()
                load.wait_issued(30)
        finally:
            load.stop()
        assert load.others == [] and load.refused
        stored = keys(server, database, "x509_certs")
        assert {serial for serial, _ in load.issued} <= stored
        used = keys(server, database, "used_ott")
        assert len(used) >= len(load.issued)
        for _, token in load.issued[:10] + load.issued[-10:]:
            for ca in pair.both:
                assert ca.sign(token, load.csr).status == 401
        # Whatever became of a token whose answer was an error: it is good for one more at most.
        for token in load.refused[:20]:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                got = [r.status for r in pool.map(lambda ca, t=token: ca.sign(t, load.csr),
                                                  pair.both * 2)]
            assert got.count(201) <= 1 and set(got) <= {201, 401}
        for ca in pair.both:
            assert "until it answers" in ca.log() and "answers again" in ca.log()
    finally:
        if pair:
            pair.stop()
        server.remove()


def test_a_restart_and_connections_that_were_killed(server, make_ca, name):
    """An orderly restart, and an administrator who ends our sessions."""
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    server.stop()
    assert ca.sign().status == 503
    server.start()
    assert ca.sign().status == 201
    if server.type == "mysql":
        ids = server.rows("SELECT id FROM information_schema.processlist WHERE user='step'", "")
        for [number] in ids:
            server.sql(f"KILL {number}")
    else:
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   f"WHERE datname='{name}'")
    time.sleep(0.2)
    for _ in range(5):
        assert ca.sign().status == 201


def test_deadlocks_are_run_again(server, make_ca, name):
    """Somebody locks the tables in the other order, over and over."""
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    if server.type == "mysql":
        server.sql("CREATE TABLE heavy (a INT)", name)
        rows = ",".join(["(1)"] * 500)
        script = (f"START TRANSACTION; INSERT INTO heavy VALUES {rows};"
                  "SELECT COUNT(*) INTO @a FROM used_ott FOR UPDATE; DO SLEEP(0.02);"
                  "SELECT COUNT(*) INTO @a FROM x509_certs FOR UPDATE; ROLLBACK")
        count = "SELECT variable_value FROM information_schema.global_status " \
                "WHERE variable_name='INNODB_DEADLOCKS'"
    else:
        server.sql("ALTER SYSTEM SET deadlock_timeout='200ms'", name)
        server.sql("SELECT pg_reload_conf()", name)
        script = ("BEGIN; SET LOCAL deadlock_timeout='5s'; LOCK TABLE used_ott IN SHARE MODE;"
                  "SELECT pg_sleep(0.02); LOCK TABLE x509_certs IN SHARE MODE; ROLLBACK")
        count = f"SELECT deadlocks FROM pg_stat_database WHERE datname='{name}'"
    ending = threading.Event()

    def disturb():
        while not ending.is_set():
            try:
                server.sql(script, name)
            except AssertionError as problem:
                assert "eadlock" in str(problem)
            time.sleep(0.3)  # else somebody may lose five times in a row

    thread = threading.Thread(target=disturb)
    thread.start()
    load = Load([ca], threads=6)
    try:
        end = time.monotonic() + 60 * SLOW
        while len(load.issued) < 150 or int(server.rows(count, name)[0][0]) < 3:
            assert time.monotonic() < end, (len(load.issued), server.rows(count, name))
            time.sleep(0.1)
    finally:
        load.stop()
        ending.set()
        thread.join()
    assert load.refused == [] and load.others == [], load.others[:3]
    assert len(keys(server, name, "x509_certs")) == len(load.issued) + 1


def test_a_frozen_server_is_given_up(make_ca, server, name):
    """It takes connections and answers nothing."""
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    server.signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert ca.sign().status == 503
        assert time.monotonic() - begun < 28 * SLOW
        assert ca.request("GET", "/health").status == 200
        assert ca.request("GET", "/provisioners").status == 200
    finally:
        server.signal(signal.SIGCONT)
    end = time.monotonic() + 30 * SLOW
    while ca.sign().status != 201:
        assert time.monotonic() < end
        time.sleep(0.2)


# --- A CRL that does not fit into a BLOB -------------------------------------------------------------


def test_a_long_crl_is_whole(server, make_ca, name):
    ca = use(make_ca(), server, name)
    ca.configure(lambda c: c.update(crl={"enabled": True}))
    ca.start()
    assert ca.stop() == 0
    numbers = range(10**30, 10**30 + 3000)
    record = ('{"Serial":"%d","ProvisionerID":"","ReasonCode":1,"Reason":"","RevokedAt":'
              '"2026-01-01T00:00:00Z","ExpiresAt":"9990-01-01T00:00:00Z","TokenID":"",'
              '"MTLS":false,"ACME":false}')
    cast = "" if server.type == "mysql" else "::bytea"
    for at in range(0, 3000, 500):
        server.sql("INSERT INTO revoked_x509_certs VALUES " + ",".join(
            f"('{n}'{cast},'{record % n}'{cast})" for n in numbers[at:at + 500]), name)
    ca.start()
    crl = x509.load_der_x509_crl(ca.request("GET", "/crl").body)
    assert len(crl) == 3000
    size = int(server.rows("SELECT LENGTH(nvalue) FROM x509_crl", name)[0][0])
    assert size > 65535


# --- The commands -----------------------------------------------------------------------------------


def test_moving_from_one_engine_to_the_next(server, make_ca, name):
    ca = make_ca().start()
    serial = serial_of(ca.sign())
    assert revoke(ca, serial).status == 200
    crt, key = ca.issue()
    assert ca.stop() == 0
    lite = f"sqlite:{ca.config()['db']['dataSource']}"
    there = f"{server.type}:{server.source(name)}"
    back = f"sqlite:{ca.folder}/back.sqlite"

    def db(*args):
        done = ca.run([STEP_CA, "db", *args], ok=False)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout

    db("import", "--from", lite, "--to", there)
    db("import", "--from", there, "--to", back)
    rows = [{t: r for t, r in json.loads(db("dump", source))["tables"].items() if r}
            for source in (lite, there, back)]
    assert rows[0] == rows[1] == rows[2] and rows[0]["x509_certs"]

    use(ca, server, name).start()
    assert ca.request("POST", "/renew", "", cert=crt, key=key).status == 201
    assert revoke(ca, serial).status == 400


def test_there_is_no_inventory_and_that_is_said(server, make_ca, name):
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    done = ca.run([STEP_CA, "db", "list", ca.config_path], ok=False)
    assert done.returncode != 0 and "inventory" in done.stderr, done.stderr
    assert PASSWORD not in done.stderr
    assert "x509_certs" in ca.run([STEP_CA, "db", "stats", ca.config_path]).stdout
    assert "sound" in ca.run([STEP_CA, "db", "check", ca.config_path]).stdout


def db(ca, *words, ok=True):
    done = ca.run([STEP_CA, "db", *words, "--config", ca.config_path], ok=ok)
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def listed(ca, *filters):
    return [row["serial"] for row in json.loads(db(ca, "list", "--format=json", *filters))]


def test_an_inventory_where_it_is_asked_for(server, make_ca, name):
    """Our tables beside the reference's, in step with them whoever of us issues."""
    ca = use(make_ca(), server, name, inventory=True).start()
    beside = use(make_ca(), server, name)  # does not ask for it, and finds it
    beside.start()
    first = serial_of(ca.sign(ca.token("a.test", sans=["a.test", "b.test"]),
                              make_csr(("a.test", "b.test"))[1]))
    second = serial_of(beside.sign(beside.token("ümlaut.test", sans=["x.test"]),
                                   make_csr(("x.test",), common_name="ümlaut.test")[1]))
    crt, key = ca.issue("c.test")
    renewed = serial_of(ca.request("POST", "/renew", "", cert=crt, key=key))
    third = str(x509.load_pem_x509_certificate(crt.read_bytes()).serial_number)
    assert revoke(ca, first).status == 200
    assert set(listed(ca)) == {first, second, third, renewed}
    assert listed(ca, "--revoked") == [first]
    assert listed(ca, "--san", "B.test") == [first] == listed(ca, "--san=dns:b.test")
    assert set(listed(ca, "--active", "--provisioner=ops")) == {second, third, renewed}
    assert set(listed(ca, "--expiring-in=2d")) == {second, third, renewed}
    assert len(listed(ca, "--limit=2")) == 2 and listed(ca, "--since=2099-01-01") == []
    assert listed(ca, "--ssh") == [] and len(listed(ca, "--x509")) == 4
    shown = json.loads(db(ca, "show", renewed, "--format=json"))
    assert shown["renewedFrom"] == third and shown["kind"] == "x509"
    assert "a.test" in db(ca, "show", first) and "revoked" in db(ca, "show", first)
    assert db(ca, "export", "--format=pem").count("BEGIN CERTIFICATE") == 4
    assert len(db(ca, "export").splitlines()) == 5
    assert "revoked" in db(ca, "stats")
    assert "sound" in db(ca, "check")

    # What the reference adds and takes is found; who renewed what is not forgotten.
    assert ca.stop() == beside.stop() == 0  # they would add what is missing
    server.sql(f"DELETE FROM newel_certificates WHERE serial='{second}'", name)
    server.sql("UPDATE newel_certificates SET names='dns:wrong'", name)
    server.sql(f"DELETE FROM x509_certs WHERE nkey='{first}'", name)
    found = db(ca, "check", ok=False)
    assert f"{second} is missing" in found and f"{third}: the inventory says" in found, found
    assert f"serial number {first}, but" in found, found
    assert "3 certificates" in db(ca, "reindex")
    assert "sound" in db(ca, "check")
    assert set(listed(ca)) == {second, third, renewed} and listed(ca, "--revoked") == []
    assert json.loads(db(ca, "show", renewed, "--format=json"))["renewedFrom"] == third
    assert "0 ended certificates" in db(ca, "prune", "--certificates=1d")


def until(condition, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_tables_of_an_inventory_that_come_and_go_while_servers_run(server, twins, make_ca, name):
    """One of two makes them, the other was there before and knows nothing of it."""
    pair = twins()
    first, second = pair.both
    assert second.stop() == 0
    config = json.loads(second.config_path.read_text())
    config["db"]["inventory"] = True
    second.config_path.write_text(json.dumps(config))
    load = Load([first], threads=3)
    try:
        load.wait_issued(20)
        second.start()
        assert "tables of the inventory were created" in second.log()
        load.wait_issued(20)
        until(lambda: "there are tables of an inventory now" in first.log())
        load.wait_issued(20)
    finally:
        load.stop()
    assert load.refused == load.others == []
    issued = {serial for serial, _ in load.issued}
    until(lambda: set(listed(second)) == issued)
    assert set(listed(second, "--provisioner=ops")) == issued
    assert "sound" in db(second, "check")

    # A server that was killed before it added what it had issued adds it when it starts again.
    server.sql("DELETE FROM newel_certificates", name)
    assert first.stop() == 0
    first.start()
    until(lambda: set(listed(second)) == issued)

    # Somebody drops them: whoever issues next finds out, the other one a little later.
    server.sql("DROP TABLE newel_certificate_names; DROP TABLE newel_certificates", name)
    for ca in (first, first, second):
        assert ca.sign().status == 201
    for ca in pair.both:
        until(lambda ca=ca: "its tables are gone" in ca.log())
        assert ca.sign().status == 201
        assert ca.log().count("its tables are gone") == 1
    assert len(keys(server, name, "x509_certs")) == len(issued) + 5

    # A user who may not write to them issues without.
    if server.type == "mysql":
        return  # it shows nobody what he may not use
    assert second.stop() == 0
    second.start()
    until(lambda: first.log().count("there are tables of an inventory now") == 2)
    other = "u" + uuid.uuid4().hex[:8]
    server.sql(f"CREATE ROLE {other} LOGIN PASSWORD '{PASSWORD}';"
               f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {other};"
               f"REVOKE INSERT ON newel_certificates FROM {other}", name)
    third = use(make_ca(), server, name, server.source().replace("step:", f"{other}:", 1))
    third.start()
    assert "the inventory is not kept" in third.log()
    assert third.sign().status == 201


@pytest.mark.parametrize("place", ["server", "sqlite"])
def test_ssh_certificates_are_in_the_inventory(server, make_ca, name, place):
    """Beside X.509, from their issue to their revocation."""
    ca = make_ca("--ssh")
    if place == "server":
        use(ca, server, name, inventory=True)
    elif server.type == "mysql":
        pytest.skip("once is enough")
    ca.start()
    web = serial_of(ca.sign())
    word = ["--provisioner", "ops", "--provisioner-password-file", ca.password_file]
    ca.step("ssh", "certificate", "--no-password", "--insecure", "--no-agent", "bob@example.test",
            "id", *word)
    ca.step("ssh", "certificate", "--no-password", "--insecure", "--no-agent", "--host",
            "web.example.test", "host", *word)
    shown = {n: subprocess.run(["ssh-keygen", "-L", "-f", ca.folder / f"{n}-cert.pub"],
                                  capture_output=True, text=True, check=True).stdout
             for n in ("id", "host")}
    serials = {n: re.search(r"Serial: (\d+)", text).group(1) for n, text in shown.items()}
    rows = {r["serial"]: r for r in json.loads(db(ca, "list", "--ssh", "--format=json"))}
    assert set(rows) == set(serials.values())
    user, host = rows[serials["id"]], rows[serials["host"]]
    assert user["kind"] == "ssh-user" and host["kind"] == "ssh-host"
    assert user["subject"] == "bob@example.test" and "principal:bob" in user["names"]
    assert host["names"] == ["principal:web.example.test"]
    for row, text in ((user, shown["id"]), (host, shown["host"])):
        assert row["provisioner"]["name"] == "ops" and row["status"] == "active"
        assert row["fingerprint"] in text and row["caKey"] in text
    assert listed(ca, "--san=principal:bob") == [serials["id"]]
    assert listed(ca, "--x509") == [web]
    ca.step("ssh", "revoke", serials["id"], *word)
    assert listed(ca, "--revoked") == [serials["id"]] == listed(ca, "--revoked", "--ssh")
    assert listed(ca, "--active", "--ssh") == [serials["host"]]
    assert "sound" in db(ca, "check")
    assert "3 certificates" in db(ca, "reindex")
    again = {r["serial"]: r for r in json.loads(db(ca, "list", "--ssh", "--format=json"))}
    assert again[serials["host"]] == host and again[serials["id"]]["status"] == "revoked"
    ca.stop()
    assert "2 ended certificates" not in db(ca, "prune", "--certificates=1d")


def test_an_inventory_of_what_was_there_and_what_is_imported(server, make_ca, name):
    ca = use(make_ca(), server, name).start()
    serials = {serial_of(ca.sign()) for _ in range(3)}
    ca.stop()
    copy = use(make_ca(), server, name + "b", inventory=True)
    db(copy, "import", "--from", f"{server.type}:{server.source(name)}")
    assert set(listed(copy)) == serials == set(listed(copy, "--provisioner=ops"))
    assert "sound" in db(copy, "check")
    use(ca, server, name, inventory=True).start()
    until(lambda: set(listed(ca, "--provisioner=ops")) == serials)
    assert "3 certificates were added to the inventory" in ca.log()
    server.sql("DELETE FROM newel_certificates", name)
    assert "is missing in the inventory" in db(ca, "check", ok=False)
    db(ca, "reindex")
    assert set(listed(ca, "--provisioner=ops")) == serials
    shown = json.loads(db(ca, "show", min(serials), "--format=json"))
    assert shown["provisioner"]["id"].startswith("ops:"), shown


def test_certificates_go_after_their_retention(server, make_ca, name):
    """Without an inventory they are read for their ends; revocations stay."""
    ca = use(make_ca(), server, name).start()
    now = serial_of(ca.sign())
    short = serial_of(ca.sign(notAfter="5m"))
    assert revoke(ca, short).status == 200
    ca.stop()
    assert "0 ended certificates" in db(ca, "prune", "--certificates=0s")
    assert keys(server, name, "x509_certs") == {now, short}
    # As time passes: the stored copy is one that ended long ago.
    old, key = make_old_certificate()
    hexed = old.hex()
    value = f"x'{hexed}'" if server.type == "mysql" else f"'\\x{hexed}'"
    for table in ("x509_certs", "x509_certs_data", "revoked_x509_certs"):
        text = value if table == "x509_certs" else "'{}'"
        server.sql(f"INSERT INTO {table} VALUES('{key}', {text})", name)
    assert "0 ended certificates" in db(ca, "prune", "--certificates=36500d")
    assert "1 ended certificates" in db(ca, "prune", "--certificates=30d")
    assert keys(server, name, "x509_certs") == {now, short}
    assert key not in keys(server, name, "x509_certs_data")
    assert key in keys(server, name, "revoked_x509_certs")


def make_old_certificate():
    """DER of a certificate of the year 2001, and its serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.test")])
    old = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
           .public_key(key.public_key()).serial_number(4711)
           .not_valid_before(datetime.datetime(2001, 1, 1))
           .not_valid_after(datetime.datetime(2001, 1, 2)).sign(key, hashes.SHA256()))
    return old.public_bytes(serialization.Encoding.DER), "4711"


def test_used_tokens_of_ours_have_an_end(server, make_ca, name):
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    [[value]] = server.rows(f"SELECT {server.text('nvalue')} FROM used_ott", name)
    assert re.fullmatch(r"used until \d+", value)
    server.sql("UPDATE used_ott SET nvalue='used until 1000'", name)
    db(ca, "prune")
    assert keys(server, name, "used_ott") == set()


def test_how_many_connections(server, make_ca, name):
    ca = use(make_ca(), server, name, maxOpenConns=2, maxIdleConns=1, connMaxLifetime="1s").start()
    token = ca.token()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: ca.sign().status, range(24)))
        same = list(pool.map(lambda _: ca.sign(token).status, range(8)))
    assert got == [201] * 24 and sorted(same) == [201] + [401] * 7
    count = ("SELECT COUNT(*) FROM information_schema.processlist WHERE user='step' AND "
             f"db='{name}'" if server.type == "mysql" else
             f"SELECT COUNT(*) FROM pg_stat_activity WHERE datname='{name}' AND "
             "application_name='step-ca'")
    [[connections]] = server.rows(count, "mysql" if server.type == "mysql" else "postgres")
    assert int(connections) <= 2
    ca.stop()
    for member, value, word in (("maxOpenConns", -1, "maxOpenConns"),
                                ("maxIdleConns", 5000, "maxIdleConns"),
                                ("connMaxLifetime", "-1s", "connMaxLifetime"),
                                ("retention", "-1h", "retention")):
        use(ca, server, name, **{member: value})
        start_fails(ca, "db." + word)


def test_looking_after_a_database_of_the_reference_alone(server, make_ca, name):
    """Nothing of ours is in it, and nothing of ours is left behind."""
    ca = use(make_ca(), server, name).start()
    assert ca.sign().status == 201
    ca.stop()
    ours = {"newel_meta", "newel_imports", "newel_acme_replaces"}
    for table in (*ours, "admins", "provisioners", "authority_policies"):
        server.sql(f"DROP TABLE {table}", name)
    source = f"{server.type}:{server.source(name)}"
    for words in (["check"], ["stats"], ["prune", "--certificates=1d"], ["dump", source]):
        more = [] if words[0] == "dump" else ["--db", source]
        done = ca.run([STEP_CA, "db", *words, *more])
        assert PASSWORD not in done.stderr
    where = f"table_schema='{name}'" if server.type == "mysql" else "table_schema='public'"
    there = {row[0] for row in server.rows(
        f"SELECT table_name FROM information_schema.tables WHERE {where}", name)}
    assert not there & (ours | {"admins"}) and "x509_certs" in there
    assert len(keys(server, name, "x509_certs")) == 1


def test_commands_beside_the_service(server, make_ca, name):
    """An offline certificate and an external account key reach the same database."""
    ca = use(make_ca("--acme"), server, name)
    ca.configure(lambda c: c["authority"]["provisioners"].append(
        {"type": "ACME", "name": "bound", "requireEAB": True}))
    ca.start()
    crt, key = ca.folder / "off.crt", ca.folder / "off.key"
    ca.step("ca", "certificate", "offline.test", crt, key, "--offline", "--provisioner", "ops",
            "--password-file", ca.password_file, "--ca-config", ca.config_path)
    serial = str(x509.load_pem_x509_certificate(crt.read_bytes()).serial_number)
    assert serial in keys(server, name, "x509_certs")
    assert ca.request("POST", "/renew", "", cert=crt, key=key).status == 201
    ca.step("ca", "acme", "eab", "add", "bound", "reference", "--ca-config", ca.config_path)
    assert len(keys(server, name, "acme_external_account_keys")) == 1
