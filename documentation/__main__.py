"""``python -m documentation FOLDER``: run the notebooks, and write the pages of the site, for mkdocs to build."""

import sys
from pathlib import Path

from documentation.execution import executed
from documentation.notebooks import notebooks
from documentation.pages import write
from documentation.places import ROOT

if __name__ == "__main__":
    copies = {name: executed(ROOT / name) for name in notebooks()}
    print(f"{write(Path(sys.argv[1]), copies)} pages in {sys.argv[1]}")
