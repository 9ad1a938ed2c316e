"""Builds and runs all checks; `scripts/check` calls it once the packages are there.

Three builds: the product (gcc, warnings are errors), the unit tests under AddressSanitizer and
UBSan, and the fuzz targets (clang).  The integration tests run the product, or with --sanitize
the sanitized binaries.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What each folder may include besides itself; the house's floors (docs/architecture.md).
FOUNDATION = "base json crypto jose x509 ssh policy template net store client provisioner"
FLOORS = {
    "base": "",
    "json": "base",
    "crypto": "base json",
    "jose": "base json crypto",
    "x509": "base json crypto",
    "ssh": "base json crypto",
    "template": "base json crypto",
    "policy": "base json x509 crypto",
    "net": "base crypto",
    "store": "base json crypto",
    "client": "base json crypto jose x509 ssh net",
    "provisioner": "base json crypto jose x509 ssh policy template net",
    "authority": FOUNDATION,
    "api": FOUNDATION + " authority",
    "acme": FOUNDATION + " authority api",
    "server": FOUNDATION + " authority api acme",
    "cli": FOUNDATION + " authority api acme",
}


class Tally:
    """Counts of all stages, and the names of what went wrong."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.trouble = []

    def ok(self, count=1):
        self.passed += count

    def fail(self, name, text=""):
        self.failed += 1
        self.trouble.append(name)
        print(f"FAILED: {name}")
        if text:
            print("\n".join("    " + line for line in text.splitlines()[-60:]))

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skipped: {name}: {reason}")


def heading(text):
    print(f"== {text}", flush=True)


def run(args, **options):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)


def configure(folder, args, cc):
    environment = dict(os.environ, CC=cc)
    setup = ["meson", "setup", str(folder), str(ROOT), "--werror", *args]
    if (folder / "build.ninja").exists():
        setup.append("--reconfigure")
    return run(setup, env=environment)


def build(tally, name, folder, args, cc="gcc"):
    heading(f"build: {name}")
    done = configure(folder, args, cc)
    if done.returncode == 0:
        done = run(["ninja", "-C", str(folder), "-k", "0"])
    if done.returncode != 0:
        quiet = [line for line in done.stdout.splitlines() if not re.match(r"\[\d+/\d+\]", line)]
        tally.fail(f"build: {name}", "\n".join(quiet))
        return False
    tally.ok()
    return True


def check_floors(tally):
    heading("floors: who includes whom")
    wrong = []
    for source in sorted((ROOT / "src").glob("*/*.[ch]")):
        own = source.parent.name
        allowed = set(FLOORS[own].split()) | {own}
        for number, line in enumerate(source.read_text().splitlines(), 1):
            found = re.match(r'#include "([a-z0-9]+)/', line)
            if found and found.group(1) not in allowed:
                wrong.append(f"{source.relative_to(ROOT)}:{number}: {own} may not include "
                             f"{found.group(1)}")
    if wrong:
        tally.fail("floors", "\n".join(wrong))
    else:
        tally.ok()


def check_format(tally):
    heading("format: .clang-format")
    files = [str(p) for pattern in ("src/*/*.[ch]", "tests/*/*/*.[ch]", "tests/*/*.[ch]")
             for p in sorted(ROOT.glob(pattern))]
    done = run(["clang-format", "--dry-run", "-Werror", *files])
    if done.returncode != 0:
        tally.fail("format", "\n".join(done.stdout.splitlines()[:20]))
    else:
        tally.ok()


def unit_counts(output):
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", output))
    failed = re.findall(r"\[  FAILED  \] ([A-Za-z_][A-Za-z0-9_]*)$", output, re.M)
    skipped = re.findall(r"\[  SKIPPED \] ([A-Za-z_][A-Za-z0-9_]*)$", output, re.M)
    return passed, sorted(set(failed)), sorted(set(skipped))


