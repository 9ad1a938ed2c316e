"""Values that are not what their table holds: said at the start, and taken out without loss."""

import base64
import json
import os
import sqlite3
import uuid

import pytest
from conftest import STEP_CA
from sql_servers import new_server

GOOD = b'{"id":"good"}'
WRONG = {b"first": b"\x00\x01 no JSON", b"second": b"17"}


class Sqlite:
    """A file, with the rows where our schema keeps them."""

    def use(self, ca):
        self.path = ca.config()["db"]["dataSource"]
        return ca

    def execute(self, sql, *values):
        base = sqlite3.connect(self.path)
        with base:
            rows = base.execute(sql, values).fetchall()
        base.close()
        return rows

    def put(self, table, rows):
        (number,), = self.execute("SELECT id FROM tables WHERE name=?", table)
        (view,), = self.execute("SELECT sql FROM sqlite_schema WHERE name=?", table)
        place = "kvbig" if "kvbig" in view else "kv"
        for key, value in rows.items():
            self.execute(f"INSERT INTO {place}(tbl,k,v) VALUES(?,?,?)", number, key, value)

    def keys(self, table):
        return {k if isinstance(k, bytes) else k.encode()
                for k, in self.execute(f"SELECT nkey FROM {table}")}

    def remove(self):
        pass


class Server:
    def __init__(self, kind):
        self.server = new_server(kind)
        self.name = "ca_" + uuid.uuid4().hex[:12]

    def use(self, ca):
        ca.configure(lambda c: c.update(db={
            "type": self.server.type, "dataSource": self.server.source(), "database": self.name}))
        ca.config_path.chmod(0o600)
        return ca

    def put(self, table, rows):
        literal = "X'{}'" if self.server.type == "mysql" else "'\\x{}'"
        for key, value in rows.items():
            self.server.sql(f"INSERT INTO {table} VALUES ({literal.format(key.hex())}, "
                            f"{literal.format(value.hex())})", self.name)

    def keys(self, table):
        rows = self.server.rows(f"SELECT {self.server.text('nkey')} FROM {table}", self.name)
        return {row[0].encode() for row in rows}

    def remove(self):
        self.server.remove()


@pytest.fixture(params=["sqlite", "mysql", "postgresql"])
def database(request):
    made = Sqlite() if request.param == "sqlite" else Server(request.param)
    yield made
    made.remove()


def run(ca, *args):
    return ca.run([STEP_CA, *args], ok=False)


def test_values_that_are_not_what_the_tables_hold(database, make_ca, tmp_path):
    ca = database.use(make_ca()).start()
    assert ca.stop() == 0
    database.put("acme_orders", {b"good": GOOD, **WRONG})
    database.put("acme_accounts", {b"third": b"{"})

    ca.start()
    said = ca.log()
    assert "3 values that are not what the tables hold" in said, said
    assert "in table acme_" in said and "step-ca db set-aside" in said and "no JSON" not in said
    assert ca.sign().status == 201
    said = run(ca, "db", "check", ca.config_path)
    assert said.returncode == 0, said.stdout
    for line in ("acme_orders: the record of \"first\"", "acme_orders: the record of \"second\"",
                 "acme_accounts: the record of \"third\""):
        assert "note: " + line in said.stdout

    taken = tmp_path / "taken.json"
    taken.write_text("somebody's")
    said = run(ca, "db", "set-aside", taken, ca.config_path)
    assert said.returncode == 2 and "taken.json" in said.stderr
    assert taken.read_text() == "somebody's" and database.keys("acme_accounts") == {b"third"}
    taken.unlink()
    said = run(ca, "db", "set-aside", taken, ca.config_path)
    assert said.returncode == 0 and "3 values moved to" in said.stdout, said.stderr
    assert os.stat(taken).st_mode & 0o777 == 0o600
    rows = {(table, base64.b64decode(row["k"])): base64.b64decode(row["v"])
            for table, content in json.loads(taken.read_text())["tables"].items()
            for row in content}
    assert rows == {("acme_accounts", b"third"): b"{",
                    **{("acme_orders", k): v for k, v in WRONG.items()}}
    assert database.keys("acme_orders") == {b"good"} and not database.keys("acme_accounts")

    said = run(ca, "db", "set-aside", tmp_path / "none.json", ca.config_path)
    assert said.returncode == 0 and not (tmp_path / "none.json").exists()
    said = run(ca, "db", "check", ca.config_path)
    assert said.returncode == 0 and "note: " not in said.stdout
    assert ca.stop() == 0
    ca.start()
    assert "not what the table" not in ca.log().split("that need one")[-1]


def test_a_revocation_counts_whatever_its_value(database, make_ca):
    """Such a row is a revocation, and no reason to stay away."""
    ca = database.use(make_ca()).start()
    assert ca.stop() == 0
    database.put("revoked_x509_certs", {b"4711": b"no JSON"})
    ca.start()
    assert ca.request("POST", "/revoke", {
        "serial": "4711", "passive": True,
        "ott": ca.token("4711", audience=f"{ca.url}/1.0/revoke")}).status == 400
    said = run(ca, "db", "check", ca.config_path)
    assert said.returncode == 0 and 'note: revoked_x509_certs: the record of "4711"' in said.stdout
