"""Databases of the reference behind our server and our commands: samples that Badger and bbolt wrote,
and one of our own content in Badger's format, so that its certificates can be renewed."""

import base64
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import tarfile
import time

import pytest

from acme_lab import Client, Names, Web, certificates
from conftest import ROOT, STEP_CA, b64url, pem_of
from cryptography.hazmat.primitives import serialization

SAMPLES = ROOT / "tests/fixtures/legacy-db"
NAMES = sorted(p.name[:-7] for p in SAMPLES.glob("*.tar.gz"))


def unpack(name, folder):
    with tarfile.open(SAMPLES / f"{name}.tar.gz") as archive:
        archive.extractall(folder)
    return folder / name / "step.db" if "bbolt" in name else folder / name


def type_of(name):
    return "bbolt" if "bbolt" in name else "badgerV2" if "v2" in name else "badger"


def content(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["tables"]


def same_row(got, expected):
    value = base64.b64decode(got["v"], validate=True)
    if "v" in expected:
        return got["k"] == expected["k"] and value == base64.b64decode(expected["v"])
    return (got["k"] == expected["k"] and len(value) == expected["len"] and
            hashlib.sha256(value).hexdigest() == expected["sha256"])


def assert_content(tables, expected):
    assert set(tables) == set(expected)
    for name, rows in expected.items():
        assert len(tables[name]) == len(rows), name
        assert all(same_row(g, e) for g, e in zip(tables[name], rows)), name


def state_of(folder):
    """Names, sizes, times and digests of everything in a directory."""
    return {str(p): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
            for p in sorted(folder.rglob("*")) if p.is_file()}


def db(*args, ok=True, cwd="/"):
    done = subprocess.run([STEP_CA, "db", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, cwd=cwd, timeout=120)
    if ok:
        assert done.returncode == 0, f"{args}: {done.stdout}\n{done.stderr}"
    return done


def dump(spec, *more):
    return json.loads(db("dump", spec, *more).stdout)["tables"]


def value_dir(name, path):
    return ["--value-dir", path / "value"] if "valuedir" in name else []


# --- The commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in NAMES if "encrypted" not in n])
def test_dump_and_import_give_the_exact_content(tmp_path, name):
    path = unpack(name, tmp_path)
    before = state_of(tmp_path)
    spec, more = f"{type_of(name)}:{path}", value_dir(name, path)
    assert_content(dump(spec, *more), content(name))
    copy = f"sqlite:{tmp_path}/copy.sqlite"
    assert "SHA-256" in db("import", "--from", spec, "--to", copy, *more).stdout
    assert_content(dump(copy), content(name))
    assert_content(dump(copy), content(name))
    db("check", "--db", copy)
    again = f"sqlite:{tmp_path}/again.sqlite"
    db("import", "--from", copy, "--to", again)
    assert_content(dump(again), content(name))
    assert {k: v for k, v in state_of(tmp_path).items() if ".sqlite" not in k} == before


def test_an_encrypted_store_is_refused(tmp_path):
    path = unpack("badgerv2-encrypted", tmp_path)
    done = db("dump", f"badgerv2:{path}", ok=False)
    assert done.returncode == 2 and "encrypted" in done.stderr


def test_a_locked_store_is_refused(tmp_path):
    path = unpack("badgerv1", tmp_path)
    holder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        done = db("import", "--from", f"badger:{path}", "--to", f"sqlite:{tmp_path}/x", ok=False)
    finally:
        os.close(holder)
    assert done.returncode == 2 and "locked" in done.stderr and str(path) in done.stderr
    assert not (tmp_path / "x").exists()


def test_an_import_that_was_interrupted_goes_on(make_ca, tmp_path):
    """The target is what a kill leaves: some rows, and the note how far it came."""
    path = unpack("badgerv2-multi-none", tmp_path)
    spec, copy = f"badgerv2:{path}", tmp_path / "copy.sqlite"
    db("import", "--from", spec, "--to", f"sqlite:{copy}")
    with sqlite3.connect(copy) as base:
        [[last]] = base.execute("SELECT nvalue FROM newel_imports WHERE nkey='last'")
        last = json.loads(last)
        keys = [k for (k,) in base.execute("SELECT k FROM kvbig ORDER BY tbl, k")]
        base.execute("DELETE FROM kvbig WHERE k > ?", (keys[400],))
        [[name]] = base.execute("SELECT name FROM tables WHERE id=(SELECT min(tbl) FROM kvbig)")
        note = {"source": last["source"], "state": last["state"],
                "table": base64.b64encode(name.encode()).decode(),
                "key": base64.b64encode(keys[400]).decode()}
        base.execute("INSERT INTO kv SELECT id, 'current', ?, NULL FROM tables"
                     " WHERE name='newel_imports'", (json.dumps(note).encode(),))
        base.execute("UPDATE kv SET k=CAST(k AS BLOB)")
    base.close()
    ca = make_ca()
    serve_on(ca, "sqlite", copy)
    ca.start(wait=False)
    assert ca.process.wait(timeout=60) == 2
    ca.process = None
    assert "was interrupted" in ca.log()
    done = db("import", "--from", spec, "--to", f"sqlite:{copy}")
    assert "401 of them were there" in done.stdout
    assert_content(dump(f"sqlite:{copy}"), content("badgerv2-multi-none"))


def test_an_import_needs_an_empty_target_and_can_be_tried(tmp_path):
    path = unpack("bbolt", tmp_path)
    spec, copy = f"bbolt:{path}", f"sqlite:{tmp_path}/copy.sqlite"
    assert "Would import" in db("import", "--from", spec, "--to", copy, "--dry-run").stdout
    assert not (tmp_path / "copy.sqlite").exists()
    db("import", "--from", spec, "--to", copy)
    done = db("import", "--from", spec, "--to", copy, ok=False)
    assert done.returncode == 2 and "rows in it already" in done.stderr


def test_an_import_leaves_a_database_alone_that_is_in_use(make_ca, tmp_path):
    """Whichever of its tables has rows."""
    ca = make_ca().start()
    assert ca.sign().status == 201
    spec = f"sqlite:{ca.config()['db']['dataSource']}"
    before = dump(spec)
    assert not before["x509_crl"] and before["used_ott"]
    done = db("import", "--from", f"bbolt:{unpack('bbolt', tmp_path)}", "--to", spec,
              ok=False)
    assert done.returncode == 2 and "rows in it already" in done.stderr
    assert dump(spec) == before
    assert ca.stop() == 0
    ca.start()
    assert ca.sign().status == 201


def test_an_import_from_our_own_database_that_cannot_write_goes_on_later(tmp_path):
    source, target = f"sqlite:{tmp_path / 'source'}", f"sqlite:{tmp_path / 'target'}"
    db("import", "--from", f"bbolt:{unpack('bbolt-multi', tmp_path)}", "--to", source)

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, 300 << 10))

    done = subprocess.run([STEP_CA, "db", "import", "--from", source, "--to", target],
                          capture_output=True, text=True, preexec_fn=little_room)
    assert done.returncode == 2 and "differs" not in done.stderr, done.stderr
    assert "table " in done.stderr
    # The same source by another name.
    done = db("import", "--from", "sqlite:source", "--to", target, cwd=tmp_path)
    assert "Imported" in done.stdout
    assert dump(target) == dump(source)


