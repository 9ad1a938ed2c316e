"""What signals do to a server at work: reload without a lost request, and an end that waits for
those who are being served and for nobody else."""

import json
import os
import signal
import socket
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import pytest
from conftest import SLOW, free_port, make_cert, make_csr, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def add_provisioner(config, name):
    first = config["authority"]["provisioners"][0]
    config["authority"]["provisioners"].append(dict(first, name=name))


def provisioner_names(ca):
    return [p["name"] for p in ca.request("GET", "/provisioners").json()["provisioners"]]


def plain_get(port, path):
    connection = HTTPConnection("127.0.0.1", port, timeout=10 * SLOW)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


# --- Reload ---------------------------------------------------------------------------------------


def test_a_reload_shows_new_provisioners_and_keeps_what_must_stay(make_ca):
    ca = make_ca().start()
    old_token, used = ca.token(), ca.token()
    assert ca.sign(used).status == 201
    time.sleep(1.1)
    ca.configure(lambda c: add_provisioner(c, "second"))
    assert provisioner_names(ca) == ["ops"]
    assert ca.reload()
    assert provisioner_names(ca) == ["ops", "second"]
    assert ca.sign(ca.token(iss="second")).status == 201
    assert ca.sign(old_token).status == 201  # the time of the start stays that of the process
    assert ca.sign(used).status == 401
    ca.configure(lambda c: c["authority"]["provisioners"].pop())
    assert ca.reload()
    assert ca.sign(ca.token(iss="second")).status == 401


@pytest.mark.parametrize("spoil, word", [
    (lambda c: "{", "ca.json:1"), (lambda c: c.update(address="nonsense"), "address"),
    (lambda c: c.update(key="/nowhere/key"), "/nowhere/key"),
    (lambda c: c["authority"].update(provisioners=c["authority"]["provisioners"] * 2), "ops"),
    (lambda c: c["db"].update(dataSource="/elsewhere/db"), "db"),
    (lambda c: c.pop("db") and None, "db"),
    (lambda c: c.update(metricsAddress="127.0.0.1:TAKEN"), "127.0.0.1"),
])
def test_a_reload_of_a_bad_file_keeps_the_old_configuration(make_ca, spoil, word):
    ca = make_ca().start()
    ca.provisioner_key()
    good = ca.config_path.read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = json.loads(good)
        add_provisioner(config, "second")
        text = spoil(config)
        text = text if isinstance(text, str) else json.dumps(config)
        ca.config_path.write_text(text.replace("TAKEN", str(taken.getsockname()[1])))
        assert not ca.reload()
    line = [line for line in ca.log().splitlines() if "reload failed" in line][0]
    assert word in line
    assert provisioner_names(ca) == ["ops"] and ca.sign().status == 201
    ca.config_path.write_text(good)
    ca.configure(lambda c: add_provisioner(c, "second"))
    assert ca.reload()
    assert provisioner_names(ca) == ["ops", "second"]
    assert ca.stop() == 0


def test_a_reload_moves_the_address(make_ca):
    ca = make_ca().start()
    old, new = ca.port, free_port()
    kept = HTTPSConnection("localhost", old, context=ca.tls(), timeout=10 * SLOW)
    kept.request("GET", "/health")
    assert kept.getresponse().read() == b'{"status":"ok"}\n'
    ca.configure(lambda c: c.update(address=f"127.0.0.1:{new}"))
    assert ca.reload()
    ca.port = new
    assert ca.request("GET", "/health").status == 200
    assert refuses(old)
    kept.request("GET", "/health")  # who is connected stays connected
    assert kept.getresponse().status == 200
    kept.close()
    assert f"Serving HTTPS on 127.0.0.1:{new} ..." in ca.log()


