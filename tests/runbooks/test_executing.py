"""What a runner does with a step: a real shell, real limits, real children."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import tracemalloc
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runbooks.support import block, text_of
from tests.support.running import eventually
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.outbound import Outbound, parse_networks
from watchkeeper.modules.runbooks.blocks import environment_of
from watchkeeper.modules.runbooks.leasing import Lease, Report
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.reading import content_of, revision_of, value_of
from watchkeeper.modules.runbooks.runner.allow import Allowed, read_allowed
from watchkeeper.modules.runbooks.runner.executing import Executor, NotAllowed
from watchkeeper.modules.runbooks.runner.output import Output

INPUT = "inputs: [{name: word, required: false}, {name: count, type: integer, required: false}]\n"
PATHS = {"PATH": "/usr/bin:/bin"}
MOST = 64 * 1024


def lease_of(text: str, key: str = "a", **inputs: Any) -> Lease:
    return Lease(
        run="run_1",
        number=1,
        token=1,
        key=key,
        runbook="shop",
        revision=revision_of(text),
        text=text,
        inputs=inputs,
        lease_seconds=30,
        output_bytes=MOST,
    )


def executor(allowed: Allowed | None = None) -> Executor:
    return Executor(
        allowed or Allowed(everything=True, passed=PATHS), SystemClock(), Outbound(parse_networks("127.0.0.0/8"))
    )


def run(
    script: str,
    said: str = "",
    language: str = "sh",
    tell: Callable[[str, int], bool] = lambda _text, _bytes: False,
    allowed: Allowed | None = None,
    **inputs: Any,
) -> Report:
    lease = lease_of(
        text_of(block(script, f"run={'http' if language == 'http' else 'shell'} id=a {said}", language), INPUT),
        **inputs,
    )
    by = executor(allowed)
    return by.run(lease, *by.understood(lease), tell)


def test_a_script_succeeds_fails_and_says_what_it_wrote() -> None:
    good = run("echo out; echo err >&2")
    assert (good.state, good.output, good.exit_code, good.output_bytes) == (State.SUCCEEDED, "out\nerr\n", 0, 8)
    bad = run("echo before; exit 3")
    assert (bad.state, bad.exit_code, bad.detail, bad.output) == (State.FAILED, 3, "exit code 3", "before\n")
    assert run("false; echo not reached").output == ""
    assert run("false | true", language="bash").state is State.FAILED
    assert run("kill -9 $$").detail == "ended by signal 9"


def test_an_expected_word_has_to_be_in_the_output() -> None:
    assert run("echo all is well", "expect='is well'").state is State.SUCCEEDED
    assert run("echo no", "expect='is well'").detail == "expected 'is well' in the output"


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["", "\0", "\ud800", "$(reboot)", "`reboot`", "'\";reboot #", "a\nb", "-rf", "7; reboot", "1e999", "\x1b[2J"]
    ),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=5), max_size=2),
)
TYPED = """inputs:
  - {name: line, required: false}
  - {name: integer, type: integer, required: false}
  - {name: number, type: number, required: false}
  - {name: boolean, type: boolean, required: false}
  - {name: choice, type: choice, choices: [v1, "v 2", "$(reboot)"], required: false}
  - {name: word, pattern: "[a-z ]*", required: false}
