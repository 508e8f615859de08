"""Who may come in to the page, decided of what was asked and of the time."""

from collections.abc import Sequence

import pytest

from spark_mode.page.access import MOST_SESSIONS, Access, Asked, Denied, is_open
from spark_mode.page.hosts import behind

OWNER = 1000
HOST = "127.0.0.1:8710"
OTHER_HOSTS = (
    ("evil.example",),
    ("127.0.0.1.evil.example",),
    ("localhost.evil.example",),
    ("",),
    (),
    (HOST, HOST),
    ("127.0.0.1:99999",),
)


def asked(
    uid: int | None = OWNER,
    method: str = "GET",
    hosts: Sequence[str] = (HOST,),
    origin: str | None = None,
    site: str | None = None,
    mode: str | None = None,
) -> Asked:
    return Asked(uid, method, hosts, origin, site, mode)


def denied(one: Asked, access: Access | None = None) -> int:
    """Return with which status this is denied."""
    with pytest.raises(Denied) as why:
        (access or Access(OWNER)).require_welcome(one)
    return why.value.status


@pytest.mark.parametrize("uid", [OWNER, 0])
def test_the_owner_and_root_are_welcome(uid: int) -> None:
    Access(OWNER).require_welcome(asked(uid))


@pytest.mark.parametrize("uid", [1001, 65534, None])
def test_nobody_else_is_and_neither_is_who_is_not_known(uid: int | None) -> None:
    assert denied(asked(uid)) == 403


@pytest.mark.parametrize("host", [HOST, "localhost", "localhost:1", "LOCALHOST:8710", "[::1]:9", "spark.localhost:80"])
def test_each_name_of_this_machine_is_welcome_with_any_port(host: str) -> None:
    for method, site in (("GET", None), ("POST", "same-origin")):
        Access(OWNER).require_welcome(asked(method=method, hosts=(host,), site=site))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("hosts", OTHER_HOSTS)
def test_each_other_name_is_denied_whatever_is_asked(method: str, hosts: Sequence[str]) -> None:
    assert denied(asked(method=method, hosts=hosts, site="same-origin")) == 403


def test_a_name_that_is_behind_nothing_is_denied_with_the_option_that_names_it() -> None:
    with pytest.raises(Denied) as why:
        Access(OWNER).require_welcome(asked(hosts=("spark.tail1234.ts.net:8443",)))
    assert "--behind https://spark.tail1234.ts.net:8443" in why.value.hint


def test_the_name_of_a_proxy_is_welcome_with_any_port_and_nothing_like_it() -> None:
    access = Access(OWNER, behind("https://spark.example"))
    for host in ("spark.example", "spark.example:8443", "SPARK.example"):
        access.require_welcome(asked(hosts=(host,)))
    for host in ("x.spark.example", "spark.example.evil"):
        assert denied(asked(hosts=(host,)), access) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_what_acts_comes_from_the_page_itself_as_the_browser_says(site: str) -> None:
    Access(OWNER).require_welcome(asked(method="POST", site="same-origin"))
    assert denied(asked(method="POST", site=site, origin=f"http://{HOST}")) == 403


@pytest.mark.parametrize("origin", [None, "null", "http://127.0.0.1:9999", "http://localhost:8710", "https://evil.example", HOST])
def test_where_the_browser_does_not_say_so_the_origin_is_the_host(origin: str | None) -> None:
    Access(OWNER).require_welcome(asked(method="POST", origin=f"http://{HOST}"))
    Access(OWNER).require_welcome(asked(method="POST", origin=f"https://{HOST}"))
    assert denied(asked(method="POST", origin=origin)) == 403


def test_the_origin_may_be_the_proxys_though_the_host_is_not() -> None:
    access = Access(OWNER, behind("https://spark.example:8443"))
    access.require_welcome(asked(method="POST", origin="https://spark.example:8443"))
    assert denied(asked(method="POST", origin="https://spark.example"), access) == 403


