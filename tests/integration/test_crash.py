"""A server that is killed in the middle loses nothing that a client has, and lets no token be used
twice."""

import json
import signal
import threading
from http.client import HTTPSConnection

from conftest import SLOW, make_csr
from cryptography import x509

CERTIFICATES = 1000
THREADS = 20


def worker(ca, jobs, lock, issued, used):
    connection = HTTPSConnection("localhost", ca.port, context=ca.tls(), timeout=20 * SLOW)
    while True:
        with lock:
            if not jobs:
                return
            token, csr = jobs.pop()
        try:
            connection.request("POST", "/1.0/sign", json.dumps({"csr": csr, "ott": token}))
            response = connection.getresponse()
            body = response.read()
        except OSError:
            return
        except Exception:  # pylint: disable=broad-except  # the connection broke in an answer
            return
        if response.status == 201:
            with lock:
                issued.append((json.loads(body)["crt"], token, csr))
                if len(issued) == used["kill_at"]:
                    ca.process.send_signal(signal.SIGKILL)


def test_sigkill_in_the_middle_of_issuance_loses_nothing_acknowledged(make_ca):
    ca = make_ca().start()
    _, csr = make_csr()
    jobs = [(ca.token(), csr) for _ in range(CERTIFICATES)]
    issued, lock, used = [], threading.Lock(), {"kill_at": CERTIFICATES // 3}
    threads = [threading.Thread(target=worker, args=(ca, jobs, lock, issued, used))
               for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ca.process.wait()
    ca.process = None
    assert used["kill_at"] <= len(issued) < CERTIFICATES

    ca.configure(lambda c: c["authority"].update(disableIssuedAtCheck=True))
    ca.start()
    # Every token that was answered with a certificate is spent.
    for _, token, request in issued[:50] + issued[-50:]:
        assert ca.sign(token, request).status == 401
    # Every certificate that a client received is known: revoking it finds its end.
    import sqlite3

    rows = sqlite3.connect(f"file:{ca.config()['db']['dataSource']}?mode=ro", uri=True).execute(
        "select nkey, nvalue from x509_certs")
    stored = {bytes(k, "ascii") if isinstance(k, str) else bytes(k): bytes(v) for k, v in rows}
    for pem, _, _ in issued:
        cert = x509.load_pem_x509_certificate(pem.encode())
        der = cert.public_bytes(__import__("cryptography").hazmat.primitives.serialization
                                .Encoding.DER)
        assert stored[str(cert.serial_number).encode()] == der
    # And it goes on.
    assert ca.sign().status == 201
