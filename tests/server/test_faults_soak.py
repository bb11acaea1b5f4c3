"""A long mixture of everything, the soak: S22 of the list of faults."""

import os
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.counts import count
from tests.server.helpers import process
from tests.server.soaking import KINDS, Soak

pytestmark = pytest.mark.faults
GROWTH = 100e6
"""Most bytes by which the memory of a server may grow after its warm-up."""
QUARTERS = 4
POOL = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's own pool, which start one by one as they are needed."""


def numbers(address: str) -> dict[str, float]:
    """Return what the server says of itself: gauges by name, what the engine counts, and responses by status."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"{address}/metrics").text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                name = sample.labels.get("event") or sample.labels.get("status") or sample.name
                found[name] = found.get(name, 0) + sample.value
    return found


def idle(address: str) -> dict[str, float]:
    """Wait until nothing is open but the question after it, and its connection is closed; return the numbers."""
    end = time.monotonic() + 20
    while True:
        found = numbers(address)
        busy = found["visionllm_open_requests"] - 1 + found["visionllm_engine_running"]
        if not busy + found["visionllm_engine_queued"] or time.monotonic() > end:
            time.sleep(1)
            return found
        time.sleep(0.1)


@pytest.fixture
def served() -> Iterator[tuple[psutil.Process, str]]:
    """A server with the embedded model, which ends well."""
    with process("tiny") as (server, address):
        yield psutil.Process(server.pid), address
        server.terminate()
        assert server.wait(60) == 0


def test_s22_a_soak_of_everything_leaves_a_server_as_it_was(
    served: tuple[psutil.Process, str], record_property: Callable[[str, object], None]
):
    server, address = served
    seconds = count("s22")
    soak, warm_up = Soak(address), min(180, seconds / 3)
    soak.run(warm_up)
    warm, before = soak.asked.total(), idle(address)
    after = before
    memory, files, threads = [server.memory_info().rss], server.num_fds(), server.num_threads()
    for _ in range(QUARTERS):
        soak.run((seconds - warm_up) / QUARTERS)
        after = idle(address)
        memory.append(server.memory_info().rss)
    files_after, threads_after = server.num_fds(), server.num_threads()
    asked = ", ".join(f"{kind} {times}" for kind, times in sorted(soak.asked.items()))
    record_property(
        "summary",
        f"{soak.asked.total()} requests in {seconds} s, {warm} of them to warm up: {asked}\n"
        f"memory at the start and after each quarter: {', '.join(f'{size / 1e6:.0f}' for size in memory)} MB; "
        f"files {files} and {files_after}; threads {threads} and {threads_after}\n"
        f"answers by status: { {name: int(n) for name, n in sorted(after.items()) if name.isdigit()} }",
    )
    assert not soak.wrong, "\n".join(soak.wrong)
    assert len(soak.asked) == len(KINDS), "every kind of client has asked"
    assert memory[-1] - memory[0] <= GROWTH
    assert files_after <= files and threads_after <= threads + POOL
    assert not [name for name in after if name.startswith("5")]
    assert after["visionllm_engine_running"] == after["visionllm_engine_queued"] == 0
    assert after["visionllm_open_requests"] == 1, "the question for it"
    assert after["visionllm_engine_free_blocks"] == after["visionllm_engine_total_blocks"]
    assert after["submitted"] == after["finished"] + after["cancelled"] > before["submitted"]
