"""``python -m documentation FOLDER``: write the pages of the site, for mkdocs to build."""

import sys
from pathlib import Path

from documentation.pages import write

if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]))} pages in {sys.argv[1]}")
