"""`step ca renew` and `step ca rekey`: once, with a token, after expiry, and as daemons."""

import datetime
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import PASSWORD, SLOW, Ca
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from machine import (SPKI, Machine, chain, fit_together, key_of, leaf, mode, names,
                     openssl_verifies, seconds, wait_for)

LIFE = 6 * SLOW  # seconds that a certificate of the daemons lives


@pytest.fixture
def machine(ca, tmp_path):
    made = Machine(tmp_path / "m")
    made.bootstrap(ca)
    return made


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """An authority whose certificates may live for seconds."""
    made = Ca(tmp_path_factory.mktemp("brief"))
    claims = {"minTLSCertDuration": "1s", "defaultTLSCertDuration": f"{LIFE}s"}
    made.configure(lambda config: config["authority"].update(backdate="0s", claims=claims))
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def hasty(brief, tmp_path):
    made = Machine(tmp_path / "h")
    made.bootstrap(brief)
    return made


def serial(crt):
    return leaf(crt).serial_number


def public(crt):
    return leaf(crt).public_key().public_bytes(*SPKI)


# --- renew, once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [[], ["--mtls=false"], ["--mtls=true"]])
def test_renew_gives_the_same_certificate_anew(ca, machine, how):
    crt, key = machine.certificate(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1",
                                   "--not-after", "2h")
    old, key_text = leaf(crt), key.read_bytes()
    said = machine.step("ca", "renew", "--force", crt, key, *how)
    new = leaf(crt)
    assert said.stdout == "" and said.stderr == f"Your certificate has been saved in {crt}.\n"
    assert new.serial_number != old.serial_number
    assert new.subject == old.subject and names(new) == names(old)
    assert public(crt) == old.public_key().public_bytes(*SPKI)
    assert seconds(new) == seconds(old) and new.not_valid_before >= old.not_valid_before
    assert key.read_bytes() == key_text and mode(crt) == 0o600 and len(chain(crt)) == 2
    openssl_verifies(ca, crt)
    machine.step("ca", "renew", "--force", crt, key)  # and again, with what was renewed


