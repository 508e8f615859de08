#!/bin/sh
# Builds audio-lab-torch-cpu:latest, in which the trainer runs on any machine: the Python of the stand-ins, and PyTorch from pip.
# Which build of PyTorch that is, is pip's to say: where it knows PyTorch's index of CPU builds some 200 MB are downloaded, else,
# on amd64, some 3 GB. The trainer itself is not in the image, on-cpu.yaml mounts it.
#
#   compose/training/build-cpu.sh [PYTHON]     whose pip is used: that of .venv if it is there, else that of python3
set -eu

BASE=audio-lab-stand-in:latest
IMAGE=audio-lab-torch-cpu:latest
TORCH=2.13.0
LABEL=org.spark-mode.torch
HERE=$(cd "$(dirname "$0")" && pwd)

fail() { printf '%s\n' "$@" >&2; exit 1; }

python=${1:-$HERE/../../.venv/bin/python}
if [ ! -x "$python" ]; then
    [ $# -eq 0 ] || fail "$python is no program."
    python=python3
fi

sh "$HERE/../stand-in/build.sh"
inputs="$(sha256sum "$0" | cut -d " " -f 1), $TORCH on $(docker image inspect --format '{{.Id}}' "$BASE")"
if [ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$IMAGE" 2>/dev/null)" = "$inputs" ]; then
    echo "$IMAGE is up to date."
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
echo "Building $IMAGE with PyTorch $TORCH."
version=$(docker run --rm --network none --entrypoint python3 "$BASE" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --target "$work/site" \
    --only-binary :all: --python-version "$version" "torch==$TORCH" >"$work/log" 2>&1 ||
    fail "PyTorch $TORCH for Python $version cannot be installed:" "$(tail -n 5 "$work/log")"
# What PyTorch needs of C++ is not in the base; what only compiles or tests with it is not needed here.
(cd "$work" && apt-get -qq download libstdc++6 >"$work/log" 2>&1) || fail "apt cannot download libstdc++6:" "$(tail -n 5 "$work/log")"
dpkg-deb --extract "$work"/libstdc++6_*.deb "$work/root"
(cd "$work/site" && rm -rf bin torch/include torch/test torch/share)
cat >"$work/Dockerfile" <<END
FROM $BASE
COPY root/usr/lib /usr/lib
COPY site /site
ENV PYTHONPATH=/site
RUN ["mkdir", "-m", "1777", "/tmp"]
# Once here, so that no start has to compile what it imports.
RUN ["python3", "-W", "ignore", "-c", "import torch; torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])"]
ENTRYPOINT ["python3"]
END
before=$(docker image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null || true)
docker build --quiet --label "$LABEL=$inputs" --tag "$IMAGE" "$work" >"$work/log" 2>&1 ||
    fail "The image cannot be built:" "$(tail -n 20 "$work/log")"
[ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || true   # stays while a container is made from it
echo "$IMAGE is built."