def test_a_reload_opens_and_closes_the_other_listeners(make_ca):
    ca = make_ca().start()
    plain, metrics = free_port(), free_port()
    before = ca.config_path.read_text()

    def change(config):
        config["crl"] = {"enabled": True}
        config["insecureAddress"] = f"127.0.0.1:{plain}"
        config["metricsAddress"] = f"127.0.0.1:{metrics}"
    ca.configure(change)
    assert refuses(plain) and refuses(metrics)
    assert ca.reload()
    assert plain_get(plain, "/crl")[0] == 200 and plain_get(plain, "/1.0/crl?pem")[0] == 200
    for path in ("/health", "/roots", "/sign", "/provisioners", "/metrics", "/"):
        assert plain_get(plain, path)[0] == 404
    status, body = plain_get(metrics, "/metrics")
    assert status == 200 and b"step_ca_uptime_seconds" in body
    assert plain_get(metrics, "/health")[0] == 404
    assert f"Serving HTTP on 127.0.0.1:{plain} ..." in ca.log()
    ca.config_path.write_text(before)
    assert ca.reload()
    assert refuses(plain) and refuses(metrics)
    assert ca.request("GET", "/crl").status == 404


def test_no_request_is_lost_during_reloads(make_ca):
    ca = make_ca().start()
    ca.provisioner_key()
    _, csr = make_csr()
    over, failures, done = threading.Event(), [], [0] * 50

    def client(number):
        context = ca.tls()
        while not over.is_set():
            connection = HTTPSConnection("localhost", ca.port, context=context, timeout=30 * SLOW)
            try:
                for _ in range(3):
                    if number % 10 == 0:
                        body = json.dumps({"csr": csr, "ott": ca.token()})
                        connection.request("POST", "/sign", body)
                    else:
                        connection.request("GET", "/provisioners")
                    reply = connection.getresponse()
                    reply.read()
                    if reply.status not in (200, 201):
                        failures.append(reply.status)
                    done[number] += 1
            except (OSError, HTTPException) as error:
                failures.append(error)
            finally:
                connection.close()

    threads = [threading.Thread(target=client, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for i in range(8):
        ca.configure(lambda c, n=i: add_provisioner(c, f"more{n}"))
        assert ca.reload()
        time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]
    assert all(done)
    assert len(provisioner_names(ca)) == 9
    assert ca.stop() == 0


def test_signals_in_a_burst_are_no_harm(make_ca):
    ca = make_ca().start()
    for _ in range(200):
        ca.process.send_signal(signal.SIGHUP)
    ca.configure(lambda c: add_provisioner(c, "second"))
    assert ca.reload() and ca.request("GET", "/health").status == 200
    assert ca.stop() == 0


def test_a_new_intermediate_is_taken_over_and_old_leaves_renew_below_it(make_ca):
    ca = make_ca().start()
    crt, key = ca.issue()
    root, root_key = ca.root()
    new_key = ec.generate_private_key(ec.SECP256R1())
    new = make_cert("New intermediate", new_key, root, root_key, ca=True, length=86400 * 30)
    own = ca.connect()
    before = own.getpeercert(binary_form=True)
    own.close()
    config = ca.config()
    (ca.path / "certs/intermediate_ca.crt").write_text(pem_of(new))
    open(config["key"], "w", encoding="ascii").write(pem_of(new_key))
    assert ca.reload()
    leaf = x509.load_pem_x509_certificate(ca.sign().json()["crt"].encode())
    assert leaf.issuer == new.subject
    own = ca.connect()
    served = x509.load_der_x509_certificate(own.getpeercert(binary_form=True))
    own.close()
    assert served.issuer == new.subject
    assert served.public_bytes(serialization.Encoding.DER) != before
    # The old leaf brings its old intermediate along.
    reply = ca.request("POST", "/renew", cert=crt, key=key)
    assert reply.status == 201, reply.body
    renewed = x509.load_pem_x509_certificate(reply.json()["crt"].encode())
    aki = renewed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert aki.key_identifier == new.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier).value.digest


def test_a_changed_password_file_is_read_again_and_a_lost_one_is_remembered(make_ca):
    ca = make_ca().start()
    key = ca.config()["key"]
    private = serialization.load_pem_private_key(
        open(key, "rb").read(), ca.password_file.read_text().strip().encode())
    ca.password_file.unlink()
    assert ca.reload()
    ca.password_file.write_text("another one\n")
    assert not ca.reload()
    with open(key, "wb") as file:
        file.write(private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"another one")))
    assert ca.reload()
    assert ca.sign().status == 201


# --- The end --------------------------------------------------------------------------------------


