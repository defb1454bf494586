"""Action items as GitHub issues: one each, whatever fails on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.postmortems.support import BASE, BY, URL, Stage
from tests.postmortems.tracker import FakeGitHub
from watchkeeper.modules.postmortems.errors import ActionInvalid, TrackerInvalid, TrackerMissing
from watchkeeper.modules.postmortems.issues import MOST_TRIES
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, IssueState

ISSUE, TELL = "postmortems.issue", "postmortems.tell_issue"
TOKEN = "ghp_secret_token"


def wanted(stage: Stage, github: FakeGitHub, title: str = "Add a confirmation", **said: str) -> ActionItem:
    """An action item whose issue was asked for."""
    if not stage.kinds():
        stage.tracks(github.url)
        stage.incident()
    one = stage.action(stage.postmortem(), title, **said)
    asked: ActionItem = stage.act(lambda verbs: verbs.want_issue(one.id, **BY))
    return asked


def test_an_issue_is_wanted_before_it_is_asked_for_and_opened_once(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github, detail="Ask @octocat about the prompt.")
    assert (one.issue.state, github.asked) == (IssueState.WANTED, [])
    stage.act(lambda verbs: verbs.want_issue(one.id, **BY))
    assert stage.work_off(ISSUE) == 1
    [issue] = github.issues
    assert issue["title"] == "Add a confirmation"
    assert f"{BASE}/postmortems/{one.postmortem}" in issue["body"]
    assert "@octocat" not in issue["body"], "nobody is called by what somebody wrote"
    now = stage.now_is(one)
    assert (now.issue.state, now.issue.number) == (IssueState.OPEN, 1)
    assert now.issue.url.startswith("https://github.example/")
    assert github.tokens == {f"Bearer {TOKEN}"}


def test_a_crash_after_the_answer_leaves_one_issue(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    [key] = stage.due_work(ISSUE)
    # The process dies between GitHub's answer and the record of it.
    task = stage.task(key)
    stage.handlers[ISSUE].act(task)
    assert len(github.issues) == 1
    stage.work_off(ISSUE)
    assert len(github.issues) == 1
    assert stage.now_is(one).issue.number == 1
    assert stage.facts("postmortems.issue_created")[0].data["found"] is True


def test_an_answer_that_never_comes_leaves_one_issue(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    github.answers = [200, "hang_up"]
    stage.work_off(ISSUE)
    assert len(github.issues) == 1
    assert "tried 1 times" in stage.now_is(one).issue.problem
    stage.work_off(ISSUE, until=timedelta(minutes=5))
    assert len(github.issues) == 1
    assert stage.now_is(one).issue.state is IssueState.OPEN


def test_a_github_that_never_answers_is_given_up_on_and_tried_again(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    stage.patience = 0.3
    github.answers = ["hang"]
    stage.work_off(ISSUE)
    assert stage.now_is(one).issue.state is IssueState.WANTED
    assert "tried 1 times" in stage.now_is(one).issue.problem
    stage.patience = 10.0
    stage.work_off(ISSUE, until=timedelta(minutes=5))
    assert stage.now_is(one).issue.state is IssueState.OPEN


@pytest.mark.parametrize("status", [500, 502, 429])
def test_a_github_that_is_away_is_tried_again_with_growing_pauses(
    stage: Stage, github: FakeGitHub, status: int
) -> None:
    one = wanted(stage, github)
    github.answers = [status] * 3
    stage.work_off(ISSUE)
    assert (github.issues, stage.now_is(one).issue.state) == ([], IssueState.WANTED)
    assert stage.now_is(one).issue.problem
    stage.work_off(ISSUE, until=timedelta(hours=1))
    assert len(github.issues) == 1
    assert stage.now_is(one).issue.problem == ""


@pytest.mark.parametrize(
    ("status", "words"), [(401, "not accepted any more"), (403, "may not do that"), (404, "no such repository")]
)
def test_a_github_that_refuses_is_asked_no_more_until_somebody_asks_again(
    stage: Stage, github: FakeGitHub, status: int, words: str
) -> None:
    one = wanted(stage, github)
    github.answers = [status]
    stage.work_off(ISSUE, until=timedelta(days=3))
    now = stage.now_is(one)
    assert (now.issue.state, len(github.asked)) == (IssueState.REFUSED, 1)
    assert words in now.issue.problem
    assert words in stage.page().text(f"/postmortems/{one.postmortem}")
    assert TOKEN not in "".join(str(fact.data) for fact in stage.facts())
    stage.act(lambda verbs: verbs.want_issue(one.id, **BY))
    stage.work_off(ISSUE)
    assert stage.now_is(one).issue.state is IssueState.OPEN


def test_after_two_days_of_silence_somebody_has_to_look(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    github.answers = [503] * MOST_TRIES
    stage.work_off(ISSUE, until=timedelta(days=4))
    assert stage.now_is(one).issue.state is IssueState.REFUSED
    assert stage.kinds().count("issue_refused") == 1


def test_what_is_closed_there_is_done_here_and_open_again_when_it_is_opened_again(
    stage: Stage, github: FakeGitHub
) -> None:
    done, dropped = wanted(stage, github), wanted(stage, github, "Another")
    stage.work_off(ISSUE)
    # Whichever was opened first.
    number = stage.now_is(done).issue.number or 0
    github.close(number)
    github.close(stage.now_is(dropped).issue.number or 0, "not_planned")
    stage.read_back()
    assert stage.now_is(done).state is ActionState.DONE
    assert stage.now_is(dropped).state is ActionState.DROPPED
    facts = len(stage.facts())
    stage.read_back()
    assert len(stage.facts()) == facts, "what did not change is no news"
    github.open(number)
    stage.read_back()
    assert stage.now_is(done).state is ActionState.OPEN


def opened(stage: Stage, github: FakeGitHub) -> ActionItem:
    """An action item with its issue."""
    one = wanted(stage, github)
    stage.work_off(ISSUE)
    return stage.now_is(one)


def becomes(stage: Stage, one: ActionItem, state: ActionState) -> None:
    stage.act(lambda verbs: verbs.change(one.id, {"state": state}, **BY))


def states(github: FakeGitHub) -> list[tuple[str, str | None]]:
    return [(issue["state"], issue["state_reason"]) for issue in github.issues]


def test_what_is_finished_here_is_closed_there_and_opened_again_with_it(stage: Stage, github: FakeGitHub) -> None:
    one = opened(stage, github)
    becomes(stage, one, ActionState.IN_PROGRESS)
    assert stage.work_off(TELL) == 0
    becomes(stage, one, ActionState.DONE)
    assert states(github) == [("open", None)], "the intent is written, and sent by due work"
    stage.work_off(TELL)
    assert states(github) == [("closed", "completed")]
    assert stage.now_is(one).issue.state is IssueState.CLOSED
    becomes(stage, one, ActionState.OPEN)
    stage.work_off(TELL)
    assert states(github) == [("open", None)]
    becomes(stage, one, ActionState.DROPPED)
    stage.work_off(TELL)
    assert states(github) == [("closed", "not_planned")]
    told = [fact.data["state"] for fact in stage.facts("postmortems.issue_state_told")]
    assert told == ["closed", "open", "closed"]
    facts = len(stage.facts())
    stage.read_back()
    assert len(stage.facts()) == facts, "what was told there is no news from there"


def test_what_was_closed_there_is_not_told_there_again(stage: Stage, github: FakeGitHub) -> None:
    one = opened(stage, github)
    github.close(1)
    stage.read_back()
    assert stage.now_is(one).state is ActionState.DONE
    assert stage.due_work(TELL) == []


def test_an_item_that_is_over_before_its_issue_is_there_closes_it_afterwards(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    becomes(stage, one, ActionState.DONE)
    stage.work_off(ISSUE, TELL)
    assert states(github) == [("closed", "completed")]


@pytest.mark.parametrize("answer", ["hang_up", 500, 429])
def test_an_answer_that_is_lost_is_asked_for_again(stage: Stage, github: FakeGitHub, answer: int | str) -> None:
    one = opened(stage, github)
    becomes(stage, one, ActionState.DONE)
    github.answers = [answer] * 3
    stage.work_off(TELL)
    assert "tried 1 times" in stage.now_is(one).issue.problem
    stage.work_off(TELL, until=timedelta(hours=1))
    assert states(github) == [("closed", "completed")]
    assert stage.now_is(one).issue.problem == ""
    assert stage.kinds().count("issue_state_told") == 1


def test_an_issue_that_may_not_be_changed_says_so_and_the_item_stays_done(stage: Stage, github: FakeGitHub) -> None:
    one = opened(stage, github)
    becomes(stage, one, ActionState.DONE)
    github.answers = [403]
    stage.work_off(TELL, until=timedelta(days=3))
    assert stage.now_is(one).state is ActionState.DONE
    assert "may not do that" in stage.now_is(one).issue.problem
    assert stage.kinds().count("issue_state_refused") == 1
    assert "may not do that" in stage.page().text(f"/postmortems/{one.postmortem}")


def test_whoever_changes_their_mind_while_github_is_asked_is_heard(stage: Stage, github: FakeGitHub) -> None:
    one = opened(stage, github)
    becomes(stage, one, ActionState.DONE)
    [key] = stage.due_work(TELL)
    task = stage.task(key)
    result = stage.handlers[TELL].act(task)
    becomes(stage, one, ActionState.OPEN)
    with stage.database.begin() as session:
        stage.handlers[TELL].finish(session, task, result)
    stage.work_off(TELL)
    assert states(github) == [("open", None)]
    assert stage.now_is(one).state is ActionState.OPEN


def test_a_look_that_is_older_than_what_was_told_since_opens_nothing_again(stage: Stage, github: FakeGitHub) -> None:
    one = opened(stage, github)

    def finish() -> None:
        becomes(stage, one, ActionState.DONE)
        stage.work_off(TELL)

    stage.read_back(meanwhile=finish)
    assert stage.now_is(one).state is ActionState.DONE
    assert states(github) == [("closed", "completed")]


def test_how_often_issues_are_read_back_counts_from_now_on(stage: Stage, github: FakeGitHub) -> None:
    opened(stage, github)
    asked = len(github.asked)
    stage.read_back(after=timedelta(minutes=14))
    assert len(github.asked) == asked
    stage.reading.settings.use({"read_back_minutes": 5})  # type: ignore[attr-defined]
    stage.read_back(after=timedelta())
    assert len(github.asked) == asked + 1


def test_a_github_that_wants_to_be_left_alone_is(stage: Stage, github: FakeGitHub) -> None:
    opened(stage, github)
    stage.reading.settings.use({"read_back_minutes": 1})  # type: ignore[attr-defined]
    asked = len(github.asked)
    github.answers = [429]
    stage.read_back()
    stage.read_back(after=timedelta(seconds=119))
    assert len(github.asked) == asked + 1
    stage.read_back(after=timedelta(seconds=1))
    assert len(github.asked) == asked + 2


def test_an_issue_that_stays_open_overrules_nobody(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    stage.work_off(ISSUE)
    stage.act(lambda verbs: verbs.change(one.id, {"state": ActionState.DONE}, **BY))
    stage.read_back()
    assert stage.now_is(one).state is ActionState.DONE


def test_reading_back_from_a_github_that_fails_changes_nothing(stage: Stage, github: FakeGitHub) -> None:
    one = wanted(stage, github)
    stage.work_off(ISSUE)
    github.answers = [500]
    stage.read_back()
    assert stage.now_is(one).issue.problem == ""
    github.answers = [410]
    stage.read_back()
    assert "deleted" in stage.now_is(one).issue.problem
    assert stage.now_is(one).state is ActionState.OPEN


def test_without_a_tracker_and_for_what_is_over_no_issue_is_opened(stage: Stage, github: FakeGitHub) -> None:
    stage.incident()
    one = stage.action(stage.postmortem())
    with pytest.raises(TrackerMissing):
        stage.act(lambda verbs: verbs.want_issue(one.id, **BY))
    stage.tracks(github.url)
    stage.act(lambda verbs: verbs.change(one.id, {"state": ActionState.DONE}, **BY))
    with pytest.raises(ActionInvalid):
        stage.act(lambda verbs: verbs.want_issue(one.id, **BY))


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("repository", {"repository": "no-slash"}),
        ("repository", {"repository": "../etc"}),
        ("repository", {"repository": "a/.."}),
        ("api_url", {"api_url": "http://github.example"}),
        ("api_url", {"api_url": "https://10.0.0.1"}),
        ("api_url", {"api_url": "file:///etc/passwd"}),
        ("token", {"token": "with space in it"}),
    ],
)
def test_a_tracker_that_can_not_be_is_refused_with_what_was_expected(
    stage: Stage, field: str, said: dict[str, str]
) -> None:
    order = {"repository": "duet/operations", "token": TOKEN, **said}
    answer = stage.api("admin").put(f"{URL}/tracker", json=order)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == field
    assert TOKEN not in answer.text


def test_the_token_is_shown_to_nobody_and_goes_to_no_other_address(stage: Stage, github: FakeGitHub) -> None:
    stage.tracks(github.url)
    for shown in (stage.api("admin").get(f"{URL}/tracker").text, stage.page("cleo").get("/postmortems/tracker").text):
        assert "duet/operations" in shown
        assert TOKEN not in shown
    with pytest.raises(TrackerInvalid, match="needs its token"):
        stage.tracks("https://elsewhere.example", token="")
    assert stage.api().put(f"{URL}/tracker", json={"repository": "a/b", "token": TOKEN}).status_code == 403