def test_renew_into_another_file(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    before, out = crt.read_bytes(), machine.folder / "new.crt"
    machine.step("ca", "renew", crt, key, "--out", out)
    assert crt.read_bytes() == before and fit_together(out, key) and serial(out) != serial(crt)
    machine.step("ca", "renew", crt, key, ok=False)
    assert crt.read_bytes() == before


def test_renew_and_rekey_through_links(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    crt.chmod(0o644)
    links = machine.folder / "l.crt", machine.folder / "l.key"
    for link, real in zip(links, (crt, key)):
        link.symlink_to(real.name)
    old, old_key = serial(crt), key.read_bytes()
    machine.step("ca", "renew", "--force", *links)
    renewed = serial(crt)
    assert renewed != old and key.read_bytes() == old_key
    machine.step("ca", "rekey", "--force", *links)
    assert serial(crt) != renewed and key.read_bytes() != old_key and fit_together(crt, key)
    assert all(link.is_symlink() for link in links)
    assert mode(crt) == 0o644 and mode(key) == 0o600
    assert not list(machine.folder.glob("*.rekey"))


def test_renew_when_it_is_time(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes()
    said = machine.step("ca", "renew", "--expires-in", "1h", crt, key, "--exec", "false")
    assert said.stdout == "" and said.stderr.startswith("certificate not renewed: expires in 2")
    assert crt.read_bytes() == before
    machine.step("ca", "renew", "--force", "--expires-in", "24h", crt, key)
    assert crt.read_bytes() != before


def test_renew_tells_others(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    waiter = subprocess.Popen(
        [sys.executable, "-c", "import signal, time\n"
         "signal.signal(signal.SIGHUP, lambda *_: exit(7))\n"
         "signal.signal(signal.SIGUSR1, lambda *_: exit(8))\n"
         "print('ready', flush=True)\ntime.sleep(60)\n"], stdout=subprocess.PIPE)
    assert waiter.stdout.readline() == b"ready\n"
    pid_file = machine.folder / "pid"
    pid_file.write_text(f" {waiter.pid}\n")
    machine.step("ca", "renew", "--force", crt, key, "--pid-file", pid_file, "--signal",
                 str(int(signal.SIGUSR1)), "--exec", "cp 'web.test.crt' \"a copy\"")
    assert waiter.wait(timeout=10) == 8
    assert (machine.folder / "a copy").read_bytes() == crt.read_bytes()
    said = machine.step("ca", "renew", "--force", crt, key, "--pid", waiter.pid, ok=False)
    assert str(waiter.pid) in said.stderr
    before = serial(crt)
    machine.step("ca", "renew", "--force", crt, key, "--exec", "false", ok=False)
    assert serial(crt) != before  # the certificate is there although the command failed
    machine.step("ca", "renew", "--force", crt, key, "--exec", "touch $HOME;id", ok=None)
    assert (machine.folder / "$HOME;id").exists()  # no shell


@pytest.mark.parametrize("flags, words", [
    (["--expires-in", "25h"], ["--expires-in"]),
    (["--daemon", "--renew-period", "25h"], ["--renew-period"]),
    (["--daemon", "--renew-period", "0s"], ["--renew-period"]),
    (["--renew-period", "1h"], ["'--renew-period'", "'--daemon'"]),
    (["--daemon", "--renew-period", "1h", "--expires-in", "1h"],
     ["'--renew-period'", "'--expires-in'", "mutually exclusive"]),
    (["--pid", "0"], ["invalid value '0' for flag '--pid'"]),
    (["--pid", "1"], ["--pid"]), (["--pid", "-5"], ["--pid"]),
    (["--pid", "77", "--pid-file", "x"], ["'--pid'", "'--pid-file'", "mutually exclusive"]),
    (["--pid-file", "absent"], ["absent"]), (["--signal", "0"], ["--signal"]),
    (["--expires-in", "soon"], ["invalid value 'soon' for flag '--expires-in'"]),
])
def test_renew_refusals(ca, machine, flags, words):
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes()
    said = machine.step("ca", "renew", "--force", crt, key, *flags, ok=False)
    for word in words:
        assert word in said.stderr
    assert crt.read_bytes() == before


def test_renew_with_a_key_that_does_not_fit(ca, machine):
    crt, _ = machine.certificate(ca, "web.test")
    _, other = machine.certificate(ca, "other.test")
    said = machine.step("ca", "renew", "--force", crt, other, ok=False)
    assert "other.test.key" in said.stderr
    machine.step("ca", "renew", "--force", crt, crt, ok=False)


def test_renew_with_an_encrypted_key(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    (machine.folder / "pw").write_text("secret\n")
    machine.step("crypto", "change-pass", key, "--new-password-file", "pw", "--force")
    said = machine.step("ca", "renew", "--force", crt, key, ok=False)
    assert "--password-file" in said.stderr
    machine.step("ca", "renew", "--force", crt, key, "--password-file", "pw")


def made_yesterday(ca):
    """Root and intermediate as they would be had they been made a day ago: the chain of an expired
    certificate is looked at as of a minute before its end."""
    root_key = key_of(ca.path / "secrets/root_ca_key", PASSWORD.encode())
    for kind in ("root", "intermediate"):
        path = ca.path / f"certs/{kind}_ca.crt"
        old = leaf(path)
        builder = (x509.CertificateBuilder(old.issuer, old.subject, old.public_key(),
                                           old.serial_number)
                   .not_valid_before(old.not_valid_before - datetime.timedelta(days=1))
                   .not_valid_after(old.not_valid_after))
        for extension in old.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        new = builder.sign(root_key, hashes.SHA256())
        path.write_bytes(new.public_bytes(serialization.Encoding.PEM))


def test_renew_after_expiry(make_ca):
    ca = make_ca()
    claims = {"minTLSCertDuration": "1s"}
    ca.configure(lambda config: config["authority"].update(claims=claims))
    made_yesterday(ca)
    ca.start()
    machine = Machine(ca.folder / "m")
    machine.bootstrap(ca)
    crt, key = machine.certificate(ca, "web.test", "--not-after", "1s")
    time.sleep(2.2)
    before = crt.read_bytes()
    said = machine.step("ca", "renew", "--force", crt, key, ok=False)
    assert "401" in said.stderr and crt.read_bytes() == before
    assert "expired" in ca.log()

    claims["allowRenewalAfterExpiry"] = True
    ca.configure(lambda config: config["authority"].update(claims=claims))
    ca.process.send_signal(signal.SIGHUP)
    wait_for("the reload", lambda: machine.step("ca", "renew", "--force", crt, key,
                                                ok=None).returncode == 0, 5)
    assert crt.read_bytes() != before and fit_together(crt, key)
    time.sleep(2.2)
    before = crt.read_bytes(), key.read_bytes()
    said = machine.step("ca", "rekey", "--force", crt, key, ok=False)
    assert "expired" in said.stderr and (crt.read_bytes(), key.read_bytes()) == before


def test_renew_where_renewal_is_disabled(make_ca):
    ca = make_ca()
    ca.configure(lambda config: config["authority"].update(claims={"disableRenewal": True}))
    ca.start()
    machine = Machine(ca.folder / "m")
    machine.bootstrap(ca)
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes(), key.read_bytes()
    for command in (["renew"], ["renew", "--mtls=false"], ["rekey"]):
        said = machine.step("ca", *command, "--force", crt, key, ok=False)
        assert "401" in said.stderr or "403" in said.stderr
    assert (crt.read_bytes(), key.read_bytes()) == before


# --- rekey, once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flags, kind", [
    ([], ec.EllipticCurvePrivateKey), (["--kty", "OKP"], ed25519.Ed25519PrivateKey),
    (["--kty", "RSA", "--size", "3072"], rsa.RSAPrivateKey),
])
def test_rekey_gives_a_new_key_and_keeps_the_rest(ca, machine, flags, kind):
    crt, key = machine.certificate(ca, "web.test", "--san", "web.test", "--san", "10.0.0.1")
    old = leaf(crt)
    said = machine.step("ca", "rekey", "--force", crt, key, *flags)
    assert said.stdout == ""
    assert said.stderr == f"✔ Certificate: {crt}\n✔ Private Key: {key}\n"
    new = leaf(crt)
    assert isinstance(key_of(key), kind) and fit_together(crt, key)
    assert public(crt) != old.public_key().public_bytes(*SPKI)
    assert new.subject == old.subject and names(new) == names(old) and seconds(new) == seconds(old)
    assert mode(key) == 0o600
    openssl_verifies(ca, crt)
    machine.step("ca", "renew", "--force", crt, key)


def test_rekey_into_other_files_and_with_a_given_key(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes(), key.read_bytes()
    new_crt, new_key = machine.folder / "n.crt", machine.folder / "n.key"
    machine.step("ca", "rekey", crt, key, "--out-cert", new_crt, "--out-key", new_key)
    assert (crt.read_bytes(), key.read_bytes()) == before
    assert fit_together(new_crt, new_key) and mode(new_key) == 0o600
    mine = ec.generate_private_key(ec.SECP384R1())
    (machine.folder / "mine").write_bytes(mine.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()))
    machine.step("ca", "rekey", crt, key, "--private-key", "mine", "--out-cert", new_crt,
                 "--force")
    assert public(new_crt) == mine.public_key().public_bytes(*SPKI)
    assert (crt.read_bytes(), key.read_bytes()) == before


def test_rekey_when_it_is_time_and_refusals(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes(), key.read_bytes()
    said = machine.step("ca", "rekey", "--expires-in", "1h", crt, key)
    assert said.stderr.startswith("certificate not rekeyed: expires in 2")
    for flags in (["--rekey-period", "1h"], ["--kty", "rsa"], ["--pid", "0"], []):
        machine.step("ca", "rekey", crt, key, *flags, ok=False)
    assert (crt.read_bytes(), key.read_bytes()) == before


# --- Daemons --------------------------------------------------------------------------------------


class Daemon:
    """A command that stays; its standard output and error are files."""

    def __init__(self, machine, *args):
        self.out, self.err = machine.folder / "daemon.out", machine.folder / "daemon.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([machine.program, *map(str, args)], env=machine.env,
                                            cwd=machine.folder, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, start_new_session=True)

    def lines(self, word):
        return [line for line in self.out.read_text().splitlines() if word in line]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=10 * SLOW)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def test_renew_daemon_renews_in_time_and_at_once_when_told(brief, hasty):
    crt, key = hasty.certificate(brief, "web.test")
    begun = leaf(crt)
    (hasty.folder / "count").write_text("")
    with Daemon(hasty, "ca", "renew", "--daemon", crt, key, "--exec",
                "tee -a count --output-error=exit") as daemon:
        wait_for("the first line", lambda: daemon.lines("first renewal in"))
        # By itself, when two thirds have passed and before it ends.
        wait_for("a renewal", lambda: daemon.lines("web.test certificate renewed, next in"),
                 LIFE + 2)
        first = leaf(crt)
        assert first.serial_number != begun.serial_number
        assert first.not_valid_before < begun.not_valid_after
        passed = (first.not_valid_before - begun.not_valid_before).total_seconds()
        assert passed >= LIFE / 2
        # Now.
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("a second renewal", lambda: len(daemon.lines("certificate renewed")) == 2, 3)
        assert serial(crt) != first.serial_number and fit_together(crt, key)
        assert daemon.end() == 0
    assert daemon.err.read_text() == ""


def test_renew_daemon_tells_others_each_time(brief, hasty):
    crt, key = hasty.certificate(brief, "web.test")
    counter = hasty.folder / "counter"
    waiter = subprocess.Popen(
        [sys.executable, "-c", "import signal, sys, time\n"
         "signal.signal(signal.SIGHUP, lambda *_: open(sys.argv[1], 'a').write('x'))\n"
         "print('ready', flush=True)\nwhile True: time.sleep(1)\n", str(counter)],
        stdout=subprocess.PIPE)
    try:
        assert waiter.stdout.readline() == b"ready\n"
        pid_file = hasty.folder / "pid"
        pid_file.write_text(str(waiter.pid))
        with Daemon(hasty, "ca", "renew", "--daemon", "--renew-period", f"{LIFE - 1}s", crt, key,
                    "--pid-file", pid_file, "--exec", "mkdir exec") as daemon:
            wait_for("the first line", lambda: daemon.lines("first renewal in"))
            for number in (1, 2):
                daemon.process.send_signal(signal.SIGHUP)
                wait_for("a renewal", lambda: len(daemon.lines("renewed")) >= number, 5)
                wait_for("the signal", lambda: counter.exists()
                         and len(counter.read_text()) >= number, 5)
                # Twice the same directory: the second time the command fails; the daemon stays.
            wait_for("the command", lambda: (hasty.folder / "exec").is_dir(), 5)
            wait_for("its failure", lambda: "mkdir" in daemon.err.read_text(), 5)
            assert daemon.process.poll() is None
            assert daemon.end(signal.SIGINT) == 0
    finally:
        waiter.kill()
        waiter.wait()


def test_renew_daemon_goes_on_when_the_authority_is_away(make_ca):
    ca = make_ca()
    claims = {"minTLSCertDuration": "1s", "defaultTLSCertDuration": "1h"}
    ca.configure(lambda config: config["authority"].update(claims=claims))
    ca.start()
    machine = Machine(ca.folder / "m")
    machine.bootstrap(ca)
    crt, key = machine.certificate(ca, "web.test")
    before = crt.read_bytes()
    assert ca.stop() == 0
    with Daemon(machine, "ca", "renew", "--daemon", crt, key) as daemon:
        wait_for("the first line", lambda: daemon.lines("first renewal in"))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("an error", lambda: "ERROR: " in daemon.err.read_text(), 10)
        wait_for("the plan", lambda: daemon.lines("next attempt in"), 5)
        assert crt.read_bytes() == before
        ca.start()
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("a renewal", lambda: daemon.lines("certificate renewed, next in"), 5)
        assert crt.read_bytes() != before
        assert daemon.end() == 0


def test_rekey_daemon_changes_the_key_each_time(brief, hasty):
    crt, key = hasty.certificate(brief, "web.test")
    keys = {key.read_bytes()}
    with Daemon(hasty, "ca", "rekey", "--daemon", crt, key) as daemon:
        wait_for("the first line", lambda: daemon.lines("first rekey in"))
        for number in (1, 2):
            daemon.process.send_signal(signal.SIGHUP)
            wait_for("a rekey", lambda: len(daemon.lines("certificate rekeyed")) >= number, 5)
            assert fit_together(crt, key)
            keys.add(key.read_bytes())
        assert daemon.end() == 0
    assert len(keys) == 3 and mode(key) == 0o600


def test_a_killed_rekey_leaves_a_pair_that_can_go_on(ca, machine):
    """Whenever the daemon dies, the files are the old pair, the new pair, or can be mended."""
    crt, key = machine.certificate(ca, "web.test")
    for delay in (0.0, 0.002, 0.004, 0.006, 0.008, 0.012):
        with Daemon(machine, "ca", "rekey", "--daemon", crt, key) as daemon:
            wait_for("the first line", lambda: daemon.lines("first rekey in"))
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(delay)
            daemon.process.kill()
            daemon.process.wait()
        machine.step("ca", "renew", "--force", crt, key)
        assert fit_together(crt, key)


def test_daemon_tells_the_service_manager(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    path = machine.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10 * SLOW)
        machine.env["NOTIFY_SOCKET"] = str(path)
        with Daemon(machine, "ca", "renew", "--daemon", crt, key) as daemon:
            assert manager.recv(100) == b"READY=1"
            assert daemon.end() == 0
            assert manager.recv(100) == b"STOPPING=1"
