"""Commands that change one ca.json at the same time."""

import json
import subprocess

import pytest
from conftest import PASSWORD
from machine import Machine

USUAL = ["--name", "X", "--dns", "ca.lan", "--address", "127.0.0.1:0", "--provisioner", "ops",
         "--password-file", "p"]


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "m")
    (made.folder / "p").write_text(PASSWORD + "\n")
    made.step("ca", "init", *USUAL)
    return made


def at_once(machine, commands):
    """All of them are started before the first is waited for."""
    config = str(machine.path / "config/ca.json")
    running = [subprocess.Popen([machine.program, "ca", *c, "--ca-config", config],
                                env=machine.env, cwd=machine.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for c in commands]
    for process in running:
        said, _ = process.communicate()
        assert process.returncode == 0, said


def authority(machine):
    return json.loads((machine.path / "config/ca.json").read_text())["authority"]


def names(machine):
    return sorted(p["name"] for p in authority(machine)["provisioners"])


def test_no_change_is_lost(machine):
    wanted = [f"acme-{i:02}" for i in range(12)]
    at_once(machine, [["provisioner", "add", name, "--type", "ACME"] for name in wanted])
    assert names(machine) == [*wanted, "ops"]
    at_once(machine, [["provisioner", "remove", name] for name in wanted[:4]]
            + [["provisioner", "update", name, "--x509-max-dur", "24h"] for name in wanted[4:8]]
            + [["policy", "authority", "x509", "allow", "dns", f"{i}.test"] for i in range(4)]
            + [["provisioner", "webhook", "add", wanted[8], f"w{i}", "--url", "https://h.test/"]
               for i in range(3)])
    assert names(machine) == [*wanted[4:], "ops"]
    entries = {p["name"]: p for p in authority(machine)["provisioners"]}
    for name in wanted[4:8]:
        assert entries[name]["claims"]["maxTLSCertDuration"] == "24h0m0s"
    assert sorted(authority(machine)["policy"]["x509"]["allow"]["dns"]) == [
        f"{i}.test" for i in range(4)]
    assert sorted(w["name"] for w in entries[wanted[8]]["options"]["webhooks"]) == [
        "w0", "w1", "w2"]
    assert sorted(f.name for f in (machine.path / "config").iterdir()) == [
        "ca.json", "defaults.json"]
