#!/bin/sh
# Makes sure that OpenSSH is there, its server too, for the tests that reach the page or a node by it, and what
# gives a node a network of its own; starts nothing.
#
# Only on bare Debian or Ubuntu, as root, where no init would start the server, the packages are installed. Elsewhere, and where that
# fails, the tests that need them say so and are skipped.
set -eu

there() ( PATH="$PATH:/usr/sbin:/sbin" && command -v ssh >/dev/null && command -v sshd >/dev/null && command -v bridge >/dev/null )

there && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && [ ! -d /run/systemd/system ]; then
    echo "Installing the packages openssh-client, openssh-server and iproute2, for tests by ssh; the server is not started."
    apt-get -qq update || true
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends openssh-client openssh-server iproute2 >/dev/null || true
fi
there || echo "ssh, sshd and bridge are not all here: the tests by ssh that need them are skipped."
