"""The public version: without internals, previewed, by a link that is taken back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.postmortems.support import BY, URL, Stage
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.postmortems.errors import ShareNotFound, ShareStale, StateRefused
from watchkeeper.modules.postmortems.model import Section, State
from watchkeeper.modules.postmortems.redaction import Rule

RULE = Rule(("Ann Lee", "Ben", "ben@duet.example"), frozenset({"status.duet.example"}))
INTERNAL = [
    "Ann Lee",
    "Ann",
    "Ben's",
    "ben@duet.example",
    "@octocat",
    "https://grafana.internal/d/1?token=abc",
    "http://10.2.3.4:8080/x",
    "10.2.3.4",
    "fe80::1ff:fe23:4567:890a",
    "db-03",
    "db.prod.duet.example",
    "payments.svc",
    "localhost:5432",
    "ip-10-0-0-7",
    "inc_m6sfhe2kb0nnf8dz8nvvz7c0fz",
    "3f2b8c1e-9a4d-4c1b-8f60-0a1b2c3d4e5f",
    "a94a8fe5ccb1",
    "OPS-1234",
    "#4711",
    "+47 22 33 44 55",
    "/etc/nginx/conf.d/site.conf",
]


@pytest.mark.parametrize("word", INTERNAL)
@pytest.mark.parametrize(
    "sentence", ["{} was slow.", "It began at {}, then it grew.", "- **{}**\n", "({})", "| {} | 3 |"]
)
def test_what_is_internal_is_taken_out_wherever_it_stands(word: str, sentence: str) -> None:
    found = RULE(sentence.format(word))
    assert word.removesuffix("'s") not in found.text
    assert sum(found.removed.values()) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "It lasted 42 min, from 10:05:33 to 10:47 UTC on 2026-11-30.",
        "SEV-1: 99.9 % of 1,234,567 requests failed within 3.5 s.",
        "Version 2.14 was rolled back; version 2.13 came back.",
        "See [our status](https://status.duet.example/incidents) for more.",
        "Annual numbers; the Benefit of it. And/or nothing.",
        "The HTTP/2 connection was reset, i.e. closed.",
    ],
)
def test_what_others_may_read_stays(text: str) -> None:
    assert RULE(text).text == text


def test_a_link_keeps_its_words_and_loses_its_target() -> None:
    found = RULE("See [the dashboard](https://grafana.internal/d/1) and ![x](https://spy.example/p.png).")
    assert found.text == "See the dashboard and x."
    assert found.removed == {"link": 2}


def test_a_public_link_with_a_secret_in_it_goes_too() -> None:
    assert "token" not in RULE("https://status.duet.example/x?token=abc").text


@given(st.text(max_size=300))
@example("\ue000\ue100 https://status.duet.example \ue000")
@example("[a](https://status.duet.example)" * 3)
def test_the_rule_applied_twice_takes_out_nothing_more(text: str) -> None:
    once = RULE(text)
    again = RULE(once.text)
    assert again.text == once.text


@given(st.text(max_size=100), st.sampled_from(INTERNAL), st.text(max_size=100))
def test_what_stands_around_hides_nothing(before: str, word: str, after: str) -> None:
    found = RULE(f"{before} {word} , {after}")
    assert f" {word} ," not in found.text


def test_what_a_draft_asks_for_is_shared_with_nobody(stage: Stage) -> None:
    stage.incident()
    one = stage.postmortem()
    assert "*Which alert would have?*" in stage.text(one, Section.DETECTION)
    made = stage.share(lambda verbs: verbs.preview(one.id))
    texts = "".join(section["text"] for section in made.content["sections"])
    assert "It was noticed by hand" in texts
    assert "?" not in texts


def test_what_is_shared_was_looked_at_and_is_frozen(stage: Stage) -> None:
    stage.incident(summary="Ann saw it on db-03.prod.duet.example first.")
    one = stage.postmortem()
    stage.action(one, "Ben adds an alert")
    with pytest.raises(StateRefused):
        stage.share(lambda verbs: verbs.share(one.id, tag=verbs.preview(one.id).tag, **BY))
    stage.reviewed(one)
    seen = stage.share(lambda verbs: verbs.preview(one.id))
    stage.action(one, "Another one")
    with pytest.raises(ShareStale):
        stage.share(lambda verbs: verbs.share(one.id, tag=seen.tag, **BY))
    seen = stage.share(lambda verbs: verbs.preview(one.id))
    made = stage.share(lambda verbs: verbs.share(one.id, tag=seen.tag, **BY))
    path = stage.links.path_of(made.id)
    stage.do(lambda verbs: verbs.edit(one.id, Section.IMPACT, "Only for us.", version=1, **BY))
    shown = stage.client().get(path)
    assert shown.status_code == 200
    assert "Checkout is down" in shown.text
    assert "somebody adds an alert" in shown.text
    for internal in ("Ann", "db-03", "Only for us.", one.id, one.incident, "<script"):
        assert internal not in shown.text, internal
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in shown.headers["x-robots-tag"]


def test_a_link_that_was_revoked_opens_nothing_and_says_no_more_than_a_wrong_one(stage: Stage) -> None:
    stage.incident()
    one = stage.reviewed(stage.postmortem())
    made = stage.share(lambda verbs: verbs.share(one.id, tag=verbs.preview(one.id).tag, **BY))
    path = stage.links.path_of(made.id)
    client = stage.client()
    assert client.get(path).status_code == 200
    stage.share(lambda verbs: verbs.revoke(one.id, made.id, **BY))
    revoked, wrong = client.get(path), client.get(path[:-4] + "AAAA")
    assert revoked.status_code == wrong.status_code == 404
    assert revoked.json()["detail"] == wrong.json()["detail"]
    stage.share(lambda verbs: verbs.revoke(one.id, made.id, **BY))
    with pytest.raises(ShareNotFound):
        stage.share(lambda verbs: verbs.revoke(one.id, "shr_other", **BY))


@given(st.text(max_size=80))
def test_no_made_up_secret_opens_anything(said: str) -> None:
    from tests.postmortems.support import BASE, KEY
    from watchkeeper.modules.postmortems.sharing import ShareLinks

    links = ShareLinks(KEY, BASE)
    assert links.share_of(said) is None
    share = new_id("shr")
    assert links.share_of(links.path_of(share).rpartition("/")[2]) == share
    other = ShareLinks(type(KEY)(b"o" * 32), BASE)
    assert other.share_of(links.path_of(share).rpartition("/")[2]) is None


def test_sharing_is_for_who_may_and_happens_on_the_page_after_the_preview(stage: Stage) -> None:
    stage.incident()
    one = stage.reviewed(stage.postmortem())
    path = f"/postmortems/{one.id}/public"
    assert "Share this version" not in stage.page("ann").text(path)
    cleo = stage.page("cleo")
    assert cleo.submit(f"/postmortems/{one.id}/shares", {}, page=path).status_code == 303
    [share] = stage.api().get(f"{URL}/{one.id}/shares").json()
    assert stage.client().get(share["url"].partition("watch.example")[2]).status_code == 200
    assert stage.api("respond").delete(f"{URL}/{one.id}/shares/{share['id']}").status_code == 403
    revoke = f"/postmortems/{one.id}/shares/{share['id']}/revoke"
    assert cleo.submit(revoke, {}, page=path).status_code == 303
    assert "revoked" in cleo.text(path)
    assert stage.postmortem().state is State.REVIEWED
