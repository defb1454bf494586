"""The pure rules of identity: where a sign-in may lead, when it must wait, when a session is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.identity.model import (
    Charge,
    Limit,
    Session,
    SessionPolicy,
    SignInMethod,
    Tally,
    charge,
    clean_name,
    describe_device,
    digest,
    is_email,
    is_loopback,
    local_path,
    network_of,
    normalise_email,
    pause_after,
)

NOW = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
ACCOUNT = Limit(10, timedelta(minutes=15), grows=True)
ADDRESS = Limit(30, timedelta(minutes=15), grows=False)


# --- where a sign-in may lead ---


@pytest.mark.parametrize("wanted", ["/", "/services", "/logs?q=a%20b&level=error", "/traces/abc#span", "/services/ä"])
def test_a_path_of_this_console_is_kept(wanted: str) -> None:
    assert local_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "services",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\t/evil.example",
        "/\n/evil.example",
        " /services",
        "/ //evil.example",
        "/services//evil.example",
        "/a\\b",
        "/\x00",
        "/\x7f",
        "/\xa0",
        "/\x85",
        "http:///evil",
        "//[::1",
        "/" + "a" * 3000,
        "/login?next=/login",
        "/setup/wku_x",
    ],
)
def test_anything_else_leads_home(wanted: str | None) -> None:
    assert local_path(wanted) == "/"


@given(st.text(alphabet=st.sampled_from("/\\:@?#.evil\t\n\r %\x00"), max_size=20) | st.text(max_size=40))
def test_whatever_is_asked_for_the_browser_stays_here(wanted: str) -> None:
    here = "https://watchkeeper.example/login"
    target = urlsplit(urljoin(here, local_path(wanted)))
    assert (target.scheme, target.netloc) == ("https", "watchkeeper.example")
    as_browsers_read_it = local_path(wanted).replace("\\", "/").translate({9: None, 10: None, 13: None})
    assert not as_browsers_read_it.startswith("//")


@given(st.text(max_size=40))
def test_making_a_path_local_twice_changes_nothing(wanted: str) -> None:
    assert local_path(local_path(wanted)) == local_path(wanted)


# --- when a sign-in must wait ---


def test_three_typing_mistakes_cost_nothing() -> None:
    tally = None
    for _ in range(3):
        answer = charge(tally, ACCOUNT, NOW)
        assert answer.allowed
        tally = answer.tally


def test_from_the_third_failure_on_the_pause_doubles_up_to_a_minute() -> None:
    pauses = [int(pause_after(failures, ACCOUNT).total_seconds()) for failures in range(11)]
    assert pauses == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_an_address_waits_only_for_the_limit() -> None:
    assert pause_after(29, ADDRESS) == timedelta(0)


def test_a_full_count_pauses_until_the_window_ends_and_is_told_once() -> None:
    full = Tally(10, NOW - timedelta(minutes=5), NOW - timedelta(minutes=1))
    first = charge(full, ACCOUNT, NOW)
    assert (first.wait, first.news) == (timedelta(minutes=10), True)
    second = charge(first.tally, ACCOUNT, NOW + timedelta(minutes=1))
    assert (second.wait, second.news) == (timedelta(minutes=9), False)


def test_a_new_window_starts_from_nothing() -> None:
    full = Tally(10, NOW - timedelta(minutes=15), NOW)
    assert charge(full, ACCOUNT, NOW) == Charge(Tally(1, NOW, NOW))


@given(
    st.lists(st.integers(0, 400), max_size=60),
    st.builds(Limit, st.integers(1, 40), st.just(timedelta(minutes=15)), grows=st.booleans()),
)
def test_no_window_ever_answers_more_guesses_than_the_limit(gaps: list[int], limit: Limit) -> None:
    now, tally, answered = NOW, None, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        answer = charge(tally, limit, now)
        if tally is None or answer.tally.since != tally.since:
            answered = 0
        answered += answer.allowed
        tally = answer.tally
        assert answered <= limit.failures
        assert answer.wait <= limit.window


@given(st.integers(1, 40), st.integers(0, 900))
def test_waiting_as_long_as_told_is_always_enough(failures: int, ago: int) -> None:
    tally = Tally(failures, NOW - timedelta(seconds=ago), NOW)
    answer = charge(tally, ACCOUNT, NOW)
    assert answer.allowed or charge(answer.tally, ACCOUNT, NOW + answer.wait).allowed


# --- when a session is over ---

POLICY = SessionPolicy(idle=timedelta(hours=12), absolute=timedelta(days=14))


def _session(*, age: timedelta, idle: timedelta, ended: bool = False) -> Session:
    return Session(
        id="ses_1",
        person_id="per_1",
        created_at=NOW - age,
        seen_at=NOW - idle,
        ended_at=NOW if ended else None,
        device="",
        address="",
        method=SignInMethod.PASSWORD,
        proved_at=NOW - age,
    )


@pytest.mark.parametrize(
    ("age", "idle", "ended", "live"),
    [
        (timedelta(days=13), timedelta(hours=11), False, True),
        (timedelta(hours=13), timedelta(hours=12), False, False),
        (timedelta(days=14), timedelta(0), False, False),
        (timedelta(0), timedelta(0), True, False),
    ],
)
def test_a_session_ends_by_idleness_by_age_or_by_being_ended(
    age: timedelta, idle: timedelta, ended: bool, live: bool
) -> None:
    assert POLICY.is_live(_session(age=age, idle=idle, ended=ended), NOW) is live


# --- names, addresses, devices ---


@pytest.mark.parametrize("text", ["alice@example.org", "a.b+c@sub.example", "jürgen@müller.example"])
def test_an_email_is_plausible(text: str) -> None:
    assert is_email(text)


@pytest.mark.parametrize(
    "text", ["", "alice", "@example.org", "a@", "a b@c", "a@b@c", "a@b\r\nBcc: c@d", "<a@b>", "a" * 250 + "@b.example"]
)
def test_what_is_no_email_is_refused(text: str) -> None:
    assert not is_email(text)


def test_two_spellings_of_an_email_are_one() -> None:
    assert normalise_email("  Alice@Example.ORG ") == normalise_email("\uff41lice@example.org")


@given(st.text(max_size=60))
def test_a_name_is_one_line_of_visible_text(text: str) -> None:
    name = clean_name(text)
    assert name == clean_name(name)
    assert name.isprintable()
    assert name == name.strip()


def test_a_name_can_not_turn_the_text_around() -> None:
    assert clean_name("Ali\u202ece\n\x1b[31m\u200bSmith") == "Alice [31mSmith"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "unknown"),
    ],
)
def test_an_ipv6_household_counts_as_one_sender(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(address: str, local: bool) -> None:
    assert is_loopback(address) is local


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on macOS"),
        ("curl/8.5", "curl"),
        ("Something (Android 16)", "A browser on Android"),
        ("<script>alert(1)</script>", "Unknown device"),
    ],
)
def test_a_browser_is_named_as_its_owner_would(agent: str, device: str) -> None:
    assert describe_device(agent) == device


@given(st.text())
def test_the_text_of_a_user_agent_is_never_passed_on(agent: str) -> None:
    assert len(describe_device(agent)) <= 60


@given(st.text())
def test_any_text_has_a_digest(secret: str) -> None:
    assert len(digest(secret)) == 64
