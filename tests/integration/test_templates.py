"""Certificate templates through the real server and the real client, judged by openssl and
python-cryptography."""

import base64
import json
import subprocess

import pytest
from conftest import Ca, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID, NameOID

ROOT = """{"subject": {{ toJson .Subject }}, "keyUsage": ["certSign", "crlSign"],
 "basicConstraints": {"isCA": true, "maxPathLen": 2}}"""
INTERMEDIATE = """{"subject": {{ toJson .Subject }}, "keyUsage": ["certSign", "crlSign"],
 "basicConstraints": {"isCA": true, "maxPathLen": {{ int .Insecure.User.length }}},
 "nameConstraints": {"critical": true, "permittedDNSDomains": ["test"]}}"""
CODE = """{"subject": {"commonName": {{ toJson .Subject.CommonName }},
  "organization": {{ toJson .Insecure.User.organization }}},
 "dnsNames": {{ toJson .Insecure.User.names }}, "keyUsage": "digitalSignature",
 "extKeyUsage": ["codeSigning"],
 "extensions": [{"id": "1.2.3.4.5", "critical": false,
   "value": {{ asn1Seq (asn1Enc "hello") (asn1Enc "int:5") | toJson }}}]}"""
RICH = """{"subject": {"commonName": {{ toJson .Subject.CommonName }},
  "organizationalUnit": {{ toJson .team }}},
 "sans": {{ toJson .SANs }},
 "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"],
 "ocspServer": "http://ocsp.test", "crlDistributionPoints": ["http://crl.test/1.crl"],
 "policyIdentifiers": ["1.2.3.4"],
 {{- with .Insecure.User.note }}
 "extensions": [{"id": "1.2.3.9", "value": {{ asn1Enc (printf "utf8:%s" .) | toJson }}}],
 {{- end }}
 "basicConstraints": {"isCA": false}}"""
REFUSES = """{{ if eq .Subject.CommonName "forbidden.test" -}}
{{ fail "forbidden.test is not served on weekdays" }}{{ end -}}
{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}}"""


def options_of(config, number=0):
    return config["authority"]["provisioners"][number].setdefault("options", {})


@pytest.fixture(scope="module")
def templated(tmp_path_factory):
    ca = Ca(tmp_path_factory.mktemp("templated")).start()
    yield ca
    assert ca.stop() == 0, ca.log()
    for trouble in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
        assert trouble not in ca.log()


def use(ca, **x509_options):
    ca.configure(lambda c: options_of(c).update(x509=x509_options))
    assert ca.reload()


def certificate(reply):
    assert reply.status == 201, (reply.status, reply.body)
    return x509.load_pem_x509_certificate(reply.json()["crt"].encode())


def value(cert, oid):
    return cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value


def common_name(cert):
    return cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


# --- step certificate create ----------------------------------------------------------------------


def create(ca, name, file, template, *more, ok=True, key=True):
    path = ca.folder / f"{file}.tpl"
    path.write_text(template)
    made = [f"{file}.key"] if key else []
    return ca.step("certificate", "create", name, f"{file}.crt", *made, "--template", path,
                   "--no-password", "--insecure", "--force", *more, ok=ok)