def test_the_port_of_https_may_be_named_and_is_not_said_by_browsers() -> None:
    access = Access(OWNER, behind("https://spark.example:443/"))
    access.require_welcome(asked(method="POST", origin="https://spark.example"))
    access.require_welcome(asked(hosts=("spark.example",)))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_page_embeds_or_fetches_it_but_any_may_link_to_it(site: str) -> None:
    assert denied(asked(site=site, mode="no-cors")) == 403
    assert denied(asked(site=site, mode="cors")) == 403
    Access(OWNER).require_welcome(asked(site=site, mode="navigate"))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post"])
def test_no_other_method_does_anything(method: str) -> None:
    assert denied(asked(method=method, site="same-origin")) == 405


@pytest.mark.parametrize(
    "path", ["/", "/static", "/static/", "/static/../status.json", "/static/a/b", "/healthz/", "/links", "//static/x"]
)
def test_nothing_is_open_but_what_is_known_to_say_nothing(path: str) -> None:
    assert all(map(is_open, ("/link", "/healthz", "/static/page.css")))
    assert not is_open(path)


def test_a_link_opens_once() -> None:
    access = Access(OWNER)
    link = access.new_link(0)
    assert not access.visitor(access.redeem(link, 599), 599).read_only
    with pytest.raises(Denied, match="used already"):
        access.redeem(link, 599)


def test_a_link_opens_for_ten_minutes() -> None:
    access = Access(OWNER)
    link = access.new_link(0)
    with pytest.raises(Denied) as why:
        access.redeem(link, 600)
    assert why.value.status == 401


def test_a_session_lasts_twelve_hours() -> None:
    access = Access(OWNER)
    session = access.redeem(access.new_link(0), 0)
    access.visitor(session, 12 * 3600 - 1)
    with pytest.raises(Denied) as why:
        access.visitor(session, 12 * 3600)
    assert why.value.status == 401


@pytest.mark.parametrize("session", [None, "", "x", "\ud800", "ü"])
def test_who_has_no_session_sees_nothing(session: str | None) -> None:
    with pytest.raises(Denied) as why:
        Access(OWNER).visitor(session, 0)
    assert why.value.status == 401


def test_there_is_no_end_of_links_and_sessions_but_only_so_many_at_once() -> None:
    access = Access(OWNER)
    sessions = [access.redeem(access.new_link(0), 0) for _ in range(MOST_SESSIONS + 1)]
    access.visitor(sessions[-1], 0)
    access.visitor(sessions[1], 0)
    with pytest.raises(Denied):
        access.visitor(sessions[0], 0)


def test_nothing_that_is_kept_opens_anything() -> None:
    access = Access(OWNER)
    link = access.new_link(0)
    session = access.redeem(access.new_link(0), 0)
    form_token = access.visitor(session, 0).form_token
    kept = repr([vars(one) if hasattr(one, "__dict__") else one for one in vars(access).values()])
    assert not any(secret in kept for secret in (link, session, form_token))


def test_who_only_looks_changes_nothing() -> None:
    for access, read_only in ((Access(OWNER), True), (Access(OWNER, read_only=True), False)):
        visitor = access.visitor(access.redeem(access.new_link(0, read_only), 0), 0)
        with pytest.raises(Denied) as why:
            access.require_may_act(visitor, {"form_token": [visitor.form_token]})
        assert why.value.status == 403


def test_a_form_is_that_of_the_session() -> None:
    access = Access(OWNER)
    own, other = (access.visitor(access.redeem(access.new_link(0), 0), 0) for _ in range(2))
    access.require_may_act(own, {"form_token": [own.form_token]})
    for sent in ([], [""], [other.form_token], ["\ud800ü"]):
        with pytest.raises(Denied) as why:
            access.require_may_act(own, {"form_token": sent})
        assert why.value.status == 403
