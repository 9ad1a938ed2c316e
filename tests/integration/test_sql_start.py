"""What a server of ours looks at before it begins on MySQL or PostgreSQL: tables that are not what
it relies on, privileges that are missing, others that start at the same moment."""

import concurrent.futures
import re
import sqlite3
import time
import uuid

import pytest
from conftest import STEP_CA, Ca, free_port
from cryptography import x509
from sql_servers import PASSWORD, new_server

KINDS = ["mysql", "postgresql"]
NEEDED = ["SELECT", "INSERT", "UPDATE", "DELETE"]


@pytest.fixture(scope="module", params=KINDS)
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


def start_fails(ca, *words, secrets=()):
    done = ca.run([STEP_CA, ca.config_path, "--password-file", ca.password_file], ok=False)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    for secret in (PASSWORD, "s%3Ae", *secrets):
        assert secret not in done.stderr, (secret, done.stderr)
    assert "Sanitizer" not in done.stderr and "runtime error:" not in done.stderr, done.stderr
    return done.stderr


def serial_of(reply):
    return str(x509.load_pem_x509_certificate(reply.json()["crt"].encode()).serial_number)


def prepared(make_ca, server, database):
    """A database as we leave it, and the authority that made it."""
    ca = use(make_ca(), server, database).start()
    assert ca.stop() == 0
    return ca


# --- Tables that are not what we rely on ----------------------------------------------------------

