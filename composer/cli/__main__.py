"""`python -m composer.cli` is `spark-mode`."""

from composer.cli.main import run

run()
