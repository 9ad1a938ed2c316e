"""ACME clients that people use, as Debian ships them, against our authority: each gets, renews and
revokes; what they got is served and checked.  Everything stays on loopback."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import namespace
import pytest
from acme_lab import Names, Web, certificates
from conftest import SLOW, Ca, b64url, clean_environment, free_port, need
from cryptography import x509
from machine import execute

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-acme belongs to
HERE = Path(__file__).resolve().parent
os.environ["PATH"] += ":/usr/sbin:/sbin"  # where servers are, also for those who are not root


# --- The site -------------------------------------------------------------------------------------


class Knot:
    """An authoritative DNS server for acme.test that takes updates signed with a key."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvbiBsb29wYmFjaw=="
        (folder / "acme.test.zone").write_text(
            "$ORIGIN acme.test.\n$TTL 1\n"
            "@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\n@ A 127.0.0.1\n* A 127.0.0.1\n")
        (folder / "knot.conf").write_text(f"""
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: notice
key:
  - id: updates
    algorithm: hmac-sha256
    secret: {self.secret}
acl:
  - id: updates
    key: updates
    action: [update, transfer]
zone:
  - domain: acme.test
    storage: "{folder}"
    file: acme.test.zone
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    acl: updates
""")
        self.log = open(folder / "knot.log", "wb")
        self.process = subprocess.Popen(["knotd", "-c", str(folder / "knot.conf")],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait()

    def wait(self):
        for _ in range(100):
            asked = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.port), "+short",
                                    "+timeout=1", "www.acme.test"], capture_output=True, text=True,
                                   check=False)
            if asked.stdout.strip() == "127.0.0.1":
                return
            assert self.process.poll() is None, (self.folder / "knot.log").read_text()
            time.sleep(0.1)
        raise AssertionError((self.folder / "knot.log").read_text())

    def update_script(self, path, add, name, value):
        """A shell line that adds or removes a TXT record."""
        command = f"update add {name} 1 TXT" if add else f"update delete {name} TXT"
        return (f"printf 'server 127.0.0.1 {self.port}\\nzone acme.test.\\n{command} %s\\nsend\\n' "
                f"{value} | knsupdate -y hmac-sha256:updates:{self.secret}\n")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Site:
    """The authority, the ports where it looks for answers, the DNS server that it asks."""

    def __init__(self, folder):
        self.folder = folder
        self.knot = None
        if shutil.which("knotd") and shutil.which("kdig"):
            (folder / "dns").mkdir()
            self.knot = Knot(folder / "dns")
        self.names = self.knot or Names()
        try:
            self.start()
        except BaseException:
            self.names.stop()
            raise

    def start(self):
        folder = self.folder
        self.http, self.tls = free_port(), free_port()
        self.ca = Ca(folder / "ca", ("--acme",))
        self.ca.configure(lambda c: c["authority"]["provisioners"].extend([
            {"type": "ACME", "name": "eab", "requireEAB": True},
            {"type": "ACME", "name": "short", "claims": {"defaultTLSCertDuration": "5m"}}]))
        self.ca.start("--insecure", "--acme-http-port", str(self.http), "--acme-tls-port",
                      str(self.tls), "--resolver", self.names.address)
        self.directory = f"{self.ca.url}/acme/acme/directory"
        self.eab_directory = f"{self.ca.url}/acme/eab/directory"
        self.root = self.ca.root_path

    def stop(self):
        try:
            code = self.ca.stop()
        finally:
            self.names.stop()
        assert code == 0, self.ca.log()
        for trouble in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
            assert trouble not in self.ca.log()

    def eab(self):
        """(key id, HMAC key) for one account."""
        out = self.ca.step("ca", "acme", "eab", "add", "eab", "--json").stdout
        key = json.loads(out)
        return key["id"], key["hmacKey"]

    def check(self, chain, *names):
        """PEM bytes, or a file, with a chain under our root and exactly these names."""
        pem = chain if isinstance(chain, bytes) else Path(chain).read_bytes()
        leaf = certificates(pem)[0]
        whole = self.folder / "checked.pem"
        whole.write_bytes(pem)
        execute(["openssl", "verify", "-CAfile", self.root, "-untrusted", whole, whole])
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = (san.get_values_for_type(x509.DNSName) +
                 [str(i) for i in san.get_values_for_type(x509.IPAddress)])
        assert sorted(found) == sorted(names)
        return leaf

    def is_revoked(self, leaf):
        """Renewal information of a revoked certificate lies in the past (RFC 9773)."""
        aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        serial = leaf.serial_number
        octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        reply = self.ca.request("GET", "/acme/acme/renewal-info/"
                                f"{b64url(aki.key_identifier)}.{b64url(octets)}")
        assert reply.status == 200, reply.body
        end = reply.json()["suggestedWindow"]["end"]
        return end < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("clients"))
    yield made
    made.stop()


