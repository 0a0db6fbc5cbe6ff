"""``python -m icvos``: the command line, for launchers that start a module."""

from icvos.cli import main

if __name__ == "__main__":
    main(prog_name="icvos")
