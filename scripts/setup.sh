#!/bin/sh
# Makes the virtual environment in $1 with spark-mode, editable, and the locked development tools; with --to-run as $2 only
# with what spark-mode itself needs, in the same versions.
set -eu
venv=$1 only=${2:-}

fail() { printf '%s\n' "$@" >&2; exit 1; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if recent "$candidate"; then python=$candidate; break; fi
done

# On a bare Debian, as root, what is missing is Debian's own and is installed.
if [ -z "$python" ] || ! can_make_venv "$python"; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && { [ -z "$python" ] || [ "$(command -v "$python")" = /usr/bin/python3 ]; }; then
        echo "Python 3.11 with venv is missing: installing Debian's python3 and python3-venv."
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends python3 python3-venv >/dev/null
        python=/usr/bin/python3
    fi
fi
[ -n "$python" ] && recent "$python" || fail "spark-mode needs Python 3.11 or later." "Install it: sudo apt-get install python3 python3-venv"
can_make_venv "$python" || fail "$python cannot make virtual environments: sudo apt-get install python3-venv"

echo "Installing spark-mode into $venv with $("$python" --version)."
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
if [ "$only" = --to-run ]; then
    pip --constraint requirements-dev.lock --editable .
else
    pip --requirement requirements-dev.lock
    pip --no-deps --editable .
fi
