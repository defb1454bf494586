"""The verbs of silences and maintenance windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from zoneinfo import available_timezones

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import store, store_noise, timing
from watchkeeper.modules.alerts.board import SYSTEM, Author, Board
from watchkeeper.modules.alerts.errors import (
    AlreadyEnded,
    MaintenanceInvalid,
    MaintenanceNotFound,
    SilenceInvalid,
    SilenceNotFound,
)
from watchkeeper.modules.alerts.events_noise import MaintenanceEnded, MaintenancePlanned, SilenceEnded, SilenceMade
from watchkeeper.modules.alerts.matching import Matcher, require_sound
from watchkeeper.modules.alerts.model import GroupState
from watchkeeper.modules.alerts.quiet import (
    LONGEST_WEEKLY,
    LONGEST_WINDOW,
    Quiet,
    Silence,
    Weekly,
    Window,
    words_of,
)
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.watching import GroupWatchers

LONGEST_SILENCE = timedelta(days=92)
MOST_AT_ONCE = 500
MOST_PREVIEWED = 200


@dataclass(frozen=True)
class Noise:
    """Silences and maintenance windows, on one session. Ending one looks again at what it kept quiet, in the same
    transaction: what still fires then pages."""

    session: Session
    clock: Clock
    settings: AlertSettings
    watchers: GroupWatchers = field(default_factory=GroupWatchers)

    def silence(
        self,
        matchers: Sequence[Matcher],
        *,
        ends_at: datetime,
        reason: str,
        by: str,
        source: str,
        starts_at: datetime | None = None,
    ) -> Silence:
        """Keep alerts quiet that fulfil all matchers. Raises SilenceInvalid."""
        now = self.clock.now()
        starts_at = max(starts_at or now, now)
        require_sound(matchers)
        _require_reason(reason, SilenceInvalid)
        if not starts_at < ends_at <= starts_at + LONGEST_SILENCE:
            complaint = Complaint("ends_at", "after its beginning, and at most 92 days after it")
            raise SilenceInvalid("The silence has no sound end.", complaints=[complaint])
        self._require_room(len(store_noise.silences_after(self.session, now)), SilenceInvalid, "silences")
        made = Silence(
            id=new_id("sil"),
            matchers=tuple(matchers),
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason.strip(),
            created_by=by,
            created_at=now,
        )
        store_noise.add_silence(self.session, made)
        matched = len(self.preview(matchers)) if starts_at <= now else 0
        fact = SilenceMade(
            silence=made.id,
            service_name=_one_service(matchers),
            matchers=[str(one) for one in matchers],
            starts_at=starts_at,
            ends_at=ends_at,
            reason=made.reason,
            matched=matched,
        )
        self._tell(fact, by, source)
        for edge in made.edges(now - timedelta(microseconds=1)):
            timing.enqueue(self.session, "quiet", made.id, edge)
        self.look_again(now)
        return made

    def end_silence(self, silence_id: str, *, reason: str, by: str, source: str) -> Silence:
        """It is over now. Raises SilenceNotFound or AlreadyEnded."""
        now = self.clock.now()
        found = store_noise.silence(self.session, silence_id)
        if found is None:
            raise SilenceNotFound(f"There is no silence {silence_id}.")
        if found.ends_at <= now:
            raise AlreadyEnded("This silence is over already.")
        ended = store_noise.end_silence(self.session, found, at=now, by=by)
        words = [str(one) for one in found.matchers]
        fact = SilenceEnded(
            silence=found.id, service_name=_one_service(found.matchers), matchers=words, reason=reason.strip()
        )
        self._tell(fact, by, source)
        self.look_again(now)
        return ended

    def preview(self, matchers: Sequence[Matcher]) -> list[tuple[GroupState, int]]:
        """Open groups of which alerts fire that these matchers fit, with how many; at most 200."""
        require_sound(matchers)
        held = {one.id: one for one in store.open_groups(self.session) if one.firing_count}
        counted: dict[str, int] = {}
        for alert in store.firing_of(self.session, held):
            if alert.group_id is not None and all(one.fits(alert.labels) for one in matchers):
                counted[alert.group_id] = counted.get(alert.group_id, 0) + 1
        return [(held[one], number) for one, number in counted.items()][:MOST_PREVIEWED]

    def plan(
        self,
        *,
        services: Sequence[str],
        environments: Sequence[str],
        starts_at: datetime | None,
        ends_at: datetime | None,
        weekly: Weekly | None,
        reason: str,
        by: str,
        source: str,
    ) -> Window:
        """A window once, or every week until `ends_at`. Raises MaintenanceInvalid."""
        now = self.clock.now()
        _require_reason(reason, MaintenanceInvalid)
        self._require_room(len(store_noise.windows_after(self.session, now)), MaintenanceInvalid, "windows")
        starts = max(starts_at or now, now)
        _require_sound_window(services, environments, starts, ends_at, weekly)
        made = Window(
            id=new_id("mnt"),
            services=tuple(dict.fromkeys(services)),
            environments=tuple(dict.fromkeys(environments)),
            starts_at=starts,
            ends_at=ends_at,
            weekly=weekly,
            reason=reason.strip(),
            created_by=by,
            created_at=now,
        )
        store_noise.add_window(self.session, made)
        fact = MaintenancePlanned(
            maintenance=made.id,
            services=list(made.services),
            environments=list(made.environments),
            when=words_of(made),
            reason=made.reason,
        )
        self._tell(fact, by, source)
        self._enqueue_edge(made, now - timedelta(microseconds=1))
        self.look_again(now)
        return made

    def end_window(self, window_id: str, *, reason: str, by: str, source: str) -> Window:
        """It is over for good now. Raises MaintenanceNotFound or AlreadyEnded."""
        now = self.clock.now()
        found = store_noise.window(self.session, window_id)
        if found is None:
            raise MaintenanceNotFound(f"There is no maintenance window {window_id}.")
        if found.ends_at is not None and found.ends_at <= now:
            raise AlreadyEnded("This maintenance is over already.")
        ended = store_noise.end_window(self.session, found, at=now, by=by)
        fact = MaintenanceEnded(
            maintenance=found.id,
            services=list(found.services),
            environments=list(found.environments),
            reason=reason.strip(),
        )
        self._tell(fact, by, source)
        self.look_again(now)
        return ended

    def time_has_come(self, about: str, at: datetime) -> None:
        """A silence or window begins or ends at `at`."""
        instant = max(at, self.clock.now())
        window = store_noise.window(self.session, about)
        if window is not None:
            self._enqueue_edge(window, instant)
        self.look_again(instant)

    def look_again(self, at: datetime) -> None:
        """Compare every open group with what is active at `at`."""
        board = Board(self.session, at, self.watchers, self.settings, Author(SYSTEM))
        held = [board.hold(one) for one in store.open_groups(self.session)]
        # Without a silence only those can change that one covered: a storm's alerts are not all read again each minute.
        covered = (
            held if board.suppressor.quiet.silences else [one for one in held if one.loud_count < one.firing_count]
        )
        board.load_firing(one.id for one in covered if one.firing_count)
        _match_again(board, board.suppressor.quiet)
        board.reconsider(list(board.groups.values()))
        board.write()

    def _enqueue_edge(self, window: Window, after: datetime) -> None:
        edges = window.edges(after)
        if not edges and window.weekly is not None and (window.ends_at is None or window.ends_at > after):
            # Nothing within eight days: look again in a week.
            edges = [after + timedelta(days=7)]
        for edge in edges:
            timing.enqueue(self.session, "quiet", window.id, edge)

    def _require_room(self, number: int, refusal: type[SilenceInvalid | MaintenanceInvalid], what: str) -> None:
        if number >= MOST_AT_ONCE:
            raise refusal(f"There are {number} {what} already: end some that are not needed.")

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def _match_again(board: Board, quiet: Quiet) -> None:
    changed: dict[str, int] = {}
    for alert in list(board.alerts.values()):
        silence = quiet.silence_of(alert.labels)
        if alert.firing and alert.group_id is not None and silence != alert.silence:
            louder = (silence is None) - (alert.silence is None)
            changed[alert.group_id] = changed.get(alert.group_id, 0) + louder
            board.put_alert(replace(alert, silence=silence))
            if silence is not None:
                board.suppressor.silence_by_group[alert.group_id] = silence
    for group_id, louder in changed.items():
        group = board.groups[group_id]
        board.put(replace(group, loud_count=group.loud_count + louder))


def weekly_of(days: Sequence[int], at: time, zone: str, length: timedelta) -> Weekly:
    """Raises MaintenanceInvalid for what is no week's plan."""
    complaints = []
    if not days or any(not 0 <= day <= 6 for day in days) or len(set(days)) != len(days):
        complaints.append(Complaint("weekly.days", "days of the week, each once"))
    if zone not in available_timezones():
        complaints.append(Complaint("weekly.time_zone", "a name of the IANA database such as Europe/Oslo"))
    if not timedelta(minutes=1) <= length <= LONGEST_WEEKLY:
        complaints.append(Complaint("weekly.minutes", "from one minute to six days"))
    if complaints:
        raise MaintenanceInvalid("The week's plan is not valid.", complaints=complaints)
    return Weekly(tuple(sorted(days)), at.replace(second=0, microsecond=0, tzinfo=None), zone, length)