def test_a_password_in_a_source_is_not_repeated(tmp_path):
    for words in (["list", "--db", "host=db user=u password=topsecret dbname=x"],
                  ["dump", "host=db password=topsecret"], ["import", "--from", "topsecret@x"]):
        done = db(*words, ok=False)
        assert done.returncode == 1 and "topsecret" not in done.stderr + done.stdout


@pytest.mark.parametrize("args, word", [
    (["import"], "--from"), (["import", "--from", "x"], "<type>:<source>"),
    (["dump", "leveldb:/x"], "expected"), (["dump", "badger:/nowhere"], "/nowhere"),
    (["show", "12", "--db", "sqlite:/nowhere/x"], "/nowhere/x"),
    (["list", "--expiring-in", "soon"], "soon"), (["list", "--limit", "0"], "limit"),
    (["list", "--active", "--revoked"], "exclude"), (["export", "--format", "xml"], "xml"),
    (["frobnicate"], "frobnicate"), (["backup"], "not enough"), (["list", "--bogus"], "bogus"),
])
def test_wrong_command_lines_are_explained(args, word):
    done = db(*args, ok=False)
    assert done.returncode == (2 if "/nowhere" in word else 1) and word in done.stderr


# --- The server -------------------------------------------------------------------------------------


def serve_on(ca, kind, source, **more):
    ca.configure(lambda c: c.update(db={"type": kind, "dataSource": str(source), **more}))


