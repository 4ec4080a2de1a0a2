# SPDX-License-Identifier: Apache-2.0
"""Under load, in short what tests/soak does at length: reloads lose nothing, killed workers no more than what they had in hand."""
import os
import signal

import peers
from instance import until
from processes import Traffic, only, status
from traffic import Lost, Relays, Requests, config, connections, echo, ok


def kill_stopped(instance, role, port):
    """SIGKILL to the process of ROLE; the clients' ports of the connections that it held. Returns when its successor is there."""
    pid = only(instance.pids(role))
    os.kill(pid, signal.SIGSTOP)  # so that what it holds stays what it holds
    until(lambda: status(pid)["State"][0] == "T", "it to stop")
    held = connections(pid, port)
    os.kill(pid, signal.SIGKILL)
    until(lambda: [p for p in instance.pids(role) if p != pid], f"another {role}")
    return held


def test_reloads_lose_nothing_and_killed_workers_only_what_they_had_in_hand(lb, pki, target):
    instance = lb(config(pki, target(ok).port, target(echo).port, timeouts="{drain: 1h}"))
    port, context = instance.port("web"), peers.client_context(pki.ca("servers"), pki.good)
    kept, relays = Requests(port, context, True), Relays(instance.port("relay"), context)
    with Traffic(kept) as a, Traffic(Requests(port, context, False)) as b:
        with Traffic(relays) as c:
            for generation in range(2, 12):
                instance.reload(expect=f"reloaded: generation {generation}\n")
                for traffic in a, b, c:
                    traffic.goes_on(4)
        assert not a.failures + b.failures + c.failures and relays.opened == 2 and kept.opened > 2
        doomed = set()
        for role in "worker 0", "worker 1", "worker 0":
            doomed |= kill_stopped(instance, role, port)
            a.goes_on(10)
            b.goes_on(10)
    failures = [why for _, why in a.failures + b.failures]
    assert all(isinstance(why, Lost) and why.port in doomed for why in failures), (failures, doomed)
