"""A file is replaced as a whole, and nobody but its readers ever reads the new one."""

import errno
import os
import stat
from pathlib import Path

import pytest

from spark_mode.atomic_file import replace_file
from spark_mode.enforcement.own_file import put
from spark_mode.errors import ConfigurationError


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def seen_while(path: Path, contents: bytes, monkeypatch: pytest.MonkeyPatch, keep: bool) -> list[tuple[str, int, int]]:
    """Replace a file; return the name, mode and size of all that lay beside it at each call that made it so."""
    seen: list[tuple[str, int, int]] = []

    def looking(name: str) -> None:
        real = getattr(os, name)

        def look(*arguments: object) -> object:
            done = real(*arguments)
            there = [one for one in path.parent.iterdir() if one != path]
            seen.extend((one.name, mode_of(one), one.stat().st_size) for one in there)
            return done

        monkeypatch.setattr(os, name, look)

    for name in ("fchown", "fchmod", "fsync"):
        looking(name)
    replace_file(path, contents, 0o644, keep)
    return seen


def test_a_private_file_is_never_readable_for_others_while_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / ".env"
    secret.write_text("TOKEN=secret\n")
    secret.chmod(0o600)
    former = os.umask(0)
    try:
        seen = seen_while(secret, b"TOKEN=secret\nMORE=1\n", monkeypatch, keep=True)
    finally:
        os.umask(former)
    assert seen
    assert {mode for _, mode, _ in seen} == {0o600}
    assert mode_of(secret) == 0o600
    assert secret.read_text() == "TOKEN=secret\nMORE=1\n"
    assert list(tmp_path.iterdir()) == [secret]


def test_a_new_file_has_its_mode_before_its_contents_and_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, former = tmp_path / "shared", os.umask(0o077)
    try:
        seen = seen_while(path, b"x" * 10, monkeypatch, keep=False)
    finally:
        os.umask(former)
    assert {mode for _, mode, size in seen if size} == {0o644}
    assert mode_of(path) == 0o644


def test_the_name_beside_it_cannot_be_foreseen_and_so_not_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, precious = tmp_path / "one", tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / f".one.{os.getpid()}").symlink_to(precious)
    names = [{name for name, _, _ in seen_while(path, b"1", monkeypatch, keep=False)} for _ in range(2)]
    assert names[0] & names[1] <= {f".one.{os.getpid()}", "precious"}
    assert precious.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    os.chown(path, 12345, 54321)
    put(path, "A=2\n", 0o644, "no fix")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (12345, 54321, "A=2\n")


@pytest.mark.parametrize(("owner", "command"), [(os.geteuid(), 'chgrp "$(id -g)"'), (12345, 'sudo chown "$(id -u):$(id -g)"')])
def test_what_only_root_could_keep_is_said_and_how_it_is_one_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, command: str
) -> None:
    path = tmp_path / "a lab" / ".env"
    path.parent.mkdir()
    path.write_text("A=1\n")
    former = path.lstat()
    theirs = os.stat_result((*former[:4], owner, 54321, *former[6:]))
    monkeypatch.setattr(Path, "lstat", lambda _: theirs)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchown", refused)
    with pytest.raises(ConfigurationError) as told:
        put(path, "A=2\n", 0o644, "the folder must be writable")
    assert told.value.message == f"{path}: its owner or its group is one that only root could keep"
    assert told.value.hint == f"make it your own: {command} '{path}'"
    assert path.read_text() == "A=1\n"
    assert [*path.parent.iterdir()] == [path]


def test_a_link_is_neither_followed_nor_replaced_where_the_former_file_counts(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("precious")
    (tmp_path / ".env").symlink_to(target)
    with pytest.raises(ConfigurationError, match=r"\.env: not a regular file"):
        put(tmp_path / ".env", "A=2\n", 0o644, "no fix")
    assert (tmp_path / ".env").is_symlink()
    assert target.read_text() == "precious"


def test_a_replacement_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "a folder in its place"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(folder, b"x", 0o644)
    assert list(tmp_path.iterdir()) == [folder]
