"""From the command line to the first answer: what is printed, what is refused and how, which keys
and passwords work, and what the TLS listener shows."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

import pytest
from conftest import PASSWORD, SLOW, STEP_CA, Ca, clean_environment, make_cert, need, pem_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT_USE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """An authority that is never started from its own file: tests start variants of it."""
    return Ca(tmp_path_factory.mktemp("idle"))


def variant(ca, change, tmp_path):
    """A changed copy of the configuration: a function of the object, or finished text."""
    path = tmp_path / "variant.json"
    if isinstance(change, str):
        path.write_text(change)
        return path
    config = ca.config()
    config["address"] = "127.0.0.1:0"
    config["db"]["dataSource"] = str(tmp_path / "variant.sqlite")
    change(config)
    path.write_text(json.dumps(config, indent=2))
    return path


def run_config(ca, config, *args, **options):
    return ca.run([STEP_CA, config, *args], ok=False, **options)


def refused_start(ca, change, tmp_path, *words, code=2):
    path = variant(ca, change, tmp_path)
    done = run_config(ca, path, "--password-file", ca.password_file)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "runtime error" not in done.stderr and "Sanitizer" not in done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    for word in words:
        assert word in last, (word, last)
    return last


def setting(path, value):
    """A change: setting("tls.minVersion", 1.1)."""
    def change(config):
        at = config
        *parents, last = path.split(".")
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value
    return change


# --- The command line -----------------------------------------------------------------------------


def test_version_and_help(idle):
    for args in (["version"], ["--version"], ["-v"], ["-version"]):
        done = idle.run([STEP_CA, *args])
        first, second = done.stdout.splitlines()
        assert re.fullmatch(r"Newel CA/\S+ \(linux/\w+\)", first)
        assert re.fullmatch(r"Release Date: .*", second)
    for args in (["help"], ["h"], ["--help"], ["-h"]):
        assert "--password-file" in idle.run([STEP_CA, *args]).stdout


@pytest.mark.parametrize("args, word", [
    (["a", "b"], "too many"), (["--frobnicate"], "frobnicate"), (["--password-file"], "argument"),
    (["--acme-http-port", "8080"], "--insecure"), (["--acme-tls-port=8443"], "--insecure"),
    (["--token", "x"], "linked"),
    (["--context", "nobody"], "nobody"), (["--resolver", "127.0.0.1"], "resolver"),
    (["--quiet=maybe"], "maybe"), (["onboard", "x"], "onboard"),
])
def test_wrong_command_lines_end_with_1(idle, args, word):
    done = idle.run([STEP_CA, *args], ok=False)
    assert done.returncode == 1 and word in done.stderr


def test_onboard_without_a_token_shows_the_help(idle):
    assert "--password-file" in idle.run([STEP_CA, "onboard"]).stdout


def test_broken_defaults_are_an_error_of_the_environment(idle, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/defaults.json").write_text("{")
    env = dict(idle.env, STEPPATH=str(tmp_path))
    path = variant(idle, lambda c: None, tmp_path)
    done = idle.run([STEP_CA, path, "--password-file", idle.password_file], ok=False, env=env)
    assert done.returncode == 1 and str(tmp_path / "config/defaults.json") in done.stderr


def test_a_missing_configuration_gives_three_lines_of_advice(idle, tmp_path):
    missing = tmp_path / "nowhere.json"
    done = run_config(idle, missing)
    assert done.returncode == 1 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and str(missing) in lines[0] and "step ca init" in lines[1]
    env = clean_environment(STEPPATH=str(tmp_path / "empty"), HOME=str(tmp_path))
    done = idle.run([STEP_CA], ok=False, env=env)
    assert done.returncode == 1 and "empty/config/ca.json" in done.stdout


def test_a_directory_as_configuration_is_fatal(idle, tmp_path):
    done = run_config(idle, tmp_path)
    assert done.returncode == 2 and str(tmp_path) in done.stderr


@pytest.mark.parametrize("name, text", [("contexts.json", "{"), ("current-context.json", "[]"),
                                        ("current-context.json", '{"context":"gone"}')])
def test_a_broken_step_path_ends_with_1_and_names_the_file(idle, tmp_path, name, text):
    if name != "contexts.json":
        (tmp_path / "contexts.json").write_text("{}")
    (tmp_path / name).write_text(text)
    env = clean_environment(STEPPATH=str(tmp_path), HOME=str(tmp_path))
    done = idle.run([STEP_CA], ok=False, env=env)
    assert done.returncode == 1, done.stderr
    assert name in done.stderr or "gone" in done.stderr


# --- What is printed ------------------------------------------------------------------------------


def test_start_up_lines(make_ca):
    ca = make_ca().start()
    ca.stop()
    lines = [line for line in ca.log().splitlines() if not line.startswith("time=")]
    assert all(re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    texts = [line[20:] for line in lines]
    root, _ = ca.root()
    assert texts[0].startswith("Starting Newel CA/")
    assert texts[1].startswith("Documentation: ")
    assert texts[2:] == [
        f"Config file: {ca.config_path}",
        f"The primary server URL is https://localhost:{ca.port}",
        f"Root certificates are available at https://localhost:{ca.port}/roots.pem",
        "Additional configured hostnames: 127.0.0.1",
        f"X.509 Root Fingerprint: {root.fingerprint(hashes.SHA256()).hex()}",
        f"Serving HTTPS on 127.0.0.1:{ca.port} ...",
        "shutting down ...",
    ]


def test_quiet_leaves_only_the_listener(make_ca):
    ca = make_ca()
    ca.start("--quiet")
    ca.stop()
    ca.env["STEP_CA_QUIET"] = "true"
    ca.start()
    ca.stop()
    texts = [line[20:] for line in ca.log().splitlines() if not line.startswith("time=")]
    assert texts == [f"Serving HTTPS on 127.0.0.1:{ca.port} ...", "shutting down ..."] * 2


def test_the_step_path_is_the_default_and_relative_paths_count_from_the_working_directory(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.update(root="certs/root_ca.crt", crt="certs/intermediate_ca.crt",
                                    key="secrets/intermediate_ca_key"))
    ca.configure(lambda c: c["db"].update(dataSource="db/other.sqlite"))
    with open(ca.log_path, "ab") as log:
        ca.process = subprocess.Popen([STEP_CA, "--password-file", "../password"], env=ca.env,
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      cwd=ca.path)
    ca.wait_ready()
    assert ca.sign().status == 201
    assert (ca.path / "db/other.sqlite").exists()
    assert ca.stop() == 0


def test_an_ipv6_name_stands_in_brackets(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.update(dnsNames=["[::1]", "localhost"]))
    ca.start()
    assert f"The primary server URL is https://[::1]:{ca.port}" in ca.log()
    assert ca.sign(ca.token(audience="https://[::1]/1.0/sign")).status == 201


def test_port_0_lets_the_kernel_choose(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.update(address="127.0.0.1:0"))
    ca.start(wait=False)
    ca.wait_log("Serving HTTPS on 127.0.0.1:")
    ca.port = int(re.search(r"Serving HTTPS on 127.0.0.1:(\d+) ", ca.log()).group(1))
    assert ca.port != 0 and ca.request("GET", "/health").status == 200


# --- Configurations that are refused --------------------------------------------------------------


@pytest.mark.parametrize("text, words", [
    ("", []), ("{", ["variant.json:1"]), ("[]", ["object"]), ("nonsense", ["variant.json:1:1"]),
    ('{"root": "x"\n "crt": "y"}', ["variant.json:2:2", "','"]),
    ('{\n// note\n"root":"x"}', ["variant.json:2:1", "comment"]),
    ('{"root": [1,,]}', ["variant.json:1"]), ('{"a":[,]}', ["variant.json:1"]),
])
def test_broken_json_is_fatal_and_placed(idle, tmp_path, text, words):
    refused_start(idle, text, tmp_path, *words)


K8S = {"type": "K8sSA", "name": "k8s"}

REFUSED = [
    ("address", None, ["address"]), ("address", "", ["variant.json:", "address"]),
    ("address", "8443", ["variant.json:", "address", "8443"]),
    ("address", "localhost:http", ["address"]), ("address", "::1:443", ["address"]),
    ("address", 8443, ["address"]),
    ("dnsNames", [], ["variant.json:", "dnsNames"]),
    ("dnsNames", ["b\u00fccher"], ["variant.json:", "dnsNames", "xn--bcher-kva"]),
    ("dnsNames", ["a.test:9000"], ["variant.json:", "dnsNames", "a.test:9000", "port"]),
    ("dnsNames", "localhost, [::1]:443", ["dnsNames", "port"]),
    ("root", None, ["root"]), ("root", "", ["root"]), ("root", ["x", ""], ["root", "1"]),
    ("root", "/nowhere/root.crt", ["/nowhere/root.crt"]),
    ("crt", None, ["crt"]), ("crt", "/nowhere/x.crt", ["crt", "/nowhere/x.crt"]),
    ("key", "", ["key"]), ("key", "/nowhere/key", ["key", "/nowhere/key"]),
    ("federatedRoots", ["a", ""], ["federatedRoots", "1"]),
    ("metricsAddress", "9000", ["metricsAddress"]),
    ("tls.minVersion", "1.2", ["variant.json:", "minVersion"]),
    ("tls.minVersion", 1.25, ["tls.minVersion", "1.25"]),
    ("tls.maxVersion", 2, ["tls.maxVersion", "2"]),
    ("tls", {"minVersion": 1.3, "maxVersion": 1.2}, ["variant.json:", "tls.minVersion"]),
    ("tls.cipherSuites", ["FOO"], ["variant.json:", "tls.cipherSuites", "FOO"]),
    ("tls", {"cipherSuites": ["TLS_RSA_WITH_RC4_128_SHA"], "maxVersion": 1.2},
     ["tls.cipherSuites"]),
    ("tls", {"cipherSuites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"], "maxVersion": 1.2},
     ["variant.json:", "tls.cipherSuites", "no usable cipher suite"]),
    ("tls", {"cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "minVersion": 1.0,
             "maxVersion": 1.1}, ["tls.cipherSuites", "no usable cipher suite"]),
    ("tls", {"minVersion": 1.0, "maxVersion": 1.1},
     ["variant.json:", "tls.maxVersion", "no usable cipher suite"]),
    ("kms", {"type": "x"}, ["variant.json:", "kms", "x"]),
    ("kms", {"type": "PKCS11"}, ["kms", "pkcs11"]),
    ("kms", {"uri": "awskms:region=x"}, ["kms", "awskms"]),
    ("authority.type", "x", ["variant.json:", "authority.type"]),
    ("authority.type", "stepcas", ["authority.type", "stepcas"]),
    ("authority.type", "cloudCAS", ["authority.type", "cloudcas"]),
    ("authority.type", "vaultcas", ["authority.type", "vaultcas"]),
    ("authority.backdate", "-1s", ["variant.json:", "authority.backdate"]),
    ("authority.backdate", 5, ["backdate"]),
    ("authority.claims.maxTLSCertDuration", "1m", ["authority.claims", "maxTLSCertDuration"]),
    ("authority.claims.defaultTLSCertDuration", "24", ["defaultTLSCertDuration"]),
    ("authority.claims.minTLSCertDuration", "0s", ["minTLSCertDuration"]),
    ("authority.provisioners", [K8S, dict(K8S, name="other")], ["authority.provisioners[1]"]),
    ("authority.provisioners", [{"type": "foo", "name": "bar"}],
     ["variant.json:", "authority.provisioners[0]", "foo", "bar"]),
    ("authority.provisioners", [{"name": "bar"}], ["authority.provisioners[0]", "type"]),
    ("authority.provisioners", [{"type": "JWK", "name": "n", "key": 5}],
     ["authority.provisioners[0]", "key"]),
    ("authority.provisioners", [{"type": "OIDC", "name": "n", "admins": "x"}],
     ["authority.provisioners[0]", "admins"]),
    ("authority.provisioners", {}, ["authority.provisioners"]),
    ("authority.enableAdmin", True, ["authority.enableAdmin"]),
    ("authority.policy", {"x509": {"allow": {"dns": ["*"]}}}, ["authority.policy"]),
    ("authority.certificateIssuer", {"type": "jwk"}, ["authority.certificateIssuer"]),
    ("templates", {"data": {"Step": 1}}, ["templates"]),
    ("ssh", {"keys": [{"type": "x"}]}, ["ssh"]),
    ("crl", {"enabled": True, "cacheDuration": "1h", "renewPeriod": "2h"},
     ["variant.json:", "crl.renewPeriod"]),
    ("crl", {"cacheDuration": "-1h"}, ["crl.cacheDuration"]),
    ("crl", {"renewPeriod": "-1h"}, ["crl.renewPeriod"]),
    ("logger.format", "x", ["variant.json:", "logger.format"]),
    ("logger", "text", ["logger"]),
    ("monitoring", {"type": "x"}, ["monitoring.type"]),
    ("db.type", "x", ["variant.json:", "db.type"]),
    ("db.type", "leveldb", ["db.type", "leveldb"]), ("db.type", "", ["db.type"]),
    ("db", {"type": "bbolt", "dataSource": "/"}, ["db.dataSource", "step-ca.db"]),
    ("db.dataSource", "", ["db.dataSource"]),
    ("db", {"type": "badger", "dataSource": "x", "badgerFileLoadingMode": "y"},
     ["badgerFileLoadingMode"]),
]


@pytest.mark.parametrize("path, value, words", REFUSED,
                         ids=[f"{i}-{r[0]}" for i, r in enumerate(REFUSED)])
def test_a_wrong_value_is_fatal_and_named(idle, tmp_path, path, value, words):
    refused_start(idle, setting(path, value), tmp_path, *words)


def test_a_linked_deployment_is_an_error_of_the_command_line(idle, tmp_path):
    def change(config):
        config["authority"].update(deploymentType="Linked", enableAdmin=True)
    refused_start(idle, change, tmp_path, "variant.json:", "authority.deploymentType", code=1)


def test_an_insecure_address_counts_where_it_is_used(idle, tmp_path):
    def change(config):
        config.update(insecureAddress="x", crl={"enabled": True})
    refused_start(idle, change, tmp_path, "variant.json:", "insecureAddress")
    starts(idle, setting("insecureAddress", "x"), tmp_path)


def test_a_crl_without_a_database_is_refused(idle, tmp_path):
    def change(config):
        del config["db"]
        config["crl"] = {"enabled": True}
    refused_start(idle, change, tmp_path, "crl.enabled")


def test_two_provisioners_of_one_name_are_refused(idle, tmp_path):
    def change(config):
        config["authority"]["provisioners"] *= 2
    refused_start(idle, change, tmp_path, "authority.provisioners[1]", "ops")


def test_the_key_of_another_authority_is_refused(idle, make_ca, tmp_path):
    other = make_ca()
    line = refused_start(idle, setting("key", other.config()["key"]), tmp_path, "variant.json:")
    assert "does not belong" in line


def issuing_cert(idle, tmp_path, **options):
    """crt and key of an issuer of one's own making."""
    root, root_key = idle.root()
    key = ec.generate_private_key(ec.SECP256R1())
    options.setdefault("ca", True)
    cert = make_cert("Own issuer", key, root, root_key, **options)
    (tmp_path / "own.crt").write_text(pem_of(cert))
    (tmp_path / "own.key").write_text(pem_of(key))
    return lambda c: c.update(crt=str(tmp_path / "own.crt"), key=str(tmp_path / "own.key"))


