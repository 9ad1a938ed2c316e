"""Policies: `step ca policy` edits them, and the server judges by them: of the authority, of one
provisioner, and of the account of one external account key."""

import json

import pytest
from acme_lab import Client, Lab, acme_csr, jws, problem, public_jwk, unb64url
from conftest import Ca, make_csr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sql_servers import KINDS, missing
from test_sql_databases import use

EMPTY = {"allow": {}, "deny": {}}


def policy(ca, *words, level="authority", ok=True):
    """step ca policy: what it prints as JSON, or the finished process where it has to fail."""
    done = ca.step("ca", "policy", level, *words, "--ca-config", ca.config_path, ok=ok)
    return json.loads(done.stdout) if ok else done


def stored(ca):
    return ca.config()["authority"].get("policy")


def options(ca, index=0):
    return ca.config()["authority"]["provisioners"][index].get("options", {}).get("policy")


def request_for(names, common_name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def sign(ca, *sans, subject=None):
    """A certificate with these names by a token for them."""
    subject = subject if subject is not None else sans[0]
    _, csr = make_csr(names=(), common_name=subject)
    return ca.sign(ca.token(subject, list(sans)), csr)


# --- The commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """An authority that does not run: its file is what matters."""
    return Ca(tmp_path_factory.mktemp("quiet"), ("--acme",))


@pytest.fixture
def file(quiet):
    before = quiet.config_path.read_text()
    yield quiet
    quiet.config_path.write_text(before)


def test_a_policy_is_made_shown_and_removed(file):
    none = file.step("ca", "policy", "authority", "view", "--ca-config", file.config_path)
    assert none.stdout == "certificate issuance policy does not exist\n"
    file.configure(lambda c: c["authority"].update(note={"kept": 1}))
    shown = file.step("ca", "policy", "authority", "x509", "allow", "dns", "*.lab.test",
                      "--ca-config", file.config_path)
    assert shown.stdout == """{
   "x509": {
      "allow": {
         "dns": [
            "*.lab.test"
         ]
      },
      "deny": {}
   },
   "ssh": {
      "host": {
         "allow": {},
         "deny": {}
      },
      "user": {
         "allow": {},
         "deny": {}
      }
   }
}
"""
    assert "SIGHUP" in shown.stderr
    assert stored(file) == {"x509": {"allow": {"dns": ["*.lab.test"]}}}
    assert file.config()["authority"]["note"] == {"kept": 1}
    policy(file, "x509", "deny", "dns", "bad.lab.test", "worse.lab.test")
    assert policy(file, "x509", "wildcards", "allow")["x509"]["allowWildcardNames"] is True
    assert policy(file, "view") == {
        "x509": {"allow": {"dns": ["*.lab.test"]},
                 "deny": {"dns": ["bad.lab.test", "worse.lab.test"]}, "allowWildcardNames": True},
        "ssh": {"host": EMPTY, "user": EMPTY}}
    policy(file, "x509", "wildcards", "deny")
    policy(file, "x509", "deny", "dns", "BAD.lab.test", "worse.lab.test", "--remove")
    assert stored(file) == {"x509": {"allow": {"dns": ["*.lab.test"]}}}
    gone = file.step("ca", "policy", "authority", "remove", "--ca-config", file.config_path)
    assert gone.stdout == "policy deleted\n" and stored(file) is None
    again = policy(file, "remove", ok=False)
    assert again.returncode == 1 and "does not exist" in again.stderr


def test_every_list_has_its_command(file):
    names = {"cn": ["Lab Root"], "dns": ["*.lab.test"], "ip": ["10.1.0.0/16"],
             "email": ["@lab.test"], "uri": ["*.lab.test"], "principal": ["kim"]}
    shown = {"cn": "commonNames", "dns": "dns", "ip": "ips", "email": "emails", "uri": "uris",
             "principal": "principals"}
    uses = {("x509",): ["cn", "dns", "ip", "email", "uri"],
            ("ssh", "host"): ["dns", "ip", "principal"], ("ssh", "user"): ["email", "principal"]}
    for use, kinds in uses.items():
        for side in ("allow", "deny"):
            for kind in kinds:
                out = policy(file, *use, side, kind, *names[kind])
                for word in use:
                    out = out[word]
                assert out[side][shown[kind]] == names[kind], (use, side, kind)
    want = {kind: names[kind] for kind in uses["x509",]}
    assert stored(file)["x509"] == {"allow": want, "deny": want}
    for use, kinds in uses.items():
        for side in ("allow", "deny"):
            for kind in kinds:
                policy(file, *use, side, kind, *names[kind], "--remove")
    assert stored(file) is None


def test_a_rule_twice_is_one(file):
    policy(file, "x509", "allow", "dns", "a.test", "b.test", "A.test")
    before = file.config_path.read_text()
    again = file.step("ca", "policy", "authority", "x509", "allow", "dns", "b.test", "--ca-config",
                      file.config_path)
    assert "'b.test' is there already" in again.stderr
    assert file.config_path.read_text() == before
    assert stored(file) == {"x509": {"allow": {"dns": ["a.test", "b.test"]}}}
    absent = file.step("ca", "policy", "authority", "x509", "deny", "dns", "b.test", "--remove",
                       "--ca-config", file.config_path)
    assert "'b.test' is not in the list" in absent.stderr
    assert file.config_path.read_text() == before


@pytest.mark.parametrize("words", [
    ("x509", "allow", "dns", "a..b"), ("x509", "allow", "dns", "good.test", "a.*.b"),
    ("x509", "deny", "ip", "10.0.0.0/33"), ("x509", "allow", "email", "a@b@c"),
    ("x509", "allow", "uri", "https://a.test"), ("x509", "allow", "cn", "*"),
    ("x509", "allow", "dns", ""), ("ssh", "host", "allow", "ip", "nowhere"),
    ("ssh", "user", "deny", "email", "*"), ("x509", "deny", "dns", "foo.com."),
    ("x509", "deny", "email", "*@foo.com"), ("ssh", "user", "deny", "email", "*@foo.com"),
    ("x509", "deny", "uri", "foo.com.")])
def test_a_bad_rule_changes_nothing(file, words):
    before = file.config_path.read_text()
    for level, more in (("authority", ()), ("provisioner", ("--provisioner", "ops"))):
        refused = policy(file, *words, *more, level=level, ok=False)
        assert refused.returncode == 1 and refused.stdout == ""
        assert words[-1] in refused.stderr and "policy." in refused.stderr
        assert file.config_path.read_text() == before


def test_warnings_tell_what_is_shut_out(file):
    def warnings(*words):
        done = file.step("ca", "policy", "authority", *words, "--ca-config", file.config_path)
        return [line for line in done.stderr.splitlines() if line.startswith("warning:")]

    assert warnings("x509", "deny", "dns", "bad.test") == []
    one = warnings("x509", "allow", "dns", "*.lab.test")
    assert len(one) == 1 and "ip, email, uri" in one[0] and "common name" in one[0]
    assert warnings("x509", "allow", "dns", "more.test") == []  # said before
    assert "email, uri" in warnings("x509", "allow", "ip", "10.0.0.0/8")[0]
    assert "'bad.test' is allowed and denied" in warnings("x509", "allow", "dns", "bad.test")[0]


def test_a_provisioner_has_its_own(file):
    need = policy(file, "view", level="provisioner", ok=False)
    assert need.returncode == 1 and "'--provisioner'" in need.stderr
    unknown = policy(file, "view", "--provisioner", "nobody", level="provisioner", ok=False)
    assert unknown.returncode == 1 and "nobody" in unknown.stderr
    policy(file, "x509", "allow", "dns", "*.lab.test", "--provisioner", "ops", level="provisioner")
    policy(file, "x509", "deny", "ip", "10.0.0.0/8", "--provisioner", "acme", level="provisioner")
    assert options(file, 0) == {"x509": {"allow": {"dns": ["*.lab.test"]}}}
    assert options(file, 1) == {"x509": {"deny": {"ip": ["10.0.0.0/8"]}}}
    assert stored(file) is None
    file.step("ca", "policy", "provisioner", "remove", "--provisioner", "ops", "--ca-config",
              file.config_path)
    assert options(file, 0) is None and options(file, 1) is not None


def test_a_bad_rule_of_a_provisioner_is_a_configuration_error(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c["authority"]["provisioners"][0].setdefault("options", {}).update(
        policy={"x509": {"allow": {"dns": ["a..b"]}}}))
    ca.start(wait=False)
    assert ca.process.wait(timeout=30) != 0
    ca.process = None
    assert "options.policy.x509.allow" in ca.log() and "a..b" in ca.log()
    assert "authority.provisioners[0]" in ca.log()


# --- By token -------------------------------------------------------------------------------------


LAB = [("allow", "dns", "*.lab.test", "one.test"), ("allow", "ip", "10.1.0.0/16"),
       ("allow", "email", "@lab.test"), ("allow", "uri", "*.lab.test"),
       ("allow", "cn", "Lab Root"), ("deny", "dns", "bad.lab.test"), ("deny", "ip", "10.1.9.9"),
       ("deny", "email", "root@lab.test"), ("deny", "uri", "bad.lab.test"), ("deny", "cn", "one.test")]
GOOD = ["a.lab.test", "10.1.2.3", "kim@lab.test", "https://web.lab.test/x"]
BAD = ["a.other.test", "bad.lab.test", "lab.test", "a.b.lab.test", "*.lab.test", "10.2.0.1",
       "10.1.9.9", "fd00::1", "kim@other.test", "root@lab.test", "https://other.test/",
       "https://bad.lab.test/", "https://10.1.2.3/"]


def judge_names(ca):
    for name in GOOD:
        reply = sign(ca, name)
        assert reply.status == 201, (name, reply.body)
    assert sign(ca, *GOOD).status == 201
    for name in BAD:
        for reply in (sign(ca, name), sign(ca, "a.lab.test", name)):
            assert reply.status == 403, (name, reply.status, reply.body)
            assert name.encode() in reply.body, reply.body
    assert sign(ca, "a.lab.test", subject="Lab Root").status == 201
    for subject in ("one.test", "other", "a.other.test"):
        reply = sign(ca, "a.lab.test", subject=subject)
        assert reply.status == 403 and subject.encode() in reply.body, reply.body


@pytest.mark.parametrize("level,more", [("authority", ()), ("provisioner", ("--provisioner", "ops"))])
def test_names_are_judged_at_signing(make_ca, level, more):
    ca = make_ca().start()
    assert sign(ca, "a.other.test").status == 201
    crt, key = ca.issue("before.other.test")
    for side, kind, *names in LAB:
        policy(ca, "x509", side, kind, *names, *more, level=level)
    assert sign(ca, "a.other.test").status == 201  # not yet read
    assert ca.reload()
    judge_names(ca)
    renewed = ca.request("POST", "/1.0/renew", cert=crt, key=key)
    assert renewed.status == 201, renewed.body
    refused = ca.step("ca", "certificate", "a.other.test", "x.crt", "x.key", "--provisioner", "ops",
                      "--provisioner-password-file", ca.password_file, ok=False)
    assert refused.returncode == 1 and "not allowed" in refused.stderr
    policy(ca, "x509", "wildcards", "allow", *more, level=level)
    assert ca.reload()
    assert sign(ca, "*.lab.test").status == 201
    assert sign(ca, "*.other.test").status == 403
    assert "policy" not in ca.request("GET", "/provisioners").body.decode()
    ca.step("ca", "policy", level, "remove", "--ca-config", ca.config_path, *more)
    assert ca.reload()
    assert sign(ca, "a.other.test").status == 201


def test_a_denied_name_cannot_be_spelled_otherwise(make_ca):
    ca = make_ca()
    for kind, name in (("dns", "foo.com"), ("email", "a@foo.com"), ("uri", "foo.com")):
        policy(ca, "x509", "deny", kind, name)
    ca.start()
    for name in ("foo.com", "foo.com.", "a@foo.com.", '"\\a"@foo.com', "https://foo.com./x", "x y",
                 "foo..com"):
        for reply in (sign(ca, "bar.com", name), sign(ca, "bar.com", subject=name)):
            assert reply.status == 403, (name, reply.status, reply.body)
    assert sign(ca, "bar.com", "b@foo.com", "https://bar.com/").status == 201


def test_a_name_passes_both_policies(make_ca):
    ca = make_ca()
    policy(ca, "x509", "allow", "dns", "*.lab.test", "*.web.test")
    policy(ca, "x509", "allow", "dns", "*.lab.test", "*.own.test", "--provisioner", "ops",
           level="provisioner")
    ca.start()
    assert sign(ca, "a.lab.test").status == 201
    assert sign(ca, "a.web.test").status == 403
    assert sign(ca, "a.own.test").status == 403


def test_a_bad_policy_does_not_replace_a_good_one(make_ca):
    ca = make_ca()
    policy(ca, "x509", "allow", "dns", "*.lab.test")
    ca.start()
    ca.configure(lambda c: c["authority"]["policy"]["x509"]["allow"]["dns"].append("a..b"))
    assert not ca.reload()
    assert sign(ca, "a.lab.test").status == 201 and sign(ca, "a.other.test").status == 403
    blocked = policy(ca, "x509", "allow", "dns", "c.test", ok=False)
    assert blocked.returncode == 1 and "a..b" in blocked.stderr


# --- ACME -----------------------------------------------------------------------------------------


PROVISIONERS = [{"type": "ACME", "name": "own", "options": {"policy": {"x509": {
                     "allow": {"dns": ["*.own.test", "shared.test"], "ip": ["127.0.0.0/8"]},
                     "deny": {"dns": ["no.own.test"]}}}}},
                {"type": "ACME", "name": "bound", "requireEAB": True}]
POLICY = {"x509": {"deny": {"dns": ["denied.own.test", "denied.test"], "ip": ["127.0.0.9"]}}}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    made = Lab(lambda *args: Ca(folder / "ca", args), folder, PROVISIONERS, POLICY)
    yield made
    assert made.ca.stop() == 0, made.ca.log()
    made.stop()
    for trouble in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
        assert trouble not in made.ca.log()


def refused(client, *names):
    """An order for these names is refused because of the last."""
    ids = [{"type": n[0], "value": n[1]} if isinstance(n, tuple) else {"type": "dns", "value": n}
           for n in names]
    body = problem(client.post("/new-order", {"identifiers": ids}), 403, "rejectedIdentifier",
                   ids[-1]["value"])
    assert body["subproblems"][0]["identifier"] == ids[-1]


def test_orders_are_judged_by_provisioner_and_authority(lab):
    own, usual = Client(lab.ca, "own"), Client(lab.ca)
    for name in ("a.own.test", "shared.test", ("ip", "127.0.0.1")):
        own.certificate(lab.web, name)
    for name in ("a.other.test", "no.own.test", "*.own.test", "denied.own.test", ("ip", "10.0.0.1"),
                 ("ip", "127.0.0.9")):
        refused(own, name)
        refused(own, "a.own.test", name)
    usual.certificate(lab.web, "a.other.test")
    usual.certificate(lab.web, "no.own.test")
    refused(usual, "denied.test")
    own.close()
    usual.close()


def test_finalizing_judges_once_more(make_ca, tmp_path):
    lab = Lab(lambda *args: make_ca(*args), tmp_path)
    client = Client(lab.ca)
    order = client.order("late.test")
    order.prove(lab.web)
    policy(lab.ca, "x509", "deny", "dns", "late.test", "--provisioner", "acme",
           level="provisioner")
    assert lab.ca.reload()
    csr, _ = acme_csr(["late.test"])
    reply = order.finalize(csr)
    assert reply.status == 403 and b"late.test" in reply.body, reply.body
    lab.stop()


def new_key(lab, *reference):
    return json.loads(lab.ca.step("ca", "acme", "eab", "add", "bound", *reference, "--json").stdout)


def bound_client(lab, key):
    client = Client(lab.ca, "bound", account=False)
    url = client.url + "/new-account"
    binding = jws(unb64url(key["hmacKey"]), {"alg": "HS256", "kid": key["id"], "url": url},
                  public_jwk(client.key))
    assert client.register(externalAccountBinding=binding).status == 201
    return client


def key_policy(lab, *words, ok=True, **key):
    flags = ["--eab-key-id", key["id"]] if "id" in key else ["--eab-key-reference",
                                                             key["reference"]]
    done = lab.ca.step("ca", "policy", "acme", *words, "--provisioner", "bound", *flags,
                       "--ca-config", lab.ca.config_path, ok=ok)
    return json.loads(done.stdout) if ok else done


def test_a_key_carries_a_policy_for_its_account(lab):
    key = new_key(lab, "web01")
    assert key_policy(lab, "x509", "allow", "dns", "*.web.test", reference="web01") == {
        "x509": {"allow": {"dns": ["*.web.test"]}, "deny": {}}}
    key_policy(lab, "x509", "deny", "dns", "no.web.test", id=key["id"])
    client, other = bound_client(lab, key), bound_client(lab, new_key(lab, "other"))
    client.certificate(lab.web, "a.web.test")
    for name in ("a.other.test", "no.web.test", ("ip", "127.0.0.1")):
        refused(client, name)
    other.certificate(lab.web, "a.other.test")
    # At once, also for an account that is there, and across a restart.
    key_policy(lab, "x509", "allow", "ip", "127.0.0.0/8", reference="web01")
    client.certificate(lab.web, ("ip", "127.0.0.1"))
    refused(client, ("ip", "127.0.0.9"))  # the authority's
    listed = json.loads(lab.ca.step("ca", "acme", "eab", "list", "bound", "web01", "--json").stdout)
    assert listed[0]["policy"]["x509"]["deny"] == {"dns": ["no.web.test"]}
    kept = lab.ca.step("ca", "acme", "eab", "remove", "bound", key["id"], ok=False)
    assert kept.returncode == 1 and "policy" in kept.stderr
    client.close()
    other.close()
    lab.restart()
    client.nonce = None  # these were in memory
    refused(client, "a.other.test")
    assert lab.ca.step("ca", "policy", "acme", "remove", "--provisioner", "bound",
                       "--eab-key-id", key["id"]).stdout == "policy deleted\n"
    client.certificate(lab.web, "a.other.test")
    lab.ca.step("ca", "acme", "eab", "remove", "bound", key["id"])
    client.certificate(lab.web, "b.other.test")
    client.close()


def test_a_policy_for_a_key_that_is_bound_already(lab):
    key = new_key(lab)
    client = bound_client(lab, key)
    client.certificate(lab.web, "a.other.test")
    key_policy(lab, "x509", "allow", "dns", "only.test", id=key["id"])
    refused(client, "a.other.test")
    client.certificate(lab.web, "only.test")
    client.close()


def test_keys_are_named_for_their_policy(lab):
    new_key(lab, "named")
    none = key_policy(lab, "view", ok=False, reference="named")
    assert none.stdout == "certificate issuance policy does not exist\n"
    assert key_policy(lab, "remove", ok=False, reference="named").returncode == 1
    for key in ({"id": "x" * 32}, {"reference": "nobody"}):
        unknown = key_policy(lab, "x509", "allow", "dns", "a.test", ok=False, **key)
        assert unknown.returncode == 1 and list(key.values())[0] in unknown.stderr
    bad = key_policy(lab, "x509", "allow", "dns", "a..b", ok=False, reference="named")
    assert bad.returncode == 1 and "a..b" in bad.stderr
    assert key_policy(lab, "view", ok=False, reference="named").stdout == none.stdout
    for words, says in ((("--provisioner", "bound"), "--eab-key-id"),
                        (("--eab-key-id", "x"), "'--provisioner'"),
                        (("--provisioner", "acme", "--eab-key-id", "x"), "requireEAB"),
                        (("--provisioner", "ops", "--eab-key-id", "x"), "ACME")):
        done = lab.ca.step("ca", "policy", "acme", "view", *words, ok=False)
        assert done.returncode == 1 and says in done.stderr, done.stderr


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_keys_in_the_database_of_a_server(tmp_path, kind):
    if missing(kind):
        pytest.skip(f"the server for {kind} is not installed")
    server = KINDS[kind]()
    try:
        lab = Lab(lambda *args: use(Ca(tmp_path / "ca", args), server, "policies"), tmp_path,
                  PROVISIONERS)
        key = new_key(lab, "web01")
        key_policy(lab, "x509", "allow", "dns", "*.web.test", reference="web01")
        client = bound_client(lab, key)
        refused(client, "a.other.test")
        client.certificate(lab.web, "a.web.test")
        client.close()
        assert lab.ca.stop() == 0
        lab.stop()
    finally:
        server.remove()