@pytest.mark.parametrize("name", ["stepca-badgerv1", "stepca-badgerv1-crash", "stepca-badgerv2",
                                  "stepca-bbolt", "stepca-bbolt-crash", "badgerv2-valuedir"])
def test_a_server_takes_over_what_the_reference_left(make_ca, tmp_path, name):
    ca = make_ca()
    path = unpack(name, tmp_path)
    before = state_of(tmp_path / name)
    more = {"valueDir": str(path / "value")} if "valuedir" in name else {}
    serve_on(ca, type_of(name), path, badgerFileLoadingMode="FileIO", **more)
    early = db("list", ca.config_path, ok=False)
    assert early.returncode == 2 and "not been imported yet" in early.stderr
    ca.start()
    ca.wait_log("imported")
    ours = path.parent / "step.db.sqlite" if "bbolt" in name else path / "newel.sqlite"
    assert oct(ours.stat().st_mode & 0o777) == "0o600"
    expected = content(name)
    assert_content(json.loads(db("dump", "--config", ca.config_path).stdout)["tables"], expected)
    revoked = {base64.b64decode(r["k"]).decode() for r in expected["revoked_x509_certs"]}
    lines = db("list", "--revoked", "--config", ca.config_path).stdout.splitlines()
    certificates = {base64.b64decode(r["k"]) for r in expected["x509_certs"]}
    assert len(lines) == len([r for r in revoked if r.encode() in certificates])
    ca.issue("after.test")
    assert ca.stop() == 0
    assert {k: v for k, v in state_of(tmp_path / name).items() if ".sqlite" not in k} == before
    ca.start()  # not imported a second time
    assert ca.log().count("importing") == 1
    assert "after.test" in db("list", ca.config_path).stdout


def test_new_places_simply_become_sqlite(make_ca, tmp_path):
    for kind, source, ours in (("badgerv2", tmp_path / "db", tmp_path / "db/newel.sqlite"),
                               ("BBOLT", tmp_path / "x.db", tmp_path / "x.db.sqlite"),
                               ("bbolt", tmp_path / "empty", tmp_path / "empty.sqlite")):
        ca = make_ca()
        if source.name == "empty":  # as bbolt takes it
            source.touch()
        serve_on(ca, kind, source)
        ca.start()
        ca.issue()
        assert ca.stop() == 0
        assert ours.exists() and "importing" not in ca.log()
        assert len(db("list", ca.config_path).stdout.splitlines()) == 1


def test_a_damaged_database_keeps_the_server_from_starting(make_ca, tmp_path):
    ca = make_ca()
    path = unpack("stepca-badgerv2", tmp_path)
    table = next(path.glob("*.sst"))
    data = bytearray(table.read_bytes())
    data[700] ^= 1
    table.write_bytes(data)
    serve_on(ca, "badgerv2", path)
    ca.start(wait=False)
    assert ca.process.wait(timeout=60) == 2
    ca.process = None
    assert table.name in ca.log() and "nothing was changed" in ca.log()
    assert not list(path.glob("newel*"))


def test_who_went_back_to_the_old_database_is_told(make_ca, tmp_path):
    ca = make_ca()
    path = unpack("stepca-badgerv1", tmp_path)
    serve_on(ca, "badger", path)
    ca.start()
    assert ca.stop() == 0
    moved = tmp_path / "moved"
    shutil.copytree(path, moved)  # a copy elsewhere is no change
    serve_on(ca, "badger", moved)
    ca.start()
    assert ca.stop() == 0
    with open(next(moved.glob("*.vlog")), "ab") as log:
        log.write(b"x")
    ca.start(wait=False)
    assert ca.process.wait(timeout=60) == 2
    ca.process = None
    assert "two databases" in ca.log() and "newel.sqlite" in ca.log()


def test_a_bbolt_directory_is_explained(make_ca, tmp_path):
    ca = make_ca()
    serve_on(ca, "bbolt", tmp_path)
    ca.start(wait=False)
    assert ca.process.wait(timeout=60) != 0
    ca.process = None
    assert f"{tmp_path}/step-ca.db" in ca.log()
    assert not list(tmp_path.glob("*.sqlite"))


# --- Certificates that live on ------------------------------------------------------------------------

