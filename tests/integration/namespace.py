"""Mounts that only one program and its children see: the machine's own stay as they are."""

import os
import shutil
import subprocess

import pytest

# $1 is a folder that is ours, $2 how many mounts follow, three words each: options, what, where.
# In a chroot "/" may be no mount point, and then nothing can be said about how mounts below it
# spread: the whole tree is bound once more, where it is private, and that becomes the root.
SCRIPT = """
set -e
folder=$1 count=$2 root=
shift 2
if ! mount --make-rprivate / 2>/dev/null; then
    mount --make-rprivate "$(stat -c %m "$folder")"
    root=$folder/root
    mkdir -p "$root"
    mount --rbind / "$root"
    mount --make-rprivate "$root"
fi
while [ "$count" -gt 0 ]; do
    mount $1 "$2" "$root$3"
    shift 3
    count=$((count - 1))
done
[ -z "$root" ] || exec chroot "$root" sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
exec "$@"
"""


def mounting(folder, *mounts):
    """What to put before a command so that it sees these mounts, (options, what, where) each; skips
    where this machine does not let us.  folder is a place for a new root, if need be."""
    for program in ("unshare", "mount", "chroot"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    words = [str(w) for m in mounts for w in m]
    prefix = ["unshare", "--mount", "--propagation", "unchanged", *user, "sh", "-c", SCRIPT, "sh",
              str(folder), str(len(mounts)), *words]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip("no mounts of one's own here: " + tried.stderr.strip().replace("\n", "; "))
    return prefix


def binding(folder, *pairs):
    """The same for directories that stand in place of others: (ours, theirs)."""
    return mounting(folder, *(("--bind", ours, theirs) for ours, theirs in pairs))


def inside(pid, *command):
    """A command among the mounts of that process."""
    return ["nsenter", "-t", str(pid), "-m", "-r", *command]
