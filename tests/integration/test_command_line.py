"""The syntax of `step`: where a flag's value comes from, what is an error, help, completion."""

import json
import shutil

import pytest
from conftest import STEP, need
from machine import Machine, by_password, execute, files_below, fingerprint_of, leaf, mode, seconds


@pytest.fixture
def machine(ca, tmp_path):
    made = Machine(tmp_path / "m")
    made.bootstrap(ca)
    return made


def defaults(machine, **values):
    path = machine.path / "config/defaults.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


# --- Where values come from -----------------------------------------------------------------------


def test_every_way_to_give_a_flag(ca, tmp_path):
    bare = Machine(tmp_path / "bare")
    host, root = f"localhost:{ca.port}", ca.root_path
    for args in (["--ca-url", host, "--root", root], [f"--ca-url={host}", f"--root={root}"],
                 ["-ca-url", host, "-root", root], [f"-ca-url={host}", f"-root={root}"],
                 ["--ca-url", f"https://{host}/ignored/path", "--root", root]):
        assert bare.step("ca", "health", *args).stdout == "ok\n"
    assert bare.step("ca", "health", env={"STEP_CA_URL": host,
                                          "STEP_ROOT": str(root)}).stdout == "ok\n"
    defaults(bare, **{"ca-url": ca.url, "root": str(root)})
    assert bare.step("ca", "health").stdout == "ok\n"
    other = bare.folder / "other.json"
    (bare.path / "config/defaults.json").rename(other)
    bare.step("ca", "health", ok=False)
    assert bare.step("--config", other, "ca", "health").stdout == "ok\n"


def test_precedence(ca, machine):
    """Four addresses, of which one answers: it must be in the place that wins."""
    wrong = "https://localhost:1"
    good = ["--ca-url", ca.url]
    defaults(machine, **{"ca-url": wrong})
    machine.step("ca", "health", ok=False)
    assert machine.step("ca", "health", env={"STEP_CA_URL": ca.url}).stdout == "ok\n"
    machine.step("ca", "health", env={"STEP_CA_URL": "https://localhost:2"}, ok=False)
    assert machine.step("ca", "health", *good, env={"STEP_CA_URL": wrong}).stdout == "ok\n"
    said = machine.step("ca", "health", "--ca-url", "https://localhost:3",
                        env={"STEP_CA_URL": ca.url}, ok=False)
    assert "localhost:3" in said.stderr


def test_a_profile_wins_over_its_authority(ca, tmp_path):
    machine = Machine(tmp_path / "m")
    machine.bootstrap(ca, "--context", "work")
    profile = machine.path / "profiles/work/config/defaults.json"
    profile.write_text('{"ca-url": "https://localhost:1"}')
    said = machine.step("ca", "health", ok=False)
    assert "localhost:1" in said.stderr
    profile.write_text("{}")
    assert machine.step("ca", "health").stdout == "ok\n"


@pytest.mark.parametrize("name, content", [
    ("config/defaults.json", "{"), ("contexts.json", "{"), ("contexts.json", '{"a":{}}'),
    ("current-context.json", '{"context":"unknown"}'),
])
def test_broken_files_are_named(tmp_path, name, content):
    machine = Machine(tmp_path / "m")
    path = machine.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert str(path.parent) in machine.step("path", ok=False).stderr


def test_flags_stand_anywhere(ca, machine):
    flags = [*by_password(ca), "--force", "--not-after", "1h"]
    subject = ["a.internal", "a.crt", "a.key"]
    for args in (subject + flags, flags + subject,
                 [subject[0], "--force", subject[1], *by_password(ca), subject[2], "--not-after",
                  "1h"]):
        machine.step("ca", "certificate", *args)
        assert seconds(leaf(machine.folder / "a.crt")) == 3660
        assert "PRIVATE KEY" in (machine.folder / "a.key").read_text()
    machine.step("ca", "certificate", *flags, "--", *subject)