def test_a_code_signing_chain_of_three_levels(templated):
    ca = templated
    by = ("--not-after", "8760h", "--ca")
    create(ca, "Example Root", "root", ROOT, "--not-after", "87600h")
    create(ca, "Upper", "upper", INTERMEDIATE, "--set", "length=1", *by, "root.crt", "--ca-key",
           "root.key")
    create(ca, "Lower", "lower", INTERMEDIATE, "--set", "length=0", *by, "upper.crt", "--ca-key",
           "upper.key")
    data = ca.folder / "user.json"
    data.write_text(json.dumps({"organization": "wrong", "names": ["tools.test"]}))
    create(ca, "Release Team", "code", CODE, "--set-file", data, "--set", "organization=Example",
           "--ca", "lower.crt", "--ca-key", "lower.key")
    (ca.folder / "middle.crt").write_text((ca.folder / "lower.crt").read_text() +
                                          (ca.folder / "upper.crt").read_text())
    done = subprocess.run(["openssl", "verify", "-CAfile", "root.crt", "-untrusted", "middle.crt",
                           "-purpose", "any", "code.crt"], cwd=ca.folder, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    code = x509.load_pem_x509_certificate((ca.folder / "code.crt").read_bytes())
    assert code.subject.rfc4514_string() == "CN=Release Team,O=Example"
    assert [u.dotted_string for u in value(code, "2.5.29.37")] == ["1.3.6.1.5.5.7.3.3"]
    assert value(code, "1.2.3.4.5").value == bytes.fromhex("300a130568656c6c6f020105")
    upper = x509.load_pem_x509_certificate((ca.folder / "upper.crt").read_bytes())
    assert upper.extensions.get_extension_for_oid(ExtensionOID.NAME_CONSTRAINTS).critical
    assert value(upper, "2.5.29.19").path_length == 1


def test_names_beyond_the_constraints_of_the_issuer_are_refused(templated):
    done = create(templated, "Other", "other", CODE, "--set", 'names=["tools.example"]', "--set",
                  "organization=x", "--ca", "lower.crt", "--ca-key", "lower.key", ok=False)
    assert done.returncode == 1 and "tools.example" in done.stderr
    assert not (templated.folder / "other.crt").exists()


@pytest.mark.parametrize("template, words", [
    ("{{ .Subject }", ["template:1:"]), ("{{ nope }}", ["nope"]),
    ('{{ fail "not today" }}', ["not today"]), ("[]", ["expected an object"]),
    ('{"keyUsage": "all"}', ["all"]), ("{{ template \"x\" }}", ["x"])])
def test_a_template_that_makes_no_certificate_is_named(templated, template, words):
    done = create(templated, "x", "broken", template, ok=False)
    assert done.returncode == 1
    for word in ["broken.tpl", *words]:
        assert word in done.stderr, done.stderr
    assert not (templated.folder / "broken.crt").exists()


END = "-----END CERTIFICATE-----\n"


def sign(ca, template, *more, ok=True):
    (ca.folder / "sign.tpl").write_text(template)
    if not (ca.folder / "dept.csr").exists():
        create(ca, "Signer", "signer", ROOT, "--not-after", "87600h")
        ca.step("certificate", "create", "--csr", "dept.test", "dept.csr", "dept.key", "--san",
                "a.test", "--san", "10.0.0.1", "--no-password", "--insecure")
    return ca.step("certificate", "sign", "--template", "sign.tpl", *more, "dept.csr", "signer.crt",
                   "signer.key", ok=ok)


def test_a_request_is_signed_by_a_template(templated):
    done = sign(templated, """{"subject": {"commonName": {{ toJson .Subject.CommonName }},
      "organizationalUnit": {{ toJson .Insecure.User.unit }}}, "sans": {{ toJson .SANs }},
      "notAfter": "2031-01-01T00:00:00Z", "basicConstraints": {"isCA": true,
      "maxPathLen": {{ .MaxPathLen }}}, "keyUsage": ["certSign"]}""", "--path-len", "1", "--set",
                'unit=["x", "y"]', "--bundle")
    cert, root = (x509.load_pem_x509_certificate((part + END).encode())
                  for part in done.stdout.split(END)[:-1])
    units = cert.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert common_name(cert) == "dept.test" and sorted(u.value for u in units) == ["x", "y"]
    assert [str(n.value) for n in value(cert, "2.5.29.17")] == ["a.test", "10.0.0.1"]
    assert value(cert, "2.5.29.19").path_length == 1
    assert cert.not_valid_after.year == 2031
    assert cert.issuer == root.subject
    key = x509.load_pem_x509_csr((templated.folder / "dept.csr").read_bytes()).public_key()
    assert cert.public_key().public_numbers() == key.public_numbers()
    limited = sign(templated, '{"subject": "x", "notAfter": "2031-01-01T00:00:00Z"}',
                   "--not-after", "1h")
    cert = x509.load_pem_x509_certificate(limited.stdout.encode())
    assert (cert.not_valid_after - cert.not_valid_before).total_seconds() == 3600


@pytest.mark.parametrize("template, more, words", [
    ('{"subject": "x", "basicConstraints": {"isCA": true, "maxPathLen": 2}}', [], "path length"),
    ('{"subject": "x", "basicConstraints": {"isCA": true, "maxPathLen": -1}}', [], "path length"),
    ('{{ fail "not today" }}', [], "not today"), ("{{ .x | foo }}", [], "foo"),
    ('{"subject": 1}', [], "sign.tpl"),
    ('{"subject": "x"}', ["--profile", "leaf"],
     "flag '--profile' is incompatible with '--template'"),
    ('{"subject": "x"}', ["--set", "novalue"], "--set")])
def test_signing_by_a_template_is_refused(templated, template, more, words):
    done = sign(templated, template, *more, ok=False)
    assert done.returncode == 1 and not done.stdout and words in done.stderr, done.stderr


def test_a_request_by_a_template(templated):
    create(templated, "Signer", "signer", ROOT, "--not-after", "87600h")
    create(templated, "web.test", "wish", """{"subject": {{ toJson .Subject }},
      "dnsNames": ["{{ .Insecure.User.name }}"], "keyUsage": ["digitalSignature"],
      "extKeyUsage": ["codeSigning"], "extensions": [{"id": "1.2.3.4", "value": "BQA="}]}""",
           "--csr", "--set", "name=b.test")
    csr = x509.load_pem_x509_csr((templated.folder / "wish.crt").read_bytes())
    assert csr.is_signature_valid and common_name(csr) == "web.test"
    assert [n.value for n in value(csr, "2.5.29.17")] == ["b.test"]
    assert {x.oid.dotted_string for x in csr.extensions} == {"2.5.29.15", "2.5.29.37", "2.5.29.17",
                                                             "1.2.3.4"}
    create(templated, "x", "weak", '{"signatureAlgorithm": "SHA256-RSA"}', "--csr", ok=False)
    # A key that cannot sign a request of its own: the template sees an empty one.
    templated.step("crypto", "key", "public", "wish.key", "--out", "wish.pub", "--force")
    create(templated, "late.test", "late",
           '{"subject": {{ .Insecure.CR.PublicKeyAlgorithm | toString | toJson }}}',
           "--key", "wish.pub", "--skip-csr-signature", "--ca", "signer.crt", "--ca-key",
           "signer.key", key=False)
    late = x509.load_pem_x509_certificate((templated.folder / "late.crt").read_bytes())
    assert common_name(late) == "ECDSA" and (
        late.public_key().public_numbers() == csr.public_key().public_numbers())


def test_template_and_profile_exclude_each_other(templated):
    done = create(templated, "x", "both", ROOT, "--profile", "leaf", ok=False)
    assert done.returncode != 0 and "--profile" in done.stderr


# --- The server -----------------------------------------------------------------------------------


def rich(cert, note=None):
    assert common_name(cert) == "web.test"
    units = cert.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert sorted(u.value for u in units) == ["Ops", "Platform"]
    assert value(cert, "2.5.29.17").get_values_for_type(x509.DNSName) == ["web.test"]
    assert value(cert, "2.5.29.31")[0].full_name[0].value == "http://crl.test/1.crl"
    assert value(cert, "2.5.29.32")[0].policy_identifier.dotted_string == "1.2.3.4"
    if note:
        assert value(cert, "1.2.3.9").value == bytes([12, len(note)]) + note.encode()
    else:
        with pytest.raises(x509.ExtensionNotFound):
            value(cert, "1.2.3.9")


def test_a_template_inline_and_in_base64(templated):
    for text in (RICH, " \n" + RICH, base64.b64encode(RICH.encode()).decode()):
        use(templated, template=text, templateData={"team": ["Platform", "Ops"]})
        rich(certificate(templated.sign()))
        rich(certificate(templated.sign(templateData={"note": "from curl"})), "from curl")


def test_user_data_of_the_client(templated):
    use(templated, template=RICH, templateData={"team": ["Platform", "Ops"]})
    crt, _ = templated.issue("web.test", None, "--set", "note=by set")
    rich(x509.load_pem_x509_certificate(crt.read_bytes()), "by set")
    data = templated.folder / "note.json"
    data.write_text('{"note": "by file"}')
    crt, _ = templated.issue("web.test", None, "--set-file", data)
    rich(x509.load_pem_x509_certificate(crt.read_bytes()), "by file")


def test_what_a_client_says_cannot_leave_its_place(templated):
    use(templated, template='{"subject": {{ toJson .Insecure.User.name }}}')
    evil = 'x", "basicConstraints": {"isCA": true}, "y": "'
    cert = certificate(templated.sign(templateData={"name": evil}))
    assert common_name(cert) == evil
    with pytest.raises(x509.ExtensionNotFound):
        value(cert, "2.5.29.19")


def test_a_template_file_is_read_for_each_request(templated):
    path = templated.path / "templates/leaf.tpl"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    use(templated, templateFile="templates/leaf.tpl")
    assert "templates/leaf.tpl" in templated.log()
    reply = templated.sign()
    assert reply.status == 500 and "leaf.tpl" not in reply.body.decode()
    path.write_text('{"subject": "one"}')
    assert common_name(certificate(templated.sign())) == "one"
    path.write_text('{"subject": "two"}')
    assert common_name(certificate(templated.sign())) == "two"
    path.write_text('{"subject": {{ }}')
    assert templated.sign().status == 500
    path.write_text('{"subject": "three"}')
    assert common_name(certificate(templated.sign())) == "three"


def test_a_template_refuses_with_its_own_words(templated):
    use(templated, template=REFUSES)
    assert templated.sign().status == 201
    _, csr = make_csr(("forbidden.test",))
    reply = templated.sign(templated.token("forbidden.test"), csr)
    assert reply.status == 400
    assert "forbidden.test is not served on weekdays" in reply.json()["message"]


@pytest.mark.parametrize("template, words", [
    ("{{ .Subject.Nobody }}", []), ("{{ bcrypt \"x\" }}", []), ("{{", []), ("%%%", []),
    ("{\"subject\":", ["error applying certificate template"]),
    ("{\"keyUsage\": \"all\"}", ["error applying certificate template", "all"]),
    ("{{ range until 1000000000 }}x{{ end }}", []),
    ("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}", []),
    ("{{ repeat 100000000 \"x\" }}", [])])
def test_what_does_not_work_is_the_servers_mistake(templated, template, words):
    use(templated, template=template)
    reply = templated.sign()
    assert reply.status == 500, reply.body
    for word in words:
        assert word in reply.json()["message"]
    use(templated, template='{"subject": "still here"}')
    assert common_name(certificate(templated.sign())) == "still here"


GENERATES = """{{ $ca := genCA "My CA" 365 -}}
{{ $leaf := genSignedCert "srv" (list "10.0.0.1") (list "a.test" "b.test") 30 $ca -}}
{{ $own := genSelfSignedCertWithKey "self" nil nil 3 (genPrivateKey "ecdsa") -}}
{"subject": "x", "extensions": [{"id": "1.2.3.9",
  "value": {{ print $ca.Cert $leaf.Cert $own.Cert $leaf.Key $own.Key | b64enc | toJson }}}]}"""
ADDRESS = """{"subject": {{ getHostByName "localhost" | toJson }}}"""
GENERATING = ["genCA", "genSignedCert", "genSelfSignedCertWithKey", "genPrivateKey",
              "getHostByName"]


def test_functions_that_make_certificates_are_allowed_by_name(templated):
    use(templated, template=GENERATES)
    assert templated.sign().status == 500
    templated.wait_log("authority.templateFunctions")
    templated.configure(lambda c: c["authority"].update(templateFunctions=GENERATING))
    try:
        use(templated, template=GENERATES)
        text = value(certificate(templated.sign()), "1.2.3.9").value.decode()
        made = [x509.load_pem_x509_certificate((part + END).encode())
                for part in text.split(END)[:-1]]
        assert [common_name(c) for c in made] == ["My CA", "srv", "self"]
        assert made[1].issuer == made[0].subject and value(made[0], "2.5.29.19").ca
        assert not value(made[1], "2.5.29.19").ca
        assert {str(n.value) for n in value(made[1], "2.5.29.17")} == {"10.0.0.1", "a.test",
                                                                        "b.test"}
        assert (made[1].not_valid_after - made[1].not_valid_before).days == 30
        for name, cert in zip(("ca", "leaf"), made):
            (templated.folder / f"made-{name}.crt").write_bytes(
                cert.public_bytes(serialization.Encoding.PEM))
        done = subprocess.run(["openssl", "verify", "-CAfile", "made-ca.crt", "made-leaf.crt"],
                              cwd=templated.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        rest = text.split(END)[-1]
        assert "BEGIN RSA PRIVATE KEY" in rest and "BEGIN EC PRIVATE KEY" in rest
        use(templated, template=ADDRESS)
        assert common_name(certificate(templated.sign())) in ("127.0.0.1", "::1")
    finally:
        templated.configure(lambda c: c["authority"].pop("templateFunctions"))


def test_functions_that_cost_are_allowed_by_name(templated):
    text = '{"subject": {{ htpasswd "kim" "secret" | toJson }}}'
    templated.configure(lambda c: c["authority"].update(templateFunctions=["htpasswd"]))
    use(templated, template=text)
    assert common_name(certificate(templated.sign())).startswith("kim:$2")
    templated.configure(lambda c: c["authority"].update(templateFunctions=["exec"]))
    assert not templated.reload()
    assert "authority.templateFunctions" in templated.log()
    templated.configure(lambda c: c["authority"].pop("templateFunctions"))
    assert templated.reload()
    assert templated.sign().status == 500


def test_claims_bound_what_a_template_asks_for(templated):
    use(templated, template='{"subject": "a", "notAfter": "2099-01-01T00:00:00Z"}')
    assert templated.sign().status == 403
    use(templated, template='{"subject": "a", "notAfter": '
                            '{{ now | mustDateModify "1h" | formatTime | toJson }}}')
    cert = certificate(templated.sign())
    assert 3600 < (cert.not_valid_after - cert.not_valid_before).total_seconds() < 3700


def test_a_provisioner_gets_its_template_by_command(make_ca):
    ca = make_ca()
    template, data = ca.folder / "t.tpl", ca.folder / "t.json"
    template.write_text(RICH)
    data.write_text('{"team": ["Platform", "Ops"]}')
    ca.step("ca", "provisioner", "update", "ops", "--x509-template", template,
            "--x509-template-data", data, "--ca-config", ca.config_path)
    assert options_of(ca.config())["x509"] == {"template": RICH,
                                               "templateData": {"team": ["Platform", "Ops"]}}
    ca.start()
    rich(certificate(ca.sign()))
    template.write_text("{{ nope }}")
    done = ca.step("ca", "provisioner", "update", "ops", "--x509-template", template,
                   "--ca-config", ca.config_path, ok=False)
    assert done.returncode == 1 and "nope" in done.stderr and "t.tpl" in done.stderr
    ca.step("ca", "provisioner", "update", "ops", "--x509-template", "", "--x509-template-data",
            "", "--ca-config", ca.config_path)
    assert options_of(ca.config())["x509"] == {}
    assert ca.reload()
    assert len(certificate(ca.sign()).subject) == 1