def slow_request(ca):
    """A signing request of which the last byte is missing."""
    body = json.dumps({"csr": make_csr()[1], "ott": ca.token()}).encode()
    head = f"POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    tls = ca.connect()
    tls.sendall(head.encode() + body[:-1])
    return tls, body[-1:]


def test_a_request_under_way_is_answered_before_the_end(make_ca):
    ca = make_ca()
    pid = ca.folder / "pid"
    ca.start("--pidfile", str(pid))
    idle = [ca.connect() for _ in range(20)]
    used = HTTPSConnection("localhost", ca.port, context=ca.tls())
    used.request("GET", "/health")
    used.getresponse().read()
    tls, rest = slow_request(ca)
    time.sleep(0.3 * SLOW)
    ca.process.send_signal(signal.SIGTERM)
    ca.wait_log("shutting down")
    time.sleep(0.5)
    assert ca.process.poll() is None and refuses(ca.port)
    tls.sendall(rest)
    got = b""
    while piece := tls.recv(65536):
        got += piece
    assert got.startswith(b"HTTP/1.1 201 ") and b"Connection: close" in got
    assert ca.process.wait(5 * SLOW) == 0
    ca.process = None
    assert not pid.exists()
    for connection in idle:
        connection.close()
    # What was answered is stored, and the file is whole.
    ca.start()
    assert ca.sign().status == 201
    assert ca.stop() == 0


def test_idle_connections_do_not_delay_the_end(make_ca):
    ca = make_ca().start()
    connections = []
    for _ in range(30):
        connection = HTTPSConnection("localhost", ca.port, context=ca.tls())
        connection.request("GET", "/health")
        connection.getresponse().read()
        connections.append(connection)
    bare = [socket.create_connection(("127.0.0.1", ca.port)) for _ in range(5)]
    begun = time.monotonic()
    assert ca.stop() == 0
    assert time.monotonic() - begun < 3 * SLOW
    for connection in connections + bare:
        connection.close()


@pytest.mark.parametrize("first, second", [(signal.SIGTERM, signal.SIGTERM),
                                           (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_at_once(make_ca, first, second):
    ca = make_ca()
    pid = ca.folder / "pid"
    ca.start("--pidfile", str(pid))
    tls, _ = slow_request(ca)
    time.sleep(0.3 * SLOW)
    ca.process.send_signal(first)
    ca.wait_log("shutting down")
    time.sleep(0.3)
    assert ca.process.poll() is None
    begun = time.monotonic()
    ca.process.send_signal(second)
    ca.process.wait(10)
    assert time.monotonic() - begun < 2 * SLOW
    ca.process = None
    tls.close()
    assert not pid.exists()
    ca.start()
    assert ca.stop() == 0


def test_sigint_ends_like_sigterm_and_sigpipe_is_ignored(make_ca):
    ca = make_ca().start()
    ca.process.send_signal(signal.SIGPIPE)
    assert ca.request("GET", "/health").status == 200
    assert ca.stop(signal.SIGINT) == 0


# --- The service manager --------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(make_ca, abstract):
    ca = make_ca()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(10 * SLOW)
    if abstract:
        name = f"@newel-test-{os.getpid()}"
        manager.bind("\0" + name[1:])
    else:
        name = str(ca.folder / "notify")
        manager.bind(name)
    ca.env["NOTIFY_SOCKET"] = name
    ca.start()
    assert manager.recv(200) == b"READY=1"
    for good in (True, False):
        if not good:
            ca.config_path.write_text("{")
        assert ca.reload() == good
        first, second = manager.recv(200).split(b"\n")
        assert first == b"RELOADING=1"
        name, _, usec = second.partition(b"=")
        assert name == b"MONOTONIC_USEC"
        assert abs(int(usec) / 1e6 - time.monotonic()) < 20 * SLOW
        assert manager.recv(200) == b"READY=1"
    assert ca.stop() == 0
    assert manager.recv(200) == b"STOPPING=1"
    manager.close()


def test_a_manager_that_is_not_there_is_no_trouble(make_ca):
    ca = make_ca()
    for name in ("/nowhere/notify", "@nobody-listens", "relative", "/" + "x" * 300):
        ca.env["NOTIFY_SOCKET"] = name
        ca.start()
        assert ca.stop() == 0
