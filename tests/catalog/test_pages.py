"""The catalog's pages: the list, a service, the form that changes it."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta

import pytest

from tests.catalog.support import GATEWAY, PAGE, Stage, words
from watchkeeper.modules.catalog.model import ALIVE_FOR, Description, Link
from watchkeeper.modules.catalog.pages_form import AboutForm

ABOUT = "/services/duet-gateway/about"
FORM = {
    "title": "Gateway",
    "description": "The only way in.",
    "owner": "Team Edge",
    "tier": "1",
    "repository": "https://git.example/duet",
    "links": "Dash board https://grafana.example/gateway\nhttps://docs.example",
    "dependencies": "duet-matching\r\nduet-chat\r\n",
    "environments": "staging",
    "reason": "It moved",
}


def test_an_empty_catalog_teaches_how_to_fill_it(stage: Stage) -> None:
    text = stage.page().text("/services")
    assert "No services yet" in text
    assert "watchkeeper apply ops/" in text


def test_the_list_shows_owner_tier_score_environments_and_when_last_seen(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    stage.verb(lambda c: c.change("duet-gateway", Description("Gateway", None, "Team Edge", 1), by="x", source="api"))
    text = stage.page("bob").text("/services")
    for shown in ("duet-gateway", "Gateway", "Team Edge", "1 critical", "2 of 4", "production", "just now"):
        assert shown in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["chat", "web"]),
        ("?q=pages", ["web"]),
        ("?q=WEB serves", ["web"]),
        ("?q=nothing", []),
        ("?owner=Team Web", ["web"]),
        ("?owner=-", ["chat"]),
        ("?tier=2", ["web"]),
        ("?tier=-", ["chat"]),
        ("?environment=staging", ["chat"]),
    ],
)
def test_the_list_is_searched_and_filtered_in_its_address(stage: Stage, query: str, names: list[str]) -> None:
    stage.discover(("chat", "staging"))
    about = Description(description="Serves pages.", owner="Team Web", tier=2)
    stage.verb(lambda c: c.declare("web", about, by="x", source="api"))
    page = stage.page().get(f"/services{query}").text
    assert [name for name in ("chat", "web") if f"/services/{name}/about" in page] == names
    rows = list(csv.DictReader(io.StringIO(stage.page().get(f"/services.csv{query}").text)))
    assert [row["name"] for row in rows] == names


def test_a_list_that_fits_nothing_leads_back(stage: Stage) -> None:
    stage.discover(("chat", "staging"))
    assert "No service fits" in stage.page().text("/services?q=nothing")


def test_a_cell_of_the_csv_is_never_a_formula(stage: Stage) -> None:
    about = Description(owner="=cmd|' /C calc'!A0", title="+1")
    stage.verb(lambda c: c.declare("-web", about, by="x", source="api"))
    (row,) = csv.DictReader(io.StringIO(stage.page().get("/services.csv").text))
    assert (row["name"], row["owner"], row["title"]) == ("'-web", "'=cmd|' /C calc'!A0", "'+1")


def test_a_service_page_says_what_is_missing_and_how_to_mend_it(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    text = stage.page("bob").text(ABOUT)
    assert "0 of 4 checks passed" in text
    assert "Say which team builds and runs it." in text
    assert "discovered from telemetry" in text
    assert "Change what is said of it" not in text


def test_dependencies_are_drawn_and_listed_both_ways(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("web", Description(dependencies=("duet-gateway",)), by="x", source="api"))
    stage.verb(
        lambda c: c.declare("duet-gateway", Description(dependencies=("web", "<b>gone</b>")), by="x", source="api")
    )
    answer = stage.page().get(ABOUT)
    assert answer.text.count("<rect x=") == 4
    assert "<b>gone</b>" not in answer.text
    assert "Called by web" in words(answer.text)
    assert "<b>gone</b> (not in the catalog)" in words(answer.text)


def test_the_form_changes_every_field_with_its_reason(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    page = stage.page()
    answer = page.submit(ABOUT, FORM, page=ABOUT)
    assert (answer.status_code, answer.headers["location"]) == (303, ABOUT)
    service = stage.service("duet-gateway")
    assert service is not None
    assert service.about == Description(
        title="Gateway",
        description="The only way in.",
        owner="Team Edge",
        tier=1,
        repository="https://git.example/duet",
        links=(
            Link("Dash board", "https://grafana.example/gateway"),
            Link("https://docs.example", "https://docs.example"),
        ),
        dependencies=("duet-matching", "duet-chat"),
        environments=("staging",),
    )
    fact = stage.facts()[-1]
    assert (fact.actor, fact.source, fact.data["reason"]) == ("per_alice", "console", "It moved")


def test_a_form_sent_as_it_came_changes_nothing(stage: Stage) -> None:
    stage.api().post("/api/v1/services", json={"name": "duet-gateway", **GATEWAY})
    service = stage.service("duet-gateway")
    assert service is not None
    fields = AboutForm.of(service).model_dump(exclude={"csrf_token", "version"})
    assert stage.page().submit(ABOUT, fields, page=ABOUT).status_code == 303
    assert stage.kinds() == ["service_declared"]


def test_a_wrong_form_keeps_what_was_typed_and_says_what_is_expected(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    wrong = {**FORM, "repository": "git.example", "links": "Docs https://a\nDash javascript:x", "tier": "7"}
    answer = stage.page().submit(ABOUT, wrong, page=ABOUT)
    assert answer.status_code == 422
    text = words(answer.text)
    assert "Nothing was saved: look at the marked fields." in text
    assert "Expected an address that starts with http:// or https://" in text
    assert "Expected line 2: an address" in text
    assert "Expected a tier from 1 to 4." in text
    assert 'value="git.example"' in answer.text
    assert stage.kinds() == ["service_discovered", "environment_discovered"]


def test_a_description_that_contradicts_itself_is_shown_at_its_field(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    answer = stage.page().submit(ABOUT, {"dependencies": "duet-gateway"}, page=ABOUT)
    assert (answer.status_code, "does not depend on itself" in words(answer.text)) == (422, True)


def test_somebody_elses_change_is_never_overwritten_unseen(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    page = stage.page()
    page.submit(ABOUT, {"owner": "Team Edge"}, page=ABOUT)
    late = page.submit(ABOUT, {"owner": "Team Late", "version": '"old"'}, page=ABOUT)
    assert late.status_code == 412
    assert "Somebody else changed this service meanwhile" in words(late.text)
    assert 'value="Team Late"' in late.text
    service = stage.service("duet-gateway")
    assert service is not None
    assert service.about.owner == "Team Edge"


def test_a_service_from_files_shows_since_when_it_differs_and_who_changed_what(stage: Stage) -> None:
    stage.verb(lambda c: c.put("duet-gateway", Description(owner="Team Edge"), by="x"))
    page = stage.page()
    assert "lasts until the files are applied again" in page.text(ABOUT)
    stage.clock.advance(timedelta(hours=1))
    page.submit(ABOUT, {"owner": "Bob"}, page=ABOUT)
    shown = page.text(ABOUT)
    assert "Differs from ops/ since 2026-03-02 13:00:00 UTC" in shown
    assert "owner Team Edge Bob per_alice, " in shown
    (link,) = set(re.findall(r'href="(/timeline\?service=duet-gateway&amp;kind=[^"]+)"', page.get(ABOUT).text))
    assert link.endswith("since=2026-03-02T13%3A00%3A00.000000Z&amp;until=2026-03-02T13%3A00%3A00.000001Z")
    assert "differs from ops/" in page.text("/services")


def test_each_field_that_differs_names_its_own_last_change(stage: Stage) -> None:
    stage.verb(lambda c: c.put("duet-gateway", Description(owner="Team Edge", tier=1), by="x"))
    for by, about in (("per_bob", Description(owner="A", tier=1)), ("per_eve", Description(owner="A", tier=3))):
        stage.clock.advance(timedelta(hours=1))
        stage.verb(lambda c, by=by, about=about: c.change("duet-gateway", about, by=by, source="api"))
    shown = stage.page().text(ABOUT)
    assert "owner Team Edge A per_bob, " in shown
    assert "tier 1 3 per_eve, " in shown


def test_a_service_is_shown_as_the_file_that_would_say_it(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("no", Description(title="1_000", dependencies=("a b",)), by="x", source="api"))
    text = html.unescape(stage.page().get("/services/no/about").text)
    assert "ops/services/no.yaml" in text
    assert 'name: "no"\ntitle: "1_000"\ndependencies:\n  - a b\n</code>' in text


def test_a_silent_service_can_be_archived_with_a_reason(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    page = stage.page()
    assert "Archive it" not in page.text(ABOUT)
    stage.clock.advance(ALIVE_FOR)
    assert "Archive it" in page.text(ABOUT)
    answer = page.submit("/services/duet-gateway/archive", {"reason": "Switched off"}, page=ABOUT)
    assert (answer.status_code, answer.headers["location"]) == (303, "/services")
    assert stage.facts()[-1].data["reason"] == "Switched off"
    assert page.get(ABOUT).status_code == 404


def test_a_name_with_slashes_has_its_page(stage: Stage) -> None:
    stage.discover(("team a/web", "production"))
    page = stage.page()
    assert "/services/team%20a/web/about" in page.get("/services").text
    url = "/services/team%20a/web/about"
    assert page.submit(url, {"owner": "A"}, page=url).status_code == 303
    service = stage.service("team a/web")
    assert service is not None
    assert service.about.owner == "A"


def test_only_editors_change_and_only_from_our_own_pages(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    bob = stage.page("bob")
    assert bob.submit(ABOUT, FORM, page="/services").status_code == 403
    forged = stage.client("alice", headers=PAGE).post(ABOUT, data=FORM)
    assert forged.status_code == 403
    assert stage.client(headers=PAGE).get("/services").headers["location"] == "/login?next=%2Fservices"
    assert len(stage.facts()) == 2
