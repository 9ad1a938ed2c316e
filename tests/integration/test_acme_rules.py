"""Rules of RFC 8555 6 and 7 that stand apart from the way of an order: where ACME is served, what
is ignored, and ids that are none."""

import http.client
import socket

import pytest
from acme_lab import Client, Lab, acme_csr
from conftest import Ca, free_port


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    plain = free_port()

    def make(*args):
        ca = Ca(folder / "ca", args)
        ca.configure(lambda c: c.update(insecureAddress=f"127.0.0.1:{plain}",
                                        crl={"enabled": True}))
        return ca
    made = Lab(make, folder)
    made.plain = plain
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()


@pytest.fixture
def client(lab):
    made = Client(lab.ca)
    yield made
    made.close()


def test_acme_is_served_over_tls_only(lab, client):
    """RFC 8555 6.1"""
    for method, path in (("GET", "/acme/acme/directory"), ("HEAD", "/acme/acme/new-nonce"),
                         ("GET", "/2.0/acme/acme/directory"), ("POST", "/acme/acme/new-account")):
        connection = http.client.HTTPConnection("127.0.0.1", lab.plain, timeout=20)
        connection.request(method, path, b"{}" if method == "POST" else None,
                           {"Content-Type": "application/jose+json"})
        reply = connection.getresponse()
        assert reply.status == 404 and "Replay-Nonce" not in reply.headers, path
        connection.close()
    assert client.post(client.kid).status == 200


def test_every_answer_leads_to_the_directory(lab, client):
    """RFC 8555 7.1, 6.5: also those that refuse."""
    order = client.order("links.test")
    challenge = order.challenge("http-01")
    csr, _ = acme_csr(["links.test"])
    for url, payload in ((client.kid, None), (client.kid + "/orders", None), (order.url, None),
                         (order.state["authorizations"][0], None), (challenge["url"], None),
                         (order.state["finalize"], {"csr": csr}), ("/certificate/none", None),
                         ("/revoke-cert", {}), ("/key-change", {}), ("/new-order", {})):
        reply = client.post(url, payload)
        links = reply.headers.get_all("Link")
        assert f'<{client.url}/directory>;rel="index"' in links, url
        assert len(reply.headers.get_all("Replay-Nonce")) == 1, url
        assert reply.headers["Cache-Control"] == "no-store", url


def test_members_that_are_the_server_s_are_ignored(lab):
    """RFC 8555 7.3, 7.3.2"""
    made = Client(lab.ca, account=False)
    reply = made.register(status="deactivated", orders="https://elsewhere.test/", id="mine",
                          createdAt="2001-01-01T00:00:00Z", unknown={"a": [1]})
    assert reply.status == 201 and reply.json()["status"] == "valid"
    assert reply.json()["orders"] == made.kid + "/orders"
    reply = made.post(made.kid, {"orders": "https://elsewhere.test/", "status": "valid"})
    assert reply.status == 400  # a status can only be "deactivated"
    reply = made.post(made.kid, {"orders": "https://elsewhere.test/", "key": {"kty": "oct"},
                                 "termsOfServiceAgreed": False, "externalAccountBinding": {}})
    assert reply.status == 200 and reply.json()["orders"] == made.kid + "/orders"
    order = made.order("given.test", status="valid", authorizations=[],
                       expires="2099-01-01T00:00:00Z", certificate="https://elsewhere.test/", error=None, profile=5)
    assert order.state["status"] == "pending" and len(order.state["authorizations"]) == 1
    assert "certificate" not in order.state and order.state["expires"] < "2099"


@pytest.mark.parametrize("payload", [
    {}, {"keyAuthorization": "old.style"}, {"type": "http-01", "resource": "challenge"},
    {"status": "valid", "validated": "2001-01-01T00:00:00Z"},
])
def test_any_object_answers_a_challenge(lab, client, payload):
    """RFC 8555 7.5.1: the object is empty; clients of old had more in it."""
    order = client.order("object.test")
    challenge = order.challenge("http-01")
    lab.web.serve(challenge["token"], client.authorization(challenge["token"]))
    reply = client.post(challenge["url"], payload)
    assert reply.status == 200 and reply.json()["status"] == "valid", reply.body
    order.refresh()
    order.finish()


@pytest.mark.parametrize("payload", ["[]", "5", "\"\"", "{", "null", "{}{}"])
def test_what_is_no_object_answers_no_challenge(lab, client, payload):
    order = client.order("nothing.test")
    challenge = order.challenge("http-01")
    assert client.post(challenge["url"], payload).status == 400
    assert client.post(challenge["url"]).json()["status"] == "pending"


@pytest.mark.parametrize("name", ["%00", "%2e%2e", "..", "%ff", "a" * 5000, "%25", "*", "'",
                                  "%0d%0a"])
def test_ids_that_are_none(lab, client, name):
    csr, _ = acme_csr(["x.test"])
    for path, payload in ((f"/order/{name}", None), (f"/authz/{name}", None),
                          (f"/challenge/{name}/{name}", {}), (f"/certificate/{name}", None),
                          (f"/account/{name}", None), (f"/order/{name}/finalize", {"csr": csr})):
        reply = client.post(path, payload)
        assert 400 <= reply.status < 500, (path, reply.status, reply.body)
        client.nonce = None


def test_a_request_that_stops_in_the_middle_holds_nobody_up(lab, client):
    body = client.envelope(client.kid)
    head = (f"POST {client.kid[len(lab.ca.url):]} HTTP/1.1\r\nHost: localhost:{lab.ca.port}\r\n"
            f"Content-Type: application/jose+json\r\nContent-Length: {len(body)}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", lab.ca.port)) as plain, \
            lab.ca.tls().wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(head.encode() + body[:10].encode())
        other = Client(lab.ca)
        other.certificate(lab.web, "meanwhile.test")
        tls.sendall(body[10:].encode())
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
