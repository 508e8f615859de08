#!/bin/sh
# Works out requirements.txt of each image from its requirements.in, for a DGX Spark: arm64, Python 3.12. Needs uv.
set -eu
cd "$(dirname "$0")"
for image in chatterbox f5 qwen xtts; do
    (
        cd "$image"
        set -- requirements.in
        [ ! -f overrides.txt ] || set -- "$@" --override overrides.txt
        uv pip compile --quiet --no-annotate --python-version 3.12 --python-platform aarch64-manylinux_2_28 "$@" -o requirements.txt
    )
done