# What somebody did to the table nonces or used_ott, and the words of the refusal.
STRANGE = {
    "mysql": [
        ("DROP TABLE used_ott; CREATE TABLE used_ott AS SELECT * FROM nonces",
         ['"used_ott"', "no primary or unique key on nkey", "ADD PRIMARY KEY (nkey)"]),
        ("ALTER TABLE used_ott DROP PRIMARY KEY, ADD PRIMARY KEY (nkey, nvalue(10))",
         ['"used_ott"', "no primary or unique key on nkey"]),
        ("ALTER TABLE used_ott DROP PRIMARY KEY, ADD UNIQUE KEY (nkey(20))",
         ['"used_ott"', "no primary or unique key on nkey"]),
        ("ALTER TABLE used_ott DROP PRIMARY KEY, ADD KEY (nkey)",
         ['"used_ott"', "no primary or unique key on nkey"]),
        ("CREATE TABLE USED_OTT LIKE used_ott; ALTER TABLE used_ott DROP PRIMARY KEY",
         ['"used_ott"', "no primary or unique key on nkey"]),
        ("ALTER TABLE used_ott ADD UNIQUE KEY v (nvalue(30))",
         ['"used_ott"', 'unique key "v" on nvalue']),
        ("ALTER TABLE nonces ADD COLUMN seen INT NOT NULL",
         ['"nonces"', '"seen"', "NOT NULL", "no default"]),
        ("ALTER TABLE nonces MODIFY nkey VARBINARY(100) NOT NULL",
         ['"nonces"', "VARBINARY(100)", "VARBINARY(255) is needed"]),
        ("ALTER TABLE nonces MODIFY nkey BINARY(255) NOT NULL",
         ['"nonces"', "BINARY(255)", "VARBINARY(255) is needed"]),
        ("ALTER TABLE nonces MODIFY nkey VARCHAR(255) NOT NULL",
         ['"nonces"', "belongs to something else"]),
        ("ALTER TABLE nonces MODIFY nvalue TINYBLOB",
         ['"nonces"', "255 bytes", "MODIFY nvalue BLOB"]),
        ("ALTER TABLE nonces MODIFY nvalue TEXT", ['"nonces"', "belongs to something else"]),
        ("ALTER TABLE nonces DROP COLUMN nvalue", ['"nonces"', "belongs to something else"]),
        ("ALTER TABLE nonces ENGINE=MyISAM", ['"nonces"', "MyISAM", "ENGINE=InnoDB"]),
        ("RENAME TABLE nonces TO other; CREATE VIEW nonces AS SELECT nkey, nvalue FROM other",
         ['"nonces" is a VIEW', "a table is needed"]),
    ],
    "postgresql": [
        ("DROP TABLE used_ott; CREATE TABLE used_ott AS SELECT * FROM nonces",
         ['"used_ott"', "no primary key or unique constraint", "ADD PRIMARY KEY (nkey)"]),
        ("ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey, ADD PRIMARY KEY (nkey, nvalue)",
         ['"used_ott"', "no primary key or unique constraint"]),
        ("ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey; CREATE INDEX i ON used_ott (nkey)",
         ['"used_ott"', "no primary key or unique constraint"]),
        ("ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey; CREATE UNIQUE INDEX i ON used_ott"
         " (nkey) WHERE length(nkey) > 3", ['"used_ott"', "no primary key or unique constraint"]),
        ("ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey; CREATE UNIQUE INDEX i ON used_ott"
         " (md5(nkey))", ['"used_ott"', "no primary key or unique constraint"]),
        ("ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey, ADD PRIMARY KEY (nkey) DEFERRABLE",
         ['"used_ott"', "no primary key or unique constraint"]),
        ("CREATE TABLE child () INHERITS (used_ott)", ['"used_ott"', "inherit"]),
        ("CREATE RULE r AS ON INSERT TO used_ott DO INSTEAD NOTHING", ['"used_ott"', "rule"]),
        ('ALTER TABLE nonces ADD COLUMN "Seen" INT NOT NULL',
         ['"nonces"', '"Seen"', "NOT NULL", "no default"]),
        ("ALTER TABLE nonces SET UNLOGGED", ['"nonces"', "UNLOGGED", "nonces SET LOGGED"]),
        ("ALTER TABLE nonces ALTER COLUMN nvalue TYPE text USING 'x'",
         ['"nonces"', "belongs to something else"]),
        ("ALTER TABLE nonces RENAME TO other; CREATE VIEW nonces AS SELECT nkey, nvalue FROM other",
         ['"nonces" is a view', "a table is needed"]),
        ("DROP TABLE nonces; CREATE SEQUENCE nonces", ['"nonces" is a sequence']),
        ("DROP TABLE nonces; CREATE TABLE nonces (nkey bytea, nvalue bytea, PRIMARY KEY (nkey))"
         " PARTITION BY HASH (nkey); CREATE UNLOGGED TABLE part PARTITION OF nonces FOR VALUES"
         " WITH (MODULUS 1, REMAINDER 0)", ['"nonces"', "UNLOGGED"]),
    ],
}
# What may be otherwise.
HARMLESS = {
    "mysql": """
        ALTER TABLE used_ott ADD COLUMN note TEXT, ADD COLUMN at TIMESTAMP NOT NULL DEFAULT NOW(),
          ADD COLUMN n INT NOT NULL DEFAULT 3, ADD KEY (nvalue(20)),
          ADD COLUMN long_key INT AS (LENGTH(nkey)) VIRTUAL;
        ALTER TABLE used_ott DROP PRIMARY KEY, ADD COLUMN id BIGINT NOT NULL AUTO_INCREMENT PRIMARY
          KEY FIRST, ADD UNIQUE KEY (nkey), ADD UNIQUE KEY (nkey, nvalue(5));
        ALTER TABLE x509_certs MODIFY nkey VARBINARY(300) NOT NULL, MODIFY nvalue LONGBLOB NOT NULL;
        ALTER TABLE nonces PARTITION BY KEY (nkey) PARTITIONS 3""",
    "postgresql": """
        ALTER TABLE used_ott ADD COLUMN note TEXT, ADD COLUMN at TIMESTAMP NOT NULL DEFAULT now(),
          ADD COLUMN n BIGINT GENERATED ALWAYS AS IDENTITY;
        CREATE INDEX ON used_ott (nvalue);
        ALTER TABLE used_ott DROP CONSTRAINT used_ott_pkey; CREATE UNIQUE INDEX ON used_ott (nkey)
          INCLUDE (n);
        DROP TABLE nonces;
        CREATE TABLE nonces (nkey bytea PRIMARY KEY, nvalue bytea) PARTITION BY HASH (nkey);
        CREATE TABLE part PARTITION OF nonces FOR VALUES WITH (MODULUS 1, REMAINDER 0)""",
}


def copies(server, template, count):
    """Databases with the tables of another one."""
    names = [f"{template}_{i}" for i in range(count)]
    if server.type == "postgresql":
        for one in names:
            server.sql(f"CREATE DATABASE {one} TEMPLATE {template}")
        return names
    tables = [row[0] for row in server.rows("SHOW TABLES", template)]
    sql = "".join(f"CREATE DATABASE {one};" + "".join(
        f"CREATE TABLE {one}.{t} LIKE {template}.{t};" for t in tables) for one in names)
    server.sql(sql)
    return names


