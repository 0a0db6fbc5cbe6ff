"""The bootstrap of the page on which two results are compared: that of `icvos diff`."""

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest

from icvos.metrics.summary import paired_bootstrap

NODE = shutil.which("node") or shutil.which("nodejs")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node; on Debian: apt-get install nodejs")


@pytest.mark.parametrize("videos", [6, 8, 9, 37])
def test_the_page_draws_what_diff_draws(videos: int) -> None:
    random = np.random.default_rng(videos)
    units = sorted([*range(videos), *random.integers(0, videos, videos // 2).tolist()])
    differences = random.integers(-4000, 5000, (2, len(units)))
    assert NODE
    script = (files("leaderboard") / "site" / "bootstrap.js").read_text()
    settings = "{ level: 0.95, samples: 10000, seed: 0 }"
    call = f"pairedBootstrap({differences.tolist()}, {units}, {settings})"
    program = f'"use strict";{script}console.log(JSON.stringify({call}))'
    found = json.loads(
        subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True, timeout=60).stdout
    )
    expected = paired_bootstrap(differences.T.astype(float), [f"{unit:04d}" for unit in units])
    for figure, (low, high, probability) in zip(found, zip(*expected, strict=True), strict=True):
        assert figure["low"] == pytest.approx(low, abs=1e-6)
        assert figure["high"] == pytest.approx(high, abs=1e-6)
        assert figure["probability"] == pytest.approx(probability, abs=1e-9)
