"""An ACME client on Debian's python3-acme: `acme_python_peer.py JSON`.  Run by the tests as a
program of its own; what it did comes back as JSON on standard output.

The request: directory, root, http (port to answer http-01 on), names, ips, and steps out of
"issue", "renew", "revoke"."""

import http.server
import ipaddress
import json
import sys
import threading

import josepy
from acme import challenges, client, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import crypto


def main():
    wish = json.loads(sys.argv[1])
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", wish["http"]), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    account_key = josepy.JWKRSA(key=josepy.ComparableRSAKey(rsa.generate_private_key(65537, 2048)))
    network = client.ClientNetwork(account_key, verify_ssl=wish["root"])
    peer = client.ClientV2(client.ClientV2.get_directory(wish["directory"], network), network)
    account = peer.new_account(messages.NewRegistration.from_data(
        email="peer@acme.test", terms_of_service_agreed=True))
    sans = ([x509.DNSName(n) for n in wish["names"]] +
            [x509.IPAddress(ipaddress.ip_address(i)) for i in wish["ips"]])

    def issue():
        key = ec.generate_private_key(ec.SECP256R1())
        csr = (x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
               .add_extension(x509.SubjectAlternativeName(sans), False)
               .sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        order = peer.new_order(csr)
        for authorization in order.authorizations:
            challenge = next(c for c in authorization.body.challenges
                             if isinstance(c.chall, challenges.HTTP01))
            response, validation = challenge.response_and_validation(account_key)
            pages[challenge.chall.path] = validation.encode()
            peer.answer_challenge(challenge, response)
        return peer.poll_and_finalize(order).fullchain_pem

    result = {"account": account.uri, "chains": []}
    for step in wish["steps"]:
        if step == "revoke":
            last = crypto.load_certificate(crypto.FILETYPE_PEM, result["chains"][-1].encode())
            peer.revoke(josepy.ComparableX509(last), 4)
        else:
            result["chains"].append(issue())
    json.dump(result, sys.stdout)


main()
