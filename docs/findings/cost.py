"""What FDD costs beside the two methods that its paper compares it with in run time, on features of its ResNet-18.

    python docs/findings/cost.py

Forward passes on 64 × 512 features, each method in the mode in which it acts: FDD-1D and guided dropout in training,
SAP at inference. Medians of interleaved turns in one thread.
"""

import statistics
import time

import torch

import dropover

TURNS, CALLS = 60, 20


def main() -> None:
    """Print microseconds a call and the ratio to FDD-1D."""
    torch.set_num_threads(1)
    features = torch.randn(64, 512, generator=torch.Generator().manual_seed(0)).relu()
    layers = {
        "FDD-1D": dropover.DensityDropout(1),
        "guided": dropover.GuidedDropout(512, 0.3),
        "SAP": dropover.StochasticActivationPruning(1.0).eval(),
    }
    times: dict[str, list[float]] = {name: [] for name in layers}
    with torch.no_grad():
        for turn in range(TURNS):
            for name, layer in layers.items():
                start = time.perf_counter()
                for _ in range(CALLS):
                    layer(features)
                if turn >= TURNS // 10:  # the first turns warm up
                    times[name].append((time.perf_counter() - start) / CALLS)
    typical = {name: statistics.median(taken) for name, taken in times.items()}
    for name, seconds in typical.items():
        print(f"{name:8} {1e6 * seconds:8.1f} µs   {seconds / typical['FDD-1D']:.2f} times FDD-1D's")


if __name__ == "__main__":
    main()
