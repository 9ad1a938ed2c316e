"""What a template may put into a certificate and what nobody can put there, through the server: read
by openssl and python-cryptography.  Policies for names beyond ASCII."""

import datetime
import json
import re

import pytest
from conftest import Ca, make_csr, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID
from machine import execute

HEAD = '{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}, '


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Ca(tmp_path_factory.mktemp("ca")).start()
    yield made
    assert made.stop() == 0, made.log()


def use(ca, template=None, policy=None):
    def change(config):
        ops = config["authority"]["provisioners"][0]
        ops["options"] = {"x509": {"template": template}} if template else {}
        config["authority"]["policy"] = policy or {}
    ca.configure(change)
    assert ca.reload(), ca.log()


def issued(reply):
    assert reply.status == 201, reply.body
    return x509.load_pem_x509_certificate(reply.json()["crt"].encode())


def extension(cert, oid):
    return cert.extensions.get_extension_for_oid(oid).value


def parsed(cert, folder, *more):
    path = folder / "cert.pem"
    path.write_text(pem_of(cert))
    return execute(["openssl", "asn1parse", "-in", path, *more]).stdout


@pytest.mark.parametrize("name", [
    'x","basicConstraints":{"isCA":true},"a":"', 'x"}', "{{ .Token }}", "x\\", "x\u2028<&>'"])
def test_a_common_name_is_text_and_nothing_else(authority, name):
    use(authority)
    for template in (None, HEAD + '"keyUsage": ["digitalSignature"]}',
                     '{"subject": {{ toJson .Insecure.CR.Subject }}, "dnsNames": ["web.test"]}'):
        use(authority, template)
        _, csr = make_csr(("web.test",), common_name=name)
        cert = issued(authority.sign(authority.token(name, ["web.test"]), csr))
        names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert [n.value for n in names] == [name]
        with pytest.raises(x509.ExtensionNotFound):
            extension(cert, ExtensionOID.BASIC_CONSTRAINTS)


