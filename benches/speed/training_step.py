"""Samples a second of one training step: ours, torch's, and the matrix products of the step alone."""

import multiprocessing
import subprocess
import time

from measure import emit

SHAPES = [([3, 128, 1], 32), ([64, 256, 256, 28], 256), ([128, 512, 512, 28], 1024)]
RUNS = 5
SECONDS = 0.4


def rates(step, rows):
    """Samples a second of some runs of a third of a second or more each."""
    found = []
    for _ in range(RUNS):
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            for _ in range(10):
                step()
            steps += 10
        found.append(steps * rows / (time.perf_counter() - started))
    return found


def torch_step(widths, rows, threads, fused):
    import torch

    torch.set_num_threads(threads)
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layers += [torch.nn.Linear(a, b)] + ([torch.nn.ReLU()] if i + 2 < len(widths) else [])
    network, loss = torch.nn.Sequential(*layers), torch.nn.MSELoss()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=fused)
    x, y = torch.randn(rows, widths[0]), torch.randn(rows, widths[-1])

    def step():
        optimizer.zero_grad()
        loss(network(x), y).backward()
        optimizer.step()

    return step


def products(widths, rows):
    """Forward, and both gradients of every layer but the inputs' own."""
    import torch

    torch.set_num_threads(1)
    calls = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        x, w, d = torch.randn(rows, a), torch.randn(a, b), torch.randn(rows, b)
        calls += [(x, w, torch.empty(rows, b)), (x.T, d, torch.empty(a, b))]
        if i > 0:
            calls.append((d, w.T, torch.empty(rows, a)))

    def step():
        for left, right, out in calls:
            torch.mm(left, right, out=out)

    return step


def measure_products(arguments):
    widths, rows = arguments
    return rates(products(widths, rows), rows)


def measure_torch(arguments):
    widths, rows, threads, fused = arguments
    return rates(torch_step(widths, rows, threads, fused), rows)


def main():
    command = "cargo bench --quiet --bench training_step"
    ours = subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout
    ours = [line.split() for line in ours.splitlines()[1:]]
    context = multiprocessing.get_context("spawn")
    for widths, rows in SHAPES:
        for threads in (1, 2):
            name = "-".join(map(str, widths))
            row = f"training step {name}, batch {rows}, threads {threads}"
            for found in ours:
                if found[:3] == [name, str(rows), str(threads)]:
                    emit(row, "ours", "sales_forecast", found[3:], "samples/s")
            for fused, label in ((False, "torch AdamW"), (True, "torch fused AdamW")):
                with context.Pool(1) as pool:
                    emit(row, "peer", label, pool.map(measure_torch, [(widths, rows, threads, fused)])[0], "samples/s")
            # Batches are sharded: the limit of two threads is two processes that multiply matrices of half the rows.
            shard = (widths, rows // threads)
            with context.Pool(threads) as pool:
                found = pool.map(measure_products, [shard] * threads, chunksize=1)
            emit(row, "limit", "matrix products alone, torch", [sum(run) for run in zip(*found)], "samples/s")


if __name__ == "__main__":
    main()
