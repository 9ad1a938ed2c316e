"""The long runs, one part after the other; `scripts/soak` calls it once the packages are there.

kill-sqlite, kill-mysql, kill-postgresql
    Clients ask for certificates while step-ca (and the database's server) is killed with SIGKILL
    at random moments.  After each round: no certificate that a client received is missing, `step-ca
    db check` says that the database is sound, and tokens that were answered are spent.
commits     durable inserts of 64 concurrent requests against one commit for each
import      a Badger database of a million records (needs Go, to make one)
scale       ten million certificates: signing, listing, exporting

What is done is kept in build-soak/: run again, it goes on where it was.  When everything ran, the
results are written to docs/soak.md.
"""

import argparse
import datetime
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["kill-sqlite", "kill-mysql", "kill-postgresql", "commits", "import", "scale"]
FOLDER = ROOT / "build-soak"
BUILD = FOLDER / "build"
TARGETS = ["src/server/step-ca", "src/cli/step", "tests/bench/bench_sign",
           "tests/bench/store/bench_store", "tests/bench/store/fill_store"]

sys.path.insert(0, str(ROOT / "tests/integration"))


class Failed(Exception):
    """What a run found."""


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def need(condition, text):
    if not condition:
        raise Failed(text)


def run(*args, **options):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **options)
    need(done.returncode == 0, f"{args[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def peak_memory(pid):
    """In MB, of a process that runs; its own, and not what it had before exec as in ru_maxrss."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found.group(1)) / 1024 if found else 0


def measured(*args, out=subprocess.DEVNULL):
    """Seconds and the most memory in MB, as far as one who looks every 2 ms can tell."""
    with open(FOLDER / "stderr", "w+", encoding="utf-8") as errors:
        begun, memory = time.monotonic(), 0
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [str(a) for a in args], stdout=out, stderr=errors)
        while process.poll() is None:
            memory = max(memory, peak_memory(process.pid))
            time.sleep(0.002)
        seconds = time.monotonic() - begun
        errors.seek(0)
        need(process.returncode == 0, f"{args}: {process.returncode}: {errors.read()[-2000:]}")
    return seconds, memory


def build():
    if not (BUILD / "build.ninja").exists():
        run("meson", "setup", BUILD, ROOT, "--buildtype=debugoptimized")
    run("ninja", "-C", BUILD, "-j2", *TARGETS)


# --- Kills ---------------------------------------------------------------------------------------


class Load:
    """Clients that keep their connections and remember what they were given."""

    def __init__(self, ca, csr, threads=6):
        self.ca, self.csr = ca, csr
        self.issued, self.others = [], []
        self.lock = threading.Lock()
        self.ending = False
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self):
        connection = None
        while not self.ending:
            token = self.ca.token()
            try:
                if connection is None:
                    connection = HTTPSConnection("localhost", self.ca.port, context=self.ca.tls(),
                                                 timeout=30)
                connection.request("POST", "/1.0/sign", json.dumps({"csr": self.csr, "ott": token}))
                response = connection.getresponse()
                body = response.read()
            except (OSError, HTTPException):
                connection = None
                time.sleep(0.01)
                continue
            with self.lock:
                if response.status == 201:
                    self.issued.append((json.loads(body)["crt"], token))
                elif response.status not in (500, 503):
                    self.others.append((response.status, body[:200]))
            if response.status != 201:
                time.sleep(0.02)

    def wait(self, count, seconds=90):
        end = time.monotonic() + seconds
        while len(self.issued) < count:
            need(time.monotonic() < end and not self.others,
                 f"no certificates any more: {self.others[:3]} {self.ca.log()[-2000:]}")
            time.sleep(0.01)

    def stop(self):
        self.ending = True
        for thread in self.threads:
            thread.join()


class Rounds:
    """A number of rounds on one database; `killed` of a round says what was killed."""

    def __init__(self, name, seed):
        from conftest import Ca, make_csr

        folder = FOLDER / "run" / name
        shutil.rmtree(folder, ignore_errors=True)
        self.ca = Ca(folder)
        self.ca.configure(lambda c: c["authority"].update(disableIssuedAtCheck=True))
        self.csr = make_csr()[1]
        self.dice = random.Random(seed)
        self.acknowledged = 0
        self.spent = []  # a few tokens of former rounds
        self.server = None

    # What is stored: {serial: DER} of these serials.
    def stored(self, serials):
        import sqlite3

        base = sqlite3.connect(f"file:{self.ca.config()['db']['dataSource']}?mode=ro", uri=True)
        found = {}
        for serial in serials:
            row = base.execute("SELECT nvalue FROM x509_certs WHERE nkey=?", (serial,)).fetchone()
            if row:
                found[serial] = bytes(row[0])
        base.close()
        return found

    def kill_one(self, number):
        del number
        self.ca.process.send_signal(signal.SIGKILL)
        self.ca.process.wait()
        self.ca.process = None

    def recover(self):
        if self.ca.process is None:
            self.ca.start()

    def check(self, load):
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        need(not load.others, f"answers that nobody expected: {load.others[:3]}")
        certificates = {}
        for pem, _ in load.issued:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            certificates[str(certificate.serial_number)] = certificate.public_bytes(Encoding.DER)
        found = self.stored(list(certificates))
        lost = [s for s, der in certificates.items() if found.get(s) != der]
        need(not lost, f"{len(lost)} acknowledged certificates are lost: {lost[:3]}")
        said = run(BUILD / "src/server/step-ca", "db", "check", self.ca.config_path,
                   env=self.ca.env)
        need(said.rstrip().endswith("sound"), said)
        self.acknowledged += len(certificates)
        self.spent = (load.issued[-3:] + self.spent)[:6]

    def check_tokens(self):
        for _, token in self.spent:
            status = self.ca.sign(token, self.csr).status
            need(status == 401, f"a token that had been answered gave {status}")

    def one(self, number):
        self.recover()
        self.check_tokens()
        load = Load(self.ca, self.csr)
        try:
            load.wait(2)
            time.sleep(self.dice.uniform(0, 0.8))
            self.kill_one(number)
        finally:
            load.stop()
        self.check(load)

    def end(self):
        if self.ca.process is not None:
            self.ca.stop()
        if self.server:
            self.server.remove()
        shutil.rmtree(self.ca.folder, ignore_errors=True)


class ServerRounds(Rounds):
    """On a server, which is killed in every other round; requests go on meanwhile."""

    def __init__(self, name, seed, kind):
        from sql_servers import Mariadb, Postgresql

        super().__init__(name, seed)
        self.server = {"mysql": Mariadb, "postgresql": Postgresql}[kind]()
        db = {"type": kind, "dataSource": self.server.source(), "database": "ca_soak",
              "inventory": True}
        self.ca.configure(lambda c: c.update(db=db))
        self.ca.config_path.chmod(0o600)

    def stored(self, serials):
        found = {}
        hexed = "HEX(nvalue)" if self.server.type == "mysql" else "encode(nvalue,'hex')"
        for at in range(0, len(serials), 500):
            names = ",".join(f"'{s}'" for s in serials[at:at + 500])
            sql = (f"SELECT {self.server.text('nkey')},{hexed} FROM x509_certs"
                   f" WHERE nkey IN ({names})")
            for key, value in self.server.rows(sql, "ca_soak"):
                found[key] = bytes.fromhex(value)
        return found

    def kill_one(self, number):
        if number % 2:
            super().kill_one(number)
            return
        self.server.kill()
        time.sleep(self.dice.uniform(0.1, 0.6))
        self.server.start()
        end = time.monotonic() + 60
        while self.ca.sign().status != 201:
            need(time.monotonic() < end, f"step-ca stays without: {self.ca.log()[-2000:]}")
            time.sleep(0.05)
        time.sleep(self.dice.uniform(0, 0.3))


def kill(state, name, count, again):
    done = state.setdefault(name, {"rounds": 0, "acknowledged": 0})
    seed = int(time.time())
    rounds = (again if again else Rounds)(f"{name}-{seed}", seed)
    try:
        while done["rounds"] < count:
            rounds.acknowledged = 0
            rounds.one(done["rounds"])
            done["rounds"] += 1
            done["acknowledged"] += rounds.acknowledged
            save(state)
            if done["rounds"] % 10 == 0:
                say(f"{name}: {done['rounds']} of {count} rounds, "
                    f"{done['acknowledged']} certificates")
    finally:
        rounds.end()
    done["date"] = today()


# --- Speed ---------------------------------------------------------------------------------------


def fresh(name):
    folder = FOLDER / "run" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def commits(state, options):
    """As this disk is, and if a sync lasted two milliseconds more: the middle of some runs."""
    result = {"date": today()}
    for name, sync in (("as it is", 0), ("2 ms", 2000)):
        runs = []
        for _ in range(options.repeat):
            text = run(BUILD / "tests/bench/store/bench_store", 20000, fresh("commits"), sync)
            rates = {m[0]: float(m[1])
                     for m in re.findall(r"(\d+) under way: +(\d+) durable", text)}
            runs.append((rates["64"] / rates["1"], rates["64"], rates["1"]))
        ratio, many, one = sorted(runs)[len(runs) // 2]
        result[name] = {"64": many, "1": one, "ratio": ratio}
        say(f"commits, sync {name}: {many:.0f}/s against {one:.0f}/s")
    state["commits"] = result
    need(result["2 ms"]["ratio"] >= 20, f"the ratio is {result['2 ms']['ratio']:.1f}")


def template(folder):
    """The certificate that fill_store copies."""
    from conftest import make_cert
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = make_cert("Bench Intermediate CA", issuer_key, ca=True)
    name, now = "host-00000000.bench.internal", datetime.datetime.utcnow()
    public = key.public_key()
    builder = (x509.CertificateBuilder().issuer_name(issuer.subject).public_key(public)
               .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
               .serial_number(int.from_bytes(b"A" * 16, "big"))
               .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90)))
    for extension, critical in (
            (x509.KeyUsage(True, *[False] * 8), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                    ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False)):
        builder = builder.add_extension(extension, critical)
    path = folder / "template.der"
    path.write_bytes(builder.sign(issuer_key, hashes.SHA256())
                     .public_bytes(serialization.Encoding.DER))
    return path


def import_badger(state, options):
    """As `db import` does it, and as a server does it that finds the old database."""
    from conftest import Ca

    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not go:
        say("import: skipped: there is no Go to make a Badger database with")
        return
    folder = fresh("import")
    source = ROOT / "tests/bench/store/badger_fill"
    run(go, "build", "-o", folder / "badger_fill", ".", cwd=source)
    run(folder / "badger_fill", folder / "badger", options.records, template(folder))
    size = sum(p.stat().st_size for p in (folder / "badger").iterdir()) / 1e6
    seconds, memory = measured(BUILD / "src/server/step-ca", "db", "import",
                               f"--from=badgerv2:{folder}/badger",
                               f"--to=sqlite:{folder}/to.sqlite")
    say(f"import of {options.records} records ({size:.0f} MB): {seconds:.1f} s, {memory:.0f} MB")
    ca = Ca(folder / "ca")
    ca.configure(lambda c: c.update(db={"type": "badgerv2", "dataSource": f"{folder}/badger"}))
    begun = time.monotonic()
    ca.start(wait=False)
    while not re.search(r"imported \d+ tables", ca.log()):
        need(ca.process.poll() is None and time.monotonic() < begun + 300, ca.log()[-2000:])
        time.sleep(0.05)
    started = time.monotonic() - begun
    peak = peak_memory(ca.process.pid)
    ca.wait_ready()
    ca.stop()
    say(f"import at the start of a server: {started:.1f} s, {peak:.0f} MB")
    state["import"] = {"date": today(), "records": options.records, "size": size,
                       "seconds": seconds, "memory": memory, "start": started,
                       "start_memory": peak}
    shutil.rmtree(folder)
    need(max(seconds, started) < 60 and max(memory, peak) < 200, "slower or larger than it may be")


def sign_latency(database, count=3000):
    text = run(BUILD / "tests/bench/bench_sign", BUILD / "src/server/step-ca", count, 4, database)
    for folder in re.findall(r"files of this run: (\S+)", text):
        shutil.rmtree(folder, ignore_errors=True)
    need(", 0 failed" in text, text)
    return tuple(float(x) for x in re.search(r"p50 ([\d.]+) ms, p99 ([\d.]+)", text).groups())


def scale(state, options):
    folder = FOLDER / "scale"
    folder.mkdir(exist_ok=True)
    full, wanted = folder / "full.sqlite", options.certificates
    marker = folder / f"filled-{wanted}"
    if not marker.exists():
        for old in folder.iterdir():
            old.unlink()
        need(shutil.disk_usage(folder).free > wanted * 1000 * 1.5, "the disk has not the room")
        say(f"scale: writing {wanted} certificates")
        begun = time.monotonic()
        run(BUILD / "tests/bench/store/fill_store", full, wanted, template(folder))
        marker.write_text(f"{time.monotonic() - begun:.0f}")
    result = {"date": today(), "certificates": wanted, "size": full.stat().st_size / 1e9}
    say(f"scale: {result['size']:.1f} GB; signing")
    pairs = []
    for n in range(options.repeat):
        empty = fresh("empty") / "empty.sqlite"
        pairs.append((sign_latency(empty), sign_latency(full)))
        say(f"scale: p99 {pairs[n][0][1]:.2f} ms empty, {pairs[n][1][1]:.2f} ms full")
    result["sign"] = {
        "empty_p50": statistics.median(p[0][0] for p in pairs),
        "empty": statistics.median(p[0][1] for p in pairs),
        "full_p50": statistics.median(p[1][0] for p in pairs),
        "full": statistics.median(p[1][1] for p in pairs)}
    result["ratio"] = result["sign"]["full"] / result["sign"]["empty"]
    questions = {
        "list --expiring-in 1d": ["list", "--expiring-in=1d"],
        "list --expiring-in 7d": ["list", "--expiring-in=7d"],
        "list --revoked": ["list", "--revoked"],
        "list (all)": ["list"],
        "export --format csv (all)": ["export", "--format=csv"],
        "export --format json (all)": ["export", "--format=json"],
    }
    result["questions"] = {}
    for name, words in questions.items():
        path = folder / "out"
        with open(path, "wb") as out:
            seconds, memory = measured(BUILD / "src/server/step-ca", "db", *words,
                                       f"--db=sqlite:{full}", out=out)
        with open(path, "rb") as printed:
            rows = sum(piece.count(b"\n") for piece in iter(lambda: printed.read(1 << 20), b""))
        path.unlink()
        result["questions"][name] = {"seconds": seconds, "memory": memory, "rows": rows}
        say(f"scale: db {name}: {seconds:.2f} s, {memory:.0f} MB")
    state["scale"] = result
    need(result["ratio"] <= 1.5, f"p99 is {result['ratio']:.2f} of that of an empty database")
    need(result["questions"]["list --expiring-in 7d"]["seconds"] < 1, "expiring-in took too long")
    need(all(q["memory"] < 100 for q in result["questions"].values()), "too much memory")
    if not options.keep:
        shutil.rmtree(folder)


# --- Results -------------------------------------------------------------------------------------


def today():
    return datetime.date.today().isoformat()


def load_state():
    path = FOLDER / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(state):
    (FOLDER / "results.json").write_text(json.dumps(state, indent=1))


KILLS = {
    "kill-sqlite": "SQLite, `step-ca` killed",
    "kill-mysql": "MariaDB with an inventory; its server and `step-ca` killed by turns",
    "kill-postgresql": "PostgreSQL with an inventory; its server and `step-ca` killed by turns",
}


def page_kills(state):
    out = ["## Kills", "", "SIGKILL at a random moment while six clients ask for certificates. "
           "After each round no certificate that a client received is missing,",
           "`step-ca db check` calls the database sound, and tokens that were answered are spent.", "",
           "| what | rounds | certificates acknowledged | lost | date |",
           "| --- | ---: | ---: | ---: | --- |"]
    for name, title in KILLS.items():
        if state.get(name, {}).get("date"):
            s = state[name]
            out.append(f"| {title} | {s['rounds']} | {s['acknowledged']} | 0 | {s['date']} |")
    return out


def page_commits(s):
    out = ["", "## Commits", "", f"`tests/bench/store/bench_store`, {s['date']}. What a group of "
           "requests saves are waits for the disk; a disk whose cache answers before anything is",
           "durable hides that, so the second line makes every sync last 2 ms longer. "
           "The first line depends on that disk and on what else it does: from 5 (nothing else, "
           "a sync in",
           "0.05 ms) to 27 were seen; 20 is reached where a sync takes some 0.3 ms or more. What "
           "`scripts/soak` judges is the second.", "",
           "| a sync | 64 under way, per second | one commit for each, per second | ratio |",
           "| --- | ---: | ---: | ---: |"]
    for name, title in (("as it is", "as the disk does it"), ("2 ms", "2 ms longer")):
        r = s[name]
        out.append(f"| {title} | {r['64']:.0f} | {r['1']:.0f} | {r['ratio']:.1f} |")
    return out


def page_import(s):
    return ["", "## Import", "", f"A Badger database (v2) of {s['records']} records, "
            f"{s['size']:.0f} MB, {s['date']}.", "", "| how | seconds | memory at most |",
            "| --- | ---: | ---: |",
            f"| `step-ca db import` | {s['seconds']:.1f} | {s['memory']:.0f} MB |",
            f"| at the start of `step-ca` | {s['start']:.1f} | {s['start_memory']:.0f} MB |"]


def page_scale(s):
    sign = s["sign"]
    out = ["", "## Scale", "", f"{s['certificates']} certificates in SQLite, {s['size']:.1f} GB, "
           f"{s['date']}.", "", "| signing, 4 connections | empty database | full | ratio |",
           "| --- | ---: | ---: | ---: |",
           f"| p50 | {sign['empty_p50']:.2f} ms | {sign['full_p50']:.2f} ms | "
           f"{sign['full_p50'] / sign['empty_p50']:.2f} |",
           f"| p99 | {sign['empty']:.2f} ms | {sign['full']:.2f} ms | {s['ratio']:.2f} |", "",
           "| `step-ca db` | seconds | lines | memory at most |", "| --- | ---: | ---: | ---: |"]
    for name, q in s["questions"].items():
        rows = "" if q["rows"] is None else q["rows"]
        out.append(f"| `{name}` | {q['seconds']:.2f} | {rows} | {q['memory']:.0f} MB |")
    return out


def write_page(state):
    out = ["# Long runs", "", f"The last results of `scripts/soak`, on {os.cpu_count()} cores. "
           "The machine did other things meanwhile: the ratios tell more than the times.", ""]
    out += page_kills(state)
    for name, page in (("commits", page_commits), ("import", page_import), ("scale", page_scale)):
        if state.get(name, {}).get("date"):
            out += page(state[name])
    (ROOT / "docs/soak.md").write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--again", action="store_true", help="forget what was done of these parts")
    parser.add_argument("--rounds", type=int, default=200, help="kills on SQLite")
    parser.add_argument("--server-rounds", type=int, default=50, help="kills on each SQL server")
    parser.add_argument("--certificates", type=int, default=10_000_000)
    parser.add_argument("--records", type=int, default=1_000_000, help="of the import")
    parser.add_argument("--repeat", type=int, default=5,
                        help="measurements of signing and of commits; the middle one counts")
    parser.add_argument("--keep", action="store_true", help="keep the large database")
    options = parser.parse_args()
    parts = options.only.split(",")
    unknown = [p for p in parts if p not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    FOLDER.mkdir(exist_ok=True)
    build()
    os.environ["STEP_BIN"] = str(BUILD / "src/cli/step")
    os.environ["STEP_CA_BIN"] = str(BUILD / "src/server/step-ca")
    state = load_state()
    passed, failed = 0, []
    work = {
        "kill-sqlite": lambda: kill(state, "kill-sqlite", options.rounds, None),
        "kill-mysql": lambda: kill(state, "kill-mysql", options.server_rounds,
                                   lambda n, s: ServerRounds(n, s, "mysql")),
        "kill-postgresql": lambda: kill(state, "kill-postgresql", options.server_rounds,
                                        lambda n, s: ServerRounds(n, s, "postgresql")),
        "commits": lambda: commits(state, options),
        "import": lambda: import_badger(state, options),
        "scale": lambda: scale(state, options),
    }
    for part in parts:
        if options.again:
            state.pop(part, None)
        if state.get(part, {}).get("date"):
            say(f"{part}: done on {state[part]['date']}; --again repeats it")
            passed += 1
            continue
        try:
            work[part]()
            passed += 1
        except (Failed, AssertionError) as e:
            failed.append(part)
            say(f"{part}: FAILED: {e}")
            state.get(part, {}).pop("date", None)
        save(state)
    shutil.rmtree(FOLDER / "run", ignore_errors=True)
    write_page(state)
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
