"""Whole answers as they go over the wire: a client somewhere reads every character of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.ofrep.support import FLAG, NORWAY, Ofrep, document

GOLDEN = Path(__file__).parent / "golden"
PARAMETERS = {
    "COUNT": {"type": "integer", "default": 3, "value": 4, "users": {"ola": 7}},
    "RATIO": {"type": "float", "default": 2.0},
    "WORD": {"type": "string", "default": "hyggelig å møtes ☕"},
    "WAIT": {"type": "duration", "default": "1h30m"},
    "OPENS": {"type": "time_of_day", "default": "09:00"},
    "SIZE": {"type": "enum", "choices": ["s", "m"], "default": "m"},
    "SHAPE": {"type": "json", "default": {"a": [1, 2.5, None], "b": {"c": "d"}}},
    "HIDDEN": {"type": "secret", "default": {"env": "HIDDEN"}},
    "NOTHING": {"type": "string"},
    "COUNTRY": {**FLAG, "segments": [{"segment": "country_NO", "value": "on"}]},
    "KILLED": {**FLAG, "value": {"enabled": False}},
    "WHOLE": {**FLAG, "value": {"serve": {"percent": 100.0, "variants": {"on": 1, "off": 1}}}},
    "RULED": {
        **FLAG,
        "value": {"rules": [{"name": "beta", "when": {"users": ["ola"]}, "serve": {"variant": "on"}}]},
    },
}


@pytest.fixture
def ofrep() -> Ofrep:
    asked = Ofrep()
    asked.hub.put(document(PARAMETERS, 42, segments={"country_NO": NORWAY}))
    return asked


def as_kept(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().removesuffix(b"\n")


def test_all_flags_for_a_user(ofrep: Ofrep) -> None:
    body = ofrep.every("ola", country="NO").content
    without_ticket = re.sub(rb"ticket=[^&]+", b"ticket=TICKET", body)
    assert without_ticket.replace(b'},{"key"', b'},\n{"key"') == as_kept("bulk.json")


@pytest.mark.parametrize("key", ["COUNTRY", "RATIO", "NOTHING"])
def test_one_flag_for_a_user(ofrep: Ofrep, key: str) -> None:
    assert ofrep.one(key, "ola", country="NO").content == as_kept(f"{key.lower()}.json")


def test_refusals(ofrep: Ofrep) -> None:
    url = "/ofrep/v1/evaluate/flags"
    answers = [
        ofrep.one("NOBODY_KNOWS"),
        ofrep.one("a%2Fb"),
        ofrep.one("FLАG"),  # noqa: RUF001 (a Cyrillic letter, which is the point)
        ofrep.one("HIDDEN"),
        ofrep.client.post(f"{url}/COUNT", content=b"{"),
        ofrep.client.post(url, content=b"{"),
        ofrep.client.post(url, json={"context": []}),
        ofrep.client.post(url, json={"context": {"targetingKey": 5}}),
        ofrep.anybody.post(f"{url}/COUNT", json={}),
        ofrep.anybody.post(url, json={}, headers={"Authorization": "Bearer intake"}),
        ofrep.client.post(f"{url}/COUNT", params={"environment": "nowhere"}),
    ]
    said = b"\n".join(b"%d %s" % (one.status_code, one.content) for one in answers)
    assert said == as_kept("refusals.txt")
