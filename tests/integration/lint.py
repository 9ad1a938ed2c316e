"""A linter for certificates, written from RFC 5280 and the CA/Browser Forum's rule on serial
numbers.  It looks at the DER bytes where a parser would forgive.  lint(der, issuer) returns what is
wrong, as a list of sentences."""

import hashlib
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

# --- DER ------------------------------------------------------------------------------------------


class Node:
    """A tag, its content, and whether the length was written in the shortest form."""

    def __init__(self, data, at):
        self.tag = data[at]
        assert self.tag & 0x1F != 0x1F, "high tag numbers do not occur in certificates"
        length, at = data[at + 1], at + 2
        self.minimal = True
        if length & 0x80:
            count = length & 0x7F
            assert 0 < count <= 4, "indefinite or absurd length"
            length = int.from_bytes(data[at:at + count], "big")
            self.minimal = length >= 0x80 and data[at] != 0
            at += count
        self.content = bytes(data[at:at + length])
        assert len(self.content) == length, "truncated"
        self.end = at + length

    def children(self):
        found, at = [], 0
        while at < len(self.content):
            found.append(Node(self.content, at))
            at = found[-1].end
        return found


def parse(data):
    node = Node(data, 0)
    assert node.end == len(data), "trailing bytes"
    return node


def tbs_parts(der):
    """The fields of TBSCertificate by name (RFC 5280 4.1)."""
    parts = parse(der).children()[0].children()
    order = ["serial", "algorithm", "issuer", "validity", "subject", "spki"]
    found = {"version": parts.pop(0) if parts[0].tag == 0xA0 else None}
    found.update(zip(order, parts))
    for node in parts[len(order):]:
        found[{0x81: "issuer_uid", 0x82: "subject_uid", 0xA3: "extensions"}[node.tag]] = node
    return found


# --- Fields ---------------------------------------------------------------------------------------


def check_version_and_serial(parts, cert):
    if cert.version != x509.Version.v3:
        yield "version is not 3 (4.1.2.1)"
    serial = parts["serial"].content
    if serial[0] & 0x80 or cert.serial_number <= 0:
        yield "serial number is not positive (4.1.2.2)"
    if len(serial) > 20:
        yield "serial number is longer than 20 octets (4.1.2.2)"
    if cert.serial_number.bit_length() < 64:
        yield "serial number has less than 64 bits"
    if len(serial) > 1 and serial[0] == 0 and not serial[1] & 0x80:
        yield "serial number is not encoded in the shortest form (X.690 8.3.2)"
    if "issuer_uid" in parts or "subject_uid" in parts:
        yield "unique identifiers must not be used (4.1.2.8)"


def check_algorithms(der, parts):
    outer = parse(der).children()[1]
    if outer.content != parts["algorithm"].content:
        yield "the two signature algorithms differ (4.1.1.2)"
    pieces = outer.children()
    is_rsa = pieces[0].content.startswith(bytes.fromhex("2a864886f70d0101"))
    if is_rsa and (len(pieces) != 2 or pieces[1].tag != 0x05):
        yield "RSA signature algorithm without NULL parameters (RFC 4055 5)"
    if not is_rsa and len(pieces) != 1:
        yield "ECDSA or Ed25519 signature algorithm with parameters (RFC 5758 3.2, RFC 8410 3)"


def check_validity(parts, cert):
    for node, when, name in zip(parts["validity"].children(),
                                (cert.not_valid_before, cert.not_valid_after),
                                ("notBefore", "notAfter")):
        text = node.content.decode("ascii", "replace")
        if node.tag == 0x17:
            if when.year >= 2050 or not re.fullmatch(r"\d{12}Z", text):
                yield f"{name} {text} must not be this UTCTime (4.1.2.5)"
        elif node.tag == 0x18:
            if when.year < 2050 or not re.fullmatch(r"\d{14}Z", text):
                yield f"{name} {text} must not be this GeneralizedTime (4.1.2.5)"
        else:
            yield f"{name} is no time"
    if cert.not_valid_before > cert.not_valid_after:
        yield "validity ends before it begins"


