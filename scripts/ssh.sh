#!/bin/sh
# Makes sure that OpenSSH is there, its server too, for the test that reaches the page through a tunnel; starts nothing.
#
# Only on bare Debian or Ubuntu, as root, where no init would start the server, the packages are installed. Elsewhere, and where that
# fails, the test that needs them says so and is skipped.
set -eu

there() { command -v ssh >/dev/null && PATH="$PATH:/usr/sbin" command -v sshd >/dev/null; }

there && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && [ ! -d /run/systemd/system ]; then
    echo "Installing the packages openssh-client and openssh-server, for a tunnel to the page; the server is not started."
    apt-get -qq update || true
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends openssh-client openssh-server >/dev/null || true
fi
there || echo "ssh and sshd are not here: the test of a tunnel to the page is skipped."
