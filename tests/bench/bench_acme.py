#!/usr/bin/python3
"""What a certificate by ACME costs the server: http-01, from new-order to the download.  The client
asks for the order, its authorization, answers the challenge (and polls it where the answer is no
verdict), looks at the order, finalizes, and downloads.

    bench_acme.py STEP STEP-CA [ACCOUNTS [ORDERS]]

Prints certificates, latencies and the server's CPU time for each certificate, with the floor
measured in the same run: two P-256 verifications and one signature.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))


def server_cpu(pid):
    """User and system seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_floor(rounds=2000):
    """Seconds of two verifications and one signature with P-256."""
    key, message = ec.generate_private_key(ec.SECP256R1()), b"m" * 500
    alg = ec.ECDSA(hashes.SHA256())
    public, signature = key.public_key(), key.sign(message, alg)
    begun = time.process_time()
    for _ in range(rounds):
        public.verify(signature, message, alg)
        public.verify(signature, message, alg)
        key.sign(message, alg)
    return (time.process_time() - begun) / rounds


def take_orders(client, web, number, orders, key, outcome, lock):
    for i in range(orders):
        begun = time.monotonic()
        try:
            leaf, _ = client.certificate(web, f"host-{number}-{i}.load.test", key=key)
            result = (leaf, time.monotonic() - begun)
        except Exception as error:  # pylint: disable=broad-except  # told by the caller
            result = error
        with lock:
            outcome.append(result)


def run_load(lab, client_of, accounts, orders):
    """Each account takes its orders one after the other, all accounts at the same time.  A list of
    (certificate, seconds), with an exception in the place of what failed."""
    clients = [client_of(lab.ca) for _ in range(accounts)]
    key = ec.generate_private_key(ec.SECP256R1())
    outcome, lock = [], threading.Lock()
    threads = [threading.Thread(target=take_orders,
                                args=(client, lab.web, number, orders, key, outcome, lock))
               for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    return outcome


def main():
    if len(sys.argv) < 3:
        print("usage: bench_acme.py STEP STEP-CA [ACCOUNTS [ORDERS]]", file=sys.stderr)
        return 2
    os.environ.update(STEP_BIN=sys.argv[1], STEP_CA_BIN=sys.argv[2])
    accounts = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    orders = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    from acme_lab import Client, Lab
    from conftest import Ca

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        lab = Lab(lambda *args: Ca(folder / "ca", args), folder)
        before, begun = server_cpu(lab.ca.process.pid), time.monotonic()
        outcome = run_load(lab, Client, accounts, orders)
        seconds = time.monotonic() - begun
        used = server_cpu(lab.ca.process.pid) - before
        lab.ca.stop()
        lab.stop()
    times = sorted(o[1] for o in outcome if isinstance(o, tuple))
    floor = measure_floor()
    each = used / max(len(times), 1)
    print(f"certificates        {len(times)} for {accounts} accounts, "
          f"{len(outcome) - len(times)} failed")
    print(f"throughput          {len(times) / seconds:.0f} certificates/s")
    if times:
        print(f"latency             p50 {times[len(times) // 2] * 1e3:.0f} ms, "
              f"p99 {times[len(times) * 99 // 100] * 1e3:.0f} ms")
    print(f"server CPU          {each * 1e6:.0f} us a certificate (accounts and polls included)")
    print(f"floor               {floor * 1e6:.0f} us (2 verifications, 1 signature)")
    print(f"ratio               {each / floor:.1f}")
    return len(times) != len(outcome)


if __name__ == "__main__":
    sys.exit(main())
