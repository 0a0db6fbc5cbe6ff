"""Scores one submission: puts the wheels beside this file where Python finds them, without a network, and calls icvos.

Codabench runs it in a container as ``python3 /app/program/scoring.py /app/input /app/output``. It is written for any
Python 3, so that an image with the wrong one says so.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TELL = "This is a fault of the competition and not of the submission: please tell the organisers."


def main() -> int:
    """Install, score, and give the exit status."""
    given = json.loads((HERE / "settings.json").read_text())
    wheels = HERE / "wheels"
    here = "{}.{}".format(*sys.version_info[:2])
    if wheels.is_dir() and here != given["python"]:
        return refuse("the wheels are for Python {}, and this image has {}.".format(given["python"], here))
    with tempfile.TemporaryDirectory() as place:
        if wheels.is_dir():
            pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir"]
            install = ["install", "--quiet", "--no-index", "--no-compile", "--target", place]
            command = [*pip, *install, "--find-links", str(wheels), "icvos"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                print(done.stdout.decode(errors="replace"), file=sys.stderr)
                return refuse("the wheels could not be installed.")
        paths = [place, os.environ.get("PYTHONPATH", "")]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
        if subprocess.call([sys.executable, "-c", "import leaderboard.codabench.scoring"], env=environment):
            return refuse("this image has no icvos, and the program brings no wheels.")
        command = [sys.executable, "-m", "leaderboard.codabench.scoring", *sys.argv[1:3], given["protocol"]]
        return subprocess.call(command, env=environment)


def refuse(why: str) -> int:
    """Say why nothing can be scored."""
    print(f"{why} {TELL}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
