"""Asking GitHub, through the one door that requests leave by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import Answer, DeliveryFailed, DestinationRefused, Outbound
from watchkeeper.modules.postmortems.errors import TrackerInvalid
from watchkeeper.modules.postmortems.model import ActionItem
from watchkeeper.modules.postmortems.store_actions import Tracker
from watchkeeper.modules.postmortems.wire_github import (
    IssueSaid,
    NotUnderstood,
    Opening,
    mark_of,
    read_issue,
    read_issues,
    state_of,
)

API = "https://api.github.com"
_PURPOSE = "postmortems.tracker"
_NAME = re.compile(r"(?!\.+/)[A-Za-z0-9_.-]{1,100}/(?!\.+$)[A-Za-z0-9_.-]{1,100}")
_TOKEN = re.compile(r"[\x21-\x7e]{8,300}")
_LITERAL = re.compile(r"http://(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\])(:\d+)?(/.*)?")
_PER_PAGE, _MOST_PAGES = 30, 10
_LARGEST = 4_000_000
# Clocks differ: an issue of ours may say that it was made a little before it was wanted.
_SKEW = timedelta(minutes=10)


class RefusedByTracker(Exception):
    """It said no, and will again until a person changes something. The text is for people and holds no secret."""


class TrackerAway(Exception):
    """It did not answer, or not now. `retry_after`: seconds in which it wants to be left alone."""

    def __init__(self, problem: str, retry_after: int | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


def seal_token(key: InstallationKey, token: str) -> str:
    return key.seal(token, purpose=_PURPOSE, bound_to=_PURPOSE)


def check_tracker(outbound: Outbound, api_url: str, repository: str, token: str | None) -> None:
    """Raises TrackerInvalid with every complaint. `token` None: the one that is kept stays."""
    complaints = []
    if not _NAME.fullmatch(repository):
        complaints.append(Complaint("repository", "a repository as owner/name"))
    if token is not None and not _TOKEN.fullmatch(token):
        complaints.append(Complaint("token", "a token of 8 to 300 characters without spaces"))
    try:
        outbound.require(api_url)
        # A token over an open line is everybody's; inside one's own network there is often no certificate.
        if not api_url.startswith("https://") and not _LITERAL.fullmatch(api_url):
            complaints.append(Complaint("api_url", "an address that begins with https://"))
    except DestinationRefused as refusal:
        complaints.append(Complaint("api_url", refusal.detail))
    if complaints:
        raise TrackerInvalid(f"Expected {complaints[0].expected}.", complaints=complaints)


@dataclass(frozen=True)
class GitHub:
    """A repository's issues. Each call blocks up to 10 s; raises RefusedByTracker or TrackerAway."""

    outbound: Outbound
    key: InstallationKey

    def find(self, tracker: Tracker, action: ActionItem, wanted_at: datetime) -> IssueSaid | None:
        """The issue that an earlier try opened, whether its answer ever came or not."""
        earliest = wanted_at - _SKEW
        for page in range(1, _MOST_PAGES + 1):
            asked = {
                "state": "all",
                "sort": "created",
                "direction": "desc",
                "since": rfc3339(earliest),
                "per_page": str(_PER_PAGE),
                "page": str(page),
            }
            answer = self._ask(tracker, tracker.repository, f"?{urlencode(asked)}")
            try:
                found = read_issues(answer.body)
            except NotUnderstood:
                raise TrackerAway("the list of issues could not be read") from None
            for one in found:
                if mark_of(action.id) in (one.body or ""):
                    return one
            if len(found) < _PER_PAGE or any(one.created_at and one.created_at < earliest for one in found):
                return None
        return None

    def open(self, tracker: Tracker, action: ActionItem, href: str) -> IssueSaid:
        """Open an issue."""
        answer = self._ask(tracker, tracker.repository, "", Opening(action, href).body())
        return self._issue(answer)

    def read(self, tracker: Tracker, repository: str, number: int) -> IssueSaid:
        """An issue as it is now."""
        return self._issue(self._ask(tracker, repository, f"/{number}"))

    def set_state(self, tracker: Tracker, action: ActionItem) -> IssueSaid:
        """Close the issue of an item that is over, or open that of one that isn't; harmless when repeated."""
        where, number = action.issue.repository, action.issue.number
        return self._issue(self._ask(tracker, where, f"/{number}", state_of(action), "PATCH"))

    def _issue(self, answer: Answer) -> IssueSaid:
        try:
            return read_issue(answer.body)
        except NotUnderstood:
            raise TrackerAway("the answer was no issue") from None

    def _ask(
        self, tracker: Tracker, repository: str, rest: str, body: bytes | None = None, method: str = "POST"
    ) -> Answer:
        token = self.key.open(tracker.token_sealed, purpose=_PURPOSE, bound_to=_PURPOSE)
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
        }
        url = f"{tracker.api_url.rstrip('/')}/repos/{repository}/issues{rest}"
        try:
            answer = self.outbound.ask(
                url, body or b"", headers, largest=_LARGEST, method="GET" if body is None else method
            )
        except DestinationRefused as refusal:
            raise RefusedByTracker(refusal.detail.rstrip(".")) from None
        except DeliveryFailed as failed:
            raise TrackerAway(str(failed)) from None
        return _judged(answer)


_SAID = {
    301: "the repository has moved: name its new place",
    400: "the request was not understood",
    401: "the token is not accepted any more",
    403: "the token may not do that",
    404: "there is no such repository or issue, or the token may not see it",
    410: "issues are turned off, or the issue was deleted",
    422: "the issue was refused as invalid",
}


def _judged(answer: Answer) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    limited = answer.status == 429 or (answer.status == 403 and answer.retry_after is not None)
    if limited:
        raise TrackerAway("too many requests", answer.retry_after)
    if answer.status in _SAID:
        raise RefusedByTracker(f"{_SAID[answer.status]} ({answer.status})")
    raise TrackerAway(f"answered {answer.status}", answer.retry_after)
