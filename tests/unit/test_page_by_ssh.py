"""The page through `ssh -L`, with a real sshd: who is at the other end then is the user who has logged in."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page_client import SECONDS, Answer, request, sends

USER = 4242
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
PAGE = """
import os, sys, time
from contextlib import nullcontext
from pathlib import Path
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from spark_mode.page.access import Access
from spark_mode.page.door import guarded
from spark_mode.page.places import Place, listen, listen_at
from spark_mode.page.serve import serve

async def who(request):
    return PlainTextResponse(str(request.scope["state"]["peer"]))

user, path = int(sys.argv[1]), Path(sys.argv[2])
access, sockets = Access(user), [*listen(Place(0)), listen_at(path)]
os.chown(path, user, user)
print(sockets[0].getsockname()[1], *(access.new_link(time.monotonic()) for _ in range(2)), flush=True)
serve(guarded([Route("/", who)], access), sockets, nullcontext())
"""
TUNNEL = """
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount -t tmpfs tmpfs /run
mkdir /run/sshd
exec ssh -F "$1/client" -N spark
"""
"""In a namespace of its own the user is known, and sshd has the folder that it wants to be empty."""
CLIENT = """
Host spark
    User ann
    ProxyCommand {sshd} -i -f {folder}/server
    IdentityFile {folder}/key
    IdentitiesOnly yes
    BatchMode yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /dev/null
    LogLevel ERROR
    ExitOnForwardFailure yes
    LocalForward {folder}/to-port 127.0.0.1:{port}
    LocalForward {folder}/to-socket {folder}/page
"""
SERVER = """
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
AllowStreamLocalForwarding yes
"""
ACCOUNTS = """
root:x:0:0::/:/bin/sh
sshd:x:65533:65534::/run/sshd:/bin/false
nobody:x:65534:65534::/:/bin/false
ann:x:{user}:{user}::/:/bin/sh
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as name:  # a socket's path is short
        Path(name).chmod(0o711)
        yield Path(name)


def prepare(folder: Path, port: str) -> None:
    """Write what a login as the user needs."""
    for name, text in (("client", CLIENT), ("server", SERVER), ("passwd", ACCOUNTS), ("shadow", "ann:*:19000::::::")):
        filled = text.format(folder=folder, port=port, sshd=SSHD, user=USER)
        (folder / name).write_text(f"{filled.strip()}\n")
    for key in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True, timeout=SECONDS)


def through(path: Path, ssh: subprocess.Popen[str], token: str) -> list[Answer]:
    """Open the page through a tunnel, and look at it."""
    deadline = time.monotonic() + SECONDS
    while not path.is_socket():
        assert ssh.poll() is None, ssh.communicate()[1]
        assert time.monotonic() < deadline, "there is no tunnel"
        time.sleep(0.02)
    opened = sends(str(path), request(f"/link?token={token}"))
    cookie = opened.headers["set-cookie"].partition(";")[0]
    return [opened, sends(str(path), request(Cookie=cookie))]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can have somebody log in")
@pytest.mark.skipif(not SSHD or not shutil.which("ssh"), reason="OpenSSH, or its server, is not installed")
def test_a_tunnel_to_the_port_or_to_the_socket_comes_as_the_user_who_has_logged_in(folder: Path) -> None:
    apart = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    if subprocess.run(apart, check=False, capture_output=True).returncode != 0:
        pytest.skip("no /run of its own can be had here")
    page = [sys.executable, "-c", PAGE, str(USER), str(folder / "page")]
    with subprocess.Popen(page, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        port, *tokens = running.stdout.readline().split()
        prepare(folder, port)
        tunnel = ["unshare", "--mount", "sh", "-ec", TUNNEL, "sh", str(folder)]
        with subprocess.Popen(tunnel, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as ssh:
            try:
                for name, token in zip(("to-port", "to-socket"), tokens, strict=True):
                    opened, seen = through(folder / name, ssh, token)
                    assert (opened.status, seen.status, seen.body) == (303, 200, str(USER)), name
            finally:
                ssh.terminate()
                running.terminate()
