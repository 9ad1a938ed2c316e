"""Commands that only look at an SQLite database: they change nothing, need no right to write, and
read what older releases left."""

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, SLOW, STEP_CA, Ca, clean_environment, make_csr

PROGRAM = {}
SCHEMAS = sorted((ROOT / "tests/fixtures/store").glob("schema-v*.sql"))


@pytest.fixture(scope="module", autouse=True)
def program():
    """Where everybody may run it: the directory that it was built in may be one user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="newel-program-"))
    folder.chmod(0o755)
    shutil.copy(STEP_CA, folder / "step-ca")
    PROGRAM["path"] = folder / "step-ca"
    PROGRAM["path"].chmod(0o755)
    yield
    shutil.rmtree(folder)


@pytest.fixture
def place():
    """A directory that everybody may look into, as those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="newel-read-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A database of a CA that was stopped: four certificates, one of them renewed from another."""
    ca = Ca(tmp_path_factory.mktemp("filled") / "ca").start()
    _, csr = make_csr()
    for _ in range(2):
        assert ca.sign(csr=csr).status == 201
    crt, key = ca.issue()
    ca.step("ca", "renew", "--force", "--ca-url", ca.url, "--root", str(ca.root_path), crt, key)
    assert ca.stop() == 0
    return Path(ca.config()["db"]["dataSource"])


