#!/bin/sh
# Shows spark-mode at work on the stand-in lab: small programs in the place of the models, 1/16 of their memory.
#
# It runs as a Compose project of its own, and takes down at its end what is of that project and nothing else: a stand-in lab
# with which somebody plays by hand has another name.
set -eu
cd "$(dirname "$0")/.."

PROJECT=spark-mode-demo
NEEDED_KB=4500000          # what the largest set and its headroom take
spark_mode=.venv/bin/spark-mode

bold= plain=
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] && bold=$(printf '\033[1m') plain=$(printf '\033[0m')
say()  { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }

unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES SPARK_MODE_RULES
compose() { docker compose -p "$PROJECT" -f compose/audio-lab.yaml -f compose/stand-in.yaml --profile '*' "$@"; }
END="docker compose -p $PROJECT -f compose/audio-lab.yaml -f compose/stand-in.yaml --profile '*' down --volumes"

exec 9<scripts/demo.sh
flock --nonblock 9 || fail "The demo runs already, from this directory; wait for its end."
[ -z "$(docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT")" ] ||
    fail "The demo runs already (the project $PROJECT); wait for its end." "If it was cut off, take away what it left: $END"

available=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
[ "$available" -ge "$NEEDED_KB" ] || fail "The demo needs $((NEEDED_KB / 1000000)) GB of free memory; $((available / 1000000)) GB are free."
sh compose/stand-in/build.sh

clean_up() {
    compose down --volumes --timeout 20 >/dev/null 2>&1 || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Runs spark-mode on the stand-in lab, shown as a user of the lab would type it; $1 is the exit code that belongs to it.
run() {
    expected=$1; shift
    printf '\n$ spark-mode %s\n' "$*"
    code=0
    "$spark_mode" -p "$PROJECT" -f compose/audio-lab.yaml -f compose/stand-in.yaml --rules compose/stand-in.rules.yaml "$@" || code=$?
    [ "$code" -eq "$expected" ] || fail "" "The demo expected exit code $expected and got $code."
}

say "1. An audio profile: created, started, and waited for until it is healthy."
run 0 audio omni
say "2. What runs, and what the machine's memory is."
run 0 status
say "3. What a switch to training would do, and why. Nothing changes."
run 0 training --dry-run
say "4. The switch: audio is stopped, its memory comes back, and only then training starts."
run 0 training
run 0 status
asked= && [ -t 0 ] && asked=" You are asked first: answer y."
say "5. Back to audio, another profile. Training gets SIGTERM and the time to write its checkpoint.$asked"
run 0 audio chatterbox
say "6. What a rule forbids is refused, with the reason, before anything is touched."
run 4 up omni training
say "7. The arithmetic behind the decisions."
run 0 budget whisper llama3.1:8b f5 devstral
say "8. Everything of the lab stops."
run 0 stop
say "That was spark-mode. The real lab: spark-mode audio omni, in this directory, on a DGX Spark."
