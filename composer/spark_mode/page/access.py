"""Who may come in: every decision of the page's door, made of what was asked and of the time. Pure but for chance.

Whoever may use the page is root, because whoever may use Docker is. So several things have to be true at once, each against
something else: the kernel says that the owner is at the other end (against other users of this machine, who can reach
loopback, and to whom browsers send our cookie when one of their pages is on another port); the Host is a name of ours (against
a name of somebody else that is made to lead here); a request that acts comes from our own page (against other pages in the
same browser); and there is a cookie that only a link printed by us gives (against everything else).
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spark_mode.page.hosts import Address, address, address_of_origin

LINK_SECONDS = 10 * 60.0
SESSION_SECONDS = 12 * 60 * 60.0
MOST_LINKS, MOST_SESSIONS = 16, 64
"""The oldest makes room for a new one."""
OPEN = ("/healthz", "/link")
OPEN_BELOW = "/static/"
"""What is shown without a cookie: none of it says anything of the machine."""

ANOTHER = "Print one on the machine: spark-mode page link"


class Denied(Exception):
    """What was asked is not answered: with which status, why, and what to do about it."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


class Visitor(NamedTuple):
    """Who has come in. A `read_only` one sees no logs and changes nothing; `form_token` stands in each form that he is shown.

    `until` is when he has to come in anew, by the clock of the page; `session` is what his session is kept by.
    """

    read_only: bool
    form_token: str
    until: float = float("inf")
    session: str = ""


class Asked(NamedTuple):
    """What the door looks at of a request. `uid` is who holds the other end, `hosts` every Host header."""

    uid: int | None
    method: str
    hosts: Sequence[str]
    origin: str | None = None
    site: str | None = None
    mode: str | None = None


class _Pass(NamedTuple):
    read_only: bool
    until: float


class Access:
    """The links and sessions of a page, as hashes, in memory alone. Times are seconds of a clock that never goes back."""

    def __init__(self, owner: int, behind: Address | None = None, read_only: bool = False) -> None:
        self.owner, self.behind, self.read_only = owner, behind, read_only
        self._links: dict[str, _Pass] = {}
        self._sessions: dict[str, _Pass] = {}

    def new_link(self, now: float, read_only: bool = False) -> str:
        """Return what opens the page once, within ten minutes."""
        return _keep(self._links, _Pass(read_only or self.read_only, now + LINK_SECONDS), MOST_LINKS)

    def redeem(self, token: str, now: float) -> str:
        """Return what a link's cookie holds for twelve hours. Raises Denied for a link that was used, or is too old."""
        link = self._links.pop(_hash(token), None)
        if link is None or link.until <= now:
            raise Denied(
                401, "This link was used already, or is older than ten minutes.", "Print another one: spark-mode page link"
            )
        return _keep(self._sessions, _Pass(link.read_only, now + SESSION_SECONDS), MOST_SESSIONS)

    def require_welcome(self, asked: Asked) -> Address:
        """Return by which address the page was asked for. Raises Denied unless who asks, for whom, and from where is right."""
        if asked.uid is None or asked.uid not in (0, self.owner):
            raise Denied(403, "This page is another user's.", "Have one of your own: spark-mode page --port PORT")
        host = self._host(asked.hosts)
        if asked.method == "POST":
            self._require_own_page(asked, host)
        elif asked.method not in ("GET", "HEAD"):
            raise Denied(405, f"{asked.method} is nothing that is done here.", "Go back to the page.")
        elif asked.site in ("cross-site", "same-site") and asked.mode != "navigate":
            raise Denied(403, "This is shown to no other page.", "Open it by itself.")
        return host

    def visitor(self, session: str | None, now: float) -> Visitor:
        """Return whose cookie this is. Raises Denied for one that is missing, unknown or expired."""
        found = self._sessions.get(_hash(session)) if session else None
        if session is None or found is None or found.until <= now:
            raise Denied(
                401, "This page opens with a link that is made for you.", "Print one on the machine: spark-mode page link"
            )
        return Visitor(found.read_only, _hash(f"form {session}"), found.until, _hash(session))

    def is_in(self, visitor: Visitor) -> bool:
        """Whether a session is still one, and has not made room for a new one."""
        return visitor.session in self._sessions

    def require_may_act(self, visitor: Visitor, form: Mapping[str, Sequence[str]]) -> None:
        """Raise Denied unless this visitor may change something, and did it by a form that he was shown."""
        if visitor.read_only:
            raise Denied(403, "This session only looks.", "For one that may switch: spark-mode page link")
        if not any(secrets.compare_digest(_hash(one), _hash(visitor.form_token)) for one in form.get("form_token", ())):
            raise Denied(403, "This form is not of this session.", "Go back, reload the page, and try again.")

    def _host(self, hosts: Sequence[str]) -> Address:
        """A name server may be made to lead any name here (DNS rebinding), so a name of somebody else is answered nothing."""
        host = address(hosts[0]) if len(hosts) == 1 else None
        if host is None or not (host.is_loopback or (self.behind is not None and host.name == self.behind.name)):
            said = f"The page is not asked for as {host}." if host else "It is not said by which name the page is asked for."
            raise Denied(403, said, f"Where a proxy of yours has this name: spark-mode page --behind https://{host or 'NAME'}")
        return host

    def _require_own_page(self, asked: Asked, host: Address) -> None:
        if asked.site is not None:
            is_own = asked.site == "same-origin"
        else:  # an older browser
            origin = address_of_origin(asked.origin or "")
            is_own = origin is not None and origin in (host, self.behind)
        if not is_own:
            raise Denied(403, "Another page asked for this.", "Do it on the page itself.")


def is_open(path: str) -> bool:
    """Whether this is shown to whoever is welcome, cookie or not."""
    name = path.removeprefix(OPEN_BELOW)
    return path in OPEN or (path != name != "" and "/" not in name)


def cookie_name(host: Address, behind: Address | None) -> str:
    """Return the cookie's name, with the port that the browser sees: a browser sends a cookie to every port of a name."""
    return f"spark-mode-{host.port or (443 if behind and host.name == behind.name else 80)}"


def _keep(kept: dict[str, _Pass], one: _Pass, most: int) -> str:
    while len(kept) >= most:
        del kept[next(iter(kept))]
    token = secrets.token_urlsafe(32)
    kept[_hash(token)] = one
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