"""
NAMES = ("line", "integer", "number", "boolean", "choice", "word")
END = "--- the end of one ---"


@given(st.dictionaries(st.sampled_from(NAMES), HOSTILE))
@settings(deadline=None)
def test_an_input_of_any_type_is_what_it_says_or_refused_whatever_is_given(said: dict[str, Any]) -> None:
    script = "".join(f"printf '%s{END}' \"$WK_{name.upper()}\"\n" for name in NAMES)
    content = content_of("shop", text_of(block(script, "run=shell id=a"), TYPED))
    values = {}
    for one in content.inputs:
        with contextlib.suppress(ValueError):
            values[one.name] = value_of(said, one)
    assert isinstance(values.get("integer"), int | None)
    assert isinstance(values.get("number"), float | None)
    assert values.get("boolean") in (True, False, None)
    assert values.get("choice") in ("v1", "v 2", "$(reboot)", None)
    assert re.fullmatch("[a-z ]*", values.get("word") or "")
    # What a process can be given, to the byte; nothing of it is read again by anybody on the way.
    environment = environment_of(content.inputs, values)
    assert set(environment) == {f"WK_{name.upper()}" for name in NAMES}
    for text in environment.values():
        assert "\0" not in text
        assert text.encode().decode() == text


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
    st.integers(),
    st.booleans(),
)
@settings(deadline=None, max_examples=12)
def test_inputs_of_several_types_arrive_to_the_letter(text: str, integer: int, boolean: bool) -> None:
    script = "".join(f"printf '%s{END}' \"$WK_{name.upper()}\"\n" for name in NAMES)
    asked = text_of(block(script, "run=shell id=a"), TYPED)
    integer %= 10**18
    by = executor()
    lease = lease_of(asked, line=text, integer=integer, boolean=boolean, choice="$(reboot)", word="a b")
    found = by.run(lease, *by.understood(lease), lambda _text, _bytes: False)
    assert found.state is State.SUCCEEDED
    assert found.output.split(END) == [text, str(integer), "", str(boolean).lower(), "$(reboot)", "a b", ""]


def test_what_would_break_out_of_a_script_is_only_text(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for word in (
        f'"; touch {mark}; echo "',
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"x\ntouch {mark}",
        f"'; touch {mark} #",
    ):
        found = run('echo "$WK_WORD" $WK_WORD', word=word)
        assert found.state is State.SUCCEEDED
    assert not mark.exists()


def test_a_script_sees_few_variables_and_none_of_the_runners_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_TOKEN", "secret-of-the-runner")
    found = run("env", word="a", count=2).output
    assert "secret-of-the-runner" not in found
    assert {line.partition("=")[0] for line in found.splitlines()} <= {
        "PATH",
        "PWD",
        "WK_WORD",
        "WK_COUNT",
        "_",
        "SHLVL",
        "OLDPWD",
    }


def test_a_step_without_end_is_stopped_with_all_of_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
(sleep 600 & echo $! >> {pids}; wait) &
setsid sh -c 'echo $$ >> {pids}; exec sleep 600' &
sh -c 'trap "" TERM HUP INT; echo $$ >> {pids}; while :; do sleep 1; done' &
echo $$ >> {pids}
while :; do sleep 1; done
"""
    found = run(script, "timeout=2s")
    assert found.state is State.TIMED_OUT
    assert "longer than 2 s" in found.detail
    left = [int(line) for line in pids.read_text(encoding="ascii").split()]
    assert len(left) == 4
    assert [pid for pid in left if is_alive(pid)] == []


def test_what_a_script_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    found = run(f"nohup sleep 600 >/dev/null 2>&1 & echo $! > {pids}; echo done")
    assert (found.state, found.output) == (State.SUCCEEDED, "done\n")
    assert not is_alive(int(pids.read_text(encoding="ascii")))


