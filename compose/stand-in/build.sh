#!/bin/sh
# Builds the image of the stand-ins, audio-lab-stand-in:latest, without a container registry: a small Python and a busybox
# from the packages of this machine's own Debian or Ubuntu, for the processor that it has. Needs no root.
set -eu

IMAGE=audio-lab-stand-in:latest
LABEL=org.spark-mode.stand-in.inputs
HERE=$(cd "$(dirname "$0")" && pwd)

say()  { printf '%s\n' "$@"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }

for tool in docker apt-get dpkg-deb sha256sum; do
    command -v "$tool" >/dev/null || missing="${missing:-} $tool"
done
[ -z "${missing:-}" ] ||
    fail "The stand-ins are built from packages of Debian or Ubuntu, and this is missing here:$missing" \
         "Build the image on a machine that has them, then: docker save $IMAGE | ssh THIS-MACHINE docker load"
docker info >/dev/null 2>&1 || fail "No Docker Engine answers: make engine"

inputs=$(cat "$HERE/Dockerfile" "$HERE/stand_in.py" "$HERE/models.py" "$HERE/build.sh" | sha256sum | cut -d ' ' -f 1)
if [ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$IMAGE" 2>/dev/null)" = "$inputs" ]; then
    say "$IMAGE is up to date."
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work/packages/partial" "$work/context/root/bin"
: >"$work/status"   # no package is installed yet, apt is told, and its locks lie beside this file
root=$work/context/root

# What apt would install on a machine that has nothing yet: Python, its standard library and all they depend on.
download() {
    apt-get -qq -y -o Dir::State::status="$work/status" -o Dir::Cache::pkgcache= -o Dir::Cache::archives="$work/packages" \
        -o APT::Sandbox::User="$(id -un)" --no-install-recommends --download-only \
        install python3-minimal libpython3-stdlib busybox-static >"$work/log" 2>&1
}
say "Building $IMAGE from this machine's packages."
if ! download; then
    [ "$(id -u)" -eq 0 ] || fail "apt cannot download the packages (sudo apt-get update may help):" "$(tail -n 5 "$work/log")"
    apt-get -qq update
    download || fail "apt cannot download the packages:" "$(tail -n 5 "$work/log")"
fi
for package in "$work"/packages/*.deb; do
    case ${package##*/} in
        # Tools for installing packages, and what only modules that nobody here imports depend on.
        dpkg_* | tar_* | media-types_* | gcc-* | readline-common_* | libdb5* | libsqlite3* | libkrb5* | libgssapi* | libk5*) ;;
        *) dpkg-deb --extract "$package" "$root" ;;
    esac
done

# One layout for all releases: older ones have libraries in /lib as well as in /usr/lib.
for folder in lib lib64; do
    if [ -d "$root/$folder" ] && [ ! -L "$root/$folder" ]; then
        mkdir -p "$root/usr/$folder"
        cp -a "$root/$folder/." "$root/usr/$folder/"
        rm -r "${root:?}/$folder"
    fi
    [ ! -d "$root/usr/$folder" ] || ln -s "usr/$folder" "$root/$folder"
done
[ -e "$root/bin/busybox" ] || mv "$root/usr/bin/busybox" "$root/bin/busybox"
ln -sf "$(cd "$root/usr/bin" && echo python3.[0-9]*)" "$root/usr/bin/python3"
(cd "$root" && rm -rf var usr/share usr/lib/*/gconv usr/lib/python3*/test usr/lib/python3*/lib2to3 usr/lib/python3*/pydoc_data)

cp "$HERE/Dockerfile" "$HERE/stand_in.py" "$HERE/models.py" "$work/context"
before=$(docker image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null || true)
docker build --quiet --label "$LABEL=$inputs" --tag "$IMAGE" "$work/context" >"$work/log" 2>&1 ||
    fail "The image cannot be built:" "$(tail -n 20 "$work/log")"
[ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || true   # stays while a container is made from it
say "$IMAGE is built."
