"""`python -m examples.duet run`: Duet and its members; `release chat=v1` has another release run in it.

The other commands are for the processes that `run` starts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

from examples.duet.days import DAY_SECONDS
from examples.duet.lifeline import die_with_parent
from examples.duet.releases import SERVICES, UnknownRelease, choose_releases
from examples.duet.rollout import VARIABLE, NotRolledOut, roll_out


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if getattr(options, "scrape", False) and not options.endpoint:
        parser.error("--scrape needs --endpoint: what is scraped is what is sent")
    # The supervisor ends its children in good order; they, without it, just end.
    die_with_parent(signal.SIGTERM if options.command == "run" else signal.SIGKILL)
    commands = {"run": _run, "release": _release, "serve": _serve, "traffic": _traffic}
    return commands[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.duet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything; Ctrl-C ends it")
    run.add_argument("--release", action="append", default=[], help="v1 or v2, or for one service: chat=v2; repeatable")
    run.add_argument("--endpoint", help="where telemetry goes, such as http://127.0.0.1:8700; without it: nowhere")
    run.add_argument("--scrape", action="store_true", help="also answer Prometheus: GET /metrics of each service")
    run.add_argument("--ports-from", type=int, default=0, help="gateway's port; the others follow (0: any free ones)")
    run.add_argument(
        "--day-seconds",
        type=float,
        default=DAY_SECONDS,
        help="how long a day of offers lasts: each morning brings some",
    )
    run.add_argument("--data", type=Path, default=Path("duet-data"), help="databases and logs")
    release = commands.add_parser("release", help="have another release of a service run; ends when it does")
    release.add_argument("releases", nargs="+", metavar="SERVICE=RELEASE", help="such as chat=v1")
    release.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get(VARIABLE, "duet-data")),
        help=f"where the Duet that runs keeps its data (default: {VARIABLE}, else duet-data)",
    )
    release.add_argument("--wait", type=float, default=0, help="seconds to wait for a Duet that is starting")
    serve = commands.add_parser("serve", help="one service")
    serve.add_argument("service", choices=SERVICES)
    serve.add_argument("--release", default="v1")
    serve.add_argument("--fd", type=int, required=True, help="listening socket")
    serve.add_argument("--data", type=Path, required=True)
    serve.add_argument("--peer", action="append", default=[], help="name=URL")
    serve.add_argument("--endpoint")
    serve.add_argument("--scrape", action="store_true")
    serve.add_argument("--day-seconds", type=float, default=DAY_SECONDS)
    serve.add_argument("--members", type=int, default=1000)
    traffic = commands.add_parser("traffic", help="only the members, against a gateway that runs")
    traffic.add_argument("--gateway", required=True)
    for one in (run, traffic):
        one.add_argument("--rate", type=float, default=20.0, help="requests a second, mean of a day; 0 for none")
        one.add_argument("--seed", type=int, default=7, help="same seed, same members doing the same things")
        one.add_argument("--acceleration", type=float, default=1.0, help="how many times as fast the day passes")
        one.add_argument("--from-hour", type=float, help="time of day at the start (default: now)")
        one.add_argument("--members", type=int, default=1000)
    return parser


def _run(options: argparse.Namespace) -> int:
    from examples.duet.supervisor import DidNotStart, Run, Supervisor

    try:
        run = Run(
            releases=choose_releases(options.release),
            data=options.data.resolve(),
            endpoint=options.endpoint,
            scrape=options.scrape,
            ports_from=options.ports_from,
            rate=options.rate,
            seed=options.seed,
            acceleration=options.acceleration,
            from_hour=options.from_hour,
            members=options.members,
            day_seconds=options.day_seconds,
        )
        Supervisor(run).keep_running()
    except (UnknownRelease, DidNotStart, OSError) as error:
        print(f"Duet can't run: {error}", file=sys.stderr)
        return 1
    return 0


def _release(options: argparse.Namespace) -> int:
    try:
        running = roll_out(options.data.resolve(), options.releases, wait=options.wait)
    except (UnknownRelease, NotRolledOut, OSError) as error:
        print(f"Nothing was rolled out: {error}", file=sys.stderr)
        return 1
    print(f"Duet runs {', '.join(f'{service} {release}' for service, release in running.items())}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from examples.duet.process import serve
    from examples.duet.service import Place

    place = Place(
        release=options.release,
        data=options.data,
        peers=dict(peer.split("=", 1) for peer in options.peer),
        members=options.members,
        day_seconds=options.day_seconds,
    )
    listener = socket.socket(fileno=options.fd)
    logs = options.data / "logs"
    serve(options.service, place, listener=listener, endpoint=options.endpoint, scrape=options.scrape, logs=logs)
    return 0


def _traffic(options: argparse.Namespace) -> int:
    from examples.duet.traffic import Load, drive

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    now = time.localtime()
    hour = now.tm_hour + now.tm_min / 60 if options.from_hour is None else options.from_hour
    load = Load(options.rate, options.seed, options.acceleration, hour * 3600, options.members)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(drive(options.gateway, load))
    return 0


if __name__ == "__main__":
    sys.exit(main())
