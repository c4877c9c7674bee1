"""Run the command line by `python -m satyapan.cli`."""

from satyapan.cli.main import main

main(prog_name="satyapan")
