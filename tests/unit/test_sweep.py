"""Many questions over one connection: answered in order, as far as the other side does that, and never for ever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spark_mode.engine.docker import EngineApi
from spark_mode.engine.sweep import AT_ONCE, LONGEST_LINE, MOST_BYTES, TooLong, swept

SHORT, LONG = b'{"a": 1}', b"x" * 100_000


def with_length(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def in_chunks(body: bytes) -> bytes:
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunks


@contextmanager
def answering(folder: Path, *answers: bytes, ends: bool = True) -> Iterator[str]:
    """Have somebody listen who answers one connection so, whatever is asked."""
    path = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        done = threading.Event()

        def serve() -> None:
            with listening.accept()[0] as connection:
                connection.recv(1 << 20)
                for answer in answers:
                    connection.sendall(answer)
                if not ends:
                    done.wait()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            done.set()
            thread.join()


def test_answers_come_in_the_order_of_the_questions_in_either_form(tmp_path: Path) -> None:
    with answering(tmp_path, with_length(SHORT) + in_chunks(LONG), with_length(b"", 404), in_chunks(SHORT)) as path:
        assert list(swept(path, ["/1", "/2", "/3", "/4"], 10)) == [(200, SHORT), (200, LONG), (404, b""), (200, SHORT)]


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        with_length(SHORT)[:-2],
        in_chunks(SHORT)[:-7],
        b"HTTP/1.0 200 OK\r\n\r\n" + SHORT,
        b"HTTP/1.1 200 OK\r\n\r\n" + SHORT,
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"x" * (LONGEST_LINE + 2),
    ],
    ids=["nothing", "cut off", "cut off in a chunk", "one a connection", "no length", "no number", "no answer", "no line"],
)
def test_what_does_not_come_whole_is_left_to_the_one_who_asks(rest: bytes, tmp_path: Path) -> None:
    with answering(tmp_path, with_length(SHORT), rest) as path:
        assert list(swept(path, ["/1", "/2", "/3"], 10)) == [(200, SHORT)]


def test_one_that_does_not_answer_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with answering(tmp_path, with_length(SHORT), ends=False) as path, pytest.raises(TimeoutError):
        list(swept(path, ["/1", "/2"], 0.2))


def test_an_answer_without_end_is_not_read(tmp_path: Path) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + 1)
    with answering(tmp_path, endless, ends=False) as path, pytest.raises(TooLong):
        list(swept(path, ["/1"], 10))


def test_nobody_is_asked_where_there_is_no_question(tmp_path: Path) -> None:
    assert list(swept(str(tmp_path / "absent"), [], 10)) == []
    with pytest.raises(OSError, match="No such file"):
        list(swept(str(tmp_path / "absent"), ["/1"], 10))


def test_an_engine_that_answers_one_question_a_connection_is_asked_one_by_one(tmp_path: Path) -> None:
    ids = [f"{number:064x}" for number in range(AT_ONCE + 3)]
    path = str(tmp_path / "socket")
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            while len(asked) < len(ids) + 2:  # the list, what the sweep asks first, and each by itself
                with listening.accept()[0] as connection:
                    question = connection.recv(1 << 20).split()[1].decode()
                    asked.append(question)
                    found = b"[%s]" % b",".join(b'{"Id": "%s"}' % id_.encode() for id_ in ids)
                    body = found if question.startswith("/containers/json") else b'{"message": "gone"}'
                    status = 200 if question.startswith("/containers/json") else 404
                    connection.sendall(b"HTTP/1.0 %d x\r\n\r\n%s" % (status, body))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert EngineApi(path).containers("lab") == ()
        thread.join()
    assert {f"/containers/{id_}/json" for id_ in ids} == set(asked[1:])
