#!/bin/sh
# Makes sure that Debian's own tools are there with which the package is looked at and tried: lintian, and debootstrap.
#
# Only on bare Debian or Ubuntu, as root, they are installed. Elsewhere the test that needs them says so and is skipped.
set -eu

there() { command -v lintian >/dev/null && command -v debootstrap >/dev/null; }

there && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the packages lintian and debootstrap, which try the package of spark-mode."
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends lintian debootstrap >/dev/null
fi
there || echo "lintian and debootstrap are not here: the test of the Debian package is skipped."
