"""`python -m composer.cli` is `spark-mode`, and `docker spark` where Docker calls it so."""

import sys

if sys.argv[1:2] == ["docker-cli-plugin-metadata"]:
    from composer.cli.docker_plugin import metadata

    print(metadata())  # noqa: T201 - the plugin protocol's own answer
else:
    from composer.cli.main import run

    run()