@pytest.fixture
def web(site):
    """A folder that is served on the port of http-01."""
    need("python3")
    folder = Path(tempfile.mkdtemp())
    (folder / ".well-known/acme-challenge").mkdir(parents=True)
    server = subprocess.Popen([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                               str(folder), str(site.http)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_port(site.http)
    yield folder
    server.kill()
    server.wait()
    shutil.rmtree(folder)


def wait_port(port, seconds=20):
    end = time.monotonic() + seconds * SLOW
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.05)


@contextlib.contextmanager
def liar(site, name):
    """A web server that has the wrong answer for this name."""
    web = Web(site.http)

    def lie(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"wrong")
    web.hosts[name] = lie
    try:
        yield
    finally:
        web.stop()


def script(path, text):
    path.write_text("#!/bin/sh\nset -eu\n" + text)
    path.chmod(0o755)
    return path


def in_namespace(site, folder):
    """The command prefix that gives a program a system trust store of its own: our root."""
    store = folder / "certs"
    store.mkdir(exist_ok=True)
    shutil.copy(site.root, store / "ca-certificates.crt")
    shutil.copy(site.root, store / "root.pem")
    digest = execute(["openssl", "x509", "-hash", "-noout", "-in", site.root]).stdout.strip()
    shutil.copy(site.root, store / f"{digest}.0")
    return namespace.binding(folder, (store, "/etc/ssl/certs"))


# --- certbot --------------------------------------------------------------------------------------


class Certbot:
    def __init__(self, site, folder):
        need("certbot")
        self.site = site
        self.folder = folder
        self.env = clean_environment(REQUESTS_CA_BUNDLE=str(site.root), HOME=str(folder))

    def __call__(self, *args, directory=None, ok=True):
        return execute(["certbot", *args, "--server", directory or self.site.directory,
                        "--config-dir", self.folder / "c", "--work-dir", self.folder / "w",
                        "--logs-dir", self.folder / "l", "--non-interactive"], env=self.env, ok=ok)

    def chain(self, name):
        return self.folder / "c/live" / name / "fullchain.pem"


def test_certbot_by_http_01(site, tmp_path):
    certbot = Certbot(site, tmp_path)
    certbot("certonly", "--standalone", "--http-01-port", str(site.http), "--http-01-address",
            "127.0.0.1", "--agree-tos", "-m", "ops@acme.test", "-d", "bot.acme.test", "-d",
            "www.bot.acme.test")
    first = site.check(certbot.chain("bot.acme.test"), "bot.acme.test", "www.bot.acme.test")
    certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    second = site.check(certbot.chain("bot.acme.test"), "bot.acme.test", "www.bot.acme.test")
    assert first.serial_number != second.serial_number
    certbot("revoke", "--cert-path", certbot.chain("bot.acme.test").parent / "cert.pem",
            "--reason", "superseded", "--no-delete-after-revoke")
    assert site.is_revoked(second) and not site.is_revoked(first)
    certbot("unregister")


def test_certbot_revokes_with_the_certificate_s_key(site, tmp_path):
    certbot = Certbot(site, tmp_path)
    certbot("certonly", "--standalone", "--http-01-port", str(site.http), "--agree-tos",
            "--register-unsafely-without-email", "-d", "key.acme.test")
    live = certbot.chain("key.acme.test").parent
    certbot("revoke", "--cert-path", live / "cert.pem", "--key-path", live / "privkey.pem",
            "--no-delete-after-revoke")
    assert site.is_revoked(site.check(live / "fullchain.pem", "key.acme.test"))


def test_certbot_fails_fast_and_says_why(site, tmp_path):
    certbot = Certbot(site, tmp_path)
    hook = script(tmp_path / "hook", "true\n")
    begun = time.monotonic()
    with liar(site, "wrong.acme.test"):
        done = certbot("certonly", "--manual", "--preferred-challenges", "http",
                       "--manual-auth-hook", hook, "--agree-tos",
                       "--register-unsafely-without-email", "-d", "wrong.acme.test", ok=None)
    assert done.returncode == 1
    assert "wrong.acme.test" in done.stdout + done.stderr
    assert time.monotonic() - begun < 60 * SLOW


def test_certbot_with_an_external_account(site, tmp_path):
    certbot = Certbot(site, tmp_path)
    refused = certbot("register", "--agree-tos", "-m", "ops@acme.test",
                      directory=site.eab_directory, ok=None)
    assert refused.returncode != 0
    key, secret = site.eab()
    certbot("register", "--agree-tos", "-m", "ops@acme.test", "--eab-kid", key, "--eab-hmac-key",
            secret, directory=site.eab_directory)
    certbot("certonly", "--standalone", "--http-01-port", str(site.http), "-d", "eab.acme.test",
            directory=site.eab_directory)
    site.check(certbot.chain("eab.acme.test"), "eab.acme.test")
    second = Certbot(site, tmp_path / "second")
    again = second("register", "--agree-tos", "-m", "ops@acme.test", "--eab-kid", key,
                   "--eab-hmac-key", secret, directory=site.eab_directory, ok=None)
    assert again.returncode != 0


# --- lego -----------------------------------------------------------------------------------------


class Lego:
    def __init__(self, site, folder):
        need("lego")
        self.site = site
        self.folder = folder
        self.env = clean_environment(LEGO_CA_CERTIFICATES=str(site.root), HOME=str(folder))

    def __call__(self, how, names, *command, directory=None, ok=True, **env):
        domains = [a for n in names for a in ("--domains", n)]
        return execute(["lego", "--server", directory or self.site.directory, "--email",
                        "ops@acme.test", "--accept-tos", "--path", self.folder, *domains, *how,
                        *command], env={**self.env, **env}, ok=ok, cwd=self.folder)

    def chain(self, name):
        return self.folder / "certificates" / f"{name.replace('*', '_')}.crt"


@pytest.mark.parametrize("challenge, key_type", [("http", "ec256"), ("tls", "ec384"),
                                                 ("http", "rsa4096")])
def test_lego(site, tmp_path, challenge, key_type):
    lego = Lego(site, tmp_path)
    port = site.http if challenge == "http" else site.tls
    names = [f"lego-{challenge}-{key_type}.acme.test", "lego.acme.test"]
    how = [f"--{challenge}", f"--{challenge}.port", f"127.0.0.1:{port}", "--key-type", key_type]
    lego(how, names, "run")
    first = site.check(lego.chain(names[0]), *names)
    lego(how, names, "renew", "--days", "90", "--no-random-sleep")
    second = site.check(lego.chain(names[0]), *names)
    assert first.serial_number != second.serial_number
    lego(how, names, "revoke", "--keep")
    assert site.is_revoked(second) and not site.is_revoked(first)


def test_lego_by_dns_01_with_a_wildcard(site, tmp_path):
    need("knotd")
    lego = Lego(site, tmp_path)
    names = ["*.wild.acme.test", "wild.acme.test"]
    how = ["--dns", "rfc2136", "--dns.resolvers", site.knot.address, "--dns.disable-cp"]
    env = {"RFC2136_NAMESERVER": site.knot.address, "RFC2136_TSIG_KEY": "updates.",
           "RFC2136_TSIG_SECRET": site.knot.secret, "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
           "RFC2136_POLLING_INTERVAL": "1", "RFC2136_SEQUENCE_INTERVAL": "1", "RFC2136_TTL": "1"}
    lego(how, names, "run", **env)
    first = site.check(lego.chain(names[0]), *names)
    lego(how, names, "renew", "--days", "90", "--no-random-sleep", **env)
    assert site.check(lego.chain(names[0]), *names).serial_number != first.serial_number


def test_lego_with_an_external_account(site, tmp_path):
    lego = Lego(site, tmp_path)
    how = ["--http", "--http.port", f"127.0.0.1:{site.http}"]
    key, secret = site.eab()
    bound = [*how, "--eab", "--kid", key, "--hmac", secret]
    lego(bound, ["leab.acme.test"], "run", directory=site.eab_directory)
    site.check(lego.chain("leab.acme.test"), "leab.acme.test")
    (tmp_path / "second").mkdir()
    second = Lego(site, tmp_path / "second")
    again = second(bound, ["leab.acme.test"], "run", directory=site.eab_directory, ok=None)
    assert again.returncode != 0 and "unauthorized" in again.stdout + again.stderr


def test_many_legos_at_once(site, tmp_path):
    """Each has its own account and name; the answers come from one server."""
    need("lego")
    root = tmp_path / "web"
    root.mkdir()
    server = subprocess.Popen([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                               str(root), str(site.http)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        wait_port(site.http)
        running = []
        for i in range(12):
            folder = tmp_path / str(i)
            folder.mkdir()
            running.append(subprocess.Popen(
                ["lego", "--server", site.directory, "--email", f"{i}@acme.test", "--accept-tos",
                 "--path", str(folder), "--domains", f"n{i}.many.acme.test", "--http",
                 "--http.webroot", str(root), "run"], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, cwd=folder,
                env=clean_environment(LEGO_CA_CERTIFICATES=str(site.root), HOME=str(folder))))
        outputs = [p.communicate(timeout=120 * SLOW)[0] for p in running]
        assert [p.returncode for p in running] == [0] * len(running), outputs
    finally:
        server.kill()
        server.wait()


# --- dehydrated -----------------------------------------------------------------------------------


class Dehydrated:
    def __init__(self, site, folder, kind, **settings):
        need("dehydrated")
        self.folder = folder
        settings = {"CA": site.directory, "BASEDIR": folder, "WELLKNOWN": folder / "w",
                    "CURL_OPTS": f"--cacert {site.root} -s", "CHALLENGETYPE": kind,
                    "CONTACT_EMAIL": "ops@acme.test", "KEY_ALGO": "secp384r1", **settings}
        self.config = folder / "config"
        self.config.write_text("".join(f'{k}="{v}"\n' for k, v in settings.items()))
        self("--register", "--accept-terms")

    def __call__(self, *args):
        env = clean_environment(HOME=str(self.folder))
        return execute(["dehydrated", *args, "--config", self.config], env=env, cwd=self.folder)

    def chain(self, name):
        return self.folder / "certs" / name / "fullchain.pem"


def test_dehydrated_by_http_01(site, web, tmp_path):
    client = Dehydrated(site, tmp_path, "http-01", WELLKNOWN=web / ".well-known/acme-challenge")
    args = ("--cron", "--domain", "dry.acme.test www.dry.acme.test")
    client(*args)
    first = site.check(client.chain("dry.acme.test"), "dry.acme.test", "www.dry.acme.test")
    client(*args, "--force")
    second = site.check(client.chain("dry.acme.test"), "dry.acme.test", "www.dry.acme.test")
    assert first.serial_number != second.serial_number
    client("--revoke", tmp_path / "certs/dry.acme.test/cert.pem")
    assert site.is_revoked(second)


def test_dehydrated_by_dns_01_with_a_wildcard(site, tmp_path):
    need("knotd")
    need("knsupdate")
    hook = script(tmp_path / "hook", 'case "$1" in\ndeploy_challenge)\n' +
                  site.knot.update_script(None, True, '_acme-challenge.%s.', '"$2" "$4"') +
                  ";;\nclean_challenge)\n" +
                  site.knot.update_script(None, False, '_acme-challenge.%s.', '"$2" "$4"') +
                  ";;\nesac\n")
    client = Dehydrated(site, tmp_path, "dns-01", HOOK=hook)
    client("--cron", "--domain", "*.dry2.acme.test", "--alias", "dry2")
    site.check(client.chain("dry2"), "*.dry2.acme.test")


# --- uacme ----------------------------------------------------------------------------------------


class Uacme:
    """It believes the system's trust store only."""

    def __init__(self, site, folder, hook):
        need("uacme")
        self.site = site
        self.folder = folder
        self.hook = hook
        self.prefix = in_namespace(site, folder)
        self("new", "ops@acme.test")

    def __call__(self, *args):
        return execute([*self.prefix, "uacme", "-v", "-y", "-o", "-t", "EC", "-a",
                        self.site.directory, "-c", self.folder / "conf", "-h", self.hook, *args],
                       env=clean_environment(HOME=str(self.folder)))

    def chain(self, name):
        return self.folder / "conf" / name / "cert.pem"

    def life(self, name):
        self("issue", name)
        first = self.site.check(self.chain(name), name)
        self("-f", "issue", name)
        second = self.site.check(self.chain(name), name)
        assert first.serial_number != second.serial_number
        self("revoke", self.chain(name))
        assert self.site.is_revoked(second)


def test_uacme_by_http_01(site, web, tmp_path):
    hook = script(tmp_path / "hook", f"""[ "$2" = http-01 ] || exit 1
file="{web}/.well-known/acme-challenge/$4"
case "$1" in
begin) printf %s "$5" >"$file" ;;
*) rm -f "$file" ;;
esac
""")
    Uacme(site, tmp_path, hook).life("ua.acme.test")


def test_uacme_by_tls_alpn_01(site, tmp_path):
    need("ualpn")
    short = Path(tempfile.mkdtemp())  # a socket's path must be short
    sock = short / "s"
    server = subprocess.Popen(["ualpn", "-v", "-s", str(sock), "-p", str(short / "pid"), "-n", "1",
                               "-b", f"127.0.0.1@{site.tls}", "-c", "127.0.0.1@9"],
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_port(site.tls)
        hook = script(tmp_path / "hook", f"""[ "$2" = tls-alpn-01 ] || exit 1
case "$1" in
begin) said=$(echo "auth $3 $5" | ualpn -s {sock} || true) ;;
*) said=$(echo "unauth $3" | ualpn -s {sock} || true) ;;
esac
[ "$said" = OK ]
""")
        Uacme(site, tmp_path, hook).life("ualpn.acme.test")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(short)


# --- python3-acme ---------------------------------------------------------------------------------


def python_peer(site, names, ips, *steps):
    if execute([PYTHON, "-c", "import acme.client, josepy"], ok=None).returncode != 0:
        pytest.skip("python3-acme is not installed")
    wish = {"directory": site.directory, "root": str(site.root), "http": site.http, "names": names,
            "ips": ips, "steps": steps}
    done = execute([PYTHON, HERE / "acme_python_peer.py", json.dumps(wish)],
                   env=clean_environment(HOME=str(site.folder)), cwd=site.folder)
    return [c.encode() for c in json.loads(done.stdout)["chains"]]


def test_python_acme(site):
    names = ["py.acme.test", "www.py.acme.test"]
    first, second = python_peer(site, names, [], "issue", "renew", "revoke")
    first, second = site.check(first, *names), site.check(second, *names)
    assert first.serial_number != second.serial_number
    assert site.is_revoked(second) and not site.is_revoked(first)


def test_python_acme_for_an_address(site):
    chain, = python_peer(site, [], ["127.0.0.1"], "issue")
    site.check(chain, "127.0.0.1")


def test_lego_s_addresses_of_type_dns_are_refused(site, tmp_path):
    lego = Lego(site, tmp_path)
    done = lego(["--http", "--http.port", f"127.0.0.1:{site.http}"], ["127.0.0.1"], "run", ok=None)
    assert done.returncode != 0
    assert "malformed" in done.stdout + done.stderr


# --- Servers that use what was issued -------------------------------------------------------------


def curl(site, port, name, *more, ok=True):
    need("curl")
    return execute(["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", site.root,
                    "--resolve", f"{name}:{port}:127.0.0.1", *more, f"https://{name}:{port}/"],
                   env=clean_environment(HOME=str(site.folder)), ok=ok)


def test_nginx_serves_what_lego_got(site, tmp_path):
    need("nginx")
    lego = Lego(site, tmp_path)
    lego(["--http", "--http.port", f"127.0.0.1:{site.http}"], ["shop.acme.test"], "run")
    port = free_port()
    (tmp_path / "nginx.conf").write_text(f"""
daemon off;
master_process off;
pid {tmp_path}/pid;
error_log {tmp_path}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {tmp_path}/t1;
    proxy_temp_path {tmp_path}/t2;
    fastcgi_temp_path {tmp_path}/t3;
    uwsgi_temp_path {tmp_path}/t4;
    scgi_temp_path {tmp_path}/t5;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name shop.acme.test;
        ssl_certificate {lego.chain("shop.acme.test")};
        ssl_certificate_key {tmp_path}/certificates/shop.acme.test.key;
        location / {{ return 200 "served\\n"; }}
    }}
}}
""")
    server = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"),
                               "-e", str(tmp_path / "error.log")], stdin=subprocess.DEVNULL)
    try:
        wait_port(port)
        assert curl(site, port, "shop.acme.test").stdout == "served\n"
        assert curl(site, port, "else.acme.test", ok=None).returncode != 0
    finally:
        server.terminate()
        server.wait()


def apache_modules():
    folder = Path("/usr/lib/apache2/modules")
    built_in = execute(["apache2", "-l"]).stdout
    wanted = ["mpm_event", "watchdog", "authz_core", "socache_shmcb", "ssl", "md"]
    return "".join(f"LoadModule {m}_module {folder}/mod_{m}.so\n" for m in wanted
                   if f"mod_{m}.c" not in built_in and (folder / f"mod_{m}.so").exists())


def test_apache_mod_md_renews_by_itself(site):
    need("apache2")
    folder = Path(tempfile.mkdtemp())  # its workers are another user
    folder.chmod(0o755)
    for name in ("md", "www"):
        (folder / name).mkdir()
    shutil.copy(site.root, folder / "root.crt")
    (folder / "root.crt").chmod(0o644)
    port, log = free_port(), folder / "error.log"
    (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {log}
LogLevel warn md:notice
{apache_modules()}
User www-data
Group www-data
ServerName localhost
DocumentRoot {folder}/www
Listen 127.0.0.1:{site.http}
Listen 127.0.0.1:{port} https
MDStoreDir {folder}/md
MDCertificateAuthority {site.ca.url}/acme/short/directory
MDCACertificateFile {folder}/root.crt
MDCertificateAgreement accepted
MDContactEmail ops@acme.test
MDPortMap http:{site.http} https:{port}
MDCAChallenges http-01
MDRenewWindow 99%
MDRetryDelay 5s
MDomain md.acme.test
<VirtualHost 127.0.0.1:{site.http}>
    ServerName md.acme.test
</VirtualHost>
<VirtualHost 127.0.0.1:{port}>
    ServerName md.acme.test
    SSLEngine on
</VirtualHost>
""")
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            shutil.chown(path, "www-data", "www-data")
    server = subprocess.Popen(["apache2", "-D", "FOREGROUND", "-f", str(folder / "apache.conf")],
                              stdin=subprocess.DEVNULL)
    pattern = "md.acme.test has been setup"

    def done(count):
        end = time.monotonic() + 60 * SLOW
        while log.read_text().count(pattern) < count if log.exists() else True:
            assert time.monotonic() < end and server.poll() is None, log.read_text()
            time.sleep(0.1)

    def served():
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                                "-servername", "md.acme.test", "-showcerts"], capture_output=True,
                               stdin=subprocess.DEVNULL, check=False, timeout=30).stdout
        return shown[shown.index(b"-----BEGIN CERT"):shown.rindex(b"-----END CERT") + 25]

    def served_by(issuer):
        end = time.monotonic() + 30 * SLOW
        while curl(site, port, "md.acme.test", ok=None).returncode != 0 or (
                issuer and certificates(served())[0].serial_number == issuer):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        return site.check(served(), "md.acme.test")

    try:
        done(1)
        server.send_signal(signal.SIGUSR1)  # graceful: what is there goes into force
        first = served_by(None)
        done(2)  # due at once, so it renewed without being asked
        server.send_signal(signal.SIGUSR1)
        second = served_by(first.serial_number)
        assert first.serial_number != second.serial_number
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


# --- Our own client -------------------------------------------------------------------------------


def test_step_by_standalone_http_01(site, tmp_path):
    crt, key = tmp_path / "crt", tmp_path / "key"
    done = site.ca.step("ca", "certificate", "step.acme.test", crt, key, "--provisioner", "acme",
                        "--san", "step.acme.test", "--san", "www.step.acme.test", "--san",
                        "127.0.0.1", "--http-listen", f"127.0.0.1:{site.http}", "--contact",
                        "ops@acme.test", "--not-after", "1h")
    leaf = site.check(crt, "step.acme.test", "www.step.acme.test", "127.0.0.1")
    assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() <= 3600 + 60
    assert leaf.subject.rfc4514_string() == "CN=step.acme.test"
    assert "✔ Provisioner: acme (ACME)" in done.stderr and "✔ Certificate:" in done.stderr
    for name in ("step.acme.test", "www.step.acme.test", "127.0.0.1"):
        assert sum(name in line and "done" in line for line in done.stderr.splitlines()) >= 1
    assert crt.stat().st_mode & 0o777 == 0o600 and key.stat().st_mode & 0o777 == 0o600
    site.ca.step("ca", "renew", "--force", crt, key)
    assert site.check(crt, "step.acme.test", "www.step.acme.test",
                      "127.0.0.1").serial_number != leaf.serial_number


def test_step_by_webroot(site, web, tmp_path):
    site.ca.step("ca", "certificate", "root.acme.test", tmp_path / "crt", tmp_path / "key",
                 "--provisioner", "acme", "--webroot", web)
    site.check(tmp_path / "crt", "root.acme.test")
    assert list((web / ".well-known/acme-challenge").iterdir()) == []


def test_step_by_tls_alpn_01(site, tmp_path):
    site.ca.step("ca", "certificate", "alpn.acme.test", tmp_path / "crt", tmp_path / "key",
                 "--provisioner", "acme", "--san", "127.0.0.1", "--tls-alpn-listen",
                 f"127.0.0.1:{site.tls}")
    site.check(tmp_path / "crt", "127.0.0.1", "alpn.acme.test")


def test_step_signs_a_request_by_acme(site, tmp_path):
    execute(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key",
             "-subj", "/CN=req.acme.test", "-addext", "subjectAltName=DNS:www.req.acme.test",
             "-out", tmp_path / "csr"])
    site.ca.step("ca", "sign", tmp_path / "csr", tmp_path / "crt", "--provisioner", "acme",
                 "--http-listen", f"127.0.0.1:{site.http}")
    site.check(tmp_path / "crt", "req.acme.test", "www.req.acme.test")


def test_step_with_any_acme_directory(site, tmp_path):
    """--acme: no CA is configured; the root is what --root says."""
    env = clean_environment(STEPPATH=str(tmp_path / "nothing"), HOME=str(tmp_path))
    args = ("ca", "certificate", "any.acme.test", tmp_path / "crt", tmp_path / "key", "--acme",
            site.directory, "--http-listen", f"127.0.0.1:{site.http}")
    refused = site.ca.step(*args, env=env, ok=False)
    assert refused.returncode == 1 and "certificate" in refused.stderr
    site.ca.step(*args, "--root", site.root, env=env)
    site.check(tmp_path / "crt", "any.acme.test")
    done = site.ca.step(*args[:6], site.eab_directory, *args[7:], "--root", site.root, "--force",
                        env=env, ok=False)
    assert done.returncode == 1 and "externalAccountRequired" in done.stderr


def test_step_says_why_a_name_was_not_proven(site, tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    with liar(site, "bad.acme.test"):
        done = site.ca.step("ca", "certificate", "bad.acme.test", tmp_path / "crt",
                            tmp_path / "key", "--provisioner", "acme", "--webroot", folder,
                            ok=False)
    assert done.returncode == 1 and not (tmp_path / "crt").exists()
    assert "bad.acme.test" in done.stderr and "error" in done.stderr
    assert list((folder / ".well-known/acme-challenge").iterdir()) == []


@pytest.mark.parametrize("args, word", [
    (("*.acme.test", "--provisioner", "acme"), "wildcard"),
    (("a@acme.test", "--provisioner", "acme"), "a@acme.test"),
    (("a.acme.test", "--provisioner", "acme", "--san", "spiffe://a/b"), "spiffe"),
    (("a.acme.test", "--provisioner", "acme", "--standalone", "--webroot", "."), "mutually"),
    (("a.acme.test", "--provisioner", "acme", "--webroot", "/nowhere/at/all"), "/nowhere"),
    (("a.acme.test", "--provisioner", "acme", "--http-listen", "nonsense"), "nonsense"),
    (("a.acme.test", "--acme", "http://localhost/x"), "https"),
    (("a.acme.test", "--acme", "https://x/letsencrypt", "--not-after", "5m"), "not-after"),
    (("a.acme.test", "--acme", "https://localhost:1/x", "--offline"), "offline"),
    (("a.acme.test", "--provisioner", "acme", "--set", "a=b"), "--set"),
])
def test_step_refuses_what_cannot_be(site, tmp_path, args, word):
    name, *more = args
    done = site.ca.step("ca", "certificate", name, tmp_path / "crt", tmp_path / "key", *more,
                        ok=False)
    assert done.returncode == 1 and word in done.stderr, done.stderr
    assert not (tmp_path / "crt").exists() and not (tmp_path / "key").exists()
