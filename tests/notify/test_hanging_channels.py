"""Providers that hang hold up nobody else; three misses mark a channel, one delivery clears it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.notify.faults import hangs, serving
from tests.notify.support import ALICE, KEY, Post, Provider
from tests.notify.test_provider_faults import ADDRESSES, SECRETS
from watchkeeper.kernel.bounded import Bounded, TooManyLeft
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, parse_networks
from watchkeeper.modules.notify import store_notifications, wiring
from watchkeeper.modules.notify.channels import SPECS
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.providers import Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending

EACH = 5
# Longer than what makes a channel one that hangs.
HELD = 2.5


@pytest.fixture
def lite(migrated_folder: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copytree(migrated_folder, tmp_path / "data")
    opened = open_database(None, tmp_path / "data")
    yield opened
    opened.close()


def until(true: Callable[[], bool]) -> None:
    for _ in range(1_200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def test_while_every_kind_of_channel_hangs_a_page_over_another_channel_of_such_a_kind_goes_through(
    lite: Database, provider: Provider
) -> None:
    post = Post(lite, SystemClock(), provider)  # type: ignore[arg-type]
    with serving(hangs) as hanging:
        url = f"http://127.0.0.1:{hanging.port}"
        for kind in SPECS:
            settings = {"url": url} if "url" in wiring_settings(kind) else {}
            if kind in (ChannelKind.SMS, ChannelKind.VOICE):
                settings |= {"account": "AC0123456789", "sender": "+4722334455"}
            secrets = dict(SECRETS.get(kind, {}))
            if kind is ChannelKind.SLACK_WEBHOOK:
                secrets = {"url": f"{url}/hook"}
            if kind is ChannelKind.APPRISE:
                secrets = {"url": f"json://127.0.0.1:{hanging.port}/?cto={HELD}&rto={HELD}"}
            post.verbs(
                lambda verbs, k=kind, s=settings, h=secrets: verbs.put_channel(
                    f"bad-{k}".replace("_", "-"), k, settings=s, secrets=h, by="a", source="t"
                )
            )
        post.channel("good")
        lonely = [
            known(post, f"bad-{kind}".replace("_", "-"), ADDRESSES.get(kind, ""), f"per_{kind}_{number}")
            for kind in SPECS
            for number in range(EACH)
        ]
        reachable = known(post, "good", "good-topic", ALICE)
        for person in lonely:
            post.page(f"grp_{person}", call=f"call-{person}", person=person)
        post.page("grp_alice", call="call-alice", person=reachable)
        mail = MailSettings.model_validate({"host": "127.0.0.1", "port": hanging.port, "security": "none"})
        providers = Providers(
            Mailer(mail, HELD), Outbound(parse_networks("127.0.0.0/8"), None, HELD), post.clock, Bounded(HELD)
        )
        sending = Sending(lite, post.clock, KEY, post.settings, providers, Owners((post.owner,)))
        worker = wiring.worker(lite, post.clock, sending)
        worker.start()
        try:
            until(lambda: bool(provider.asked))
            waiting = [one for kind in lonely if kind.startswith("per_ntfy") for one in post.record(f"grp_{kind}")]
            assert any(not one.attempts for one in waiting), "it did not queue behind those that were ordered before"
            until(lambda: len(post.owner.lost) >= len(SPECS))
        finally:
            worker.stop()


def wiring_settings(kind: ChannelKind) -> set[str]:
    from watchkeeper.modules.notify.channels import SPECS

    return set(SPECS[kind].settings)


def known(post: Post, channel: str, address: str, person: str) -> str:
    """Somebody with this one verified contact, whose code was never sent."""
    made = post.contact(channel, address, person=person)
    with post.database.begin() as session:
        from sqlalchemy import text

        session.execute(text("DELETE FROM work"))
    assert made.person_id == person
    return person


def test_after_a_miss_a_channel_that_hangs_gets_one_message_at_a_time_and_the_rest_go_by_their_next_way(
    post: Post, database: Database
) -> None:
    post.channel("first")
    post.channel("second")
    post.contact("first", "per_a-1", person="per_a")
    first = post.contact("first", "per_b-1", person="per_b").id
    second = post.contact("second", "per_b-2", person="per_b").id
    post.run()
    post.provider.answer = lambda _asked: (503, {})
    post.page("grp_0", call="call-0", person="per_a")
    post.run()
    post.provider.answer = lambda _asked: (200, {})
    post.provider.asked.clear()
    post.page("grp_a", call="call-a", person="per_a")
    with database.begin() as session:
        from watchkeeper.kernel.work import store as work_store
        from watchkeeper.modules.notify.ordering import KINDS

        tasks = work_store.lease(session, KINDS, now=post.clock.now(), length=timedelta(minutes=5), most=5)
    begun = post.sending.act(next(one for one in tasks if about(post, one.payload["notification"]) == "grp_a"))
    assert begun is not None
    post.clock.advance(timedelta(seconds=3))
    from watchkeeper.modules.notify.model import Preferences, Rule

    rules = [
        Rule(urgency="high", contact_id=first),
        Rule(urgency="high", contact_id=second, after=timedelta(minutes=10)),
    ]
    post.verbs(lambda verbs: verbs.put_rules(rules, Preferences(person_id="per_b"), by="t", source="t"))
    post.provider.asked.clear()
    post.page("grp_b", call="call-b", person="per_b")
    post.run()
    assert [one.json["topic"] for one in post.provider.asked] == ["per_b-2"]
    post.clock.advance(timedelta(seconds=60))
    post.run()
    assert "per_b-1" in [one.json["topic"] for one in post.provider.asked], "put off, not given up"


def about(post: Post, notification: str) -> str:
    with post.database.read() as session:
        found = store_notifications.notification(session, notification)
    assert found is not None
    return found.about_id


@pytest.mark.parametrize("kind", [ChannelKind.NTFY, ChannelKind.TELEGRAM, ChannelKind.PAGERDUTY, ChannelKind.SMS])
def test_a_channel_is_marked_after_three_misses_and_cleared_by_one_delivery(
    lite: Database, clock: ManualClock, provider: Provider, kind: ChannelKind
) -> None:
    post = Post(lite, clock, provider)
    settings = {"account": "AC0123456789", "sender": "+4722334455"} if kind is ChannelKind.SMS else {}
    post.verbs(
        lambda verbs: verbs.put_channel(
            "it", kind, settings={"url": provider.url, **settings}, secrets=SECRETS.get(kind, {}), by="a", source="t"
        )
    )
    known(post, "it", ADDRESSES.get(kind, ""), ALICE)
    provider.answer = lambda _asked: (500, {})
    post.page()
    for _ in range(3):
        post.run()
        clock.advance(timedelta(minutes=1))
    assert (len(provider.asked), post.kinds().count("channel_degraded")) == (3, 1)
    provider.answer = lambda _asked: (200, {})
    clock.advance(timedelta(minutes=5))
    post.run()
    assert post.kinds().count("channel_recovered") == 1
    assert post.states() == ["sent"]


def test_code_that_never_comes_back_is_left_alone_and_never_more_than_a_few_of_it() -> None:
    import threading

    ended = threading.Event()
    bounded = Bounded(seconds=0.05, most=2)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            bounded.run(lambda: ended.wait(60))
    with pytest.raises(TooManyLeft):
        bounded.run(lambda: True)
    ended.set()

    def again() -> bool:
        with suppress(TooManyLeft):
            return bounded.run(lambda: True)
        return False

    until(again)