def run_unit(tally, folder):
    heading("unit tests (AddressSanitizer, UBSan)")
    environment = dict(os.environ, ASAN_OPTIONS="detect_stack_use_after_return=1",
                       UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    run(["meson", "test", "-C", str(folder), "--no-rebuild", "--timeout-multiplier", "4"],
        env=environment)
    if not log.exists():
        tally.fail("unit tests", "meson test wrote no log")
        return
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        output = (entry.get("stdout") or "") + (entry.get("stderr") or "")
        passed, failed, skipped = unit_counts(output)
        tally.ok(passed)
        for name in skipped:
            reason = re.search(rf"{name}: skipped: (.*)", output)
            tally.skip(f"{entry['name']}: {name}", reason.group(1) if reason else "see the test")
        for name in failed:
            tally.fail(f"{entry['name']}: {name}", output)
        if entry["result"] != "OK" and not failed:
            tally.fail(f"{entry['name']} ({entry['result']})", output)


def run_integration(tally, binaries, units, sanitize):
    heading("integration tests")
    report = binaries / "integration.xml"
    report.unlink(missing_ok=True)
    environment = dict(os.environ, STEP_BIN=str(binaries / "src/cli/step"),
                       STEP_CA_BIN=str(binaries / "src/server/step-ca"), NEWEL_UNITS=str(units))
    if sanitize:
        environment["NEWEL_SANITIZED"] = "1"
    done = run(["/usr/bin/python3", "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider",
                f"--junitxml={report}", str(ROOT / "tests/integration")],
               env=environment, cwd=ROOT)
    if not report.exists():
        tally.fail("integration tests", done.stdout)
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None:
            tally.fail(name, bad.text or bad.get("message"))
        elif skipped is not None:
            tally.skip(name, skipped.get("message"))
        else:
            tally.ok()


def run_fuzz(tally, folder, seconds):
    heading(f"fuzz targets, {seconds} s each")
    targets = sorted(p for p in folder.glob("tests/fuzz/*/fuzz_*")
                     if p.is_file() and os.access(p, os.X_OK))
    pending = list(targets)
    running = []
    while pending or running:
        while pending and len(running) < (os.cpu_count() or 1):
            running.append(start_fuzz(folder, pending.pop(0), seconds))
        time.sleep(0.2)
        for item in [r for r in running if r[1].poll() is not None]:
            running.remove(item)
            target, process, output = item
            if process.returncode == 0:
                tally.ok()
            else:
                tally.fail(f"fuzz: {target.name}", output.read_text(errors="replace"))


def start_fuzz(folder, target, seconds):
    module, name = target.parent.name, target.name.split("_", 2)[2]
    corpus = folder / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests" / "fuzz" / module / f"seeds-{name}"
    output = corpus.with_suffix(".log")
    args = [str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
            "-print_final_stats=0", str(corpus)]
    if seeds.is_dir():
        args.append(str(seeds))
    with open(output, "w", encoding="utf-8") as sink:
        process = subprocess.Popen(args, stdout=sink, stderr=subprocess.STDOUT, cwd=corpus)
    return target, process, output


def main():
    parser = argparse.ArgumentParser(prog="scripts/check")
    parser.add_argument("--sanitize", action="store_true",
                        help="run the integration tests with sanitized binaries too")
    parser.add_argument("--fuzz-seconds", type=int, default=5)
    parser.add_argument("--only", choices=["unit", "integration", "fuzz", "static"])
    options = parser.parse_args()
    tally = Tally()
    product, sanitized, fuzzing = (ROOT / name for name in ("build", "build-sanitize",
                                                            "build-fuzz"))

    if options.only in (None, "static"):
        check_floors(tally)
        check_format(tally)
    # The integration tests run the unit tests of the store against real servers too.
    tested = options.only in (None, "unit", "integration") and \
        build(tally, "sanitized", sanitized, ["-Db_sanitize=address,undefined"])
    if options.only in (None, "integration") and not options.sanitize:
        if build(tally, "product", product, ["-Dtests=false"]):
            run_integration(tally, product, sanitized, False)
    if tested and options.only in (None, "unit"):
        run_unit(tally, sanitized)
    if tested and options.sanitize and options.only in (None, "integration"):
        run_integration(tally, sanitized, sanitized, True)
    if options.only in (None, "fuzz"):
        if build(tally, "fuzz targets", fuzzing,
                 ["-Dfuzz=true", "-Dtests=false", "-Db_sanitize=address,undefined",
                  "-Db_lundef=false"], cc="clang"):
            run_fuzz(tally, fuzzing, options.fuzz_seconds)

    for name in tally.trouble:
        print(f"failed: {name}")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
