"""MariaDB and PostgreSQL from the distribution's packages, each on a data directory of its own.

They run as an ordinary user: their own system user when the tests run as root.  `kill` is what a
power cut looks like to them; `start` after it recovers.
"""

import datetime
import ipaddress
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import SLOW, free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "s:e/c@r(e)t?"  # everything that a data source string could stumble over


def tls_files(folder):
    """A root and a server certificate for 127.0.0.1, in PEM files."""
    now = datetime.datetime.utcnow()

    def certificate(name, key, issuer, signer, extensions):
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
                   .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=2)))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("sql root", root_key, "sql root", root_key,
                       [(x509.BasicConstraints(ca=True, path_length=None), True)])
    san = x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                       x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = certificate("127.0.0.1", key, "sql root", root_key, [(san, False)])
    pem = serialization.Encoding.PEM
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "server.key").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))


class Server:
    """What both have in common: a folder, a user, a process."""

    user = None

    def __init__(self, tls=False):
        self.tls = tls
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="newel-sql-", dir="/tmp"))
        self.process = None
        if tls:
            tls_files(self.folder)
            (self.folder / "server.key").chmod(0o600)
        self.account = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam(self.user)
            self.account = {"user": self.user, "group": owner.pw_gid, "extra_groups": []}
            for path in [self.folder, *self.folder.iterdir()]:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o755)
        self.log = self.folder / "server.log"
        self.create()
        self.start()
        self.grant()

    def run(self, *args, **options):
        done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120 * SLOW, check=False,
                              cwd=self.folder, **self.account, **options)
        assert done.returncode == 0, f"{args}\n{done.stdout}"
        return done.stdout

    def start(self):
        end = time.monotonic() + 60 * SLOW
        while True:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                    [str(a) for a in self.command()], stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, cwd=self.folder, start_new_session=True,
                    **self.account)
            while self.process.poll() is None:
                if self.answers():
                    return
                assert time.monotonic() < end, self.log.read_text()[-3000:]
                time.sleep(0.1)
            # After a SIGKILL the children of the old one may still hold its memory.
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.2)

    def children(self):
        """PostgreSQL's sessions are processes, each the leader of a group of its own."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == self.process.pid:
                found.append(int(stat.parent.name))
        return found

    def signal(self, number):
        """To all of it at once: while the first one is stopped it has no new children."""
        self.process.send_signal(signal.SIGSTOP)
        for pid in [*self.children(), self.process.pid]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(30 * SLOW)
            except subprocess.TimeoutExpired:
                self.kill()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self):
        try:
            self.sql("SELECT 1")
            return True
        except AssertionError:
            return False

    def rows(self, sql, database):
        return [line.split("\t") for line in self.sql(sql, database).splitlines()]


class Postgresql(Server):
    user = "postgres"
    stop_signal = signal.SIGINT
    type = "postgresql"

    @staticmethod
    def program(name):
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                       key=lambda p: int(p.parts[4]))
        return str(found[-1])

    def create(self):
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(self.program("initdb"), "-D", self.folder / "data", "-U", "step", "-A",
                 "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8")
        settings = [f"port = {self.port}", "listen_addresses = '127.0.0.1'",
                    f"unix_socket_directories = '{self.folder}'", "max_connections = 200",
                    # what a killed process has written stands; only a crash of the machine loses it
                    "fsync = off", "full_page_writes = off"]
        if self.tls:
            settings += ["ssl = on", f"ssl_cert_file = '{self.folder}/server.pem'",
                         f"ssl_key_file = '{self.folder}/server.key'"]
            (self.folder / "data/pg_hba.conf").write_text(
                "hostssl all all 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n")
        with open(self.folder / "data/postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("\n".join(settings) + "\n")

    def command(self):
        return [self.program("postgres"), "-D", self.folder / "data"]

    def grant(self):
        pass

    def sql(self, sql, database="postgres"):
        return self.run("psql", "-X", "-q", "-t", "-A", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
                        self.folder, "-p", self.port, "-U", "step", "-d", database, "-c", sql,
                        env={"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]})

    def source(self, database="", query=""):
        return (f"postgresql://step:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"
                f"{query}")

    def socket_source(self, database=""):
        word = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        return (f"host={self.folder} port={self.port} user=step password='{word}'"
                + (f" dbname={database}" if database else ""))

    def text(self, column):
        return f"convert_from({column},'UTF8')"


class Mariadb(Server):
    user = "mysql"
    stop_signal = signal.SIGTERM
    type = "mysql"

    def create(self):
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data",
                 "--auth-root-authentication-method=normal", "--skip-test-db",
                 f"--user={self.user if self.account else pwd.getpwuid(os.getuid()).pw_name}")

    def command(self):
        more = []
        if self.tls:
            more = [f"--ssl-ca={self.folder}/root.pem", f"--ssl-cert={self.folder}/server.pem",
                    f"--ssl-key={self.folder}/server.key", "--require-secure-transport=on"]
        return [shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults",
                f"--datadir={self.folder}/data", f"--socket={self.folder}/sql.sock",
                f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                f"--pid-file={self.folder}/sql.pid", "--max-connections=200",
                "--innodb-flush-method=nosync",  # as PostgreSQL's fsync
                "--innodb-buffer-pool-size=64M",
                f"--tmpdir={self.folder}", *more]

    def grant(self):
        self.sql(f"CREATE USER step@'%' IDENTIFIED BY '{PASSWORD}';"
                 "GRANT ALL ON *.* TO step@'%'")

    def sql(self, sql, database=""):
        return self.run("mariadb", "--no-defaults", "-N", "-B", f"--socket={self.folder}/sql.sock",
                        "-u", "root", *([database] if database else []), "-e", sql)

    def source(self, database="", query=""):
        return f"step:{PASSWORD}@tcp(127.0.0.1:{self.port})/{database}{query}"

    def socket_source(self, database=""):
        return f"step:{PASSWORD}@unix({self.folder}/sql.sock)/{database}"

    def text(self, column):
        return f"CONVERT({column} USING utf8mb4)"


KINDS = {"mysql": Mariadb, "postgresql": Postgresql}


def missing(kind):
    if kind == "mysql":
        return not (shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists())
    return not list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def new_server(kind, **how):
    if missing(kind):
        pytest.skip(f"the server for {kind} is not installed")
    return KINDS[kind](**how)