CRC = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ 0x82F63B78 if i & 1 else i >> 1
    CRC.append(i)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def badger_entry(key, value, version, meta):
    key += struct.pack(">Q", (1 << 64) - 1 - version)
    head = struct.pack(">IIQBB", len(key), len(value), 0, meta, 0)
    return head + key + value + struct.pack(">I", crc32c(head + key + value))


def write_badger(folder, tables):
    """A Badger v1 directory as a killed server leaves it: everything in the value log."""
    folder.mkdir()
    log, version = b"", 0
    for table, rows in tables.items():
        prefix = struct.pack("<H", len(table)) + table.encode()
        for row in [None, *rows]:
            version += 1
            key, value = prefix, b""
            if row:
                raw = base64.b64decode(row["k"])
                key, value = prefix + struct.pack("<H", len(raw)) + raw, base64.b64decode(row["v"])
            log += badger_entry(key, value, version, 0x40)
            log += badger_entry(b"!badger!txn", str(version).encode(), version, 0x80)
    (folder / "000000.vlog").write_bytes(log)
    (folder / "MANIFEST").write_bytes(b"Bdgr" + struct.pack(">I", 4))


def test_renewals_revocations_and_tokens_survive_the_switch(make_ca, tmp_path):
    ca = make_ca()
    ca.start()
    good, good_key = ca.issue("good.test")
    bad, bad_key = ca.issue("bad.test")
    token = ca.token("spent.test", ["web.test"])
    assert ca.sign(token).status == 201
    ca.step("ca", "revoke", "--cert", bad, "--key", bad_key)
    assert ca.stop() == 0
    tables = json.loads(db("dump", "--config", ca.config_path).stdout)["tables"]
    write_badger(tmp_path / "old", tables)
    serve_on(ca, "badger", tmp_path / "old")
    ca.start()
    assert ca.request("POST", "/1.0/renew", cert=good, key=good_key).status == 201
    assert ca.request("POST", "/1.0/renew", cert=bad, key=bad_key).status == 401
    assert ca.sign(token).status == 401
    listed = json.loads(db("list", "--format", "json", ca.config_path).stdout)
    assert len(listed) == 4
    assert [c["status"] for c in listed if "dns:bad.test" in c["names"]] == ["revoked"]
    assert {c["provisioner"]["name"] for c in listed} == {"ops"}


def test_acme_accounts_survive_the_switch(make_ca, tmp_path):
    """The account, what it was issued and what it has begun, from a database in Badger's format."""
    names, web = Names(), Web()
    args = ("--insecure", "--acme-http-port", str(web.port), "--resolver", names.address)
    try:
        ca = make_ca("--acme").start(*args)
        client = Client(ca)
        leaf, key = client.certificate(web, "before.test")
        begun = client.order("begun.test")
        assert ca.stop() == 0
        tables = json.loads(db("dump", "--config", ca.config_path).stdout)["tables"]
        write_badger(tmp_path / "old", tables)
        serve_on(ca, "badger", tmp_path / "old")
        ca.start(*args)
        again = Client(ca, key=client.key)
        assert again.kid == client.kid
        begun.client = again
        begun.prove(web)
        assert begun.finish()[0].serial_number != leaf.serial_number
        assert again.certificate(web, "after.test")[0].serial_number != leaf.serial_number
        der = b64url(leaf.public_bytes(serialization.Encoding.DER))
        assert again.post("/revoke-cert", {"certificate": der}).status == 200
        (tmp_path / "crt").write_text(pem_of(leaf))
        (tmp_path / "key").write_text(pem_of(key))
        (tmp_path / "key").chmod(0o600)
        renewal = ca.request("POST", "/renew", "", cert=tmp_path / "crt", key=tmp_path / "key")
        assert renewal.status == 401
    finally:
        names.stop()
        web.stop()


# --- Questions --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    from conftest import Ca
    ca = Ca(tmp_path_factory.mktemp("filled")).start()
    for name in ("one.test", "two.test"):
        ca.issue(name)
    crt, key = ca.issue("three.test", None, "--not-after", "6m")
    ca.step("ca", "revoke", "--cert", crt, "--key", key, "--reason", "lost, \"really\"",
            "--reasonCode", "1")
    yield ca
    assert ca.stop() == 0, ca.log()


