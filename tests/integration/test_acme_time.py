"""ACME's objects when days have passed: the server is started again with another clock."""

import os
import sqlite3
import ssl
import time

import pytest
from acme_lab import Client, Lab, acme_csr, problem
from conftest import SLOW, Ca

X509_V_FLAG_NO_CHECK_TIME = 0x200000


def library():
    """libfaketime, wherever this architecture has it."""
    for folder in os.listdir("/usr/lib"):
        path = f"/usr/lib/{folder}/faketime/libfaketimeMT.so.1"
        if os.path.exists(path):
            return path
    pytest.skip("faketime is not installed")


class Later(Ca):
    """Its clients look at their own clock and thus not at the one in its certificate."""

    def tls(self, cert=None, key=None):
        context = super().tls(cert, key)
        context.verify_flags |= X509_V_FLAG_NO_CHECK_TIME
        return context


@pytest.fixture
def lab(tmp_path):
    if os.environ.get("NEWEL_SANITIZED"):
        pytest.skip("a sanitizer and faketime both want to be the first library")
    path = library()
    made = Lab(lambda *args: Later(tmp_path / "ca", args), tmp_path)

    def later(what):
        """Again, that much later: "+25h", perhaps with " x60" for a clock that runs faster."""
        if made.ca.process:
            assert made.ca.stop() == 0, made.ca.log()
        made.ca.env.update(LD_PRELOAD=path, FAKETIME=what)
        if " x" not in what:
            made.ca.env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        else:
            made.ca.env.pop("FAKETIME_DONT_FAKE_MONOTONIC", None)
        made.ca.start(*made.args)
    made.later = later
    yield made
    if made.ca.process:
        assert made.ca.stop() == 0, made.ca.log()
    made.stop()


def test_orders_that_were_left_alone_for_a_day_are_invalid(lab):
    client = Client(lab.ca)
    pending, ready, done = (client.order(f"{n}.test") for n in ("pending", "ready", "done"))
    ready.prove(lab.web)
    done.prove(lab.web)
    leaf, _ = done.finish()
    lab.later("+23h")
    client.close()
    client.nonce = None
    assert pending.refresh()["status"] == "pending"
    assert ready.refresh()["status"] == "ready"
    lab.later("+25h")
    client.close()
    client.nonce = None
    challenge = pending.authz()["challenges"][0]
    for order in (pending, ready):
        state = order.refresh()
        assert state["status"] == "invalid"
        assert state["error"]["type"].endswith(":malformed")
        assert "expired" in state["error"]["detail"]
        csr, _ = acme_csr([state["identifiers"][0]["value"]])
        problem(order.finalize(csr), 403, "orderNotReady")
    state = pending.authz()
    assert state["status"] == "invalid" and "expired" in state["error"]["detail"]
    # nothing is validated any more
    assert client.post(challenge["url"], {}).json()["status"] == "pending"
    assert client.post(client.kid + "/orders").json() == []
    assert done.refresh()["status"] == "valid" and done.download() == leaf
    # the account goes on
    client.certificate(lab.web, "fresh.test")


def rows(ca, table):
    base = sqlite3.connect(f"file:{ca.config()['db']['dataSource']}?mode=ro", uri=True)
    try:
        return base.execute(f"select count(*) from {table}").fetchone()[0]
    finally:
        base.close()


def settle(ca, table, count):
    """The first look for rows that are over comes half a minute after the start: half a second of a
    clock that runs 60 times faster."""
    end = time.monotonic() + 30 * SLOW
    while rows(ca, table) != count:
        assert time.monotonic() < end, (table, rows(ca, table))
        time.sleep(0.05)


def test_what_is_over_goes_in_its_time(lab):
    client = Client(lab.ca)
    client.order("pending.test")
    done = client.order("done.test")
    done.prove(lab.web)
    leaf, _ = done.finish()
    lab.later("+6d x60")
    time.sleep(1)  # enough for a look
    assert [rows(lab.ca, f"acme_{t}") for t in ("orders", "authzs", "challenges")] == [2, 2, 6]
    lab.later("+9d x60")
    settle(lab.ca, "acme_challenges", 0)
    settle(lab.ca, "acme_authzs", 0)
    settle(lab.ca, "acme_orders", 1)
    lab.later("+10d")
    client.close()
    client.nonce = None
    assert done.refresh()["status"] == "valid" and done.download() == leaf
    lab.later("+40d x60")
    settle(lab.ca, "acme_orders", 0)
    settle(lab.ca, "acme_certs", 0)
    assert rows(lab.ca, "acme_accounts") == 1
    lab.later("+40d")
    client.close()
    client.nonce = None
    problem(client.post(done.url), 400, "malformed")
    assert client.post(client.kid + "/orders").json() == []
    client.certificate(lab.web, "again.test")
