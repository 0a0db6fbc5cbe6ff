"""Builds the documentation site: what mkdocs is given beside the pages in ``docs``. Nothing of icvos imports this."""