def test_a_script_that_kills_who_holds_it_ends_all_the_same_and_is_waited_for_by_nobody(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    found = run(f"echo $$ > {pids}; sleep 600 & echo $! >> {pids}; kill -9 $PPID; echo on; sleep 600")
    assert (found.state, found.detail) == (State.FAILED, "it was stopped from outside")
    assert [pid for pid in map(int, pids.read_text(encoding="ascii").split()) if is_alive(pid)] == []


def test_what_gets_away_for_good_and_writes_on_is_not_waited_for_either(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    loop = f"echo $$ > {pid}; trap '' PIPE; while sleep 0.1; do echo away || exit; done"
    found = run(f'setsid sh -c "$WK_WORD" & until [ -s {pid} ]; do :; done; kill -9 $PPID; sleep 600', word=loop)
    assert (found.state, found.detail) == (State.FAILED, "it was stopped from outside")
    # Nobody reads any more, so that its next word ends it.
    assert not is_alive(int(pid.read_text(encoding="ascii")))


def test_a_step_is_stopped_when_it_is_told_so() -> None:
    found = run("echo begun; sleep 600", tell=lambda text, _bytes: "begun" in text)
    assert (found.state, found.output) == (State.CANCELLED, "begun\n")


def test_a_hundred_megabytes_are_cut_while_they_stream() -> None:
    seen: list[int] = []

    def tell(text: str, _bytes: int) -> bool:
        seen.append(len(text))
        return False

    script = "echo first; head -c 100000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo last"
    found = run(script, "timeout=5m", tell=tell)
    assert found.state is State.SUCCEEDED
    assert found.output_bytes > 100_000_000
    assert len(found.output) <= MOST
    assert found.output.startswith("first\nxxx")
    assert found.output.endswith("x\nlast\n")
    assert "characters are left out" in found.output
    assert all(length <= MOST for length in seen)


def test_however_much_is_written_the_memory_that_keeps_it_does_not_grow() -> None:
    tracemalloc.start()
    try:
        for chunk in (b"x" * 65_536, b"word\n" * 13_000):
            output = Output(MOST)
            for _ in range(400):
                output.take(chunk)
            assert len(output.text) <= MOST
        assert tracemalloc.get_traced_memory()[1] < 40 * MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limits", "script", "said"),
    [
        ("memory_megabytes: 64", "exec python3 -c 'x = bytearray(300 * 2**20)'", "MemoryError"),
        ("file_megabytes: 1", "head -c 9000000 /dev/zero > big", ""),
        ("open_files: 16", "exec python3 -c 'import os; x = [os.dup(1) for _ in range(99)]'", "Too many open files"),
        ("cpu_seconds: 1", "while :; do :; done", ""),
    ],
)
def test_what_uses_more_than_the_list_allows_fails(tmp_path: Path, limits: str, script: str, said: str) -> None:
    (tmp_path / "allow.yaml").write_text(f"commands: ['(?s).*']\nlimits: {{{limits}}}\n", encoding="utf-8")
    allowed = read_allowed(tmp_path / "allow.yaml", {"PATH": os.environ["PATH"]})
    found = run(script, "timeout=60s", allowed=allowed)
    assert found.state is State.FAILED
    assert said in found.output
    assert run("echo good", allowed=allowed).state is State.SUCCEEDED


@given(st.lists(st.binary(max_size=700), max_size=20), st.integers(4_096, 8_192))
def test_whatever_is_written_and_however_it_comes_little_is_kept_and_all_is_counted(
    chunks: list[bytes], most: int
) -> None:
    output = Output(most)
    for chunk in chunks:
        output.take(chunk)
    output.end()
    assert output.bytes == sum(map(len, chunks))
    assert len(output.text) <= most
    assert "\0" not in output.text


@given(st.integers(0, 9_000), st.integers(1, 40))
def test_a_secret_is_hidden_wherever_it_stands_and_however_it_comes(before: int, step: int) -> None:
    output = Output(4_096, ("hunter2-secret",))
    written = ("x" * 70 + "\n") * (before // 71) + "p " + "hunter2-secret end\n" + ("y" * 70 + "\n") * 10
    for at in range(0, len(written), step):
        output.take(written[at : at + step].encode())
    output.end()
    assert "hunter2" not in output.text
    assert "secret" not in output.text


def test_a_secret_of_the_runner_is_hidden(tmp_path: Path) -> None:
    path = tmp_path / "allow.yaml"
    path.write_text('commands: ["echo .*"]\nsecrets: [SHOP_TOKEN]\n', encoding="utf-8")
    allowed = read_allowed(path, {**PATHS, "SHOP_TOKEN": "abc123def"})
    assert run('echo "got $SHOP_TOKEN"', allowed=allowed).output == "got [redacted]\n"
    # A key of several lines, too.
    allowed = read_allowed(path, {**PATHS, "SHOP_TOKEN": "first-line\nsecond-line"})
    assert run('echo "$SHOP_TOKEN"', allowed=allowed).output == "[redacted]\n[redacted]\n"


def test_a_runner_runs_only_what_its_own_list_has(tmp_path: Path) -> None:
    text = text_of(block("echo good", "run=shell id=a"))
    other = text_of(block("echo evil", "run=shell id=a"))
    (tmp_path / "shop.md").write_text(text, encoding="utf-8")
    path = tmp_path / "allow.yaml"
    for said in (f"revisions: [{revision_of(text)}]", "runbooks: [shop.md]", 'commands: ["echo good"]'):
        path.write_text(said + "\n", encoding="utf-8")
        by = executor(read_allowed(path, {}))
        by.understood(lease_of(text))
        with pytest.raises(NotAllowed, match="not in this runner's list"):
            by.understood(lease_of(other))
    # A server that is not what it was says that another text is the revision that was signed off.
    lied = Lease(**{**vars(lease_of(other)), "revision": revision_of(text)})
    with pytest.raises(NotAllowed, match="not the revision"):
        by.understood(lied)
    with pytest.raises(NotAllowed, match="no such step"):
        by.understood(lease_of(text, "b"))


def test_an_input_that_the_file_would_not_take_is_refused_by_the_runner_too() -> None:
    text = text_of(block("echo $WK_COUNT", "run=shell id=a"), INPUT)
    with pytest.raises(NotAllowed, match="a whole number"):
        executor().understood(lease_of(text, count="1; rm -rf /"))


def test_a_request_is_sent_and_its_inputs_are_encoded() -> None:
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Content-Type"], body))
            self.send_response(500 if "bad" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        script = f'POST {url}/release/${{word}}\nContent-Type: application/json\n\n{{"word": "${{word}}"}}'
        found = run(script, "expect=done", "http", word='a/b?c"d')
        bad = run(script, "", "http", word="bad")
        server.shutdown()
    assert (found.state, found.output) == (State.SUCCEEDED, "HTTP 200\ndone")
    assert (bad.state, bad.detail) == (State.FAILED, "answered 500")
    assert asked[0] == ("/release/a%2Fb%3Fc%22d", "application/json", b'{"word": "a/b?c\\"d"}')


def test_a_request_goes_only_where_requests_may_go() -> None:
    found = run("GET http://10.1.2.3/", "", "http")
    assert found.state is State.FAILED
    assert "not a public address" in found.detail


def is_alive(pid: int) -> bool:
    """Once it had time to go; what is dead and not yet buried does not live."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    try:
        eventually(gone, within=20)
    except AssertionError:
        os.kill(pid, 9)
        return True
    return False
