"""The server of `watchkeeper demo`: as `up`, but it hands its parent a link that signs in instead of a set-up link."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import typer

from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.console import refusals_end_the_command
from watchkeeper.app.demo_people import seat, staff_of
from watchkeeper.app.demo_story import plot_of
from watchkeeper.app.pages_demo import put_on
from watchkeeper.app.serve import serve
from watchkeeper.app.server import Watchkeeper
from watchkeeper.modules.identity.public import ensure_demo_person, make_login_link


def main() -> None:
    """Serve as the environment says; the file descriptor in the first argument gets one line of JSON: url and link.

    The second is the directory of the sample product, whose people are here from the start, the third the address
    of their phones.
    """
    ready, product, phones = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    people, plot = staff_of(product), plot_of(product)

    def greet(watchkeeper: Watchkeeper, url: str) -> None:
        settings = watchkeeper.configuration.identity
        with watchkeeper.db.begin() as session:
            person = ensure_demo_person(session, watchkeeper.clock, settings)
            secret = make_login_link(session, watchkeeper.clock, settings, person)
        if people:
            seat(watchkeeper, people, phones)
        if plot is not None:
            put_on(watchkeeper, product, plot)
        # Through a pipe of its own: the secret must not stand in the log.
        with os.fdopen(ready, "w", encoding="utf-8") as parent:
            json.dump({"url": url, "link": f"{url}/login/link/{secret}"}, parent)

    try:
        with refusals_end_the_command():
            serve(load_configuration(os.environ), greet)
    except typer.Exit as end:  # there is no Typer around this process to turn it into an exit code
        sys.exit(end.exit_code)


if __name__ == "__main__":
    main()
