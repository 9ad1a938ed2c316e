"""Running `step` as a tool: bytes in, bytes out, no terminal, a directory of its own."""

import base64
import subprocess

from conftest import SLOW, STEP, clean_environment

PLAIN = ["--no-password", "--insecure"]
TERMINAL = "cannot ask"  # what is said when there is nobody to ask


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tool:
    def __init__(self, path, program=STEP):
        self.path = path
        self.program = program
        self.env = clean_environment(STEPPATH=str(path / ".step"), HOME=str(path))

    def run(self, *words, stdin=b""):
        """An empty stdin is /dev/null: nothing is piped in."""
        source = {"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}
        return subprocess.run([self.program, *map(str, words)], cwd=self.path, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120 * SLOW,
                              start_new_session=True, check=False, **source)

    def ok(self, *words, stdin=b""):
        """Standard output."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def line(self, *words, stdin=b""):
        out = self.ok(*words, stdin=stdin)
        assert out.endswith(b"\n") and out.count(b"\n") == 1, out
        return out[:-1].decode()

    def fails(self, text, *words, stdin=b"", lines=1):
        """One clear line on standard error, nothing on standard output."""
        done = self.run(*words, stdin=stdin)
        said = done.stderr.decode()
        assert done.returncode == 1, (words, done.returncode, done.stdout, said)
        assert text in said, (words, said)
        assert said.count("\n") == lines and done.stdout == b"", (words, done.stdout, said)
        return said

    def put(self, name, content):
        target = self.path / name
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def get(self, name):
        return (self.path / name).read_bytes()

    def mode(self, name):
        return (self.path / name).stat().st_mode & 0o777
