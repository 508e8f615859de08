#!/bin/sh
# All tests, in four processes side by side, each with a project of its own on the engine: most of their time is waiting.
# $1 is the Python to use; the rest goes to pytest.
set -u
python=$1; shift
folder=$(mktemp -d)
"$python" -m compileall -q composer   # a command that compiles itself anew takes half as long again
running=

tests() { for name in "$@"; do printf ' tests/engine/test_%s.py' "$name"; done; }
second="tests/unit tests/simulation$(tests failures many)"
third=$(tests bad_input conformance gate guard hostile lab_files plugin security)
fourth=$(tests broken_engine memory ollama trainer)
first=$(for file in tests/engine/test_*.py; do case "$second $third $fourth" in *"$file"*) ;; *) printf ' %s' "$file" ;; esac; done)

trap 'kill -INT $running 2>/dev/null; wait; rm -rf "$folder"; exit 130' INT TERM HUP

# shellcheck disable=SC2086  # lists of files
run() {
    number=$1; shift
    SPARK_MODE_TEST_PROJECT="spark-mode-test-$number" "$python" -m pytest "$@" >"$folder/$number" 2>&1 &
    running="$running $!"
}
run 2 $second "$@"
run 3 $third "$@"
run 4 $fourth "$@"
SPARK_MODE_TEST_PROJECT=spark-mode-test-1 "$python" -m pytest $first "$@"
code=$?
for process in $running; do wait "$process" || code=$?; done
cat "$folder/2" "$folder/3" "$folder/4"
rm -rf "$folder"
exit "$code"
