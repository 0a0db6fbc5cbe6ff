"""What an installation of icvos weighs, and how long its commands take to start.

    python benchmarks/package_size.py [--extras models,video] [--python python3.12]

Installs the checkout into an environment of its own with pip and adds up the files of every package, and the same for
the wheels that were downloaded. Start-up times are medians of ten runs, beside an empty Python of the same environment.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGE = {"numpy", "pandas", "opencv-python-headless", "numba", "llvmlite"}  # llvmlite is numba's
OURS = {"pip", "setuptools"}  # of the environment, not of icvos
SIZES = """
import json
from importlib.metadata import distributions
found = {}
for one in distributions():
    paths = [one.locate_file(path) for path in one.files or []]
    found[one.name.lower().replace("_", "-")] = sum(path.stat().st_size for path in paths if path.is_file())
print(json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="of icvos, with commas")
    parser.add_argument("--python", default=sys.executable, help="the Python that makes the environment")
    given = parser.parse_args()
    what = f"{ROOT}[{given.extras}]" if given.extras else str(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        environment, wheels = Path(scratch) / "environment", Path(scratch) / "wheels"
        subprocess.run([given.python, "-m", "venv", environment], check=True)
        python = environment / "bin" / "python"
        subprocess.run([python, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, what], check=True)
        offline = ["--no-index", "--find-links", wheels, f"icvos[{given.extras}]" if given.extras else "icvos"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *offline], check=True)
        sizes = json.loads(subprocess.run([python, "-c", SIZES], check=True, capture_output=True, text=True).stdout)
        downloads = {
            path.name.split("-")[0].replace("_", "-").lower(): path.stat().st_size for path in wheels.iterdir()
        }
        print(f"{'package':28}{'on disk, MB':>14}{'wheel, MB':>12}")
        rows = sorted(((size, name) for name, size in sizes.items() if name not in OURS), reverse=True)
        for size, name in rows:
            print(f"{name:28}{size / 1e6:14.1f}{downloads.get(name, 0) / 1e6:12.1f}")
        rest = [name for _, name in rows if name not in LARGE]
        for label, names in (("all", [name for _, name in rows]), ("all but the five largest", rest)):
            disk, wheel = (sum(found.get(name, 0) for name in names) / 1e6 for found in (sizes, downloads))
            print(f"{label:28}{disk:14.1f}{wheel:12.1f}")
        for words in (["-c", "pass"], ["-c", "import icvos"], ["-m", "icvos", "--version"], ["-m", "icvos", "--help"]):
            print(f"{' '.join(['python', *words]):36} {_seconds([str(python), *words]):.2f} s")


def _seconds(command: list[str]) -> float:
    times = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