def test_tables_that_are_not_what_we_rely_on(server, make_ca, name):
    ca = prepared(make_ca, server, name)
    cases = STRANGE[server.type]
    for database, (change, words) in zip(copies(server, name, len(cases)), cases):
        server.sql(change, database)
        start_fails(use(ca, server, database), "db.dataSource", *words)


def test_what_may_be_otherwise(server, make_ca, name):
    ca = prepared(make_ca, server, name)
    for statement in HARMLESS[server.type].split(";"):
        server.sql(statement, name)
    ca.start()
    token = ca.token()
    assert [ca.sign(token).status for _ in range(3)] == [201, 401, 401]
    assert ca.stop() == 0


def test_row_security_and_schemas(server, make_ca, name):
    if server.type == "mysql":
        pytest.skip("of PostgreSQL")
    ca = prepared(make_ca, server, name)
    other = user(server, name, NEEDED)
    server.sql("ALTER TABLE revoked_x509_certs ENABLE ROW LEVEL SECURITY", name)
    start_fails(use(ca, server, name, as_user(server, other, name)), '"revoked_x509_certs"',
                "row security")
    use(ca, server, name).start()  # the owner sees all
    assert ca.stop() == 0
    server.sql("CREATE SCHEMA ours", name)
    use(ca, server, name, server.source(name, "?search_path=ours")).start()
    assert ca.stop() == 0
    assert len(server.rows("SELECT 1 FROM pg_tables WHERE schemaname='ours'", name)) > 27


# --- Privileges -----------------------------------------------------------------------------------


def user(server, database, privileges, table=None):
    """One who may do that with every table (or one), by a role."""
    made, role = "u" + uuid.uuid4().hex[:8], "r" + uuid.uuid4().hex[:8]
    rights = ", ".join(privileges)
    if server.type == "mysql":
        server.sql(f"CREATE USER {made}@'%' IDENTIFIED BY '{PASSWORD}'; CREATE ROLE {role};"
                   f"GRANT {rights} ON {database}.* TO {role}; GRANT {role} TO {made}@'%';"
                   f"SET DEFAULT ROLE {role} FOR {made}@'%'")
    else:
        server.sql(f"CREATE ROLE {made} LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE {role};"
                   f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role};"
                   f"GRANT {role} TO {made}", database)
    return made


def as_user(server, who, database=""):
    return server.source(database).replace("step:", f"{who}:", 1)


def test_each_privilege_is_needed(server, make_ca, name):
    ca = prepared(make_ca, server, name)
    for lacking in NEEDED[1:]:
        who = user(server, name, [p for p in NEEDED if p != lacking])
        start_fails(use(ca, server, name, as_user(server, who)), "db.dataSource", lacking, "table")
    who = user(server, name, ["SELECT"])
    start_fails(use(ca, server, name, as_user(server, who)), "INSERT", '"x509_certs"')
    who = user(server, name, NEEDED)
    use(ca, server, name, as_user(server, who)).start()
    assert ca.sign().status == 201
    assert ca.stop() == 0


def test_the_table_that_lacks_a_privilege_is_named(server, make_ca, name):
    ca = prepared(make_ca, server, name)
    who = "u" + uuid.uuid4().hex[:8]
    tables = [row[0] for row in server.rows(
        "SHOW TABLES" if server.type == "mysql" else
        "SELECT tablename FROM pg_tables WHERE schemaname='public'", name)]
    to = f"{who}@'%'" if server.type == "mysql" else who
    quote = "`" if server.type == "mysql" else '"'
    made = (f"CREATE USER {to} IDENTIFIED BY '{PASSWORD}'" if server.type == "mysql" else
            f"CREATE ROLE {who} LOGIN PASSWORD '{PASSWORD}'")
    server.sql(made + "".join(
        f"; GRANT SELECT, INSERT, UPDATE, DELETE ON {quote}{t}{quote} TO {to}"
        for t in tables), name)
    use(ca, server, name, as_user(server, who)).start()
    assert ca.stop() == 0
    for table in ["acme_keyID_accountID_index", "newel_meta"]:
        for lacking in NEEDED:
            server.sql(f"REVOKE {lacking} ON {quote}{table}{quote} FROM {to}", name)
            start_fails(ca, "db.dataSource", lacking, f'"{table}"')
            server.sql(f"GRANT {lacking} ON {quote}{table}{quote} TO {to}", name)
    server.sql(f"REVOKE SELECT, INSERT, UPDATE, DELETE ON nonces FROM {to}", name)
    start_fails(ca, "db.dataSource", "nonces")