def test_values_from_the_environment(ca, machine):
    arguments = ["ca", "certificate", "a.internal", "a.crt", "a.key", *by_password(ca)]
    machine.step(*arguments)
    machine.step(*arguments, ok=False)
    machine.step(*arguments, env={"STEP_FORCE": "1"})
    machine.step(*arguments, env={"STEP_F": "true"})
    machine.step(*arguments, env={"STEP_F": ""}, ok=False)
    machine.step(*arguments, "--force", env={"STEP_OFFLINE": ""})
    said = machine.step(*arguments, "--force", env={"STEP_OFFLINE": "maybe"}, ok=False)
    assert "maybe" in said.stderr and "offline" in said.stderr


# --- Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, code, text", [
    (["bogus"], 3, "No help topic for 'bogus'"),
    (["ca", "bogus"], 3, "No help topic for 'bogus'"),
    (["help", "bogus"], 3, "No help topic for 'bogus'"),
    (["ca", "token"], 1, "not enough positional arguments were provided in 'step ca token"),
    (["ca", "token", "a", "b"], 1, "too many positional arguments were provided in 'step ca token"),
    (["ca", "health", "x"], 1, "too many positional arguments"),
    (["ca", "certificate", "a", "b"], 1, "not enough positional arguments"),
])
def test_wrong_words(machine, words, code, text):
    said = machine.step(*words, ok=None)
    assert (said.returncode, said.stdout) == (code, "") and text in said.stderr


@pytest.mark.parametrize("words", [
    ["ca", "token", "--nope", "x"], ["ca", "token", "x", "--nope"], ["ca", "token", "x", "--san"],
    ["ca", "token", "x", "--not-after", "yesterday"], ["ca", "health", "--ca-url"],
    ["ca", "renew", "a", "b", "--signal", "HUP"], ["ca", "certificate", "a", "b", "c", "-du"],
])
def test_wrong_syntax_shows_the_help(machine, words):
    said = machine.step(*words, ok=False)
    if "yesterday" not in words and "HUP" not in words:
        assert said.stdout.startswith("Incorrect Usage: ")
        assert f"step {words[0]} {words[1]}" in said.stdout and "USAGE" in said.stdout


def test_two_forms_of_one_flag(machine):
    said = machine.step("ca", "renew", "a", "b", "--out", "x", "--output-file", "y", ok=False)
    assert "two forms of the same flag" in said.stderr


def test_a_group_shows_its_help(machine):
    said = machine.step("ca")
    assert "COMMANDS" in said.stdout
    for command in ("bootstrap", "certificate", "federation", "health", "init", "provisioner",
                    "rekey", "renew", "revoke", "root", "roots", "sign", "token"):
        assert f"\n      {command} " in said.stdout, command


# --- Help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [["ca", "token"], ["ca", "provisioner", "add"], ["ca"],
                                  ["crypto", "key", "format"]])
def test_help_in_three_ways(machine, path):
    text = machine.step("help", *path).stdout
    assert text == machine.step(*path, "--help").stdout == machine.step(*path, "-h").stdout
    assert text == machine.step(*path[:-1], "help", path[-1]).stdout
    assert text.startswith("NAME\n      step " + " ".join(path) + " -- ")
    assert "\033" not in text


def every_command(machine, path=()):
    text = machine.step("help", *path).stdout
    yield path, text
    if "\nCOMMANDS\n" in text:
        block = text.split("\nCOMMANDS\n")[1].split("\n\n")[0]
        for line in block.splitlines():
            if line.startswith("      ") and line[6] != " ":
                yield from every_command(machine, (*path, line.split()[0]))


def test_every_command_has_complete_help(machine):
    seen = 0
    for path, text in every_command(machine):
        seen += 1
        assert "\nUSAGE\n" in text, path
        in_example = False
        for line in text.splitlines():
            in_example = line == "EXAMPLES" or (in_example and not line[:1].strip())
            if not in_example and not line.lstrip().startswith(("--", "step ")):
                assert len(line) <= 80, (path, line)
    assert seen > 30


