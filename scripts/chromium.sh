#!/bin/sh
# Makes sure that Chromium is there, in which the page is looked at.
#
# Only on bare Debian, as root, the package is installed. Elsewhere, and where that fails, as on Ubuntu, which has it as a snap, the
# tests that need it say so and are skipped.
set -eu

there() { command -v chromium >/dev/null; }

there && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the package chromium, in which the page is looked at."
    apt-get -qq update || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends chromium fonts-dejavu-core >/dev/null || true
fi
there || echo "chromium is not here: the tests of the page in a browser are skipped."