def test_a_server_that_takes_no_writes(server, make_ca, name):
    ca = prepared(make_ca, server, name)
    who = user(server, name, NEEDED)
    on, off = (("SET GLOBAL read_only=1", "SET GLOBAL read_only=0") if server.type == "mysql" else
               (f"ALTER ROLE {who} SET default_transaction_read_only=on",
                f"ALTER ROLE {who} RESET default_transaction_read_only"))
    server.sql(on)
    try:
        start_fails(use(ca, server, name, as_user(server, who)), "takes no writes")
    finally:
        server.sql(off)
    ca.start()
    assert ca.stop() == 0


def test_who_only_reads_needs_select_alone(server, make_ca, name):
    ca = use(make_ca(), server, name, inventory=True).start()
    serial = ca.issue()[0]
    assert ca.stop() == 0
    who = user(server, name, ["SELECT"])
    use(ca, server, name, as_user(server, who))
    for words in (["list"], ["stats"], ["dump"], ["check"], ["export", "--format", "csv"]):
        done = ca.run([STEP_CA, "db", *words, "--config", ca.config_path], ok=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert serial


# --- Several at once ------------------------------------------------------------------------------


def test_servers_that_start_at_the_same_moment_on_nothing(server, make_ca, name):
    first = make_ca()
    crowd = []
    for i in range(4):
        ca = Ca.__new__(Ca)
        ca.__dict__.update(first.__dict__)
        ca.port = free_port()
        ca.url = f"https://localhost:{ca.port}"
        ca.config_path = first.folder / f"crowd{i}.json"
        ca.log_path = first.folder / f"crowd{i}.log"
        crowd.append(ca)
    for number in range(5):
        for ca in crowd:
            ca.config_path.write_text(first.config_path.read_text())
            use(ca, server, f"{name}_{number}", inventory=number % 2 == 0)
            ca.configure(lambda c, p=ca.port: c.update(address=f"127.0.0.1:{p}"))
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda ca: ca.start(), crowd))
            token = crowd[0].token()
            assert sorted(ca.sign(token).status for ca in crowd) == [201, 401, 401, 401]
        finally:
            ended = [ca.stop() for ca in crowd]
        assert ended == [0] * 4
        for ca in crowd:
            assert "Sanitizer" not in ca.log() and "runtime error:" not in ca.log(), ca.log()


# --- What the messages say, and what not ----------------------------------------------------------


def test_messages_name_places_and_files(server, make_ca, name):
    ca = make_ca()
    if server.type == "mysql":
        for parameter in ("tls-ca", "tls-cert", "tls-key"):
            query = f"?tls=true&{parameter}=%2Fnowhere%2Froot.pem"
            use(ca, server, name, server.source(name, query))
            start_fails(ca, f"{parameter}: /nowhere/root.pem: No such file")
        port = free_port()
        use(ca, server, name, f"u:p@tcp(127.0.0.1:{port})/")
        start_fails(ca, f"127.0.0.1 port {port}", "connect")
        use(ca, server, name, "u:p@unix(/nowhere/sql.sock)/")
        start_fails(ca, "/nowhere/sql.sock")
    else:
        port = free_port()
        use(ca, server, name, f"postgresql://u:p@127.0.0.1:{port}/")
        start_fails(ca, "127.0.0.1", str(port))
        use(ca, server, name, "host=/nowhere user=u")
        start_fails(ca, "/nowhere/")


def test_no_part_of_a_source_is_repeated(server, make_ca, name):
    ca = make_ca()
    if server.type == "mysql":
        at = f"@tcp(127.0.0.1:{server.port})/{name}"
        good = server.source(name)
        sources = [f"u:to/psecret{at[:-len(name) - 1]}", f"u:topsecret{at[1:]}", "u:topsecret@h/",
                   f"u:topsecret@tcp(127.0.0.1:topsecret)/{name}", f"{good}?topsecret=1",
                   f"{good}?sql_mode=topsecret", f"{good}?wait_timeout=%27topsecret%27",
                   f"{good}?charset=topsecret", f"{good}?timeout=topsecret", "topsecret",
                   f"topsecret(127.0.0.1)/{name}"]
    else:
        at = f"127.0.0.1:{server.port}/{name}"
        word = PASSWORD.replace("'", "\\'")
        keywords = f"host=127.0.0.1 port={server.port} user=step password='{word}' dbname={name}"
        sources = [f"postgresql://u:topsecret/x@{at}", f"postgresql://u:12/topsecret@{at}",
                   f"postgresql://u:1?topsecret@{at}", f"postgresql://u:1#topsecret@{at}",
                   f"postgresql://u:1?x=topsecret@{at}", "postgresql://u:topsecret",
                   f"postgresql://u:%topsecret@{at}", f"postgresql:/u:topsecret@{at}",
                   f"{keywords} topsecret", f"{keywords} topsecret=1", f"{keywords} port=topsecret",
                   f"{keywords} connect_timeout=topsecret", f"{keywords} gssencmode=topsecret",
                   f"{keywords} channel_binding=topsecret", f"{keywords} sslmode=topsecret",
                   f"{keywords} target_session_attrs=topsecret",
                   f"{keywords} ssl_min_protocol_version=topsecret",
                   f"{keywords} client_encoding=topsecret", f"{keywords} timezone=topsecret",
                   f"{keywords} options=-ctopsecret=1", f"{keywords} service=topsecret"]
    for source in sources:
        use(ca, server, name)
        ca.configure(lambda c, s=source: c["db"].update(dataSource=s))
        start_fails(ca, "db.dataSource", secrets=["topsecret", "psecret", "secret"])