def test_user_data_needs_a_template_that_asks(authority):
    use(authority)
    data = {"dnsName": "x.lab.test", "sans": [{"type": "dns", "value": "evil.test"}],
            "basicConstraints": {"isCA": True}}
    cert = issued(authority.sign(templateData=data))
    names = extension(cert, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert names.get_values_for_type(x509.DNSName) == ["web.test"]
    use(authority, '{"dnsNames": [{{ toJson .Insecure.User.dnsName }}]}')
    cert = issued(authority.sign(templateData=data))
    names = extension(cert, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert names.get_values_for_type(x509.DNSName) == ["x.lab.test"]


def test_names_of_every_type(authority, tmp_path):
    sans = [{"type": "userPrincipalName", "value": "u@lab.test"},
            {"type": "permanentIdentifier", "value": "SN1"},
            {"type": "registeredID", "value": "1.2.3.4"},
            {"type": "1.2.3.9", "value": "utf8:naïve"}, {"type": "ip", "value": "10.0.0.1"},
            {"type": "uri", "value": "spiffe://lab.test/x"}, {"type": "email", "value": "a@b.test"}]
    use(authority, '{"subject": "x", "sans": %s}' % json.dumps(sans))
    cert = issued(authority.sign())
    names = extension(cert, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    others = {n.type_id.dotted_string: n.value
              for n in names.get_values_for_type(x509.OtherName)}
    assert others == {"1.3.6.1.4.1.311.20.2.3": b"\x0c\x0au@lab.test",
                      "1.3.6.1.5.5.7.8.3": b"\x30\x05\x0c\x03SN1",
                      "1.2.3.9": b"\x0c\x06" + "naïve".encode()}
    assert [n.dotted_string for n in names.get_values_for_type(x509.RegisteredID)] == ["1.2.3.4"]
    assert [str(n) for n in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert names.get_values_for_type(x509.RFC822Name) == ["a@b.test"]
    # openssl reads the same out of the octets
    where = re.search(r"X509v3 Subject Alternative Name\s*\n(?:.*BOOLEAN.*\n)?\s*(\d+):d=",
                      parsed(cert, tmp_path)).group(1)
    said = parsed(cert, tmp_path, "-strparse", where)
    assert "UTF8STRING        :u@lab.test" in said and "UTF8STRING        :SN1" in said


def test_extensions_are_byte_for_byte_what_was_built(authority):
    use(authority, HEAD + '''"extensions": [
      {"id": "1.2.3.4.5", "critical": true, "value": {{ asn1Seq (asn1Enc "int:123456")
        (asn1Enc "utf8:é") (asn1Set (asn1Enc "oid:1.2.3")) | toJson }}},
      {"id": "1.2.3.4.6", "value": {{ asn1Enc "explicit,tag:0" | toJson }}}]}''')
    cert = issued(authority.sign())
    one = cert.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.3.4.5"))
    assert one.critical and one.value.value.hex() == "300f020301e2400c02c3a9310406022a03"
    assert extension(cert, x509.ObjectIdentifier("1.2.3.4.6")).value.hex() == "a003130130"


def test_what_a_ca_below_ours_carries(authority):
    """The administrator wrote the template, so it may make one."""
    for length, expected in ((-1, None), (0, 0), (2, 2)):
        use(authority, '''{"subject": "Sub", "keyUsage": ["certSign", "crlSign"],
          "basicConstraints": {"isCA": true, "maxPathLen": %d},
          "nameConstraints": {"critical": true, "permittedDNSDomains": ["lab.test"],
            "excludedIPRanges": ["10.0.0.0/8"]},
          "policyIdentifiers": ["1.2.3.4", "2.5.29.32.0"], "ocspServer": ["http://o.test"],
          "issuingCertificateURL": "http://i.test", "crlDistributionPoints": ["http://c.test/1"]}
          ''' % length)
        cert = issued(authority.sign())
        basic = extension(cert, ExtensionOID.BASIC_CONSTRAINTS)
        assert basic.ca and basic.path_length == expected
        names = extension(cert, ExtensionOID.NAME_CONSTRAINTS)
        assert [n.value for n in names.permitted_subtrees] == ["lab.test"]
        assert [str(n.value) for n in names.excluded_subtrees] == ["10.0.0.0/8"]
        policies = extension(cert, ExtensionOID.CERTIFICATE_POLICIES)
        assert [p.policy_identifier.dotted_string for p in policies] == ["1.2.3.4", "2.5.29.32.0"]
        info = extension(cert, ExtensionOID.AUTHORITY_INFORMATION_ACCESS)
        assert [d.access_location.value for d in info] == ["http://o.test", "http://i.test"]
        (point,) = extension(cert, ExtensionOID.CRL_DISTRIBUTION_POINTS)
        assert point.full_name[0].value == "http://c.test/1"


def test_claims_outlast_a_template(authority):
    use(authority, HEAD + '"notAfter": "2999-01-01T00:00:00Z"}')
    assert authority.sign().status == 403
    use(authority, HEAD + '"notAfter": {{ now | dateModify "1h" | formatTime | toJson }}}')
    cert = issued(authority.sign())
    left = cert.not_valid_after - datetime.datetime.utcnow()
    assert left < datetime.timedelta(hours=1, minutes=1)


# --- Names beyond ASCII -----------------------------------------------------------------------------


def raw_csr(name):
    """A request whose DNS name is as it is written."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    san = x509.SubjectAlternativeName([x509.DNSName(name)])
    csr = builder.add_extension(san, False).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("rule", ["bücher.lab.test", "xn--bcher-kva.lab.test", "BÜCHER.Lab.test"])
def test_a_rule_is_the_same_in_both_forms(authority, rule):
    use(authority, policy={"x509": {"allow": {"dns": [rule, "*.web.test"]}}})
    for name, status in (("xn--bcher-kva.lab.test", 201), ("XN--BCHER-KVA.lab.test", 201),
                         ("bucher.lab.test", 403), ("_sip.web.test", 403), ("a.web.test", 201),
                         ("a.b.web.test", 403), ("*.web.test", 403)):
        reply = authority.sign(authority.token(name, [name]), raw_csr(name))
        assert reply.status == status, (name, reply.body)
    use(authority, policy={"x509": {"deny": {"dns": [rule]}}})
    for name, status in (("xn--bcher-kva.lab.test", 403), ("XN--BCHER-KVA.LAB.test", 403),
                         ("bucher.lab.test", 201)):
        reply = authority.sign(authority.token(name, [name]), raw_csr(name))
        assert reply.status == status, (name, reply.body)


@pytest.mark.parametrize("kind,rules,good,bad", [
    ("ip", ["10.1.0.0/16", "fd00::/8"], ["10.1.2.3", "fd00::1", "::ffff:10.1.0.1"],
     ["10.2.0.1", "fe80::1"]),
    ("email", ["@lab.test", "root@x.test"], ["a@lab.test", "a@LAB.test", "root@x.test"],
     ["a@b.lab.test", "Root@x.test", "toor@x.test"]),
    ("uri", ["*.lab.test"], ["https://a.lab.test:444/x?y", "spiffe://A.lab.test"],
     ["https://lab.test", "https://10.0.0.1/", "https://a.b.lab.test", "urn:uuid:x"])])
def test_rules_of_every_kind(authority, kind, rules, good, bad):
    use(authority, policy={"x509": {"allow": {"cn": ["sub"], kind: rules}}})
    for names, status in ((good, 201), (bad, 403)):
        for name in names:
            reply = sign_one(authority, kind, name)
            assert reply.status == status, (name, reply.body)
    # a kind without a rule is shut out by the rules for others
    assert sign_one(authority, "dns", "a.lab.test").status == 403
    use(authority, policy={"x509": {"deny": {kind: rules}}})
    for name in good:
        assert sign_one(authority, kind, name).status == 403, name
    assert sign_one(authority, "dns", "a.lab.test").status == 201


def sign_one(ca, kind, name):
    """By a template, which names what no token would: the final certificate is judged."""
    _, csr = make_csr((), common_name="sub")
    names = {"ip": "ipAddresses", "email": "emailAddresses", "uri": "uris", "dns": "dnsNames"}[kind]
    options = {"x509": {"template": '{"subject": "sub", "%s": [{{ toJson .Insecure.User.n }}]}'
                        % names}}
    if ca.config()["authority"]["provisioners"][0].get("options") != options:
        ca.configure(lambda c: c["authority"]["provisioners"][0].update(options=options))
        assert ca.reload(), ca.log()
    return ca.sign(ca.token("sub", []), csr, templateData={"n": name})
