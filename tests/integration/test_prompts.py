"""Questions on a real (pseudo) terminal: what is asked, what is shown, what is not; and what is
said where nobody can be asked."""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import termios
import time

import pytest
from conftest import PASSWORD, SLOW, STEP, Ca, open_jwe
from machine import Machine, execute, files_below, fit_together, key_of, leaf

DOWN, UP, ENTER, INTERRUPT, END, ERASE_LINE = "\x1b[B", "\x1b[A", "\r", "\x03", "\x04", "\x15"


class Person:
    """Sits at a terminal and runs one command; all that appears is in .screen.  What is typed
    before a question appears is thrown away, so every answer waits for its question."""

    def __init__(self, machine, *args, stdin=None, stdout=None, term="xterm"):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.screen, self.looked = "", 0
        self.process = subprocess.Popen(
            [STEP, *map(str, args)], cwd=machine.folder, env=dict(machine.env, TERM=term),
            stdin=self.slave if stdin is None else stdin,
            stdout=self.slave if stdout is None else stdout, stderr=self.slave,
            start_new_session=True, preexec_fn=self.own_terminal)

    def own_terminal(self):
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read(self, limit):
        if select.select([self.master], [], [], limit)[0]:
            self.screen += os.read(self.master, 65536).decode(errors="replace")
            return True
        return False

    def sees(self, text):
        """Waits until the text appears behind what was seen before."""
        end = time.monotonic() + 20 * SLOW
        while text not in self.screen[self.looked:]:
            assert time.monotonic() < end, f"no {text!r} in {self.screen!r}"
            assert self.read(0.1) or self.process.poll() is None or self.read(0), self.screen
        self.looked = self.screen.index(text, self.looked) + len(text)

    def types(self, text):
        os.write(self.master, text.encode())

    def answers(self, question, answer, enter=ENTER):
        self.sees(question)
        self.types(answer + enter)

    def ends(self, code=0):
        """The command ends, and leaves the terminal as it was."""
        end = time.monotonic() + 20 * SLOW
        while self.process.poll() is None:
            assert time.monotonic() < end, self.screen
            self.read(0.05)
        while self.read(0):
            pass
        assert self.process.returncode == code, self.screen
        assert termios.tcgetattr(self.slave) == self.before
        return self.screen


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An authority with two provisioners, "ops" and "second"; both have the same password."""
    made = Ca(tmp_path_factory.mktemp("two"))
    made.step("ca", "provisioner", "add", "second", "--type", "JWK", "--create", "--password-file",
              made.password_file, "--ca-config", made.config_path)
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def bare(tmp_path):
    return Machine(tmp_path / "m")


@pytest.fixture
def machine(ca, bare):
    bare.bootstrap(ca)
    return bare


# --- init -----------------------------------------------------------------------------------------


def test_init_asks_for_everything(bare):
    with Person(bare, "ca", "init") as person:
        person.answers("name your new PKI?", "")
        person.sees("✗")  # an empty name is refused and asked for again
        person.answers("name your new PKI?", "Prompted")
        person.answers("DNS names or IP addresses", "ca.lan b:c")
        person.sees("✗")
        person.answers("DNS names or IP addresses", ERASE_LINE + "ca.lan, 10.0.0.1")
        person.answers("(host:port)?", "8443")
        person.sees("✗")
        person.answers("(host:port)?", ERASE_LINE + ":8443")
        person.answers("first provisioner?", "opx\x7fs")
        person.answers("password", "typed secret")
        screen = person.ends()
    assert "typed secret" not in screen
    assert "✔" in screen and "Root fingerprint" in screen
    config = json.loads((bare.path / "config/ca.json").read_text())
    assert config["address"] == ":8443" and config["dnsNames"] == ["ca.lan", "10.0.0.1"]
    [provisioner] = config["authority"]["provisioners"]
    assert provisioner["name"] == "ops"
    key_of(bare.path / "secrets/root_ca_key", b"typed secret")
    open_jwe(provisioner["encryptedKey"], "typed secret")


def test_init_offers_a_password(bare):
    with Person(bare, "ca", "init", "--name", "X", "--dns", "a", "--address", ":1",
                "--provisioner", "ops") as person:
        person.answers("password", "")
        person.answers("Password", "")
        screen = person.ends()
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", screen)
    generated = re.search(r"✔ Password: ([A-Za-z0-9]{32})\r?\n", plain).group(1)
    key_of(bare.path / "secrets/intermediate_ca_key", generated.encode())


def test_init_asks_before_it_overwrites(bare):
    (bare.folder / "p").write_text(PASSWORD)
    usual = ["ca", "init", "--name", "X", "--dns", "a", "--address", ":1", "--provisioner", "ops",
             "--password-file", "p"]
    bare.step(*usual)
    before = {name: (bare.path / name).read_bytes() for name in files_below(bare.path)}
    with Person(bare, *usual) as person:
        person.answers("certs/root_ca.crt [y/n]:", "y")
        person.answers("secrets/root_ca_key [y/n]:", "n")
        person.ends(1)
    assert before == {name: (bare.path / name).read_bytes() for name in files_below(bare.path)}
    with Person(bare, *usual) as person:
        for name in ("root_ca.crt", "root_ca_key", "intermediate_ca.crt", "intermediate_ca_key",
                     "ca.json", "defaults.json"):
            person.answers(f"/{name} [y/n]:", "yes")
            person.sees(f"/{name} [y/n]:")  # the line that shows the answer
        person.ends()
    assert all((bare.path / name).read_bytes() != text for name, text in before.items())


def test_init_is_interrupted(bare):
    for key in (INTERRUPT, END):
        with Person(bare, "ca", "init") as person:
            person.sees("name your new PKI?")
            person.types(key)
            assert "interrupted" in person.ends(1)
    assert files_below(bare.path) == []


# --- Passwords ------------------------------------------------------------------------------------


def test_certificate_asks_for_the_provisioners_password(ca, machine):
    with Person(machine, "ca", "certificate", "web.test", "a.crt", "a.key") as person:
        person.answers("password", "wrong")
        person.answers("password", PASSWORD + "  ")
        screen = person.ends()
    assert PASSWORD not in screen and "wrong" not in screen.replace("wrong password", "")
    assert "Provisioner" in screen  # the only one: shown, not asked for
    assert fit_together(machine.folder / "a.crt", machine.folder / "a.key")


def test_three_wrong_passwords_are_enough(ca, machine):
    with Person(machine, "ca", "certificate", "web.test", "a.crt", "a.key") as person:
        for _ in range(3):
            person.answers("password to decrypt", "wrong")
        screen = person.ends(1)
    assert screen.count("password to decrypt") == 3
    assert not (machine.folder / "a.crt").exists() and not (machine.folder / "a.key").exists()


def test_a_password_prompt_is_interrupted(ca, machine):
    with Person(machine, "ca", "token", "web.test") as person:
        person.sees("password")
        person.types("half" + INTERRUPT)
        assert "half" not in person.ends(1)


def test_renew_asks_for_the_keys_password(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    (machine.folder / "pw").write_text("secret")
    machine.step("crypto", "change-pass", key, "--new-password-file", "pw", "--force")
    with Person(machine, "ca", "renew", "--force", crt, key) as person:
        person.answers("password", "secret")
        person.ends()
    before = crt.read_bytes()
    with Person(machine, "ca", "renew", "--force", crt, key) as person:
        person.answers("password", "wrong")  # one try for PEM
        person.ends(1)
    assert crt.read_bytes() == before


def test_change_pass_asks_for_both(ca, machine):
    _, key = machine.certificate(ca, "web.test")
    with Person(machine, "crypto", "change-pass", key, "--force") as person:
        person.answers("password", "first")
        person.ends()
    key_of(key, b"first")
    with Person(machine, "crypto", "change-pass", key, "--force") as person:
        person.answers("password", "first")
        person.answers("password", "second")
        screen = person.ends()
    key_of(key, b"second")
    assert "first" not in screen and "second" not in screen


# --- Overwriting ----------------------------------------------------------------------------------


def test_overwrite_question(ca, machine):
    target = machine.folder / "r.crt"
    target.write_text("mine")
    question = f"Would you like to overwrite {target} [y/n]"
    with Person(machine, "ca", "root", target) as person:
        person.answers(question, "perhaps")
        person.sees("✗")
        person.answers(question, "n")
        assert "file exists" in person.ends(1)
    assert target.read_text() == "mine"
    with Person(machine, "ca", "root", target) as person:
        person.answers(question, "Y")
        person.ends()
    assert target.read_text() == ca.root_path.read_text()


def test_certificate_asks_before_it_spends_a_token(ca, machine):
    (machine.folder / "a.key").write_text("mine")
    token = machine.token(ca, "web.test")
    words = ["ca", "certificate", "web.test", "a.crt", "a.key", "--token", token]
    with Person(machine, *words) as person:
        person.answers("overwrite a.key", "n")
        person.ends(1)
    assert (machine.folder / "a.key").read_text() == "mine"
    with Person(machine, *words) as person:  # the token is still good
        person.answers("overwrite a.key", "y")
        person.ends()
    assert fit_together(machine.folder / "a.crt", machine.folder / "a.key")


# --- Menus ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys, chosen", [
    (ENTER, "ops"), (DOWN + ENTER, "second"), ("j" + ENTER, "second"),
    (DOWN + UP + ENTER, "ops"), (DOWN + DOWN + DOWN + ENTER, "second"), ("jk" + ENTER, "ops"),
])
def test_menu_of_provisioners(two, bare, keys, chosen):
    bare.bootstrap(two)
    with Person(bare, "ca", "certificate", "web.test", "a.crt", "a.key") as person:
        person.sees("Use the arrow keys to navigate")
        person.sees("What provisioner do you want to use?")
        person.sees("ops (JWK)")
        person.sees("second (JWK)")
        person.types(keys)
        person.sees("✔")
        person.sees(f"{chosen} (JWK)")
        person.answers("password", PASSWORD)
        person.ends()
    crt = leaf(bare.folder / "a.crt")
    said = bare.step("certificate", "inspect", "--short", "a.crt").stdout
    assert f"Provisioner: {chosen} " in said and crt is not None


def test_menu_on_a_simple_terminal(two, bare):
    bare.bootstrap(two)
    with Person(bare, "ca", "certificate", "web.test", "a.crt", "a.key", term="dumb") as person:
        person.sees("2) second (JWK)")
        person.answers("Number (1-2): ", "3")
        person.answers("Number (1-2): ", "2")
        person.answers("password", PASSWORD)
        assert "\x1b" not in person.ends()
    assert "Provisioner: second " in bare.step("certificate", "inspect", "--short", "a.crt").stdout


def test_menu_is_interrupted(two, bare):
    bare.bootstrap(two)
    with Person(bare, "ca", "token", "web.test") as person:
        person.sees("second (JWK)")
        person.types(INTERRUPT)
        person.ends(1)


def test_menu_of_contexts(ca, bare):
    for name in ("one", "two"):
        bare.bootstrap(ca, "--context", name)
    (bare.path / "current-context.json").unlink()
    with Person(bare, "ca", "health") as person:
        person.sees("one")
        person.sees("two")
        person.types(DOWN + ENTER)
        assert "ok" in person.ends()
    assert bare.step("context", "current").stdout == "two\n"


# --- Pipes ----------------------------------------------------------------------------------------


def test_standard_input_may_be_a_pipe(ca, machine):
    """The terminal is asked, standard output has the result only."""
    read, write = os.pipe()
    with Person(machine, "ca", "token", "web.test", stdin=subprocess.DEVNULL,
                stdout=write) as person:
        os.close(write)
        person.answers("password", PASSWORD)
        person.ends()
    with os.fdopen(read) as pipe:
        text = pipe.read()
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", text)
    assert ca.sign(text.strip()).status == 201


# --- Nobody there ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words, flag", [
    (["ca", "init"], "--name"),
    (["ca", "init", "--name", "X", "--dns", "a", "--address", ":1", "--provisioner", "o"],
     "--password-file"),
    (["ca", "token", "web.test"], "--provisioner"),
    (["ca", "token", "web.test", "--provisioner", "ops"], "password-file"),
    (["ca", "certificate", "web.test", "a.crt", "a.key"], "--provisioner"),
    (["ca", "certificate", "web.test", "a.crt", "a.key", "--provisioner", "ops"],
     "password-file"),
    (["ca", "root", "there"], "--force"),
    (["ca", "revoke", "5", "--provisioner", "ops"], "password-file"),
    (["crypto", "keypair", "a.pub", "a.key"], "--password-file"),
    (["crypto", "change-pass", "there.key"], "password-file"),
])
def test_nobody_there(two, bare, words, flag):
    """setsid and no input: an error that names the flag, at once; never a hang."""
    if "init" not in words:
        bare.bootstrap(two)
    (bare.folder / "there").write_text("mine")
    bare.step("crypto", "keypair", "there.pub", "there.key", "--password-file", two.password_file)
    before = files_below(bare.folder)
    said = execute(["setsid", "--wait", STEP, *words], False, env=bare.env, cwd=bare.folder)
    assert flag in said.stderr and said.stdout == ""
    assert files_below(bare.folder) == before
    assert (bare.folder / "there").read_text() == "mine"