def test_an_issuer_that_may_not_issue_is_refused(idle, tmp_path):
    refused_start(idle, issuing_cert(idle, tmp_path, ca=False), tmp_path, "own.crt", "CA")
    refused_start(idle, issuing_cert(idle, tmp_path, start=-7200, length=3600), tmp_path,
                  "own.crt", "expired")


def test_own_names_beyond_the_name_constraints_are_refused(idle, tmp_path):
    limits = x509.NameConstraints([x509.DNSName("inside.test")], None)
    change = issuing_cert(idle, tmp_path, extensions=[(limits, True)])
    refused_start(idle, change, tmp_path, "dnsNames")


def test_a_port_in_use_is_fatal_at_once_and_removes_the_pid_file(idle, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = variant(idle, setting("address", address), tmp_path)
        pid = tmp_path / "pid"
        begun = time.monotonic()
        done = run_config(idle, path, "--password-file", idle.password_file, "--pidfile", pid)
        assert time.monotonic() - begun < 5 * SLOW
    assert done.returncode == 2 and address in done.stderr
    assert not pid.exists()
    for member in ("insecureAddress", "metricsAddress"):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"

            def change(config):
                config[member] = address
                config["crl"] = {"enabled": True}
            refused_start(idle, change, tmp_path, address)


# --- Configurations that are tolerated ------------------------------------------------------------


def starts(idle, change, tmp_path, *warnings):
    """The log of a start that succeeds, up to its end."""
    path = variant(idle, change, tmp_path)
    process = subprocess.Popen([STEP_CA, path, "--password-file", idle.password_file],
                               env=idle.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, cwd=idle.folder)
    log = ""
    for line in process.stderr:
        log += line
        if "Serving HTTPS" in line:
            break
    process.terminate()
    log += process.stderr.read()
    assert process.wait(30 * SLOW) == 0, log
    for word in warnings:
        assert word in log, (word, log)
    return log


def test_unknown_keys_are_warned_of_and_renamed_ones_are_not(idle, tmp_path):
    def change(config):
        config.update(_logger={}, x=1)
        config["//"] = "a note"
        config["authority"]["y"] = 2
    log = starts(idle, change, tmp_path, "variant.json:", '"x"', '"authority.y"')
    assert "_logger" not in log and "//" not in log.replace("https://", "")


def test_members_of_provisioners_that_nobody_reads_are_warned_of(idle, tmp_path):
    """A misspelt restriction is not in force; what looks like a note is one."""
    def change(config):
        config["authority"]["provisioners"][0].update(
            claims={"disableRenewall": True}, _claims={}, options={"x509": {"templat": "x"}})
        config["authority"]["provisioners"] += [
            {"type": "ACME", "name": "acme", "requireEABs": True, "challenge": ["dns-01"],
             "options": {"policy": {"x509": {"alow": {}}}}},
            {"type": "OIDC", "name": "o", "clientID": "c", "domain": ["x"], "//": "note"}]
        config["authority"]["policy"] = {"ssh": {"users": {}}}
    log = starts(idle, change, tmp_path)
    for key in ("provisioners[0].claims.disableRenewall", "provisioners[0].options.x509.templat",
                "provisioners[1].requireEABs", "provisioners[1].challenge",
                "provisioners[1].options.policy.x509.alow", "provisioners[2].domain",
                "policy.ssh.users"):
        assert re.search(r"variant\.json:\d+:\d+: unknown key \"authority\." + re.escape(key) + '"',
                         log), (key, log)
    assert log.count("unknown key") == 7, log


def test_a_jwk_provisioner_without_key_does_not_stop_the_others(idle, tmp_path):
    def change(config):
        config["authority"]["provisioners"].append({"type": "JWK", "name": "keyless"})
    starts(idle, change, tmp_path, 'failed to initialize JWK provisioner "keyless"')


def test_names_of_keys_match_in_any_case(idle, tmp_path):
    def change(config):
        config["DNSNAMES"] = config.pop("dnsNames")
        config["Authority"] = config.pop("authority")
    log = starts(idle, change, tmp_path)
    assert "unknown" not in log and "https://localhost:" in log


@pytest.mark.parametrize("path, value, words", [
    ("dnsNames", "a.test, b.test", ["https://a.test:", "Additional configured hostnames: b.test"]),
    ("dnsNames", ["", "a.test"], ["https://a.test:", "dnsNames"]),
    ("dnsNames", [""], ["https://localhost:"]), ("dnsNames", None, ["hostnames: 127.0.0.1, ::1"]),
    ("federatedRoots", "", []), ("logger", None, []), ("monitoring", {"type": "newRelic"},
                                                       ["monitoring"]),
    ("monitoring", None, []), ("ssh", {}, []), ("templates", {}, []), ("kms", {"type": ""}, []),
    ("kms", {"type": "SoftKMS"}, []), ("db.type", "SQLite", []),
    ("authority.type", "SoftCAS", []), ("authority.policy", {}, []),
    ("tls.cipherSuites", ["TLS_RSA_WITH_RC4_128_SHA",
                          "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"], ["RC4"]),
    ("tls.cipherSuites", [], []), ("tls", {"minVersion": 0, "maxVersion": 0}, []),
])
def test_odd_values_that_are_accepted(idle, tmp_path, path, value, words):
    starts(idle, setting(path, value), tmp_path, *words)


def test_a_trailing_comma_is_warned_of_and_text_behind_the_end_too(idle, tmp_path):
    def text_of(config):
        text = json.dumps(config, indent=2)
        return text[:-2] + ",\n}\n, and more"
    config = json.loads(variant(idle, lambda c: None, tmp_path).read_text())
    starts(idle, text_of(config), tmp_path, "trailing comma", "after the first JSON value")


def test_a_chain_that_no_client_can_follow_is_warned_of(idle, tmp_path):
    log = starts(idle, lambda c: None, tmp_path)
    assert "will not trust" not in log
    other = make_cert("Other root", ec.generate_private_key(ec.SECP256R1()), ca=True)
    (tmp_path / "other.crt").write_text(pem_of(other))
    starts(idle, setting("root", str(tmp_path / "other.crt")), tmp_path, "will not trust")
    # The root of init allows one intermediate.
    root, root_key = idle.root()
    mid_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    mid = make_cert("Middle", mid_key, root, root_key, ca=True)
    low = make_cert("Low", key, mid, mid_key, ca=True)
    (tmp_path / "long.crt").write_text(pem_of(low) + pem_of(mid))
    (tmp_path / "long.key").write_text(pem_of(key))
    starts(idle, lambda c: c.update(crt=str(tmp_path / "long.crt"), key=str(tmp_path / "long.key")),
           tmp_path, "will not trust", "path length")


def test_a_byte_order_mark_is_skipped(idle, tmp_path):
    path = variant(idle, lambda c: None, tmp_path)
    starts(idle, "\ufeff" + path.read_text(), tmp_path)


def test_a_duplicate_member_counts_from_the_end(idle, tmp_path):
    path = variant(idle, lambda c: None, tmp_path)
    starts(idle, path.read_text()[:-1] + ', "dnsNames": ["last.test"]}', tmp_path,
           "https://last.test:")


# --- Provisioners ---------------------------------------------------------------------------------


def test_broken_provisioners_are_listed_as_disabled_and_refuse(make_ca):
    ca = make_ca()
    key = ca.provisioner_key()

    def change(config):
        good = config["authority"]["provisioners"]
        broken = dict(good[0], name="broken", claims={"maxTLSCertDuration": "1m"})
        config["authority"]["provisioners"] = [
            broken, *good, {"type": "SCEP", "name": "scep"},
            {"type": "oidc", "name": "people", "clientID": "id", "clientSecret": "s",
             "configurationEndpoint": "https://idp.invalid/"},
            {"type": "X5C", "name": "partner", "roots": ""}]
    ca.configure(change)
    ca._provisioner_key = key
    ca.start()
    listed = ca.request("GET", "/provisioners").json()["provisioners"]
    assert [p["name"] for p in listed] == ["broken", "ops", "scep", "people", "partner"]
    for p in listed:
        assert (p.get("state") == "Uninitialized") == (p["name"] != "ops"), p
        assert bool(p.get("stateReason")) == (p["name"] != "ops")
    assert list(listed[0])[-2:] == ["state", "stateReason"]
    assert listed[0]["claims"] == {"maxTLSCertDuration": "1m0s"}
    assert listed[3]["type"] == "oidc"
    for kind, name in (("JWK", "broken"), ("X5C", "partner")):
        assert f'failed to initialize {kind} provisioner "{name}": ' in ca.log()
    reply = ca.sign(ca.token(iss="broken"))
    assert reply.status == 401 and "broken" in reply.json()["message"]
    assert ca.sign().status == 201


def test_claims_of_a_provisioner_override_those_of_the_authority(make_ca):
    ca = make_ca()

    def change(config):
        config["authority"]["claims"] = {"defaultTLSCertDuration": "2h",
                                         "maxTLSCertDuration": "3h"}
        config["authority"]["provisioners"][0]["claims"] = {"defaultTLSCertDuration": "2m"}
    ca.configure(change)
    ca.start()

    def seconds(**members):
        reply = ca.sign(**members)
        if reply.status != 201:
            return reply.status
        cert = x509.load_pem_x509_certificate(reply.json()["crt"].encode())
        return (cert.not_valid_after - cert.not_valid_before).total_seconds()
    assert seconds() == 120 + 60  # its own default, which lowers the minimum
    assert seconds(notAfter="3h") == 3 * 3600 + 60
    assert seconds(notAfter="4h") == 403


def test_backdate_and_default_subject(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c["authority"].update(
        backdate="0s", template={"country": "CH", "organization": "Org", "commonName": "unused"}))
    ca.start()
    cert = x509.load_pem_x509_certificate(ca.sign().json()["crt"].encode())
    assert (cert.not_valid_after - cert.not_valid_before).total_seconds() == 86400
    assert cert.subject.rfc4514_string() == "CN=web.test,O=Org,C=CH"


# --- Passwords ------------------------------------------------------------------------------------


def outcome(ca, *args, config=None, **options):
    """Exit code and stderr of a server that is stopped once it serves."""
    options.setdefault("env", ca.env)
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen([STEP_CA, str(config or ca.config_path), *map(str, args)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               cwd=ca.folder, start_new_session=True, **options)
    log = ""
    for line in process.stderr:
        log += line
        if "Serving HTTPS" in line:
            process.terminate()
    return process.wait(30 * SLOW), log


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \t\n\n"])
def test_white_space_behind_the_password_is_cut(idle, tmp_path, end):
    file = tmp_path / "password"
    file.write_bytes((PASSWORD + end).encode())
    code, log = outcome(idle, "--password-file", file)
    assert code == 0, log


@pytest.mark.parametrize("text", ["wrong", " " + PASSWORD])
def test_a_wrong_password_is_fatal_without_a_second_try(idle, tmp_path, text):
    file, pid = tmp_path / "password", tmp_path / "pid"
    file.write_text(text)
    begun = time.monotonic()
    code, log = outcome(idle, "--password-file", file, "--pidfile", pid)
    assert code == 2 and "intermediate_ca_key" in log and "assword" in log
    assert time.monotonic() - begun < 2 * SLOW
    assert text not in log and not pid.exists()


def test_a_missing_password_file_is_fatal(idle):
    code, log = outcome(idle, "--password-file", "/nowhere/password")
    assert code == 2 and "/nowhere/password" in log


def test_without_password_and_terminal_the_start_is_refused(idle):
    code, log = outcome(idle)
    assert code == 2 and "terminal" in log and "intermediate_ca_key" in log


def test_password_out_of_a_fifo_and_a_process_substitution(idle, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["sh", "-c", 'printf "%s\\n" "$1" > "$2"', "sh", PASSWORD, fifo])
    code, log = outcome(idle, "--password-file", fifo)
    assert writer.wait() == 0
    assert code == 0, log
    script = f'exec "{STEP_CA}" "$1" --password-file <(printf "%s" "$2")'
    need("bash")
    process = subprocess.Popen(["bash", "-c", script, "bash", idle.config_path, PASSWORD],
                               env=idle.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    for line in process.stderr:
        if "Serving HTTPS" in line:
            process.terminate()
    assert process.wait() == 0


def test_a_server_that_waits_for_a_password_can_be_ended(idle, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen([STEP_CA, idle.config_path, "--password-file", fifo], env=idle.env,
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3 * SLOW)
    assert process.poll() is None
    process.terminate()
    try:
        assert process.wait(5 * SLOW) != 0
    finally:
        process.kill()


def test_password_out_of_the_configuration(idle, tmp_path):
    code, log = outcome(idle, config=variant(idle, setting("password", PASSWORD), tmp_path))
    assert code == 0, log
    path = variant(idle, setting("authority.password", PASSWORD), tmp_path)
    code, log = outcome(idle, config=path)
    assert code == 0 and "authority.password" in log, log
    assert PASSWORD not in log
    # The file wins over the configuration.
    path = variant(idle, setting("password", "wrong"), tmp_path)
    assert outcome(idle, "--password-file", idle.password_file, config=path)[0] == 0


def typed(idle, text, *args):
    """Starts on a terminal of its own and types when asked: (process, what it showed)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(STEP_CA, [STEP_CA, str(idle.config_path), *map(str, args)], idle.env)
    shown, asked, ended = b"", False, False
    while True:
        if not select.select([master], [], [], 20 * SLOW)[0]:
            os.kill(pid, signal.SIGKILL)
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if not asked and b"password to decrypt" in shown:
            asked = True
            time.sleep(0.1)
            os.write(master, text)
        if not ended and b"Serving HTTPS" in shown:
            ended = True  # a second signal would end it at once
            os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_a_password_is_asked_for_at_the_terminal(idle, tmp_path):
    code, shown = typed(idle, PASSWORD.encode() + b"\n")
    assert code == 0 and "intermediate_ca_key" in shown and PASSWORD not in shown
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert typed(idle, PASSWORD.encode() + b"\n", "--password-file", empty)[0] == 0
    code, shown = typed(idle, b"wrong\n")
    assert code == 2 and shown.count("Please enter") == 1


def test_the_password_prompt_can_be_interrupted(idle):
    code, _ = typed(idle, b"\x03")
    assert code != 0


# --- Key files ------------------------------------------------------------------------------------


def openssl(*args, **options):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **options)


def key_ec(path, curve="P-256"):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", path)


def key_rsa(path):
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)


def key_ed25519(path):
    openssl("genpkey", "-algorithm", "ED25519", "-out", path)


def traditional(make, *cipher):
    def made(path):
        make(path)
        args = [*cipher, "-passout", f"pass:{PASSWORD}"] if cipher else []
        openssl("pkey", "-traditional", "-out", path, *args, input=path.read_bytes())
    return made


def pkcs8(make, *options):
    def made(path):
        make(path)
        openssl("pkcs8", "-topk8", "-passout", f"pass:{PASSWORD}", *options, "-out", path,
                input=path.read_bytes())
    return made


def openssh(*options, password=""):
    def made(path):
        need("ssh-keygen")
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-N", password, "-f", path, *options], check=True)
    return made


def with_parameters(path):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", path)


def with_preface(path):
    key_ec(path)
    path.write_text("\ufeffA note about this key.\n\n" + path.read_text() + "\n \n")


KEY_FORMATS = {
    "pkcs8-p256": (key_ec, "PRIVATE KEY"),
    "pkcs8-p384": (lambda p: key_ec(p, "P-384"), "PRIVATE KEY"),
    "pkcs8-p521": (lambda p: key_ec(p, "P-521"), "PRIVATE KEY"),
    "pkcs8-rsa": (key_rsa, "PRIVATE KEY"),
    "pkcs8-ed25519": (key_ed25519, "PRIVATE KEY"),
    "sec1": (traditional(key_ec), "EC PRIVATE KEY"),
    "sec1-parameters": (with_parameters, "EC PARAMETERS"),
    "preface": (with_preface, "A note"),
    "pkcs1": (traditional(key_rsa), "RSA PRIVATE KEY"),
    "sec1-aes128": (traditional(key_ec, "-aes-128-cbc"), "DEK-Info: AES-128-CBC"),
    "sec1-aes192": (traditional(key_ec, "-aes-192-cbc"), "DEK-Info: AES-192-CBC"),
    "sec1-aes256": (traditional(key_ec, "-aes-256-cbc"), "DEK-Info: AES-256-CBC"),
    "pkcs1-3des": (traditional(key_rsa, "-des3"), "DEK-Info: DES-EDE3-CBC"),
    "pkcs1-des": (traditional(key_rsa, "-des-cbc", "-provider", "default", "-provider", "legacy"),
                  "DEK-Info: DES-CBC"),
    "pbes2-aes128-sha1": (pkcs8(key_ec, "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"),
                          "ENCRYPTED PRIVATE KEY"),
    "pbes2-aes192": (pkcs8(key_ec, "-v2", "aes-192-cbc"), "ENCRYPTED PRIVATE KEY"),
    "pbes2-aes256-sha512": (pkcs8(key_rsa, "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"),
                            "ENCRYPTED PRIVATE KEY"),
    "pbes2-3des": (pkcs8(key_ec, "-v2", "des3"), "ENCRYPTED PRIVATE KEY"),
    "pbes2-ed25519": (pkcs8(key_ed25519, "-v2", "aes-256-cbc"), "ENCRYPTED PRIVATE KEY"),
    "scrypt": (pkcs8(key_ec, "-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "1"),
               "ENCRYPTED PRIVATE KEY"),
    "openssh-ecdsa": (openssh("-t", "ecdsa"), "OPENSSH PRIVATE KEY"),
    "openssh-rsa": (openssh("-t", "rsa", "-b", "2048"), "OPENSSH PRIVATE KEY"),
    "openssh-ed25519": (openssh("-t", "ed25519"), "OPENSSH PRIVATE KEY"),
    "openssh-bcrypt-ctr": (openssh("-t", "ed25519", password=PASSWORD), "OPENSSH PRIVATE KEY"),
    "openssh-bcrypt-cbc": (openssh("-t", "ecdsa", "-Z", "aes256-cbc", password=PASSWORD),
                           "OPENSSH PRIVATE KEY"),
}


def load_any(path):
    """The key by python-cryptography, with or without the password."""
    data = path.read_bytes()
    begin = data.index(b"-----BEGIN")
    if b"EC PARAMETERS" in data:
        begin = data.index(b"-----BEGIN EC PRIVATE")
    data = data[begin:]
    load = (serialization.load_ssh_private_key if b"OPENSSH" in data
            else serialization.load_pem_private_key)
    try:
        return load(data, None)
    except (TypeError, ValueError):
        return load(data, PASSWORD.encode())


def public_of(path):
    """The public key even where python-cryptography lacks the cipher."""
    try:
        return load_any(path).public_key()
    except Exception:  # pylint: disable=broad-except  # no DES, no bcrypt module
        if b"OPENSSH" in path.read_bytes():
            return serialization.load_ssh_public_key(
                path.with_name(path.name + ".pub").read_bytes())
        der = openssl("pkey", "-in", path, "-passin", f"pass:{PASSWORD}", "-pubout", "-outform",
                      "DER", "-provider", "default", "-provider", "legacy").stdout
        return serialization.load_der_public_key(der)


class PublicOnly:
    """What make_cert wants of a subject's key."""

    def __init__(self, public):
        self.public = public

    def public_key(self):
        return self.public


def verify_leaf(leaf, issuer_key):
    if isinstance(issuer_key, rsa.RSAPublicKey):
        issuer_key.verify(leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(),
                          leaf.signature_hash_algorithm)
    elif isinstance(issuer_key, ed25519.Ed25519PublicKey):
        issuer_key.verify(leaf.signature, leaf.tbs_certificate_bytes)
    else:
        issuer_key.verify(leaf.signature, leaf.tbs_certificate_bytes,
                          ec.ECDSA(leaf.signature_hash_algorithm))


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    return Ca(tmp_path_factory.mktemp("keyed"))


@pytest.mark.parametrize("name", KEY_FORMATS)
def test_every_key_format_starts_and_issues(keyed, tmp_path, name):
    make, mark = KEY_FORMATS[name]
    path = tmp_path / "key"
    make(path)
    assert mark in path.read_text(errors="replace")
    root, root_key = keyed.root()
    public = public_of(path)
    issuer = make_cert("Own", PublicOnly(public), root, root_key, ca=True, length=86400 * 30)
    (tmp_path / "crt").write_text(pem_of(issuer))
    keyed.configure(lambda c: c.update(key=str(path), crt=str(tmp_path / "crt")))
    keyed.start()
    try:
        reply = keyed.sign()
        assert reply.status == 201, reply.body
        verify_leaf(x509.load_pem_x509_certificate(reply.json()["crt"].encode()), public)
    finally:
        assert keyed.stop() == 0


@pytest.mark.parametrize("text, word", [
    ("", "key"), ("no PEM at all", "key"), ("public", "key"), ("certificate", "key"),
    ("twice", "key"),
])
def test_files_that_are_no_private_key_are_refused(idle, tmp_path, text, word):
    path = tmp_path / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    made = {"public": key.public_key().public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
            "certificate": idle.root_path.read_text(), "twice": pem_of(key) * 2}
    path.write_text(made.get(text, text))
    refused_start(idle, setting("key", str(path)), tmp_path, "key.pem", word)


# --- The certificates of the authority ------------------------------------------------------------


def test_a_chain_of_two_intermediates_is_served_and_returned(make_ca):
    ca = make_ca()
    root_key, mid_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = make_cert("Own root", root_key, ca=True)
    ca.root_path.write_text(pem_of(root))
    mid = make_cert("Middle", mid_key, root, root_key, ca=True)
    low = make_cert("Low", key, mid, mid_key, ca=True)
    (ca.folder / "chain").write_text("junk before\n" + pem_of(low) + "between\n" + pem_of(mid))
    (ca.folder / "key").write_text(pem_of(key))
    ca.configure(lambda c: c.update(crt=str(ca.folder / "chain"), key=str(ca.folder / "key")))
    ca.start()
    body = ca.sign().json()
    names = [x509.load_pem_x509_certificate(p.encode()).subject.rfc4514_string()
             for p in body["certChain"]]
    assert names == ["CN=web.test", "CN=Low", "CN=Middle"]
    assert ca.request("GET", "/intermediates.pem").body.decode() == pem_of(low) + pem_of(mid)
    assert s_client(ca, "-showcerts").count("BEGIN CERTIFICATE") == 3
    crt, _ = ca.issue()
    assert crt.read_text().count("BEGIN CERTIFICATE") == 3


def test_several_roots_and_federated_ones(make_ca):
    ca = make_ca()
    second_key, friend_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    second = make_cert("Second", second_key, ca=True)
    friend = make_cert("Friend", friend_key, ca=True)
    (ca.folder / "second.der").write_bytes(second.public_bytes(serialization.Encoding.DER))
    (ca.folder / "friend.crt").write_text(pem_of(friend))
    ca.configure(lambda c: c.update(root=[c["root"], str(ca.folder / "second.der")],
                                    federatedRoots=str(ca.folder / "friend.crt")))
    ca.start()
    root, _ = ca.root()
    assert ca.request("GET", "/roots").json()["crts"] == [pem_of(root), pem_of(second)]
    assert ca.request("GET", "/roots.pem").body.decode() == pem_of(root) + pem_of(second)
    assert sorted(ca.request("GET", "/federation").json()["crts"]) == sorted(
        pem_of(c) for c in (root, second, friend))
    prints = re.findall("X.509 Root Fingerprint: (.*)", ca.log())
    assert prints == [c.fingerprint(hashes.SHA256()).hex() for c in (root, second)]
    for cert in (root, second, friend):
        found = ca.request("GET", "/root/" + cert.fingerprint(hashes.SHA256()).hex())
        assert found.json() == {"ca": pem_of(cert)}
    # Client certificates: roots are anchors, federated roots are not.
    for issuer, issuer_key, welcome in ((second, second_key, True), (friend, friend_key, False)):
        assert client_accepted(ca, issuer, issuer_key, extensions=[CLIENT_USE]) == welcome


# --- TLS ------------------------------------------------------------------------------------------


def s_client(ca, *args, text="", ok=None):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{ca.port}", "-CAfile", str(ca.root_path),
         "-verify_return_error", *args], input=text, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", timeout=30 * SLOW, check=False)
    if ok is not None:
        assert (done.returncode == 0) == ok, done.stdout
    return done.stdout


def client_accepted(ca, issuer, issuer_key, **options):
    """Whether a client certificate below the issuer gets through the handshake."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = make_cert("client", key, issuer, issuer_key, **options)
    (ca.folder / "client.crt").write_text(pem_of(cert))
    (ca.folder / "client.key").write_text(pem_of(key))
    try:
        return ca.request("GET", "/health", cert=ca.folder / "client.crt",
                          key=ca.folder / "client.key").status == 200
    except OSError:
        return False


def test_the_servers_own_certificate(make_ca):
    ca = make_ca()
    names = ["localhost", "ca.lan", "127.0.0.1", "::1", "ca@lan.test", "spiffe://td/ca"]
    ca.configure(lambda c: c.update(dnsNames=names, commonName="The CA"))
    ca.start()
    shown = s_client(ca, "-showcerts", "-servername", "any.name")
    certs = [x509.load_pem_x509_certificate(p.encode()) for p in re.findall(
        "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.S)]
    leaf, issuer = certs[0], certs[1]
    assert issuer.subject == leaf.issuer
    assert leaf.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The CA")])
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not san.critical
    assert san.value.get_values_for_type(x509.DNSName) == ["localhost", "ca.lan"]
    assert [str(i) for i in san.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert san.value.get_values_for_type(x509.RFC822Name) == ["ca@lan.test"]
    assert san.value.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://td/ca"]
    eku = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(eku) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() == 24 * 3600 + 60
    assert leaf.public_key().curve.name == "secp256r1"
    kinds = {e.oid.dotted_string for e in leaf.extensions}
    assert kinds == {"2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.17"}
    # It is of memory only, and another one after a restart.
    ca.stop()
    ca.start()
    assert leaf.serial_number != x509.load_pem_x509_certificate(
        s_client(ca).encode()).serial_number


@pytest.mark.parametrize("args, ok, word", [
    (["-tls1_2"], True, "Cipher is ECDHE-ECDSA-"), (["-tls1_3"], True, "TLSv1.3"),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], True, "AES128-GCM"),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], True, "CHACHA20"),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], False, ""),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], False, ""),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False, ""),
    (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False, ""),
    (["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"], True, "TLS_AES_256_GCM"),
    (["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], True, "CHACHA20"),
    (["-alpn", "h2,http/1.1"], True, "ALPN protocol: h2"),
    (["-alpn", "h2"], True, "ALPN protocol: h2"), (["-alpn", "spdy/3"], False, ""),
    (["-alpn", "http/1.1"], True, "ALPN protocol: http/1.1"),
    (["-noservername"], True, ""),
])
def test_versions_suites_and_protocols(ca, args, ok, word):
    assert word in s_client(ca, *args, ok=ok)


def test_renegotiation_and_resumption_are_refused(ca):
    shown = s_client(ca, "-tls1_2", text="R\n")
    assert "RENEGOTIATING" in shown
    assert "no renegotiation" in shown or "alert" in shown, shown
    assert "New session ticket" not in s_client(ca, "-tls1_3")
    assert "Session-ID: \n" in s_client(ca, "-tls1_2").replace("    ", "")
    assert "Compression: NONE" in s_client(ca, "-tls1_2")
    assert ca.request("GET", "/health").status == 200


def test_the_certificate_request_names_every_anchor(ca):
    shown = s_client(ca, "-tls1_2")
    _, _, names = shown.partition("Acceptable client certificate CA names")
    assert "Root CA" in names and "Intermediate CA" in names


def test_other_suites_and_versions_of_the_configuration(make_ca):
    ca = make_ca()
    ca.configure(lambda c: c.update(tls={
        "cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], "maxVersion": 1.2}))
    ca.start()
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(ca, ok=True)
    s_client(ca, "-tls1_3", ok=False)
    options = ca.sign().json()["tlsOptions"]
    assert options == {"cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
                       "minVersion": 1.2, "maxVersion": 1.2, "renegotiation": False}
    ca.configure(lambda c: c.update(tls={"minVersion": 1.3}))
    assert ca.reload()
    s_client(ca, "-tls1_2", ok=False)
    s_client(ca, "-tls1_3", ok=True)
    ca.configure(lambda c: c.update(tls={
        "cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"], "minVersion": 1.0}))
    assert ca.reload()
    s_client(ca, "-tls1", "-cipher", "ALL:@SECLEVEL=0", ok=True)
    assert ca.sign().json()["tlsOptions"]["minVersion"] == 1


def test_client_certificates(ca):
    root, root_key = ca.root()
    crt, key = ca.issue("client.test")
    leaf = crt.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    (ca.folder / "alone.crt").write_text(leaf)
    for cert in (crt, ca.folder / "alone.crt"):
        assert ca.request("GET", "/health", cert=cert, key=key).status == 200
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger = make_cert("Stranger", stranger_key, ca=True)
    other_use = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    any_use = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)
    for options, welcome in (
            ({"extensions": [CLIENT_USE]}, True), ({"extensions": [any_use]}, True), ({}, True),
            ({"extensions": [other_use]}, False),
            ({"extensions": [CLIENT_USE], "start": -7200, "length": 3600}, False),
            ({"extensions": [CLIENT_USE], "start": 3600}, False)):
        assert client_accepted(ca, root, root_key, **options) == welcome, options
    assert not client_accepted(ca, stranger, stranger_key, extensions=[CLIENT_USE])
    assert not client_accepted(ca, root, stranger_key, extensions=[CLIENT_USE])
    assert ca.request("GET", "/health").status == 200
    ca.wait_log("client certificate refused", 4)


def test_plain_http_gets_an_answer_it_can_read(ca):
    with socket.create_connection(("127.0.0.1", ca.port), timeout=10) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        got = plain.recv(4096)
    assert got.startswith(b"HTTP/1.0 400") and b"HTTPS" in got


# --- Files ----------------------------------------------------------------------------------------


def test_pid_file(make_ca):
    ca = make_ca()
    pid = ca.folder / "pid"
    ca.start("--pidfile", str(pid))
    assert pid.read_text() == f"{ca.process.pid}\n"
    assert pid.stat().st_mode & 0o777 == 0o644
    assert ca.stop() == 0 and not pid.exists()
    done = run_config(ca, ca.config_path, "--password-file", ca.password_file, "--pidfile",
                      "/nowhere/pid")
    assert done.returncode == 2 and "/nowhere/pid" in done.stderr


def test_secrets_cannot_be_dumped(ca):
    with open(f"/proc/{ca.process.pid}/limits", encoding="ascii") as limits:
        core = [line.split() for line in limits if line.startswith("Max core file size")][0]
    assert core[4] == "0"
    assert PASSWORD.encode() not in open(f"/proc/{ca.process.pid}/cmdline", "rb").read()


def test_the_database_is_for_its_owner_only(ca):
    folder = (ca.path / "db")
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