def _require_sound_window(
    services: Sequence[str],
    environments: Sequence[str],
    starts: datetime,
    ends_at: datetime | None,
    weekly: Weekly | None,
) -> None:
    complaints = []
    if not services and not environments:
        complaints.append(Complaint("services", "at least one service or environment"))
    if len(services) > 100 or any(not 1 <= len(one) <= 200 for one in services):
        complaints.append(Complaint("services", "at most 100 names"))
    if len(environments) > 20 or any(not 1 <= len(one) <= 200 for one in environments):
        complaints.append(Complaint("environments", "at most 20 names"))
    if weekly is None and (ends_at is None or not starts < ends_at <= starts + LONGEST_WINDOW):
        complaints.append(Complaint("ends_at", "after its beginning, and at most 31 days after it"))
    if weekly is not None and ends_at is not None and ends_at <= starts:
        complaints.append(Complaint("ends_at", "after its beginning"))
    if complaints:
        raise MaintenanceInvalid("The maintenance window is not valid.", complaints=complaints)


def _require_reason(reason: str, refusal: type[SilenceInvalid | MaintenanceInvalid]) -> None:
    if not 3 <= len(reason.strip()) <= 500:
        raise refusal("There is no reason.", complaints=[Complaint("reason", "a reason of 3 to 500 characters")])


def _one_service(matchers: Sequence[Matcher]) -> str | None:
    named: Mapping[str, str] = {one.label: one.value for one in matchers if one.operator == "="}
    return named.get("service") or None