@pytest.mark.parametrize("args, names", [
    ([], {"one.test", "two.test", "three.test"}),
    (["--revoked"], {"three.test"}),
    (["--active"], {"one.test", "two.test"}),
    (["--san", "two.test"], {"two.test"}),
    (["--san", "dns:two.test"], {"two.test"}),
    (["--san", "email:two.test"], set()),
    (["--subject", "one.test"], {"one.test"}),
    (["--provisioner", "ops"], {"one.test", "two.test", "three.test"}),
    (["--provisioner", "other"], set()),
    (["--since", "1h"], {"one.test", "two.test", "three.test"}),
    (["--since", "2099-01-01"], set()),
    (["--expiring-in", "1h"], set()),
    (["--expiring-in", "1h", "--revoked"], {"three.test"}),
    (["--expiring-in", "7d"], {"one.test", "two.test"}),
    (["--limit", "1"], {"three.test"}),
])
def test_filters_choose_certificates(filled, args, names):
    done = db("list", "--config", filled.config_path, "--format", "json", *args)
    assert {c["commonName"] for c in json.loads(done.stdout)} == names
    text = db("list", "--config", filled.config_path, *args).stdout
    assert len(text.splitlines()) == len(names)


def test_export_has_every_column(filled):
    import csv
    rows = list(csv.DictReader(db("export", filled.config_path).stdout.splitlines()))
    [revoked] = [r for r in rows if r["common_name"] == "three.test"]
    assert revoked["status"] == "revoked" and revoked["reason"] == 'lost, "really"'
    assert revoked["reason_code"] == "1" and revoked["names"] == "dns:three.test"
    assert revoked["subject"] == "CN=three.test" and revoked["provisioner_type"] == "JWK"
    pem = db("export", "--format", "pem", filled.config_path).stdout
    serials = {str(c.serial_number) for c in certificates(pem.encode())}
    assert serials == {r["serial"] for r in rows}
    for row in rows:
        shown = db("show", row["serial"], filled.config_path).stdout
        assert row["fingerprint"] in shown and "BEGIN CERTIFICATE" in shown
        hexadecimal = db("show", hex(int(row["serial"])), "--format", "json", filled.config_path)
        assert json.loads(hexadecimal.stdout)["serial"] == row["serial"]


def test_stats_count(filled):
    text = db("stats", filled.config_path).stdout
    counted = {line.rsplit(None, 1)[0].strip(): int(line.rsplit(None, 1)[1])
               for line in text.splitlines() if line.rsplit(None, 1)[-1].isdigit()}
    assert counted["Certificates"] == 3 and counted["revoked"] == 1 and counted["ops"] == 3
    assert counted["x509_certs"] == 3 and counted["revoked_x509_certs"] == 1


def test_check_backup_and_reindex_while_the_server_runs(filled, tmp_path):
    assert "sound" in db("check", filled.config_path).stdout
    assert "3 certificates" in db("reindex", filled.config_path).stdout
    assert "sound" in db("check", filled.config_path).stdout
    copy = tmp_path / "backup"
    db("backup", copy, filled.config_path)
    assert oct(copy.stat().st_mode & 0o777) == "0o600"
    assert "sound" in db("check", "--db", f"sqlite:{copy}").stdout
    assert db("backup", copy, filled.config_path, ok=False).returncode == 2
    database = sqlite3.connect(copy)
    database.execute("UPDATE certificates SET fingerprint='0' WHERE common_name='one.test'")
    database.commit()
    database.close()
    done = db("check", "--db", f"sqlite:{copy}", ok=False)
    assert done.returncode == 2 and "run reindex" in done.stdout
    db("reindex", "--db", f"sqlite:{copy}")
    assert "sound" in db("check", "--db", f"sqlite:{copy}").stdout