def test_version(machine):
    first, second = machine.step("version").stdout.splitlines()
    assert first.split("/")[1].split(" ")[0].count(".") == 2
    assert second.startswith("Release Date: ")
    assert machine.step("--version").stdout == machine.step("-v").stdout == f"{first}\n{second}\n"


# --- Without a terminal ---------------------------------------------------------------------------


def test_without_a_terminal_questions_are_errors(ca, machine):
    """execute() starts a session of its own and gives no input."""
    said = machine.step("ca", "token", "web.test", "--provisioner", "ops", ok=False)
    assert "--password-file" in said.stderr or "--provisioner-password-file" in said.stderr
    assert said.stdout == ""
    target = machine.folder / "root.crt"
    target.write_text("mine")
    target.chmod(0o640)
    said = machine.step("ca", "root", target, ok=False)
    assert "--force" in said.stderr and "root.crt" in said.stderr
    assert target.read_text() == "mine" and mode(target) == 0o640


def test_non_interactive(ca, machine):
    for how in (["--non-interactive"], []):
        env = {} if how else {"STEP_NON_INTERACTIVE": "1"}
        said = machine.step(*how, "ca", "token", "web.test", "--provisioner", "ops", env=env,
                            ok=False)
        assert "-file" in said.stderr


# --- Debug ----------------------------------------------------------------------------------------


def test_debug_shows_more_and_no_secrets(ca, machine):
    crt, key = machine.certificate(ca, "web.test")
    token = machine.token(ca, "web.test")
    plain = machine.step("ca", "certificate", "web.test", "x.crt", "x.key", "--token",
                         token[:-4] + "AAAA", ok=False)
    assert "STEPDEBUG=1" in plain.stderr
    debug = {"STEPDEBUG": "1"}
    said = machine.step("ca", "certificate", "web.test", "x.crt", "x.key", "--token",
                        token[:-4] + "AAAA", env=debug, ok=False)
    assert "401" in said.stderr and "STEPDEBUG=1" not in said.stderr
    said = machine.step("ca", "certificate", "web.test", "x.crt", "x.key", *by_password(ca),
                        "--not-after", "1000h", env=debug, ok=False)
    password = ca.password_file.read_text().strip()
    assert password not in said.stderr and token not in said.stderr
    assert "PRIVATE KEY" not in said.stderr
    assert fingerprint_of(crt) and key.exists()


# --- Completion -----------------------------------------------------------------------------------


def candidates(machine, *words):
    return machine.step(*words, "--generate-bash-completion").stdout.split()


def test_completion_candidates(machine):
    assert {"renew", "rekey", "revoke"} <= set(candidates(machine, "ca"))
    assert "--not-after" in candidates(machine, "ca", "token", "--not")
    assert "--force" not in candidates(machine, "ca", "root", "--force", "--fo")
    assert files_below(machine.folder) == ["step/certs/root_ca.crt", "step/config/defaults.json"]


def test_bash_completion(machine):
    need("bash")
    (machine.folder / "bin").mkdir()
    (machine.folder / "bin/step").symlink_to(STEP)
    script = """
        source <(step completion bash)
        COMP_WORDS=(step ca re) COMP_CWORD=2 COMP_LINE='step ca re' COMP_POINT=10
        $(complete -p step | sed 's/.*-F \\([^ ]*\\).*/\\1/') step re ca
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = f"{machine.folder}/bin:{machine.env['PATH']}"
    said = execute(["bash", "-c", script], env=dict(machine.env, PATH=path), cwd=machine.folder)
    assert sorted(said.stdout.split()) == ["rekey", "renew", "revoke"]


def test_completion_scripts_of_other_shells(machine):
    for shell in ("zsh", "fish"):
        text = machine.step("completion", shell).stdout
        assert "step" in text
        if shutil.which(shell):
            execute([shell, "-n", "/dev/stdin"], input=text, stdin=None)
    said = machine.step("completion", "tcsh", ok=False)
    assert "tcsh" in said.stderr
