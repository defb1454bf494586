"""Alerts, on-call and notifications on one database, with a provider that is a real server on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from tests.notify.support import KEY, LOOPBACK, Provider
from tests.oncall.support import ID, Stage
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.work import Task
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts.model import Severity, Status
from watchkeeper.modules.alerts.public import Alerting, GroupFilter, GroupState, GroupWatchers, OwnAlert, groups
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.model import ChannelKind, Preferences, Rule
from watchkeeper.modules.notify.providers import Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending
from watchkeeper.modules.notify.service import Notify
from watchkeeper.modules.notify.settings import NotifySettings
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.engine import Engine, Watcher
from watchkeeper.modules.oncall.paging.links import Links
from watchkeeper.modules.oncall.paging.model import Page
from watchkeeper.modules.oncall.paging.owner import PageOwner
from watchkeeper.modules.oncall.paging.verbs import Paging

BASE = "https://watch.example"
LEASE = timedelta(seconds=10)


@dataclass
class Tower:
    """Everything from an alert to a message, by a clock that stands still."""

    stage: Stage
    provider: Provider
    settings: NotifySettings = field(default_factory=lambda: NotifySettings.model_validate({"bundle_seconds": 0}))

    @property
    def clock(self) -> Any:
        return self.stage.clock

    @cached_property
    def alerting(self) -> Alerting:
        return Alerting(AlertSettings.model_validate({}), GroupWatchers((Watcher(),)))

    @cached_property
    def engine(self) -> Engine:
        return Engine(self.clock, self.alerting, BASE)

    @cached_property
    def links(self) -> Links:
        return Links(KEY, BASE)

    @cached_property
    def paging(self) -> Paging:
        return Paging(self.clock, self.alerting, self.engine, self.links)

    @cached_property
    def sending(self) -> Sending:
        owners = Owners((PageOwner(self.clock, self.engine, self.links),))
        providers = Providers(Mailer(MailSettings.model_validate({})), LOOPBACK, self.clock)
        return Sending(self.stage.database, self.clock, KEY, self.settings, providers, owners)

    def handlers(self) -> Mapping[str, Any]:
        return {**self.engine.handlers(), **self.sending.handlers()}

    def reachable(self, *people: str) -> None:
        """Each has a verified contact on a channel of their own, whose topic is their name."""
        for person in people:
            with self.stage.database.begin() as session:
                verbs = Notify(session, self.clock, KEY, LOOPBACK)
                said = {"url": self.provider.url}
                verbs.put_channel(f"to-{person}", ChannelKind.NTFY, settings=said, secrets={}, by="a", source="test")
                made = verbs.add_contact(
                    ID[person], f"to-{person}", f"topic-{person}", "mine", by=ID[person], source="test"
                )
                row = contacts.contact_row(session, made.id)
                assert row is not None
                code = code_of(KEY, made.id, row.code_until)
                verbs.verify(ID[person], made.id, code, by=ID[person], source="test")
        self.run()
        self.provider.asked.clear()

    def policy(self, **said: Any) -> None:
        """The default one: Ann, then Ben five minutes later, unless something else is said."""
        steps = [{"notify": [{"person": f"{who}@example.com"}], "wait": "5m"} for who in ("ann", "ben")]
        self.stage.make(policy={"name": "shop", "default": True, "steps": steps, "repeat": 1, **said})

    def fire(self, key: str = "disk", *, severity: Severity = Severity.CRITICAL, title: str = "Disk full") -> None:
        with self.stage.database.begin() as session:
            own = OwnAlert(source="test", key=key, title=title, severity=severity, service="gateway")
            self.alerting.raise_own(session, own, at=self.clock.now())

    def settle(self, key: str = "disk") -> None:
        with self.stage.database.begin() as session:
            own = OwnAlert(source="test", key=key, title="Disk full", service="gateway")
            self.alerting.resolve_own(session, own, at=self.clock.now())

    def acknowledge(self, who: str = "ann", **options: Any) -> None:
        group = self.group()
        with self.stage.database.begin() as session:
            self.alerting.acknowledge(session, group.id, by=ID[who], at=self.clock.now(), source="test", **options)

    def group(self) -> GroupState:
        with self.stage.database.read() as session:
            return groups(session, GroupFilter(statuses=tuple(Status)))[0]

    def run(self) -> int:
        """Do all work that is due by the manual clock; answers how many rows that were."""
        done = 0
        while tasks := self.lease():
            for task in tasks:
                self.do(task)
                done += 1
        return done

    def lease(self, most: int = 10) -> list[Task]:
        with self.stage.database.begin() as session:
            return work_store.lease(session, tuple(self.handlers()), now=self.clock.now(), length=LEASE, most=most)

    def do(self, task: Task) -> None:
        handler = self.handlers()[task.kind]
        result = handler.act(task)
        with self.stage.database.begin() as session:
            assert work_store.mark_done(session, task, now=self.clock.now())
            handler.finish(session, task, result)

    def after(self, minutes: float) -> list[str]:
        """Who was told in these minutes, in their order."""
        before = len(self.provider.asked)
        whole, rest = divmod(minutes * 60, 15)
        for seconds in [15.0] * int(whole) + [rest]:
            self.clock.advance(timedelta(seconds=seconds))
            self.run()
        return self.told(before)

    def told(self, since: int = 0) -> list[str]:
        """Names of those who got a page, in their order."""
        return [one.json["topic"].removeprefix("topic-") for one in self.provider.asked[since:] if one.json["actions"]]

    def pages(self) -> list[Page]:
        with self.stage.database.read() as session:
            return store.pages_of(session, self.group().id)

    def rules(self, who: str, *minutes: int) -> None:
        with self.stage.database.begin() as session:
            mine = contacts.contacts_of(session, ID[who])
            rules = [
                Rule(urgency="high", contact_id=one.id, after=timedelta(minutes=after))
                for one, after in zip(mine, minutes, strict=True)
            ]
            preferences = Preferences(person_id=ID[who])
            Notify(session, self.clock, KEY, LOOPBACK).put_rules(rules, preferences, by=ID[who], source="test")

    def facts(self, *kinds: str) -> list[Fact]:
        with self.stage.database.read() as session:
            return read_facts(session, FactFilter(kinds=kinds or ("oncall.",)), limit=1_000, newest_first=False)

    def kinds(self) -> list[str]:
        hidden = ("policy_", "schedule_")
        found = [fact.kind.removeprefix("oncall.") for fact in self.facts()]
        return [one for one in found if not one.startswith(hidden)]
