"""Files that are wrong by accident or on purpose: each is named by file, line and column, and nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.app.ops import api
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import OpsInvalid, apply_plan, read_directory, read_files
from watchkeeper.modules.catalog import store

GOOD = {"services/good.yaml": "name: good\nowner: Team Good\n"}
LAUGHS = 'a0: &a0 "ha"\n' + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]\n" for n in range(1, 10))
QUADRATIC = "name: &n " + "x" * 1_000 + "\ndependencies: [" + "*n," * 10_000 + "]\n"

# (what it is, the text of services/bad.yaml, where, a part of what was expected)
CORPUS = [
    ("a tab as indentation", "name: web\nlinks:\n\t- title: a\n", "3:1", "spaces, found a tab"),
    ("a tab after spaces", "name: web\nlinks:\n  -\ttitle: a\n  \turl: b\n", "3:4", "spaces, found a tab"),
    ("a billion laughs", LAUGHS, "2:10", "the value itself, found the alias *a0"),
    ("aliases that grow by the square", QUADRATIC, "2:16", "the value itself, found the alias *n"),
    ("an anchor of itself", "name: web\nlinks: &l [*l]\n", "2:12", "the value itself"),
    ("a merge key", "name: web\n<<: {tier: 1}\n", "2:1", "found '<<'"),
    ("a field twice", "name: web\ntier: 1\ntier: 2\n", "3:1", "each field once, found 'tier' again"),
    ("a field twice, once quoted", 'name: web\n"tier": 1\ntier: 2\n', "3:1", "each field once"),
    ("a field twice inside", "name: web\nlinks: [{title: a, title: b, url: https://x}]\n", "2:20", "each field once"),
    ("the same name twice", "name: web\n---\nname: web\n", "3:7", "each name once, found 'web'"),
    ("a number as text", "name: 5\n", "1:7", "a valid string for name, found 5"),
    ("true as text", "name: true\n", "1:7", "a valid string for name, found true"),
    ("nothing as name", "name:\n", "1:6", "a valid string for name, found nothing"),
    ("text as number", "name: web\ntier: '1'\n", "2:7", "1, 2, 3 or 4 for tier, found '1'"),
    ("no as number", "name: web\ntier: no\n", "2:7", "1, 2, 3 or 4 for tier, found 'no'"),
    ("true as number", "name: web\ntier: true\n", "2:7", "1, 2, 3 or 4 for tier, found true"),
    ("a fraction as number", "name: web\ntier: 1.0\n", "2:7", "1, 2, 3 or 4 for tier, found 1.0"),
    ("an underscore in a number", "name: web\ntier: 1_000\n", "2:7", "1, 2, 3 or 4 for tier, found '1_000'"),
    ("an octal number", "name: web\ntier: 0o7\n", "2:7", "found 7"),
    ("not a number", "name: web\ntier: .nan\n", "2:7", "1, 2, 3 or 4 for tier"),
    ("endless", "name: web\ntier: -.inf\n", "2:7", "1, 2, 3 or 4 for tier"),
    ("a number of a thousand digits", f"name: web\ntier: {'9' * 1_000}\n", "2:7", "1, 2, 3 or 4 for tier"),
    ("a number for a list", "name: web\nlinks: 2026\n", "2:8", "a valid list for links"),
    ("a text for a list", "name: web\ndependencies: chat\n", "2:15", "a valid list for dependencies, found 'chat'"),
    ("a list for a text", "name: web\nowner: [a]\n", "2:8", "a valid string for owner, found a list"),
    ("a mapping for a text", "name: web\nowner: {a: b}\n", "2:8", "a valid string for owner, found fields"),
    ("a date as link", "name: web\nrepository: 2026-03-29\n", "2:13", "an address that starts with http://"),
    ("an unknown field", "name: web\nteir: 1\n", "2:1", "found 'teir': did you mean tier?"),
    ("an unknown field inside", "name: web\nlinks:\n  - {title: a, url: https://x, icon: b}\n", "3:32", "found 'icon'"),
    ("a missing field", "owner: me\n", "1:1", "the field name"),
    ("a missing field in the second document", "name: web\n---\nowner: me\n", "3:1", "the field name"),
    ("NUL", "name: web\nowner: a\0b\n", "2:9", "printable text"),
    ("NUL as an escape", 'name: web\nowner: "a\\0b"\n', "1:1", "text without NUL characters"),
    ("a bell as an escape", 'name: "a\\ab"\n', "1:7", "one line of printable characters"),
    ("a mark of byte order, then a mistake", "\ufeffname: web\ntier: 9\n", "2:7", "1, 2, 3 or 4"),
    ("a mistake on the line of the mark", "\ufefftier: 9\n", "1:7", "1, 2, 3 or 4"),
    ("a mark of byte order inside", "name: web\ntier: \ufeff9\n", "2:7", "1, 2, 3 or 4"),
    ("lines that end in CR LF", "name: web\r\ntier: 9\r\n", "2:7", "1, 2, 3 or 4"),
    ("lines that end in CR", "name: web\rtier: 9\r", "2:7", "1, 2, 3 or 4"),
    ("a tab after CR LF", "name: web\r\nlinks:\r\n\t- a\r\n", "3:1", "spaces, found a tab"),
    ("lists in lists", "[" * 5_000, "1:31", "at most 30 levels"),
    ("mappings in mappings", "{a: " * 5_000, "1:121", "at most 30 levels"),
    ("indentation without end", "".join(" " * n + "a:\n" for n in range(600)), "31:31", "at most 30 levels"),
    ("a list as key", "? [a]\n: 1\n", "1:3", "a plain name as key"),
    ("a tag of Python", "name: !!python/object/apply:os.system ['id']\n", "1:7", "found the tag"),
    ("a tag of one's own", "name: !env SECRET\n", "1:7", "found the tag !env"),
    ("a number by tag", 'name: web\ntier: !!int "1"\n', "2:7", "found the tag"),
    ("an unclosed list", "name: web\nlinks: [\n", "3:1", "valid YAML"),
    ("an unclosed text", "name: 'web\n", "2:1", "valid YAML"),
    ("a colon too many", "name: web: api\n", "1:10", "valid YAML"),
    ("a directive of a later YAML", "%YAML 3.0\n---\nname: web\n", "1:1", "valid YAML"),
    ("half a character", "name: web\nowner: \ud800\n", "2:8", "text in UTF-8"),
    ("a list instead of a service", "- name: web\n", "1:1", "found a list"),
    ("a word instead of a service", "web\n", "1:1", "found 'web'"),
    ("a page of HTML", "<!doctype html>\n<html>\n", "1:1", "found '<!doctype html> <html>'"),
    ("more than a megabyte", "# " + "x" * 1_000_000, "1:1", "a file of at most 1 MB"),
    ("ten megabytes less a little", "name: " + "x" * 9_900_000, "1:1", "at most 5,000 files and 4 MB in all"),
    ("too many values", f"name: web\ndependencies: [{'a,' * 60_000}]\n", "2:", "at most 50,000 values in a file"),
    ("too many documents", "---\nname: web\n" * 1_001, "2002:1", "at most 1000 documents"),
    ("a name that is too long", f"name: {'x' * 201}\n", "1:7", "at most 200 characters"),
    ("a link that runs a script", "name: web\nrepository: 'javascript:alert(1)'\n", "2:13", "http://"),
]


@pytest.fixture
def admin(database: Database, clock: ManualClock) -> Iterator[TestClient]:
    app = small_app(
        api.router,
        parts={Database: database, SystemClock: clock},
        body_limits={"/api/v1/ops": api.LARGEST_BODY},
    )
    with database.begin() as session:
        apply_plan(session, read_files(GOOD, KINDS), KINDS, by="per_alice", at=clock.now())
    with ExitStack() as stack:
        yield stack.enter_context(browser(app, headers=bearer("admin")))


def _state(database: Database) -> tuple[int, list[Any]]:
    with database.read() as session:
        return journal.head(session), store.all_services(session, archived=True)


@pytest.mark.parametrize(("text", "where", "expected"), [one[1:] for one in CORPUS], ids=[one[0] for one in CORPUS])
def test_a_wrong_file_is_named_with_its_place_and_nothing_happens(
    admin: TestClient, database: Database, text: str, where: str, expected: str
) -> None:
    before, started = _state(database), time.monotonic()
    for verb in ("plan", "apply"):
        # A client may send half a character too; as JSON, which has a way to write it.
        body = json.dumps({"files": {**GOOD, "services/bad.yaml": text}})
        answer = admin.post(f"/api/v1/ops/{verb}", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "kernel.ops_invalid"), answer.text[:500]
        told = [(error["where"], error["expected"]) for error in answer.json()["errors"]]
        assert any(at.startswith(f"services/bad.yaml:{where}") and expected in said for at, said in told), told[:5]
        assert all(said.startswith("expected ") for _, said in told)
    assert _state(database) == before
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("content", "where", "expected"),
    [
        (b"name: caf\xe9\n", "1:10", "text in UTF-8"),
        ("name: é\nowner: é".encode() + b"\xff\n", "2:9", "text in UTF-8"),
        ("name: web\n".encode("utf-16"), "1:1", "text in UTF-8"),
        (b"\xef\xbb\xbfname: \xff\n", "1:7", "text in UTF-8"),
        (b"name: web\xc0\x80\n", "1:10", "text in UTF-8"),
        (b"name: web\xed\xa0\x80\n", "1:10", "text in UTF-8"),
        (b"x" * 10_000_000, "1:1", "a file of at most 1 MB"),
        (b"\x1f\x8b\x08\x00\x00", "1:2", "text in UTF-8"),
    ],
    ids=["Latin-1", "after two letters of two bytes", "UTF-16", "after a mark", "overlong", "half", "10 MB", "gzip"],
)
def test_bytes_that_are_no_text_are_named_with_their_place(
    tmp_path: Path, content: bytes, where: str, expected: str
) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "bad.yaml").write_bytes(content)
    with pytest.raises(OpsInvalid) as refused:
        read_directory(tmp_path)
    ((at, said),) = [(one.where, one.expected) for one in refused.value.complaints]
    assert (at, said) == (f"services/bad.yaml:{where}", f"expected {expected}")


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("owner: no", "no"),
        ("owner: off", "off"),
        ("owner: 1_000", "1_000"),
        ("owner: 12:30", "12:30"),
        ("owner: 2026-03-29", "2026-03-29"),
        ("owner: 2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"),
        ("owner: 0x", "0x"),
        ("owner: '007'", "007"),
        ("owner: =", "="),
        ("owner: null", None),
        ("owner: ~", None),
    ],
)
def test_words_that_other_readers_take_for_something_else_are_words(
    admin: TestClient, database: Database, text: str, owner: str | None
) -> None:
    files = {**GOOD, "services/odd.yaml": f"\ufeffname: odd\r\n{text}\r\n"}
    assert admin.post("/api/v1/ops/apply", json={"files": files}).status_code == 200
    with database.read() as session:
        service = store.by_name(session, "odd")
    assert service is not None
    assert service.about.owner == owner


def test_a_body_that_is_larger_than_anything_sensible_is_not_even_read(admin: TestClient, database: Database) -> None:
    before = _state(database)
    answer = admin.post("/api/v1/ops/apply", json={"files": {"services/bad.yaml": "x" * 10_000_000}})
    assert answer.status_code == 413
    assert _state(database) == before


fragments = st.lists(
    st.sampled_from(
        ["name: web", "tier: 9", "- a", "\t", "{", "]", "&a", "*a", "!x", "---", "\0", "'", '"', "|", "é", "  "]
    )
    | st.text(max_size=4),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(fragments, st.sampled_from(["\n", " ", "\r\n", "\n  "]))
def test_whatever_is_sent_is_planned_or_named_with_a_place_in_the_text(
    admin: TestClient, database: Database, parts: list[str], between: str
) -> None:
    before, text = _state(database), between.join(parts)
    answer = admin.post("/api/v1/ops/plan", json={"files": {"services/bad.yaml": text}})
    assert answer.status_code in (200, 422)
    for error in answer.json().get("errors", []):
        file, line, column = error["where"].rsplit(":", 2)
        assert file == "services/bad.yaml"
        assert 1 <= int(line) <= len(text.splitlines()) + 2
        assert int(column) >= 1
    assert _state(database) == before
