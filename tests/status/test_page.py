"""What the public is served: without the database, without scripts, small, and honest about its age."""

from __future__ import annotations

import base64
import gzip
import json
import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from hashlib import sha256

import pytest

from tests.kernel.web.support import PAGE, bearer, browser, small_app
from tests.status.support import BASE, BY, Stage
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.status.apps import PATHS, StatusApp
from watchkeeper.modules.status.keeping import FILE, Keeper
from watchkeeper.modules.status.model import PageSaid, State
from watchkeeper.modules.status.service import StatusPage

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """Some components, an open incident, a resolved one, maintenance."""
    stage.write(lambda session: StatusPage(session, stage.clock).put_page(PageSaid(title="Duet"), **BY))
    login = stage.component(title="Sign-in", group="Accounts", order=1)
    chat = stage.component("chat", title="Chat", group="Core", order=2)
    stage.clock.advance(timedelta(days=20))
    old = stage.told("Chat was down", components={chat.id: State.MAJOR})
    stage.clock.advance(timedelta(hours=2))
    stage.told(how="resolved", incident=old.incident, body="It works again.")
    stage.clock.advance(timedelta(days=2))
    stage.told("Sign-in is slow", components={login.id: State.DEGRADED}, body="First line.\n\nSecond line.")
    return stage


def test_the_page_says_how_everything_is(busy: Stage) -> None:
    shown = busy.html()
    for words in ("Duet", "Accounts", "Sign-in is slow", "Degraded performance", "Chat was down", "99.", "As of"):
        assert words in shown, words
    assert "First line.\n\nSecond line." in shown
    assert shown.index("Sign-in is slow") < shown.index("Components") < shown.index("Chat was down")


def test_a_page_without_anything_teaches_what_is_missing(stage: Stage) -> None:
    assert "No components are described yet" in stage.html()


def test_the_history_has_what_is_older_than_two_weeks(busy: Stage) -> None:
    busy.clock.advance(timedelta(days=30))
    assert "Chat was down" not in busy.html()
    assert "Chat was down" in busy.html("/status/history")
    busy.clock.advance(timedelta(days=90))
    assert "Chat was down" not in busy.html("/status/history")


def test_html_in_names_and_updates_is_text(stage: Stage) -> None:
    component = stage.component(title=HOSTILE, description=HOSTILE, group=HOSTILE)
    stage.told(HOSTILE, components={component.id: State.MAJOR}, body=f"{HOSTILE} ]]> \x0b \ufffe")
    for path in PATHS:
        stage.keeper.renew()
        text = stage.reader.get(path).text
        if path.startswith("/api/"):
            assert json.loads(text)
        else:
            assert "<img" not in text, path
    for feed in ("/status/history.rss", "/status/history.atom"):
        assert HOSTILE in "".join(ET.fromstring(stage.reader.get(feed).content).itertext()), feed


def test_no_page_has_a_script_or_asks_for_anything_elsewhere(busy: Stage) -> None:
    for path in ("/status", "/status/history"):
        shown = busy.html(path)
        assert "<script" not in shown
        assert re.findall(r"(?:src|srcset)=", shown) == []
        assert all(not one.startswith("http") for one in re.findall(r'<link[^>]*href="([^"]+)"', shown))


def test_the_policy_allows_the_style_that_is_in_the_page_and_nothing_else(busy: Stage) -> None:
    busy.keeper.renew()
    answer = busy.reader.get("/status")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_a_page_of_twenty_components_with_a_bad_quarter_stays_small(stage: Stage) -> None:
    components = [stage.component(f"part-{number}", title=f"Part {number}") for number in range(20)]
    for number in range(30):
        stage.clock.advance(timedelta(days=2))
        touched = components[number % 20]
        begun = stage.told(f"Trouble {number}", components={touched.id: State.PARTIAL}, body="Words. " * 40)
        stage.clock.advance(timedelta(hours=3))
        stage.told(how="resolved", incident=begun.incident, body="It is over. " * 10)
    stage.keeper.renew()
    found = stage.keeper.document("index.html")
    assert found is not None
    assert len(found.packed) < 10_000
    assert len(found.body) < 30_000