def nobody():
    """Another user where we are one who may do everything."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def db(place, *words, user=nobody, code=0):
    env = clean_environment(STEPPATH=str(place / "nowhere"), HOME=str(place))
    done = subprocess.run([PROGRAM["path"], "db", *map(str, words)], env=env, cwd="/", text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60 * SLOW,
                          preexec_fn=user, check=False)
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
    assert "Sanitizer" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def state(folder):
    return {p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
            for p in folder.iterdir()}


def look(place, file):
    """Every command that only reads."""
    out = place / "out"
    if not out.exists():
        out.mkdir()
        out.chmod(0o777)
    base = ("--db", f"sqlite:{file}")
    number = re.search(r"\b[0-9]{21,}\b", db(place, "export", "--format", "csv", *base))[0]
    assert len(db(place, "list", *base).splitlines()) == 4
    assert len(db(place, "list", "--san", "web.test", *base).splitlines()) == 4
    assert len(db(place, "list", "--subject", "WEB.test", *base).splitlines()) == 4
    assert number in db(place, "show", number, *base)
    assert "4" in db(place, "stats", *base)
    assert "sound" in db(place, "check", *base)
    assert '"x509_certs"' in db(place, "dump", f"sqlite:{file}")
    db(place, "backup", out / "copy", *base)
    db(place, "import", "--from", f"sqlite:{file}", "--to", f"sqlite:{out}/imported")
    copy = db(place, "dump", f"sqlite:{out}/copy")
    assert copy == db(place, "dump", f"sqlite:{file}")
    for end in ("copy", "imported"):
        (out / end).unlink()


def test_a_medium_that_cannot_be_written(place, filled):
    folder = place / "archive"
    folder.mkdir()
    shutil.copy(filled, folder / "a 100% #1?.sqlite")
    file = folder / "a 100% #1?.sqlite"
    file.chmod(0o444)
    folder.chmod(0o555)
    before = state(folder)
    look(place, file)
    assert state(folder) == before


def test_a_directory_that_could_be_written_stays_as_it_is(place, filled):
    folder = place / "archive"
    folder.mkdir()
    shutil.copy(filled, folder / "a.sqlite")
    (folder / "a.sqlite").chmod(0o666)
    folder.chmod(0o777)
    before = state(folder)
    look(place, folder / "a.sqlite")
    assert state(folder) == before
    assert (folder / "a.sqlite").stat().st_mode & 0o777 == 0o666


def test_beside_a_service_and_after_it_was_killed(place):
    ca = Ca(place / "ca").start()
    try:
        file = Path(ca.config()["db"]["dataSource"])
        for folder in (place / "ca", file.parent.parent, file.parent):
            folder.chmod(0o755)
        for _ in range(2):
            assert ca.sign().status == 201
        for end in ("", "-wal", "-shm"):
            os.chmod(f"{file}{end}", 0o644)
        base = ("--db", f"sqlite:{file}")
        assert len(db(place, "list", *base).splitlines()) == 2
        assert ca.sign().status == 201
        assert len(db(place, "list", "--san", "web.test", *base).splitlines()) == 3
        assert "sound" in db(place, "check", *base)
        ca.stop(signal.SIGKILL)
        names = {p.name for p in file.parent.iterdir()}
        assert len(db(place, "list", *base).splitlines()) == 3  # what only the log has, too
        assert {p.name for p in file.parent.iterdir()} == names
        os.remove(f"{file}-shm")
        if os.geteuid() == 0:
            said = db(place, "list", *base, code=2)
            assert "write-ahead log" in said and "backup" in said and str(file) in said
        ca.start()
        assert ca.sign().status == 201
    finally:
        ca.stop()


def test_a_file_that_may_not_be_read(place, filled):
    if os.geteuid() != 0:
        pytest.skip("only root has files that others may not read")
    shutil.copy(filled, place / "a.sqlite")
    (place / "a.sqlite").chmod(0o600)
    said = db(place, "list", "--db", f"sqlite:{place}/a.sqlite", code=2)
    assert "a.sqlite" in said and "ermission" in said


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_an_older_schema_is_read_as_it_is(place, schema, journal):
    folder = place / "archive"
    folder.mkdir()
    file = folder / "old.sqlite"
    base = sqlite3.connect(file)
    base.execute(f"pragma journal_mode={journal}")
    base.executescript(schema.read_text())
    version = base.execute("pragma user_version").fetchone()[0]
    base.close()
    file.chmod(0o644)
    before = state(folder)
    where = ("--db", f"sqlite:{file}")
    listed = db(place, "list", *where)
    assert "12" in listed.split() or " 12 " in listed, listed
    assert "stolen" in db(place, "export", "--revoked", "--format", "json", *where)
    dump = db(place, "dump", f"sqlite:{file}")
    assert '"acme_orders"' in dump and '"x509_certs"' in dump
    db(place, "stats", *where)
    db(place, "list", "--san", "nobody.test", *where)
    assert state(folder) == before
    # The same from a copy that was brought up.
    new = place / "new.sqlite"
    shutil.copy(file, new)
    db(place, "reindex", "--db", f"sqlite:{new}", user=None)
    base = sqlite3.connect(new)
    assert base.execute("pragma user_version").fetchone()[0] > version
    base.close()
    assert db(place, "dump", f"sqlite:{new}", user=None) == dump


def test_no_database_is_made_where_there_is_none(place):
    place.chmod(0o777)
    empty = place / "empty.sqlite"
    empty.touch()
    empty.chmod(0o666)
    for command in ("list", "stats", "check", "export"):
        assert "no database" in db(place, command, "--db", f"sqlite:{empty}", code=2)
        assert "no such database" in db(place, command, "--db", f"sqlite:{place}/none", code=2)
    assert [p.name for p in place.iterdir()] == ["empty.sqlite"] and empty.stat().st_size == 0


def test_an_import_keeps_what_only_the_inventory_knows(place, filled):
    shutil.copy(filled, place / "a.sqlite")
    base = sqlite3.connect(place / "a.sqlite")
    base.execute("update certificates set issued_at=issued_at+7")
    base.execute("update certificates set provisioner_name='other', data=null where id=1")
    base.commit()
    assert base.execute("select count(*) from certificates where renewed_from>''").fetchone() == (1,)
    base.close()
    for name in ("b", "c"):  # and from there once more
        source = {"b": "a", "c": "b"}[name]
        db(place, "import", "--from", f"sqlite:{place}/{source}.sqlite", "--to",
           f"sqlite:{place}/{name}.sqlite", user=None)
    exports = [db(place, "export", "--format", "csv", "--db", f"sqlite:{place}/{name}.sqlite",
                  user=None) for name in "abc"]
    assert exports[0] == exports[1] == exports[2]
    assert "other" in exports[0]
