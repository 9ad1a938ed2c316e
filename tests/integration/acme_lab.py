"""What the ACME tests need around the authority: a DNS server, a web server and a TLS server that
answer challenges, and a small ACME client that can also be told to do everything wrong."""

import base64
import hashlib
import http.server
import ipaddress
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from http.client import HTTPException, HTTPSConnection

from conftest import SLOW, Reply, b64url, free_port, make_cert, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import NameOID

ERROR = "urn:ietf:params:acme:error:"
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def certificates(pem):
    """All of a bundle."""
    end = b"-----END CERTIFICATE-----"
    return [x509.load_pem_x509_certificate(part + end) for part in pem.split(end)[:-1]]


# --- Names ----------------------------------------------------------------------------------------


class Names:
    """A DNS server: every name below .test is 127.0.0.1, unless something else was said."""

    TYPES = {"A": 1, "NS": 2, "CNAME": 5, "TXT": 16, "AAAA": 28}

    def __init__(self):
        self.records = {}  # (name, type): [values]; [] is NXDOMAIN
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.serve, daemon=True).start()

    def set(self, name, kind, *values):
        self.records[name.lower(), kind] = list(values)

    def lookup(self, name, kind):
        if (name, kind) in self.records:
            return self.records[name, kind]
        if kind == "A" and name.endswith(".test") and not name.startswith("_"):
            return ["127.0.0.1"]
        return None

    @staticmethod
    def data(kind, value):
        if kind in ("A", "AAAA"):
            return ipaddress.ip_address(value).packed
        if kind == "TXT":
            return bytes([len(value)]) + value.encode()
        return b"".join(bytes([len(p)]) + p.encode() for p in value.split(".")) + b"\0"

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        number = struct.unpack(">H", query[at + 1:at + 3])[0]
        kind = next((k for k, v in self.TYPES.items() if v == number), "?")
        name = ".".join(labels)
        self.asked.append((name, kind))
        values = self.lookup(name, kind)
        unknown = values is None and kind != "AAAA" or values == []
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | (3 if unknown else 0), 1,
                                       len(values or []), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 1, len(d)) + d
                        for d in (self.data(kind, v) for v in values or []))
        return head + query[12:at + 5] + body

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), peer)
            except OSError:
                return

    def stop(self):
        self.socket.close()


# --- http-01 --------------------------------------------------------------------------------------