def test_prune_removes_what_ended_and_nothing_else(tmp_path):
    path = unpack("stepca-bbolt", tmp_path)
    copy = f"sqlite:{tmp_path}/copy.sqlite"
    db("import", "--from", f"bbolt:{path}", "--to", copy)
    with sqlite3.connect(tmp_path / "copy.sqlite") as base:
        instance = hashlib.sha256(b"project.instance").hexdigest()
        [[token]] = base.execute("SELECT nvalue FROM used_ott LIMIT 1")
        base.execute("INSERT INTO kv SELECT id, CAST(? AS BLOB), ?, NULL FROM tables"
                     " WHERE name='used_ott'", (instance, token))  # trust on first use
        base.execute("UPDATE kv SET v=CAST(replace(CAST(v AS TEXT),'\"CreatedAt\":\"20',"
                     "'\"CreatedAt\":\"19') AS BLOB) WHERE tbl=19")
        base.execute("UPDATE certificates SET not_after=1000 WHERE serial IN"
                     " (SELECT serial FROM certificates LIMIT 2)")
    base.close()
    db("prune", "--db", copy)
    tables = dump(copy)
    assert tables["nonces"] == [] and len(tables["x509_certs"]) == 9
    assert base64.b64encode(instance.encode()).decode() in {r["k"] for r in tables["used_ott"]}
    db("prune", "--db", copy, "--certificates", "10000d")
    assert len(dump(copy)["x509_certs"]) == 7


def test_ssh_certificates_stand_in_the_inventory(tmp_path):
    """Of what the reference left: serial numbers, principals, keys, as ssh-keygen tells them."""
    path = unpack("stepca-badgerv2", tmp_path)
    copy = f"sqlite:{tmp_path}/copy.sqlite"
    db("import", "--from", f"badgerV2:{path}", "--to", copy)
    rows = json.loads(db("list", "--db", copy, "--ssh", "--format=json").stdout)
    stored = {base64.b64decode(r["k"]).decode(): base64.b64decode(r["v"])
              for r in dump(copy)["ssh_certs"]}
    assert {r["serial"] for r in rows} == set(stored) and len(rows) == 2
    for row in rows:
        line = db("show", row["serial"], "--ssh", "--db", copy).stdout.splitlines()[-1]
        (tmp_path / "cert.pub").write_text(line + "\n")
        told = subprocess.run(["ssh-keygen", "-L", "-f", tmp_path / "cert.pub"],
                              capture_output=True, text=True, check=True).stdout
        assert f"Serial: {row['serial']}\n" in told and f'Key ID: "{row["subject"]}"' in told
        assert f"Type: {told.split('Type: ')[1].split()[0]} {row['kind'][4:]} certificate" in told
        assert row["fingerprint"] in told and row["caKey"] in told
        for name in row["names"]:
            assert name.removeprefix("principal:") in told
        assert base64.b64decode(line.split()[1]) == stored[row["serial"]]
    user = next(r for r in rows if r["kind"] == "ssh-user")
    for question in (["--san", user["names"][0]], ["--subject", user["subject"]]):
        [found] = json.loads(db("list", "--db", copy, *question, "--format=json").stdout)
        assert found == user
    assert len(json.loads(db("list", "--db", copy, "--x509", "--format=json").stdout)) == 9
    assert len(json.loads(db("export", "--db", copy, "--format=json").stdout)) == 11
    assert "of SSH" in db("stats", "--db", copy).stdout
    assert db("list", "--db", copy, "--ssh", "--x509", ok=False).returncode == 1
    # A database of the version before, where they stood among the keys and values.
    with sqlite3.connect(tmp_path / "copy.sqlite") as base:
        base.execute("INSERT INTO kvbig(tbl,k,v) SELECT 7,CAST(serial AS BLOB),der"
                     " FROM certificates WHERE ssh=1")
        base.execute("DELETE FROM certificates WHERE ssh=1")
    base.close()
    assert db("list", "--db", copy, "--ssh").stdout == ""
    assert "11 certificates" in db("reindex", "--db", copy).stdout
    assert json.loads(db("list", "--db", copy, "--ssh", "--format=json").stdout) == rows
    assert "sound" in db("check", "--db", copy).stdout


# --- Readiness ----------------------------------------------------------------------------------------


def test_readiness_says_whether_certificates_can_be_recorded(make_ca):
    ca = make_ca().start()
    reply = ca.request("GET", "/health/ready")
    assert reply.status == 200 and reply.json() == {"status": "ok"}
    path = ca.config()["db"]["dataSource"]
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # nobody else can write
    try:
        time.sleep(1.1)
        reply = ca.request("GET", "/health/ready", timeout=60)
        assert reply.status == 503 and "locked" in reply.json()["reason"]
        assert path not in reply.body.decode()
        health = ca.request("GET", "/health")
        assert health.status == 200 and health.json() == {"status": "ok"}
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    time.sleep(1.1)
    assert ca.request("GET", "/health/ready").status == 200