def test_an_unchanged_page_is_not_sent_again(busy: Stage) -> None:
    busy.keeper.renew()
    first = busy.reader.get("/status")
    again = busy.reader.get("/status", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert "stale-if-error" in first.headers["cache-control"]
    assert busy.reader.get("/status", headers={"if-none-match": '"other"'}).status_code == 200


def test_it_comes_packed_to_whoever_understands_that(busy: Stage) -> None:
    busy.keeper.renew()
    packed = busy.reader.get("/status", headers={"accept-encoding": "gzip"})
    plain = busy.reader.get("/status", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    found = busy.keeper.document("index.html")
    assert found is not None
    assert gzip.decompress(found.packed) == found.body


def test_head_has_the_headers_alone_and_nothing_is_sent_here(busy: Stage) -> None:
    busy.keeper.renew()
    head = busy.reader.head("/status")
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0
    assert busy.reader.post("/status").status_code == 405


def test_before_the_first_rendering_it_says_so(stage: Stage) -> None:
    alone = StatusApp(keeper_of(stage, Gone()), "index.html", private=False)
    answer = browser(small_app(exact={"/status": alone})).get("/status")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


def test_a_process_that_does_nothing_besides_answering_renders_when_it_is_asked(stage: Stage) -> None:
    assert stage.reader.get("/status").status_code == 200


class Gone:
    """A database that is away."""

    dialect = "sqlite"

    def lane(self, _name: str) -> Gone:
        return self

    def read(self) -> None:
        raise Unavailable("The database is away.")


def keeper_of(stage: Stage, db: object) -> Keeper:
    from watchkeeper.modules.status.showing import Where

    return Keeper(db, stage.clock, stage.folder, lambda said: Where(url=said.url or BASE))  # type: ignore[arg-type]


def test_what_was_rendered_last_is_on_disk_and_served_by_the_next_process(busy: Stage) -> None:
    busy.keeper.renew()
    before = busy.keeper.document("index.html")
    busy.clock.advance(timedelta(minutes=1))
    next_one = keeper_of(busy, Gone())
    next_one.recall()
    next_one.look()
    found = next_one.document("index.html")
    assert before is not None
    assert found is not None
    assert found.body == before.body


def test_a_page_that_could_not_be_renewed_says_how_old_it_is(busy: Stage) -> None:
    busy.keeper.renew()
    keeper = keeper_of(busy, Gone())
    keeper.recall()
    assert b"could not be renewed" not in keeper.document("index.html").body  # type: ignore[union-attr]
    busy.clock.advance(timedelta(minutes=7, seconds=30))
    keeper.look()
    old = keeper.document("index.html")
    assert old is not None
    assert b"could not be renewed for 7 minutes" in old.body
    assert keeper.document("index.html") is old
    busy.clock.advance(timedelta(minutes=1))
    assert b"for 8 minutes" in keeper.document("index.html").body  # type: ignore[union-attr]
    summary = keeper.document("api/v2/summary.json")
    assert summary is not None
    assert json.loads(summary.body)["page"]["updated_at"].startswith("2026-03-24T14:00")


@pytest.mark.parametrize("held", [b"", b"{", b"[]", b'{"at":"yesterday","files":{}}', b'{"at":"2026-01-01T00:00:00Z"}'])
def test_a_damaged_copy_on_disk_is_as_none(stage: Stage, held: bytes) -> None:
    (stage.folder / FILE).write_bytes(held)
    keeper = keeper_of(stage, Gone())
    keeper.recall()
    assert keeper.document("index.html") is None


def test_a_publication_is_seen_at_the_next_look_and_other_facts_render_nothing(busy: Stage) -> None:
    keeper = busy.keeper
    keeper.look()
    first = keeper.rendering
    keeper.look()
    assert keeper.rendering is first
    busy.window()
    keeper.look()
    assert keeper.rendering is first
    busy.told("Something new")
    keeper.look()
    assert keeper.rendering is not first
    assert b"Something new" in keeper.document("index.html").body  # type: ignore[union-attr]


def test_without_any_news_it_is_rendered_each_minute(busy: Stage) -> None:
    busy.keeper.look()
    first = busy.keeper.rendering
    busy.clock.advance(timedelta(seconds=59))
    busy.keeper.look()
    assert busy.keeper.rendering is first
    busy.clock.advance(timedelta(seconds=1))
    busy.keeper.look()
    assert busy.keeper.rendering is not first


def test_no_request_for_the_page_asks_the_database(busy: Stage) -> None:
    busy.keeper.renew()
    asked: list[str] = []
    reads = Database.read

    def counting(self: Database) -> object:
        asked.append("read")
        return reads(self)

    Database.read = counting  # type: ignore[method-assign, assignment]
    try:
        for path in PATHS:
            assert busy.reader.get(path).status_code == 200
    finally:
        Database.read = reads  # type: ignore[method-assign]
    assert asked == []


def test_a_private_page_is_for_those_who_may_see_it(stage: Stage) -> None:
    stage.said = {"needs_sign_in": True}
    stage.keeper.renew()
    assert stage.reader.get("/status").headers["location"] == "/login"
    assert stage.reader.get("/api/v2/summary.json").status_code == 401
    assert stage.client("bob", headers=PAGE).get("/status").status_code == 200
    answer = stage.client(headers=bearer("read")).get("/api/v2/summary.json")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "access-control-allow-origin" not in answer.headers
    assert stage.client(headers=bearer("intake")).get("/api/v2/summary.json").status_code == 401


def test_feeds_have_each_incident_once_and_change_when_it_does(busy: Stage) -> None:
    busy.keeper.renew()
    rss = ET.fromstring(busy.reader.get("/status/history.rss").content)
    titles = [one.text for one in rss.findall("./channel/item/title")]
    assert titles == ["Sign-in is slow", "Chat was down"]
    atom = ET.fromstring(busy.reader.get("/status/history.atom").content)
    space = {"a": "http://www.w3.org/2005/Atom"}
    assert len(atom.findall("a:entry", space)) == 2
    updated = atom.findtext("a:updated", namespaces=space)
    busy.clock.advance(timedelta(minutes=10))
    busy.keeper.renew()
    assert (
        ET.fromstring(busy.reader.get("/status/history.atom").content).findtext("a:updated", namespaces=space)
        == updated
    )


def test_the_summary_is_in_the_shape_of_statuspage(busy: Stage) -> None:
    summary = busy.json("summary.json")
    assert summary.keys() == {"page", "components", "incidents", "scheduled_maintenances", "status"}
    assert summary["status"] == {"indicator": "minor", "description": "Degraded performance"}
    assert summary["page"].keys() == {"id", "name", "url", "time_zone", "updated_at"}
    groups = {one["name"]: one for one in summary["components"] if one["group"]}
    parts = {one["name"]: one for one in summary["components"] if not one["group"]}
    assert parts["Sign-in"]["group_id"] == groups["Accounts"]["id"]
    assert groups["Accounts"]["components"] == [parts["Sign-in"]["id"]]
    assert parts["Sign-in"]["status"] == "degraded_performance"
    (incident,) = summary["incidents"]
    assert incident["impact"] == "minor"
    assert incident["status"] == "investigating"
    (update,) = incident["incident_updates"]
    assert update["affected_components"] == [
        {
            "code": parts["Sign-in"]["id"],
            "name": "Sign-in",
            "old_status": "operational",
            "new_status": "degraded_performance",
        }
    ]
    resolved = busy.json("incidents.json")["incidents"][1]
    assert resolved["resolved_at"] is not None
    assert [one["status"] for one in resolved["incident_updates"]] == ["resolved", "investigating"]
    assert busy.json("incidents/unresolved.json")["incidents"] == [incident]


def test_other_sites_may_read_the_state(busy: Stage) -> None:
    busy.keeper.renew()
    assert busy.reader.get("/api/v2/status.json").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in busy.reader.get("/status").headers