class Quick(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512


class Web:
    """A web server for http-01: pages is path -> bytes, or a function of the handler."""

    def __init__(self, port=0):
        self.pages = {}
        self.hosts = {}  # Host -> function of the handler, for hostile servers
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                special = web.hosts.get(self.headers.get("Host", "").split(":")[0])
                page = special or web.pages.get(self.path)
                if callable(page):
                    page(self)
                    return
                body = page if page is not None else b"not here"
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        self.server = Quick(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, token, content):
        self.pages["/.well-known/acme-challenge/" + token] = content.encode()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


# --- tls-alpn-01 ----------------------------------------------------------------------------------


class Tls:
    """A TLS server for tls-alpn-01: by name a context, or the usual one without a certificate
    worth anything."""

    def __init__(self, folder):
        self.folder = folder
        self.contexts = {}
        self.usual = self.context("nobody.test", None)
        self.usual.sni_callback = self.choose
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def context(self, name, authorization, critical=True, names=None, alpn=("acme-tls/1",),
                oid=ACME_IDENTIFIER):
        key = ec.generate_private_key(ec.SECP256R1())
        sans = [n if isinstance(n, x509.GeneralName) else x509.DNSName(n) for n in names or [name]]
        extensions = [(x509.SubjectAlternativeName(sans), False)]
        if authorization is not None:
            value = b"\x04\x20" + hashlib.sha256(authorization.encode()).digest()
            extensions.append((x509.UnrecognizedExtension(oid, value), critical))
        cert = make_cert(name, key, extensions=extensions)
        path = self.folder / f"alpn-{time.monotonic_ns()}.pem"
        path.write_text(pem_of(cert) + pem_of(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(path))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def serve_name(self, name, authorization, **how):
        self.contexts[name] = self.context(name, authorization, **how)

    def choose(self, connection, name, _context):
        if name in self.contexts:
            connection.context = self.contexts[name]

    def shake(self, plain):
        try:
            plain.settimeout(10)
            with self.usual.wrap_socket(plain, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            pass

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.shake, args=(plain,), daemon=True).start()

    def stop(self):
        self.socket.close()


# --- The client -----------------------------------------------------------------------------------


def public_jwk(key):
    public = key.public_key() if hasattr(key, "public_key") else key
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"e": b64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
                "kty": "RSA",
                "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))}
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": b64url(raw)}
    size = (public.curve.key_size + 7) // 8
    numbers = public.public_numbers()
    return {"crv": {256: "P-256", 384: "P-384", 521: "P-521"}[public.curve.key_size], "kty": "EC",
            "x": b64url(numbers.x.to_bytes(size, "big")),
            "y": b64url(numbers.y.to_bytes(size, "big"))}


def thumbprint(key):
    jwk = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return b64url(hashlib.sha256(jwk.encode()).digest())


def usual_alg(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    return {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]


def raw_signature(key, alg, message):
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}.get(alg[2:])
    if alg.startswith("HS"):
        mac = hmac.HMAC(key, digest())
        mac.update(message)
        return mac.finalize()
    if alg == "none":
        return b""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        pad = (padding.PSS(padding.MGF1(digest()), digest.digest_size) if alg.startswith("PS")
               else padding.PKCS1v15())
        return key.sign(message, pad, digest())
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(digest())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def jws(key, header, payload, alg=None):
    """Flattened JSON; payload is bytes, text, something for JSON, or None for POST-as-GET."""
    if payload is None:
        payload = b""
    elif not isinstance(payload, (bytes, str)):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    head = b64url(header if isinstance(header, bytes) else json.dumps(header).encode())
    body = b64url(payload)
    alg = alg or header["alg"]
    return {"protected": head, "payload": body,
            "signature": b64url(raw_signature(key, alg, f"{head}.{body}".encode()))}


def acme_csr(names, key=None, common_name=None, ips=(), emails=()):
    """DER in base64url, and the key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    cn = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    sans = ([x509.DNSName(n) for n in names] + [x509.RFC822Name(m) for m in emails] +
            [x509.IPAddress(ipaddress.ip_address(i)) for i in ips])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(cn))
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return b64url(builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)), key


class Client:
    """One ACME account at one provisioner, over one connection that is kept."""

    def __init__(self, ca, provisioner="acme", key=None, account=True, **members):
        self.ca = ca
        self.base = f"/acme/{provisioner}"
        self.url = ca.url + self.base
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.kid = None
        self.nonce = None
        self.connection = None
        if account:
            reply = self.register(**members)
            assert reply.status in (200, 201), reply.body

    # --- HTTP ---

    def send(self, method, url, body=None, headers=None):
        path = url[len(self.ca.url):] if url.startswith(self.ca.url) else url
        for attempt in (0, 1):
            fresh = self.connection is None
            if fresh:
                self.connection = HTTPSConnection("localhost", self.ca.port,
                                                  context=self.ca.tls(), timeout=60 * SLOW)
            try:
                self.connection.request(method, path, body=body, headers=headers or {})
                reply = Reply(self.connection.getresponse())
                break
            except (OSError, HTTPException):
                self.connection.close()
                self.connection = None
                if fresh or attempt:
                    raise
        if "Replay-Nonce" in reply.headers:
            self.nonce = reply.headers["Replay-Nonce"]
        return reply

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def fresh_nonce(self):
        nonce, self.nonce = self.nonce, None
        if nonce is None:
            nonce = self.send("HEAD", self.url + "/new-nonce").headers["Replay-Nonce"]
            self.nonce = None
        return nonce

    def header(self, url, jwk=False, **members):
        full = {"alg": usual_alg(self.key), "nonce": members.pop("nonce", None) or
                self.fresh_nonce(), "url": url}
        if jwk or self.kid is None:
            full["jwk"] = public_jwk(self.key)
        else:
            full["kid"] = self.kid
        full.update(members)
        return {k: v for k, v in full.items() if v is not ...}

    def envelope(self, url, payload=None):
        """The body of a POST that is as it should be."""
        return json.dumps(jws(self.key, self.header(url), payload))

    def post(self, url, payload=None, key=None, content_type="application/jose+json", change=None,
             alg=None, headers=None, **members):
        """members change the protected header (... removes one); change edits the JWS."""
        if not url.startswith("https:"):
            url = self.url + url
        if alg:
            members["alg"] = alg
        header = self.header(members.pop("say", url), **members)
        message = jws(key or self.key, header, payload, alg)
        if change:
            changed = change(message)
            message = message if changed is None else changed
        if not isinstance(message, (str, bytes)):
            message = json.dumps(message)
        return self.send("POST", url, message, {"Content-Type": content_type, **(headers or {})})

    # --- Steps ---

    def register(self, **members):
        payload = {"termsOfServiceAgreed": True, **members}
        reply = self.post("/new-account", payload, jwk=True)
        if reply.status in (200, 201):
            self.kid = reply.headers["Location"]
        return reply

    def order(self, *names, **members):
        """A new order for names, or for (type, value) pairs."""
        ids = [{"type": n[0], "value": n[1]} if isinstance(n, tuple) else
               {"type": "dns", "value": n} for n in names]
        reply = self.post("/new-order", {"identifiers": ids, **members})
        assert reply.status == 201, (reply.status, reply.body)
        return Order(self, reply)

    def authorization(self, token):
        return f"{token}.{thumbprint(self.key)}"

    def certificate(self, web, *names, key=None, **members):
        """The whole way by http-01: (leaf, its key)."""
        order = self.order(*names, **members)
        order.prove(web)
        return order.finish(key)


class Order:
    def __init__(self, client, reply):
        self.client = client
        self.url = reply.headers["Location"]
        self.first = reply
        self.state = reply.json()

    def refresh(self):
        reply = self.client.post(self.url)
        assert reply.status == 200, reply.body
        self.state = reply.json()
        return self.state

    def authz(self, index=0):
        reply = self.client.post(self.state["authorizations"][index])
        assert reply.status == 200, reply.body
        return reply.json()

    def challenge(self, kind, index=0):
        return next(c for c in self.authz(index)["challenges"] if c["type"] == kind)

    def wait(self, url, states=("pending", "processing"), seconds=60):
        """Polls until the object has left these states."""
        end = time.monotonic() + seconds * SLOW
        while True:
            state = self.client.post(url).json()
            if state["status"] not in states:
                return state
            assert time.monotonic() < end, state
            time.sleep(0.1)

    def answer(self, kind="http-01", index=0, challenge=None):
        """POSTs {} and waits for the verdict, unless the answer has it."""
        challenge = challenge or self.challenge(kind, index)
        reply = self.client.post(challenge["url"], {})
        assert reply.status == 200, reply.body
        if reply.json()["status"] not in ("pending", "processing"):
            return reply.json()
        return self.wait(challenge["url"])

    def prove(self, web, kind="http-01"):
        for i in range(len(self.state["authorizations"])):
            challenge = self.challenge(kind, i)
            web.serve(challenge["token"], self.client.authorization(challenge["token"]))
            state = self.answer(challenge=challenge)
            assert state["status"] == "valid", state
        self.refresh()
        assert self.state["status"] == "ready", self.state

    def names(self):
        ids = self.state["identifiers"]
        return ([i["value"] for i in ids if i["type"] == "dns"],
                [i["value"] for i in ids if i["type"] == "ip"])

    def finalize(self, csr):
        return self.client.post(self.state["finalize"], {"csr": csr})

    def finish(self, key=None):
        dns, ips = self.names()
        csr, key = acme_csr(dns, key, ips=ips)
        reply = self.finalize(csr)
        assert reply.status == 200, reply.body
        self.state = reply.json()
        assert self.state["status"] == "valid", self.state
        return self.download(), key

    def chain(self):
        reply = self.client.post(self.state["certificate"])
        assert reply.status == 200, reply.body
        return certificates(reply.body)

    def download(self):
        return self.chain()[0]


class Lab:
    """An authority with ACME provisioners, and everything that answers its questions."""

    def __init__(self, make, folder, provisioners=(), policy=None):
        self.names = Names()
        self.web = Web()
        self.tls = Tls(folder)
        self.ca = make("--acme")
        self.ca.configure(lambda c: c["authority"]["provisioners"].extend(provisioners))
        if policy:
            self.ca.configure(lambda c: c["authority"].update(policy=policy))
        self.args = ("--insecure", "--acme-http-port", str(self.web.port), "--acme-tls-port",
                     str(self.tls.port), "--resolver", self.names.address)
        self.ca.start(*self.args)

    def restart(self, number=None):
        self.ca.stop(*([number] if number else []))
        self.ca.start(*self.args)

    def stop(self):
        self.names.stop()
        self.web.stop()
        self.tls.stop()


def closed_port():
    return free_port()


def problem(reply, status, kind, *words):
    """The reply is a problem document of this type, with a nonce to go on with."""
    assert reply.status == status, (reply.status, reply.body)
    assert reply.headers["Content-Type"] == "application/problem+json", reply.headers
    body = reply.json()
    assert body["type"] == ERROR + kind, body
    assert body["detail"] and body.get("status", status) == status, body
    assert len(reply.headers.get_all("Replay-Nonce")) == 1
    for word in words:
        assert word in body["detail"], body
    return body
