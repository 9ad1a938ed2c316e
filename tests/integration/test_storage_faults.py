"""What happens when the database cannot take it: nothing is given out that is not recorded, nothing
is lost that was, and it works again when the disk does."""

import concurrent.futures
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import threading
import time

import namespace
import pytest
from conftest import SLOW, STEP_CA, free_port, make_csr
from cryptography import x509


def database(ca):
    return ca.config()["db"]["dataSource"]


def query(ca, sql):
    base = sqlite3.connect(f"file:{database(ca)}?mode=ro", uri=True)
    try:
        return base.execute(sql).fetchall()
    finally:
        base.close()


def recorded(ca):
    """Serial numbers of all certificates in the database."""
    return {k.decode() if isinstance(k, bytes) else str(k)
            for k, in query(ca, "select nkey from x509_certs")}


def serial_of(reply):
    cert = x509.load_pem_x509_certificate(reply.json()["crt"].encode())
    return str(cert.serial_number)


def revoke(ca, serial):
    return ca.request("POST", "/revoke", {
        "serial": serial, "passive": True,
        "ott": ca.token(serial, audience=f"{ca.url}/1.0/revoke")})


def limit_files(ca, size):
    resource.prlimit(ca.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def sign_until_it_fails(ca, csr, most=400):
    """Serial numbers that were given out, and the token and answer of the first failure."""
    given = []
    for _ in range(most):
        token = ca.token()
        reply = ca.sign(token, csr)
        if reply.status != 201:
            return given, token, reply
        given.append(serial_of(reply))
    raise AssertionError("the disk does not fill up")


def test_a_file_that_may_not_grow(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.pop("logger"))
    ca.start()
    _, csr = make_csr()
    first = ca.sign(csr=csr)
    size = max(os.path.getsize(database(ca) + end) for end in ("", "-wal"))
    limit_files(ca, size + 65536)
    given, token, reply = sign_until_it_fails(ca, csr)
    assert reply.status in (500, 503) and reply.json()["status"] == reply.status
    assert reply.headers["Content-Type"] == "application/json"
    limit_files(ca, 1)  # even the room that a checkpoint gives back is of no use now
    for _ in range(5):
        assert ca.sign(csr=csr).status in (500, 503)
    assert revoke(ca, serial_of(first)).status in (500, 503)
    assert ca.request("GET", "/health").status == 200
    limit_files(ca, resource.RLIM_INFINITY)
    assert ca.sign(token, csr).status == 201  # the token was not spent by the failure
    assert ca.sign(token, csr).status == 401
    assert revoke(ca, serial_of(first)).status == 200
    assert ca.stop() == 0
    stored = recorded(ca)
    assert set(given) | {serial_of(first)} <= stored
    assert len(stored) == len(given) + 2
    log = ca.log()
    assert "newel.sqlite" in log and "works again" in log
    ca.start()
    assert ca.sign(csr=csr).status == 201
    assert ca.sign(token, csr).status == 401


def need_namespaces():
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        pytest.skip("mounting a file system of one's own needs root and nsenter")


class Mounted:
    """Starts the server of an authority with a small file system below its database."""

    def __init__(self, ca, options):
        self.ca, self.folder = ca, os.path.dirname(database(ca))
        mine = namespace.mounting(ca.config_path.parent,
                                  (f"-t tmpfs -o {options}", "none", self.folder))
        self.command = [*mine, STEP_CA, str(ca.config_path), "--password-file",
                        str(ca.password_file)]

    def start(self):
        with open(self.ca.log_path, "ab") as log:
            self.ca.process = subprocess.Popen(self.command, env=self.ca.env, stderr=log,
                                               stdout=log, stdin=subprocess.DEVNULL)
        self.ca.wait_ready()

    def inside(self, *command):
        return subprocess.run(namespace.inside(self.ca.process.pid, *command), check=False,
                              capture_output=True, text=True)


def test_a_disk_without_room(make_ca):
    need_namespaces()
    ca = make_ca()
    mounted = Mounted(ca, "size=1m")
    mounted.start()
    _, csr = make_csr()
    fill = f"{mounted.folder}/fill"
    assert ca.sign(csr=csr).status == 201
    mounted.inside("dd", "if=/dev/zero", f"of={fill}", "bs=4k")
    given, token, reply = sign_until_it_fails(ca, csr)
    assert reply.status in (500, 503)
    assert ca.sign(csr=csr).status in (500, 503)
    assert ca.request("GET", "/provisioners").status == 200
    mounted.inside("rm", fill)
    assert ca.sign(token, csr).status == 201
    assert ca.sign(token, csr).status == 401
    copied = mounted.inside("python3", "-c",
                            "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
                            "'select count(*) from x509_certs').fetchone()[0])", database(ca))
    assert copied.stdout.strip() == str(len(given) + 2), copied.stderr
    assert ca.stop() == 0


def wait_until_ready(ca, seconds=10):
    end = time.monotonic() + seconds * SLOW
    while (reply := ca.request("GET", "/health/ready")).status != 200:
        assert time.monotonic() < end, reply.body
        time.sleep(0.2)


def test_a_full_disk_is_not_ready_until_there_is_room_for_an_issue(make_ca):
    """The little that a probe writes fits into the end of the log for long."""
    need_namespaces()
    ca = make_ca()
    ca.configure(lambda c: c.pop("logger"))
    mounted = Mounted(ca, "size=1m")
    mounted.start()
    _, csr = make_csr()
    fill = f"{mounted.folder}/fill"
    mounted.inside("dd", "if=/dev/zero", f"of={fill}", "bs=4k", "count=80")
    given, _, _ = sign_until_it_fails(ca, csr)
    for _ in range(6):
        ready = ca.request("GET", "/health/ready")
        assert ready.status == 503, ready.body
        assert ca.sign(csr=csr).status in (500, 503)
        assert ca.request("GET", "/health").status == 200
        time.sleep(0.4)
    log = ca.log()
    assert "works again" not in log and log.count("disk is full") == 1, log
    mounted.inside("rm", fill)
    wait_until_ready(ca)  # by itself, though nobody signs
    assert ca.log().count("works again") == 1
    assert ca.sign(csr=csr).status == 201
    copied = mounted.inside("python3", "-c",
                            "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
                            "'select count(*) from x509_certs').fetchone()[0])", database(ca))
    assert copied.stdout.strip() == str(len(given) + 1), copied.stderr
    assert ca.stop() == 0


def put_away(path):
    """The database with its log, as somebody would who restores another one."""
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.rename(path + end, path + end + ".away")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_takes_no_certificates(make_ca, replaced):
    ca = make_ca()
    ca.configure(lambda c: c.pop("logger"))
    ca.start()
    _, csr = make_csr()
    path = database(ca)
    given = [serial_of(ca.sign(csr=csr)) for _ in range(3)]
    assert ca.request("GET", "/health/ready").status == 200
    put_away(path)
    if replaced:
        shutil.copy(path + ".away", path)
    refused = ca.sign(csr=csr)
    assert refused.status == 503, refused.body
    ready = ca.request("GET", "/health/ready")
    assert ready.status == 503
    assert revoke(ca, given[0]).status == 503
    word = "replaced" if replaced else "removed"
    assert f"{path}: the database file was {word}" in ca.log() and "restart" in ca.log()
    if replaced:
        os.remove(path)
    for end in ("", "-wal", "-shm"):  # the same file again is as good as before
        os.rename(path + end + ".away", path + end)
    wait_until_ready(ca)
    given.append(serial_of(ca.sign(csr=csr)))
    assert ca.stop() == 0
    assert recorded(ca) == set(given)


def test_the_log_of_a_new_file_is_left_to_it(make_ca):
    """A service whose file was replaced ends: what the next one wrote beside it stays."""
    ca = make_ca().start()
    assert ca.stop() == 0  # everything is in the file then
    ca.start()
    path = database(ca)
    put_away(path)
    shutil.copy(path + ".away", path)
    other = sqlite3.connect(path)
    other.execute("insert into meta values('mine',1)")
    other.commit()
    before = os.stat(path + "-wal").st_ino
    assert ca.stop() == 0
    assert os.stat(path + "-wal").st_ino == before
    other.close()


def test_a_backup_that_takes_the_place_under_a_service(make_ca):
    """The log belongs to the old file and goes with it."""
    ca = make_ca().start()
    _, csr = make_csr()
    given = [serial_of(ca.sign(csr=csr)) for _ in range(3)]
    backup = ca.folder / "backup"
    ca.run([STEP_CA, "db", "backup", backup, ca.config_path])
    for _ in range(20):
        given.append(serial_of(ca.sign(csr=csr)))
    path = database(ca)
    os.rename(path, path + ".old")
    os.rename(backup, path)
    assert ca.sign(csr=csr).status == 503
    assert ca.stop() == 0
    assert not os.path.exists(path + "-wal") and not os.path.exists(path + "-shm")
    ca.run([STEP_CA, "db", "check", ca.config_path])
    ca.start()
    given.append(serial_of(ca.sign(csr=csr)))
    assert recorded(ca) == {*given[:3], given[-1]}
    assert ca.stop() == 0
    os.rename(path + ".old", path)  # nothing was lost with it either
    assert recorded(ca) == set(given[:-1])


def test_files_that_others_could_read_are_for_the_owner(make_ca):
    ca = make_ca().start()
    assert ca.sign().status == 201
    assert ca.stop() == 0
    path = database(ca)
    os.chmod(path, 0o644)
    ca.start()
    assert ca.sign().status == 201
    modes = {end: os.stat(path + end).st_mode & 0o777 for end in ("", "-wal", "-shm")}
    assert set(modes.values()) == {0o600}, modes
    assert f"{path}: its mode was 0644 and is 0600 now" in ca.log()


def test_a_backup_that_fails_leaves_nothing(make_ca):
    need_namespaces()
    ca = make_ca().start()
    for _ in range(3):
        assert ca.sign().status == 201
    folder = ca.folder / "small"
    folder.mkdir()
    command = namespace.mounting(ca.folder, ("-t tmpfs -o size=64k", "none", str(folder)))
    done = subprocess.run(
        [*command, "/bin/sh", "-c",
         f"{STEP_CA} db backup {folder}/copy {ca.config_path}; echo $?; ls -A {folder}"],
        env=ca.env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2"], done.stdout + done.stderr
    assert "backup" in done.stderr and "full" in done.stderr


def test_a_read_only_place_is_refused_at_the_start(make_ca):
    need_namespaces()
    ca = make_ca()
    done = subprocess.run(Mounted(ca, "ro").command, env=ca.env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=30 * SLOW, check=False)
    assert done.returncode == 2, done.stderr
    assert "newel.sqlite" in done.stderr and "ead-only" in done.stderr


# --- The start ------------------------------------------------------------------------------------


@pytest.mark.parametrize("prepare, word", [
    (lambda folder: folder / "missing/deep/base.sqlite", "missing"),
    (lambda folder: folder, "regular"),
    (lambda folder: (folder / "note").write_text("no database " * 100) and folder / "note", "note"),
    (lambda folder: os.symlink("/nowhere/x", folder / "link") or folder / "link", "link"),
])
def test_databases_that_cannot_be_opened_are_fatal_and_named(make_ca, prepare, word):
    ca = make_ca()
    path = str(prepare(ca.folder))
    ca.configure(lambda c: c["db"].update(dataSource=path))
    done = ca.run([STEP_CA, ca.config_path, "--password-file", ca.password_file], ok=False)
    assert done.returncode == 2, done.stderr
    assert path in done.stderr and word in done.stderr and "db.dataSource" in done.stderr
    assert "Sanitizer" not in done.stderr


def test_a_database_of_a_later_version_is_left_alone(make_ca):
    ca = make_ca().start()
    assert ca.stop() == 0
    base = sqlite3.connect(database(ca))
    version = base.execute("pragma user_version").fetchone()[0]
    base.execute(f"pragma user_version={version + 1000}")
    base.commit()
    base.close()
    done = ca.run([STEP_CA, ca.config_path, "--password-file", ca.password_file], ok=False)
    assert done.returncode == 2 and "newel.sqlite" in done.stderr, done.stderr


# --- Others at the same file ----------------------------------------------------------------------


def test_a_lock_of_somebody_else_is_waited_for(make_ca):
    ca = make_ca().start()
    base = sqlite3.connect(database(ca), isolation_level=None)
    base.execute("begin immediate")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(ca.sign()))
    thread.start()
    time.sleep(1)
    assert not replies
    base.execute("rollback")
    thread.join()
    assert replies[0].status == 201
    base.close()


def test_two_servers_at_one_database_accept_a_token_once(make_ca):
    first = make_ca()
    second = make_ca()
    port = free_port()
    config = first.config()
    config["address"] = f"127.0.0.1:{port}"
    second.config_path.write_text(json.dumps(config))
    second.port, second.root_path = port, first.root_path
    second.password_file = first.password_file
    first.start()
    second.start()
    _, csr = make_csr()
    for a, b in ((first, second), (second, first)):
        token = first.token()
        assert a.sign(token, csr).status == 201
        assert b.sign(token, csr).status == 401
    for _ in range(5):
        token = first.token()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = sorted(r.status for r in pool.map(
                lambda ca, t=token: ca.sign(t, csr), [first, second] * 4))
        assert got == [201] + [401] * 7
    reply = first.sign(csr=csr)
    assert revoke(second, serial_of(reply)).status == 200
    assert revoke(first, serial_of(reply)).status == 400


# --- Restarts -------------------------------------------------------------------------------------


def test_used_tokens_stay_used_over_a_restart(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c["authority"].update(disableIssuedAtCheck=True))
    ca.start()
    _, csr = make_csr()
    spent = [ca.token(), ca.token(jti=None), ca.token(iat=None)]
    fresh = ca.token()
    for token in spent:
        assert ca.sign(token, csr).status == 201
    assert ca.stop() == 0
    ca.start()
    for token in spent:
        assert ca.sign(token, csr).status == 401
    assert ca.sign(fresh, csr).status == 201


def test_tokens_from_before_the_start_are_refused(make_ca):
    ca = make_ca().start()
    _, csr = make_csr()
    token = ca.token()
    assert ca.stop() == 0
    time.sleep(1.1)
    ca.start()
    assert ca.sign(token, csr).status == 401
    assert ca.sign(csr=csr).status == 201


def test_without_a_database(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.pop("db"))
    ca.start()
    _, csr = make_csr()
    token, kept = ca.token(), ca.token()
    assert ca.sign(token, csr).status == 201
    assert ca.sign(token, csr).status == 401
    assert ca.reload()
    assert ca.sign(token, csr).status == 401
    assert revoke(ca, "12").status == 501
    assert ca.request("GET", "/crl").status == 404
    assert ca.stop() == 0
    time.sleep(1.1)
    ca.start()
    for old in (token, kept):
        assert ca.sign(old, csr).status == 401
    assert ca.sign(csr=csr).status == 201
    assert not os.path.exists(ca.path / "db/newel.sqlite")
