"""The page as a process of its own, asked by plain sockets: what the kernel, the server and the door make of it together."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import uvicorn
from uvicorn.server import ServerState

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import code_of
from spark_mode.errors import ConfigurationError
from spark_mode.page.access import Access
from spark_mode.page.door import HEADERS, guarded
from spark_mode.page.peer import uid_of
from spark_mode.page.places import Place, listen, listen_at, removed_at_the_end
from spark_mode.page.serve import MOST, MOST_OF_OTHERS, MOST_TOLD, Connection
from tests.audio_lab import ROOT
from tests.deep import deep
from tests.page_client import SECONDS, Answer, Running, connected, running


def has_six() -> bool:
    """Whether this machine has the loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.xdist_group("page server")  # whose tests share a page
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else")
SIX = has_six()
AS_NOBODY = """
import os, socket, sys
"".encode("idna")  # the names of hosts need it, and it is out of reach afterwards
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for line in sys.stdin:
    host, port = line.split()
    asking = socket.create_connection((host, int(port)))
    asking.sendall(bytes.fromhex(sys.stdin.readline()))
    print(asking.makefile("rb").read().hex(), flush=True)
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Running]:
    with running("--port", "0") as page:
        page.opens(page.link())
        yield page


def listened_at(port: int) -> set[str]:
    """Return at which addresses this machine listens at a port, as the kernel writes them."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}


def written(host: str) -> str:
    """Return an address as the kernel writes it."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    return "".join(f"{int.from_bytes(packed[at : at + 4], sys.byteorder):08X}" for at in range(0, len(packed), 4))


def test_it_listens_at_loopback_alone_and_at_all_of_it(page: Running) -> None:
    assert listened_at(int(page.place)) == {written("127.0.0.1"), *([written("::1")] if SIX else [])}


def test_a_link_that_is_printed_opens_the_page_once(page: Running) -> None:
    link = page.link()
    assert link.startswith(f"http://127.0.0.1:{page.place}/link?token=")
    path = "/link?" + link.partition("?")[2]
    assert [page.get(path).status for _ in range(2)] == [303, 401]


@as_root
def test_another_user_is_denied_with_the_cookie_and_root_is_not(page: Running) -> None:
    with subprocess.Popen([sys.executable, "-c", AS_NOBODY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nobody:
        assert nobody.stdin is not None
        assert nobody.stdout is not None
        for host in ("127.0.0.1", *(["::1", "::ffff:127.0.0.1"] if SIX else [])):
            asked = page.request()
            assert page.sends(asked, host).status == 200, host
            nobody.stdin.write(f"{host} {page.place}\n{asked.encode().hex()}\n")
            nobody.stdin.flush()
            assert Answer(bytes.fromhex(nobody.stdout.readline()).decode()).status == 403, host
        nobody.stdin.close()


def test_who_has_gone_meanwhile_is_not_taken_for_root() -> None:
    """A socket that nobody has open stands in the kernel's table as root's."""
    with ExitStack() as ends:
        listening, *_ = (ends.enter_context(one) for one in listen(Place(0)))
        listening.settimeout(SECONDS)
        asking = socket.create_connection(listening.getsockname())
        asking.sendall(b"POST /stop HTTP/1.1\r\n")
        there, _ = listening.accept()
        with closing(there):
            assert uid_of(there) == os.geteuid()
            asking.close()
            assert there.recv(100) and there.recv(100) == b""
            assert uid_of(there) is None


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "[::]", "192.168.1.5"])
def test_a_foreign_name_is_denied(page: Running, host: str) -> None:
    assert page.get(Host=host).status == 403
    sent = page.request("/switch", "POST", "a=b", Host=host, Sec_Fetch_Site="same-origin")
    assert page.sends(sent).status == 403


NO_REQUESTS = {
    "no HTTP": "hello\r\n\r\n",
    "no name": "GET / HTTP/1.1\r\n\r\n",
    "no name in the older form": "GET / HTTP/1.0\r\n\r\n",
    "two names": "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "a name in the address": "GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "headers without end": "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 40_000,
    "a body without end": "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("text", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_refused_and_has_the_headers_that_protect_an_answer(page: Running, text: str) -> None:
    answer = page.sends(text)
    assert answer.status in (400, 403)
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert page.get().status == 200, "the page is there for all others"


def test_who_takes_his_time_is_not_waited_for(page: Running) -> None:
    """Each of these keeps a connection, of which there are only so many."""
    form = page.request(
        "/", "POST", "form_token=", Sec_Fetch_Site="same-origin", Content_Type="application/x-www-form-urlencoded"
    )
    slow = ["", "GET / HTTP/1.1\r\nHost: loc", form.replace("Content-Length: 11", "Content-Length: 9000")]
    with ExitStack() as ends:
        kept = [ends.enter_context(page.connected()) for _ in slow]
        for one, text in zip(kept, slow, strict=True):
            one.sendall(text.encode())
        said = [one.makefile("rb").read().decode() for one in kept]
    assert said[:2] == ["", ""]
    assert Answer(said[2]).status == 408


class Counted(asyncio.Transport):
    """The transport of one of many connections, which says whether it was refused."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__({"socket": end})
        self.is_refused = False

    def abort(self) -> None:
        self.is_refused = True


def refused(end: socket.socket, number: int) -> list[bool]:
    """Return which of so many connections, all with this end, are refused."""

    async def connect() -> list[bool]:
        config, state = uvicorn.Config(guarded((), Access(os.geteuid()))), ServerState()
        transports = [Counted(end) for _ in range(number)]
        for one in transports:
            Connection(config, state, {}).connection_made(one)
        return [one.is_refused for one in transports]

    return asyncio.run(connect())