def check_names(parts, cert):
    if not list(cert.issuer):
        yield "issuer is empty (4.1.2.4)"
    for field in ("issuer", "subject"):
        for rdn in parts[field].children():
            for attribute in rdn.children():
                value = attribute.children()[1]
                if value.tag not in (0x0C, 0x13, 0x16):
                    yield f"{field} has a string of type {value.tag:#x} (4.1.2.4)"
                if not value.content:
                    yield f"{field} has an empty attribute"
                if value.tag == 0x13 and not re.fullmatch(rb"[A-Za-z0-9 '()+,\-./:=?]*",
                                                          value.content):
                    yield f"{field} has a PrintableString that is not one"


def check_key(cert):
    key = cert.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            yield "RSA key of less than 2048 bits"
        if key.public_numbers().e < 65537 or key.public_numbers().e % 2 == 0:
            yield "RSA exponent is too small or even"
    if isinstance(key, ec.EllipticCurvePublicKey):
        spki = key.public_bytes(serialization.Encoding.DER,
                                serialization.PublicFormat.SubjectPublicKeyInfo)
        if parse(spki).children()[1].content[1] != 4:
            yield "EC point is not uncompressed (RFC 5480 2.2)"


# --- Extensions -----------------------------------------------------------------------------------

# Must be critical, must not be, may be either (4.2.1, 4.2.2).
CRITICAL = {"2.5.29.15": True, "2.5.29.14": False, "2.5.29.35": False, "2.5.29.31": False,
            "1.3.6.1.5.5.7.1.1": False, "2.5.29.30": True}


def check_extensions(parts):
    """The list as such: encoding, repetitions, criticality."""
    if "extensions" not in parts:
        yield "no extensions"
        return
    [sequence] = parts["extensions"].children()
    if not sequence.children():
        yield "the list of extensions is empty (4.1.2.9)"
    seen = set()
    for extension in sequence.children():
        pieces = extension.children()
        oid = pieces[0].content
        name = x509.ObjectIdentifier(dotted(oid)).dotted_string
        if oid in seen:
            yield f"extension {name} occurs twice (4.2)"
        seen.add(oid)
        critical = len(pieces) == 3
        if critical and pieces[1].content != b"\xff":
            yield f"extension {name}: critical FALSE or no DER boolean is written (X.690 11)"
        if critical != CRITICAL.get(name, critical):
            yield f"extension {name} has the wrong criticality"
        value = parse(pieces[-1].content)
        if value.tag == 0x30 and not value.content and name != "2.5.29.19":
            yield f"extension {name} is empty"


