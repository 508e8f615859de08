#!/bin/sh
# All tests, in two processes side by side, each with a project of its own on the engine. $1 is the Python to use; the
# rest goes to pytest.
set -u
python=$1; shift
second="tests/engine/test_failures.py tests/engine/test_holds.py tests/engine/test_broken_engine.py tests/engine/test_conformance.py"
log=$(mktemp)

# shellcheck disable=SC2086  # a list of files
SPARK_MODE_TEST_PROJECT=spark-mode-test-2 "$python" -m pytest tests/unit tests/simulation $second "$@" >"$log" 2>&1 &
others=$!
trap 'kill -INT "$others" 2>/dev/null; wait "$others"; rm -f "$log"; exit 130' INT TERM HUP

ignored=$(for file in $second; do printf ' --ignore=%s' "$file"; done)
# shellcheck disable=SC2086
"$python" -m pytest tests/engine $ignored "$@"
code=$?
wait "$others" || code=$?
cat "$log"
rm -f "$log"
exit "$code"
