"""Two real processes under DistributedDataParallel, which meet through a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORLD = 2


def run(folder, seeds):
    script = Path(__file__).with_name("ranks.py")
    # Gloo would look the machine's name up, which needs a network that a test machine may not have.
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, str(script), str(rank), str(WORLD), str(folder), seeds],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(WORLD)
    ]
    try:
        errors = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * WORLD, errors
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names Linux's loopback interface")
@pytest.mark.parametrize("seeds", ["own", "same"])
def test_ranks_differ_unless_they_are_seeded_alike_and_gradients_are_their_mean(tmp_path, seeds):
    ranks = run(tmp_path, seeds)
    for step in range(2):
        assert torch.equal(ranks[0][step]["mask"], ranks[1][step]["mask"]) == (seeds == "same")
        for both in zip(*(rank[step]["own"] for rank in ranks), ranks[0][step]["averaged"], strict=True):
            torch.testing.assert_close((both[0] + both[1]) / 2, both[2])
        for one, other in zip(ranks[0][step]["averaged"], ranks[1][step]["averaged"], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(ranks[0][0]["mask"], ranks[0][1]["mask"])  # two steps
    assert len(ranks[0][0]["own"]) == 5  # the strengths of guided dropout are averaged too
