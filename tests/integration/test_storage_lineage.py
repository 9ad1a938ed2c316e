"""What only an inventory knows of a certificate comes along when a database moves to a server and
back."""

import csv
import io
import uuid

import pytest
from conftest import STEP_CA
from test_sql_databases import KINDS, new_server, use


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_lineage_moves_to_a_server_and_back(kind, make_ca):
    server = new_server(kind)
    try:
        ca = make_ca().start()
        crt, key = ca.issue()
        ca.step("ca", "renew", "--force", "--ca-url", ca.url, "--root", str(ca.root_path), crt, key)
        assert ca.stop() == 0
        first = f"sqlite:{ca.config()['db']['dataSource']}"
        second = f"sqlite:{ca.folder}/back.sqlite"
        name = "ca_" + uuid.uuid4().hex[:12]
        there = f"{server.type}:{server.source(name)}"

        def db(*words):
            return ca.run([STEP_CA, "db", *words]).stdout

        def export(where):
            return db("export", "--format", "csv", "--db", where)

        use(ca, server, name, inventory=True)
        db("import", str(ca.config_path), "--from", first)
        db("import", "--from", there, "--to", second)
        known = export(first)
        rows = list(csv.DictReader(io.StringIO(known)))
        assert {r["renewed_from"] for r in rows} - {""} <= {r["serial"] for r in rows}
        assert any(r["renewed_from"] for r in rows)
        assert export(there) == known
        assert export(second) == known
    finally:
        server.remove()
