#!/bin/sh
# Makes sure that a Docker Engine with Compose is there.
#
# An engine that answers is used as it is: never installed over, configured or restarted. Only where there is none, on
# Debian 12 and as root, one is installed from Debian's own newer suites and started. Anywhere else this says what to do.
set -eu

COMPOSE_NEEDED=2.36
DEADLINE=30                 # seconds for the engine to answer; it takes about 3
LOG=/var/log/dockerd.log
SOURCES=/etc/apt/sources.list.d/spark-mode-engine.sources
PINS=/etc/apt/preferences.d/spark-mode-engine

say()  { printf '%s\n' "$@"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }

answers()   { docker info >/dev/null 2>&1; }
installed() { command -v dockerd >/dev/null && docker compose version >/dev/null 2>&1; }
systemd()   { [ -d /run/systemd/system ]; }
release()   { (. /etc/os-release && printf '%s' "${ID:-} ${VERSION_CODENAME:-}") 2>/dev/null || true; }

compose_version()   { docker compose version --short 2>/dev/null | sed 's/^v//'; }
compose_is_recent() { printf '%s\n' "$COMPOSE_NEEDED" "$(compose_version)" | sort --check=quiet --version-sort; }

use_engine() {
    compose_is_recent || fail "The engine answers, but Compose is ${1:-missing}; spark-mode needs $COMPOSE_NEEDED or later." \
        "Update the package docker-compose-plugin (or docker-compose), from where Docker was installed."
    say "Docker Engine $(docker info --format '{{.ServerVersion}}') answers, with Compose $1."
    exit 0
}

# The machine's own main suite, so that its mirror and key are kept, with the newer suites in place of its own.
# Printed as a deb822 file, whether the machine's file is one or has the older form of one line.
newer_suites() {
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] && grep -v '^#' "$file" | awk -v RS= '
            /(^|\n)Types:[^\n]*deb/ && /\nSuites:([^\n]* )?bookworm( |\n)/ && /\nComponents:[^\n]* main/ {
                sub(/\nSuites:[^\n]*/, "\nSuites: trixie forky"); sub(/(^|\n)Types:[^\n]*/, "Types: deb"); print; exit }'
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -nE 's/^deb +(\[([^]]*)\] +)?([^ ]+) +bookworm +(.*main.*)$/\2|\3|\4/p' |
        while IFS='|' read -r options uri components; do
            printf 'Types: deb\nURIs: %s\nSuites: trixie forky\nComponents: %s\n' "$uri" "$components"
            printf '%s' "$options" | tr ' ' '\n' | sed -nE 's/^signed-by=/Signed-By: /p'
            break
        done
}

install_engine() {
    stanza=$(newer_suites | awk -v RS= 'NR == 1')
    [ -n "$stanza" ] || fail "No apt source with Debian's suite bookworm, component main, was found in /etc/apt." \
        "Install Docker Engine and Compose $COMPOSE_NEEDED or later by hand: https://docs.docker.com/engine/install/debian/"
    say "No Docker Engine is installed. This installs one from Debian's suites trixie and forky:" \
        "packages docker.io, docker-cli, docker-compose, docker-buildx, containerd, runc, iptables and busybox-static;" \
        "the suites are added in $SOURCES," "pinned so low in $PINS that nothing else is upgraded."

    # The pins come first: an apt run in between must not see the newer suites without them.
    printf 'Package: *\nPin: release n=%s\nPin-Priority: %s\n\n' trixie 100 forky 90 >"$PINS"
    printf '%s\n' "$stanza" >"$SOURCES"
    apt-get -qq update
    # runc stays at bookworm's, because the newer ones need a newer C library.
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends \
        docker.io/forky docker-cli/forky docker-compose/forky docker-buildx/forky \
        containerd/trixie runc/bookworm iptables busybox-static >/dev/null
}

start_engine() {
    say "Starting dockerd; its log is $LOG."
    setsid nohup dockerd >>"$LOG" 2>&1 </dev/null 9>&- &
}

await_engine() {
    waited=0
    until answers; do
        [ "$waited" -lt "$DEADLINE" ] || fail "The engine does not answer after $DEADLINE s. The end of its log:" "$(tail -n 15 "$LOG" 2>&1)"
        sleep 1
        waited=$((waited + 1))
    done
}

answers && use_engine "$(compose_version)"

case $(docker info 2>&1) in *"permission denied"*)
    fail "An engine is there, but you may not use its socket: sudo usermod -aG docker $(id -un), then log in again." ;;
esac
[ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no engine answers there. Start it, or: unset DOCKER_HOST"

if systemd && command -v dockerd >/dev/null; then
    fail "Docker is installed and not running: sudo systemctl start docker"
fi
if ! installed && [ "$(release)" != "debian bookworm" ]; then
    fail "No Docker Engine answers. Install one, with Compose $COMPOSE_NEEDED or later: https://docs.docker.com/engine/install/" \
        "(A DGX Spark comes with both.)"
fi
[ "$(id -u)" -eq 0 ] || fail "No Docker Engine answers, and installing or starting one needs root: sudo $0"

exec 9>/run/spark-mode-engine.lock
flock 9   # of two calls at once the second finds what the first has done
installed || install_engine
answers || systemd || start_engine
await_engine
use_engine "$(compose_version)"
