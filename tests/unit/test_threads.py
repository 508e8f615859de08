"""Where there is no place for one more process or thread, what is done side by side is done one by one, and it is said."""

import subprocess
import sys
import textwrap

NO_PLACE = """
    import os, resource
    from threading import Thread
    import rich.console, rich.status, rich.text, subprocess
    from spark_mode.cli.progress import Screen
    from spark_mode.enforcement.beside import in_a_thread
    import python_on_whales
    from spark_mode.engine.child_command import ChildCommand
    from spark_mode.engine.compose import _run
    from spark_mode.engine.docker import _at_once
    from spark_mode.engine.pace import Pace
    from spark_mode.engine.questions import ask
    from spark_mode.errors import EngineUnavailable
    from spark_mode.planning.plan import DropCaches
    screen, step = Screen(), DropCaches(subject="-", cause="-")
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    if os.geteuid() == 0:
        os.setuid(65534)  # root has no limit
    try:
        Thread(target=print).start()
    except RuntimeError:
        print("no place")
    _at_once(lambda id_: print(id_), ["a", "b"], Pace(1, 600.0))
    in_a_thread("stop", lambda: print("c"))
    for number in (1, 2):
        screen.started(number, step)
        screen.finished(number, step)
    try:
        ask(["version"], "")
    except EngineUnavailable as error:
        print(error.message)
    for start in (lambda: _run("create", 1, lambda: subprocess.run(["true"])), ChildCommand(["train"]).make):
        try:
            start()
        except Exception as error:
            print(error)
"""


def test_where_no_thread_has_a_place_what_goes_side_by_side_goes_one_by_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NO_PLACE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split("\n")[:4] == ["no place", "a", "b", "c"], done.stderr
    assert "`docker` did not start: no more processes are allowed here" in done.stdout
    for what in ("docker compose create", "train"):
        assert f"{what} did not start: no more processes are allowed here; end some, or allow more: ulimit -u" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.count("✓") == 2