def test_of_all_connections_only_so_many_are_kept_and_fewer_of_others() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept = MOST + MOST_TOLD
        assert refused(ours, kept + 3) == [False] * kept + [True] * 3
    with socket.socket() as nobodys:
        assert refused(nobodys, MOST_OF_OTHERS + 3) == [False] * MOST_OF_OTHERS + [True] * 3


def test_who_comes_when_all_connections_are_taken_is_told_so(page: Running) -> None:
    with ExitStack() as ends:
        for _ in range(MOST):
            ends.enter_context(page.connected())
        told = page.get()
        assert (told.status, "Close some of its tabs" in told.body) == (503, True)
        assert {name: told.headers.get(name.lower()) for name in HEADERS} == HEADERS
    until_it_has_room(page)


def until_it_has_room(page: Running) -> None:
    """Wait until the page has seen that others have gone."""
    for _ in range(1000):
        if page.get().status == 200:
            return
    pytest.fail("it never has")


TABS = 8


def test_eight_tabs_at_once_are_each_answered_and_followed(page: Running) -> None:
    with ExitStack() as ends:
        following = [ends.enter_context(page.connected()) for _ in range(TABS)]
        for one in following:
            one.sendall(page.request("/events").encode())
        asking = [ends.enter_context(page.connected()) for _ in range(TABS)]
        for one in asking:
            one.sendall(page.request().encode())
        assert [Answer(one.makefile("rb").read().decode()).status for one in asking] == [200] * TABS
        for one in following:
            told = iter(one.makefile("rb").readline, b"")
            assert any(line.startswith(b"data: ") and b'"heading"' in line for line in told)
            assert any(line.startswith(b"data: ") and b'"memory"' in line for line in told), "and goes on"


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--socket", "page")])
def test_a_state_whose_path_is_too_long_for_a_socket_is_refused_with_what_helps(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 90)))
    monkeypatch.chdir(tmp_path)
    code = code_of(["-C", str(ROOT), "page", *arguments], "spark-mode", CliOptions())
    assert (code, "set XDG_STATE_HOME to a short path" in capsys.readouterr().err) == (3, True)


DESCRIPTORS = 110
"""Fewer than uvicorn would accept at one go, and more than the page keeps."""


def test_more_connections_at_once_than_it_has_descriptors_take_none_from_what_it_needs_and_nothing_is_logged() -> None:
    with running("--port", "0") as page, ExitStack() as all_of_them:
        page.opens(page.link())
        assert page.get("/?canary").status == 200
        page.sends("hello\r\n\r\n")
        resource.prlimit(page.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        page.process.send_signal(signal.SIGSTOP)  # so that all of them wait when it looks
        for _ in range(DESCRIPTORS + MOST // 2):
            asking = all_of_them.enter_context(socket.socket())
            asking.setblocking(False)
            asking.connect_ex(("127.0.0.1", int(page.place)))
        page.process.send_signal(signal.SIGCONT)
        all_of_them.close()
        assert page.get("/healthz").status == 200
        page.process.terminate()
        assert page.process.stdout is not None
        assert page.process.stdout.read() == "", "it had what it needs, and a link is for eyes alone"
        assert page.process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=deep), pytest.param(signal.SIGHUP, marks=deep)]
)
def test_it_ends_well_when_it_is_told_to_and_leaves_nothing(how: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder, running("--socket", f"{folder}/page") as page:
        assert Path(page.place).stat().st_mode & 0o777 == 0o600
        page.opens(page.link())
        with (
            closing(page.connected()),
            closing(page.connected()) as following,
        ):  # one asks for nothing; neither keeps it from ending
            following.sendall(page.request("/events").encode())
            assert following.recv(1)
            page.process.send_signal(how)
            assert page.process.wait(SECONDS) == 0
        assert page.process.stdout is not None
        assert page.process.stdout.read() == "", "it has nothing to say about that"
        assert list(Path(folder).iterdir()) == []


def test_a_socket_that_a_killed_page_left_is_taken_over() -> None:
    """To be left it needs no page to be killed: whoever held it has closed it, and removed nothing."""
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder:
        path = Path(folder) / "page"
        with closing(listen_at(path)):
            pass
        assert path.is_socket()
        with closing(listen_at(path)) as listening, closing(connected(str(path))):
            listening.accept()[0].close()


def test_where_a_page_listens_no_other_one_does_and_what_is_no_socket_stays(page: Running) -> None:
    with pytest.raises(ConfigurationError, match=f"port {page.place} of this machine cannot be listened at"):
        listen(Place(int(page.place)))
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder:
        path = Path(folder) / "page"
        with closing(listen_at(path)), pytest.raises(ConfigurationError, match=r"a page listens at .* already"):
            listen_at(path)
        file = Path(folder) / "file"
        file.write_text("kept")
        with pytest.raises(ConfigurationError, match="is not a socket"):
            listen_at(file)
        assert file.read_text() == "kept"


def test_what_somebody_put_in_the_place_of_a_page_s_socket_stays_when_it_ends() -> None:
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder:
        path = Path(folder) / "page"
        with closing(listen_at(path)), removed_at_the_end(path):
            path.rename(path.with_name("former"))
            path.write_text("kept")
        assert path.read_text() == "kept"


def test_a_page_does_not_listen_where_another_user_could_in_its_place() -> None:
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder:
        Path(folder).chmod(0o777)
        with pytest.raises(ConfigurationError, match="belongs to others"):
            listen(Place(0, Path(folder) / "page"))


@pytest.mark.skipif(not SIX, reason="this machine has no ::1")
def test_another_page_may_be_localhost_at_no_port_of_ours() -> None:
    """Where one of the two addresses is taken, none is listened at."""
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} of this machine"):
            listen(Place(port))
        assert listened_at(port) == {written("::1")}
