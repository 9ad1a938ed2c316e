"""A challenge that is answered waits a moment for its verdict: it holds no worker, and nothing
depends on whether somebody is still there to hear it."""

import concurrent.futures
import threading

import pytest
from acme_lab import Client, Lab
from conftest import Ca


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waiting")
    made = Lab(lambda *args: Ca(folder / "ca", args), folder)
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()
    for trouble in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
        assert trouble not in made.ca.log()


class Hold:
    """Web servers that answer when they are told to."""

    def __init__(self, lab, *hosts):
        self.lab = lab
        self.asked = threading.Semaphore(0)
        self.released = threading.Event()
        self.hosts = hosts
        for host in hosts:
            lab.web.hosts[host] = self.answer

    def answer(self, handler):
        self.asked.release()
        self.released.wait(60)
        body = self.lab.web.pages[handler.path]
        try:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the server was stopped meanwhile

    def wait(self, count=1):
        for _ in range(count):
            assert self.asked.acquire(timeout=120)

    def release(self):
        self.released.set()
        for host in self.hosts:
            self.lab.web.hosts.pop(host, None)


def _prepare(lab, client, name):
    order = client.order(name)
    challenge = order.challenge("http-01")
    lab.web.serve(challenge["token"], client.authorization(challenge["token"]))
    return order, challenge


def _finish(order):
    order.refresh()
    order.finish()


def test_a_quick_verdict_comes_with_the_answer(lab):
    client = Client(lab.ca)
    order, challenge = _prepare(lab, client, "quick.test")
    reply = client.post(challenge["url"], {})
    assert reply.status == 200 and "Retry-After" not in reply.headers
    assert reply.json()["status"] == "valid" and reply.json()["validated"]
    assert order.authz()["status"] == "valid"
    _finish(order)

    order, challenge = _prepare(lab, client, "wrong.test")
    lab.web.serve(challenge["token"], "something else")
    reply = client.post(challenge["url"], {})
    assert reply.status == 200 and reply.json()["status"] == "invalid"
    assert reply.json()["error"]["detail"] and order.refresh()["status"] == "invalid"


def test_what_is_tried_again_is_processing_at_once(lab):
    lab.names.set("later.test", "A")
    client = Client(lab.ca)
    order, challenge = _prepare(lab, client, "later.test")
    for _ in range(2):  # asked again it is the same validation
        reply = client.post(challenge["url"], {})
        assert reply.status == 200 and reply.json()["status"] == "processing"
        assert int(reply.headers["Retry-After"]) > 0
    shown = client.post(challenge["url"])
    assert shown.json()["status"] == "processing" and int(shown.headers["Retry-After"]) > 0
    for url in (order.url, order.state["authorizations"][0]):
        reply = client.post(url)
        assert reply.json()["status"] == "pending" and int(reply.headers["Retry-After"]) > 0
    lab.names.set("later.test", "A", "127.0.0.1")
    assert order.wait(challenge["url"])["status"] == "valid"
    _finish(order)


def test_two_hundred_wait_and_nobody_else_does(lab):
    names = [f"held-{i}.test" for i in range(200)]
    hold = Hold(lab, *names)
    client = Client(lab.ca)
    waiting = []
    for name in names:
        order, challenge = _prepare(lab, client, name)
        peer = Client(lab.ca, key=client.key, account=False)
        peer.kid = client.kid
        waiting.append((peer, order, challenge))
    with concurrent.futures.ThreadPoolExecutor(len(waiting)) as pool:
        replies = [pool.submit(peer.post, challenge["url"], {})
                   for peer, _, challenge in waiting]
        hold.wait(len(names))  # all are being validated at the same time
        other = Client(lab.ca)
        other.certificate(lab.web, "in-between.test")
        assert lab.ca.request("GET", "/health").status == 200
        hold.release()
        replies = [r.result() for r in replies]
    for (peer, order, challenge), reply in zip(waiting, replies):
        assert reply.status == 200 and reply.json()["status"] in ("valid", "processing"), reply.body
        assert order.wait(challenge["url"])["status"] == "valid"
        peer.close()
    _finish(waiting[0][1])
    _finish(waiting[-1][1])


def _send_only(client, url):
    """A POST whose answer nobody waits for."""
    client.send("HEAD", client.url + "/new-nonce")  # a connection that stands
    client.connection.request("POST", url[len(client.ca.url):], client.envelope(url, {}),
                              {"Content-Type": "application/jose+json"})


def test_a_client_that_goes_away_meanwhile_finds_its_verdict(lab):
    hold = Hold(lab, "gone.test")
    client = Client(lab.ca)
    order, challenge = _prepare(lab, client, "gone.test")
    _send_only(client, challenge["url"])
    hold.wait()
    client.close()
    reply = client.post(challenge["url"])
    assert reply.json()["status"] == "processing"
    hold.release()
    assert order.wait(challenge["url"])["status"] == "valid"
    _finish(order)


def test_the_end_of_the_service_waits_for_no_verdict(lab):
    hold = Hold(lab, "last.test")
    client = Client(lab.ca)
    order, challenge = _prepare(lab, client, "last.test")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(client.post, challenge["url"], {})
        hold.wait()
        lab.restart()
        reply = reply.result()
    assert reply.status == 200 and reply.json()["status"] == "processing"
    hold.release()
    client.close()
    client.nonce = None
    assert client.post(challenge["url"]).json()["status"] == "pending"
    reply = client.post(challenge["url"], {})
    assert reply.json()["status"] == "valid", reply.body
    _finish(order)
