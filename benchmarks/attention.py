"""DC-SAM's cyclic attention beside torch's own multi-head attention, as a layer: time and peak memory of the processor.

    python benchmarks/attention.py

25 tokens look at the cells of a map; both sides use the same weights, in turn in one process. Memory is that of a
process for each point, without what it holds before it looks.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from dcsam.attention import CyclicAttention

ROUNDS = 15


def sides(side: int, batch: int) -> dict[str, Callable[[], Tensor]]:
    """Both layers on drawn tokens, cells and masks."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer = CyclicAttention(fidelity="paper").eval()
    tokens, places = torch.randn(batch, 25, 256), torch.randn(1, 25, 256)
    cells, positions = torch.randn(batch, side * side, 256), torch.randn(1, side * side, 256)
    mask = (torch.rand(batch, side * side) > 0.8).float()

    def plain() -> Tensor:
        found, _ = layer.multihead_attn(tokens + places, cells + positions, cells, need_weights=False)
        normal: Tensor = layer.norm(tokens + found)
        return normal

    return {"plain": plain, "cyclic": lambda: layer(tokens, places, cells, positions, mask)}


def milliseconds(side: int, batch: int) -> list[float]:
    """Medians of plain and cyclic attention, and of the ratios of paired runs."""
    runs = sides(side, batch)
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(ROUNDS + 1):
        for name in list(runs)[:: 1 if index % 2 else -1]:
            began = time.process_time()
            runs[name]()
            if index:  # the first one warms up
                spent[name].append(1e3 * (time.process_time() - began))
    ratios = [cyclic / plain for plain, cyclic in zip(spent["plain"], spent["cyclic"], strict=True)]
    return [median(spent["plain"]), median(spent["cyclic"]), median(ratios)]


def mebibytes(side: int, batch: int, name: str) -> float:
    """Peak resident memory of one pass, in a process of its own."""
    given = [sys.executable, __file__, str(side), str(batch), name]
    return float(subprocess.run(given, check=True, capture_output=True, text=True).stdout)


def child(side: int, batch: int, name: str) -> None:
    """Print what one pass adds to the peak."""
    run = sides(side, batch)[name]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, on Linux
    before = kibibytes("VmRSS")
    run()
    print((kibibytes("VmHWM") - before) / 1024)


def kibibytes(name: str) -> int:
    """One figure of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    print("| cells | batch | plain, ms | cyclic, ms | ratio | plain, MiB | cyclic, MiB |\n| --- |" + " ---: |" * 6)
    for side in (32, 64):
        for batch in (1, 8):
            plain, cyclic, ratio = milliseconds(side, batch)
            memory = [mebibytes(side, batch, name) for name in ("plain", "cyclic")]
            times = f"{plain:.1f} | {cyclic:.1f} | {ratio:.2f} x"
            print(f"| {side} x {side} | {batch} | {times} | {memory[0]:.0f} | {memory[1]:.0f} |", flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        child(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]) if len(sys.argv) > 1 else main()
