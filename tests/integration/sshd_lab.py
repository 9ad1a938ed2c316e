"""OpenSSH's server on loopback, a user to log in, and an agent: each of its own, each ended again."""

import os
import pwd
import signal
import subprocess
import time
import uuid
from pathlib import Path

from conftest import SLOW, free_port
from machine import execute

SSHD = "/usr/sbin/sshd"


class User:
    """Who logs in: an account that exists only for the test, or, without root, whoever runs it."""

    def __init__(self):
        self.made = os.geteuid() == 0
        self.name = f"newel{uuid.uuid4().hex[:8]}" if self.made else pwd.getpwuid(os.geteuid())[0]
        if self.made:
            # '*': no password fits, but the account is not locked
            execute(["useradd", "-m", "-p", "*", "-s", "/bin/sh", self.name])

    def remove(self):
        if self.made:
            execute(["userdel", "-r", "-f", self.name], ok=None)


class Sshd:
    """One server.  Options are lines of sshd_config."""

    def __init__(self, folder, *options):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log_path = self.folder / "sshd.log"
        self.config = self.folder / "sshd_config"
        self.process = None
        self.options = list(options)
        self.write()

    def write(self, *more):
        fixed = [f"Port {self.port}", "ListenAddress 127.0.0.1", "AuthorizedKeysFile none",
                 "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no",
                 "PidFile none", "StrictModes no", "LogLevel VERBOSE", "PermitUserRC no"]
        self.config.write_text("\n".join([*fixed, *self.options, *more]) + "\n")

    def check(self):
        """sshd's own judgement of the configuration."""
        make_run_directory()
        return execute([SSHD, "-t", "-f", self.config])

    def start(self):
        make_run_directory()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.wait_listening()
        return self

    def wait_listening(self, count=1):
        end = time.monotonic() + 20 * SLOW
        while self.log().count("Server listening") < count:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def reload(self):
        """Reads its configuration and keys again."""
        before = self.log().count("Server listening")
        self.process.send_signal(signal.SIGHUP)
        self.wait_listening(before + 1)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None


def make_run_directory():
    """sshd wants it for the separation of privileges; its service would have made it."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


class Agent:
    """OpenSSH's ssh-agent on a socket of its own."""

    def __init__(self, folder):
        self.socket = Path(folder) / "agent.sock"
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.socket)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 20
        while not self.socket.exists():
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.02)
        self.env = {"SSH_AUTH_SOCK": str(self.socket)}

    def list(self, env):
        return execute(["ssh-add", "-L"], ok=None, env={**env, **self.env}).stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