def test_long_names_of_tables(server, make_ca, name):
    """MySQL counts characters, PostgreSQL bytes; a name that does not fit is told."""
    ca = prepared(make_ca, server, name)
    long_name = "t" * (64 if server.type == "mysql" else 63)
    wide = "ä€" * (16 if server.type == "mysql" else 12)
    quote, key = ("`", "VARBINARY(255)") if server.type == "mysql" else ('"', "bytea")
    value = "BLOB" if server.type == "mysql" else "bytea"
    for table in (long_name, wide):
        server.sql(f"CREATE TABLE {quote}{table}{quote} (nkey {key} PRIMARY KEY, nvalue {value});"
                   f"INSERT INTO {quote}{table}{quote} VALUES ('k', 'v')", name)
    done = ca.run([STEP_CA, "db", "dump", "--config", ca.config_path])
    for table in (long_name, wide):
        assert re.search(rf'"{table}": \[\s*{{"k": "aw==", "v": "dg=="}}', done.stdout), table
    target = ca.folder / "copy.sqlite"
    ca.run([STEP_CA, "db", "import", "--from", f"{server.type}:{server.source(name)}",
            "--to", f"sqlite:{target}"])
    copy = f"{server.type}:{server.source(name + '_2')}"
    ca.run([STEP_CA, "db", "import", "--from", f"sqlite:{target}", "--to", copy])
    assert server.rows(f"SELECT {server.text('nvalue')} FROM {quote}{wide}{quote}",
                       name + "_2") == [["v"]]


def test_a_revocation_that_does_not_say_when(server, make_ca, name):
    ca = use(make_ca(), server, name, inventory=True).start()
    reply = ca.sign()
    serial = serial_of(reply)
    cast = "::bytea" if server.type == "postgresql" else ""
    record = f'{{"Serial":"{serial}","ReasonCode":1,"RevokedAt":"yesterday"}}'
    server.sql(f"INSERT INTO revoked_x509_certs VALUES('{serial}'{cast}, '{record}'{cast})", name)
    assert ca.stop() == 0
    done = ca.run([STEP_CA, "db", "show", serial, "--config", ca.config_path])
    assert "at an unknown time" in done.stdout
    assert time.strftime("%Y-%m-%d", time.gmtime()) not in "".join(
        line for line in done.stdout.splitlines() if "Revoked" in line), done.stdout


def test_keys_that_do_not_fit_are_left_out_and_counted(server, make_ca, name):
    """Only very long principals of old databases have such."""
    ca = make_ca().start()
    assert ca.stop() == 0
    source = ca.config()["db"]["dataSource"]
    with sqlite3.connect(source) as db:
        [[table]] = db.execute("SELECT id FROM tables WHERE name='ssh_hosts'").fetchall()
        db.executemany("INSERT INTO kv(tbl,k,v) VALUES(?,?,?)",
                       [(table, b"k" * n, b"v") for n in (1, 255, 256, 300)])
    done = ca.run([STEP_CA, "db", "import", "--from", f"sqlite:{source}", "--to",
                   f"{server.type}:{server.source(name)}"], ok=False)
    assert done.returncode != 0 and "2 rows were left out" in done.stderr, done.stderr
    assert "with 2 rows" in done.stdout
    assert server.rows("SELECT LENGTH(nkey) FROM ssh_hosts ORDER BY 1", name) == [["1"], ["255"]]