def dotted(content):
    first = content[0]
    numbers, value = [min(first // 40, 2)], 0
    numbers.append(first - 40 * numbers[0])
    for byte in content[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def raw_extension(parts, oid):
    for extension in parts["extensions"].children()[0].children():
        pieces = extension.children()
        if dotted(pieces[0].content) == oid:
            return parse(pieces[-1].content)
    return None


def get(cert, kind):
    try:
        return cert.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def check_identifiers(cert, issuer):
    ski, aki = get(cert, x509.SubjectKeyIdentifier), get(cert, x509.AuthorityKeyIdentifier)
    if not ski:
        yield "no subject key identifier (4.2.1.2)"
    else:
        spki = cert.public_key().public_bytes(serialization.Encoding.DER,
                                              serialization.PublicFormat.SubjectPublicKeyInfo)
        bits = parse(spki).children()[1].content[1:]
        if ski.value.digest != hashlib.sha1(bits).digest():
            yield "subject key identifier is not SHA-1 of the key (4.2.1.2 method 1)"
    if issuer is cert:
        return
    if not aki or not aki.value.key_identifier:
        yield "no authority key identifier (4.2.1.1)"
        return
    issuer_ski = get(issuer, x509.SubjectKeyIdentifier)
    if issuer_ski and aki.value.key_identifier != issuer_ski.value.digest:
        yield "authority key identifier is not the issuer's (4.2.1.1)"


def check_ca(cert, basic, usage):
    if not basic.critical:
        yield "basic constraints of a CA are not critical (4.2.1.9)"
    if not usage or not usage.value.key_cert_sign:
        yield "a CA without keyCertSign (4.2.1.3)"
    if get(cert, x509.ExtendedKeyUsage):
        yield "a CA of ours has no extended key usage"


def check_leaf(cert, basic, usage, parts):
    if usage and (usage.value.key_cert_sign or usage.value.crl_sign):
        yield "a leaf that may sign certificates or CRLs (4.2.1.3)"
    if basic and basic.value.path_length is not None:
        yield "a leaf with a path length (4.2.1.9)"
    if not isinstance(cert.public_key(), rsa.RSAPublicKey) and usage and (
            usage.value.key_encipherment or usage.value.data_encipherment):
        yield "a key that cannot encrypt has keyEncipherment (RFC 8813 3, RFC 8410 5)"
    if isinstance(cert.public_key(), ed25519.Ed25519PublicKey) and usage and (
            usage.value.key_agreement):
        yield "an Ed25519 key has keyAgreement (RFC 8410 5)"
    if not get(cert, x509.ExtendedKeyUsage):
        yield "a leaf without extended key usage"
    yield from check_alternative_names(cert, parts)


def check_usage(cert, parts):
    basic, usage = get(cert, x509.BasicConstraints), get(cert, x509.KeyUsage)
    if not usage:
        yield "no key usage"
    else:
        bits = raw_extension(parts, "2.5.29.15").content
        if len(bits) < 2 or bits[-1] == 0 or bits[-1] & -bits[-1] != 1 << bits[0]:
            yield "key usage is empty or has trailing zero bits (4.2.1.3, X.690 11.2.2)"
    if basic and basic.value.ca:
        yield from check_ca(cert, basic, usage)
    else:
        yield from check_leaf(cert, basic, usage, parts)


def check_alternative_names(cert, parts):
    san = get(cert, x509.SubjectAlternativeName)
    if not san:
        if not list(cert.subject):
            yield "neither subject nor subject alternative name (4.1.2.6)"
        return
    if san.critical != (not list(cert.subject)):
        yield "alternative name must be critical exactly when the subject is empty (4.2.1.6)"
    seen = set()
    for node in raw_extension(parts, "2.5.29.17").children():
        if (node.tag, node.content) in seen:
            yield "a name occurs twice"
        seen.add((node.tag, node.content))
        if node.tag == 0x82 and not re.fullmatch(
                rb"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*"
                rb"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", node.content):
            yield f"DNS name {node.content!r} (4.2.1.6)"
        if node.tag == 0x81 and not re.fullmatch(rb"[!-~]+@[!-~]+", node.content):
            yield f"email address {node.content!r} (4.2.1.6)"
        if node.tag == 0x86 and not re.fullmatch(rb"[a-z][a-z0-9+.-]*:[!-~]+", node.content):
            yield f"URI {node.content!r} (4.2.1.6)"
        if node.tag == 0x87 and len(node.content) not in (4, 16):
            yield f"IP address of {len(node.content)} octets (4.2.1.6)"


# --- The chain ------------------------------------------------------------------------------------


def check_signature(cert, issuer):
    key, tbs = issuer.public_key(), cert.tbs_certificate_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(cert.signature, tbs, padding.PKCS1v15(), cert.signature_hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(cert.signature, tbs, ec.ECDSA(cert.signature_hash_algorithm))
        else:
            key.verify(cert.signature, tbs)
    except InvalidSignature:
        yield "the issuer's signature does not verify"


def check_issuer(parts, cert, issuer, issuer_parts):
    if parts["issuer"].content != issuer_parts["subject"].content:
        yield "issuer is not, octet by octet, the issuer's subject (4.1.2.4, 7.1)"
    if cert.not_valid_after > issuer.not_valid_after:
        yield "valid longer than its issuer"
    basic = get(issuer, x509.BasicConstraints)
    if not basic or not basic.value.ca:
        yield "the issuer is no CA"


def check_lengths(node):
    if not node.minimal:
        yield "a length is not encoded in the shortest form (X.690 10.1)"
    if node.tag & 0x20:
        for child in node.children():
            yield from check_lengths(child)


def lint(der, issuer_der=None):
    """issuer_der None: the certificate is self-signed."""
    issuer_der = issuer_der or der
    cert = x509.load_der_x509_certificate(der)
    self_signed = der == issuer_der
    issuer = cert if self_signed else x509.load_der_x509_certificate(issuer_der)
    parts, issuer_parts = tbs_parts(der), tbs_parts(issuer_der)
    return [*check_lengths(parse(der)), *check_version_and_serial(parts, cert),
            *check_algorithms(der, parts), *check_validity(parts, cert),
            *check_names(parts, cert), *check_key(cert), *check_extensions(parts),
            *check_identifiers(cert, issuer), *check_usage(cert, parts),
            *check_signature(cert, issuer), *check_issuer(parts, cert, issuer, issuer_parts)]
