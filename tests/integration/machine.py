"""A client's machine in a directory, and what tests ask of the files that appear there."""

import hashlib
import stat
import subprocess
import time
from pathlib import Path

from conftest import SLOW, STEP, clean_environment
from cryptography import x509
from cryptography.hazmat.primitives import serialization

SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def execute(args, ok=True, env=None, cwd=None, **options):
    """Runs a program without a terminal; ok None: any exit code will do."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120 * SLOW, start_new_session=True, check=False,
                          env=env, cwd=cwd, **options)
    if ok is True:
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    if ok is False:
        assert done.returncode == 1, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.stderr.strip(), f"{args} failed without a word"
    return done


class Machine:
    """Its own home and step path; nothing is known there at first."""

    def __init__(self, folder, program=STEP):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "step"
        self.program = program
        self.env = clean_environment(STEPPATH=str(self.path), HOME=str(self.folder))

    def step(self, *args, ok=True, env=None, **options):
        options.setdefault("cwd", self.folder)
        return execute([self.program, *args], ok, dict(self.env, **(env or {})), **options)

    def bootstrap(self, ca, *more):
        return self.step("ca", "bootstrap", "--ca-url", ca.url, "--fingerprint",
                         fingerprint_of(ca.root_path), *more)

    def token(self, ca, subject, *more):
        return self.step("ca", "token", subject, *by_password(ca), *more).stdout.strip()

    def certificate(self, ca, name, *more):
        """(certificate, key) by the JWK provisioner."""
        crt, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        self.step("ca", "certificate", name, crt, key, *by_password(ca), *more)
        return crt, key


def by_password(ca):
    return ["--provisioner", "ops", "--provisioner-password-file", ca.password_file]


# --- Files ----------------------------------------------------------------------------------------


def chain(path):
    text = Path(path).read_text()
    end = "-----END CERTIFICATE-----\n"
    return [x509.load_pem_x509_certificate((part + end).encode())
            for part in text.split(end) if part.strip()]


def leaf(path):
    return chain(path)[0]


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def fingerprint_of(path):
    return hashlib.sha256(der(leaf(path))).hexdigest()


def key_of(path, password=None):
    return serialization.load_pem_private_key(Path(path).read_bytes(), password)


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def names(certificate):
    """All subject alternative names as text, by kind."""
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        "dns": san.get_values_for_type(x509.DNSName),
        "ip": [str(ip) for ip in san.get_values_for_type(x509.IPAddress)],
        "email": san.get_values_for_type(x509.RFC822Name),
        "uri": san.get_values_for_type(x509.UniformResourceIdentifier),
    }


def fit_together(crt, key):
    """The pair on disk belongs together, and OpenSSL reads the key too."""
    execute(["openssl", "pkey", "-in", key, "-noout"])
    return leaf(crt).public_key().public_bytes(*SPKI) == key_of(key).public_key().public_bytes(
        *SPKI)


def openssl_verifies(ca, crt):
    execute(["openssl", "verify", "-x509_strict", "-CAfile", ca.root_path, "-untrusted", crt, crt])


def seconds(certificate):
    return (certificate.not_valid_after - certificate.not_valid_before).total_seconds()


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def wait_for(what, condition, limit=20):
    """Until condition() is true; fails when it takes too long."""
    end = time.monotonic() + limit * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")
