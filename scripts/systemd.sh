#!/bin/sh
# Makes sure that systemd's own checks of what is installed are there (systemd-analyze, systemd-tmpfiles); starts nothing.
#
# Only on bare Debian or Ubuntu, as root, the package is installed. Elsewhere the tests that need them say so and are skipped.
set -eu

there() { command -v systemd-analyze >/dev/null && command -v systemd-tmpfiles >/dev/null; }

there && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the package systemd, for its checks of units; it is not started."
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends systemd >/dev/null
fi
there || echo "systemd-analyze and systemd-tmpfiles are not here: the tests of the guard's unit that need them are skipped."
