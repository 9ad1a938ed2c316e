#!/usr/bin/python3
"""step-kms-plugin with a device in a folder, NEWEL_DEVICE: device.key and device.pem (the
certificate by which its maker vouches for the key, and what stands above it).  Also a module, for
tests that speak ACME themselves."""

import base64
import hashlib
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


def head(major, n):
    """RFC 8949 3: the first octets of an item."""
    if n < 24:
        return bytes([major << 5 | n])
    size = 1 if n < 1 << 8 else 2 if n < 1 << 16 else 4
    return bytes([major << 5 | 23 + size.bit_length()]) + n.to_bytes(size, "big")


def cbor(value):
    if isinstance(value, bool) or value is None:
        return bytes([0xf6 if value is None else 0xf5 if value else 0xf4])
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(v) for v in value)
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def sign(key, digest):
    """Of a SHA-256, with Ed25519 of the message itself."""
    hashed = utils.Prehashed(hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(hashed))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), hashed)
    return key.sign(digest)


def hashed_key(key):
    return isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))


def statement(key, chain, key_authorization):
    """An attestation object of format `step`, in bytes."""
    message = key_authorization.encode()
    signature = sign(key, hashlib.sha256(message).digest() if hashed_key(key) else message)
    alg = (-7 if isinstance(key, ec.EllipticCurvePrivateKey) else
           -257 if isinstance(key, rsa.RSAPrivateKey) else -8)
    der = serialization.Encoding.DER
    return cbor({"fmt": "step", "attStmt": {"alg": alg, "sig": cbor(signature),
                                            "x5c": [c.public_bytes(der) for c in chain]}})


def main(args):
    folder = Path(os.environ["NEWEL_DEVICE"])
    key = serialization.load_pem_private_key((folder / "device.key").read_bytes(), None)
    if args[-1] != "softdevice:slot=9a":
        print(f"no key {args[-1]}", file=sys.stderr)
        return 1
    given = sys.stdin.buffer.read()
    if args[:-1] == ["key"]:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        sys.stdout.write(key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode())
        return 0
    if args[:-1] in (["sign", "--format", "base64"],
                     ["sign", "--format", "base64", "--alg", "SHA256"]):
        assert ("--alg" in args) == isinstance(key, rsa.RSAPrivateKey)
        print(base64.b64encode(sign(key, given)).decode())
        return 0
    if args[:-1] == ["attest", "--format", "step"]:
        chain = (folder / "device.pem").read_bytes().split(b"-----END CERTIFICATE-----\n")[:-1]
        chain = [x509.load_pem_x509_certificate(c + b"-----END CERTIFICATE-----\n") for c in chain]
        found = statement(key, chain, given.decode())
        print(base64.urlsafe_b64encode(found).decode().rstrip("="))
        return 0
    print(f"what is {args}?", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
