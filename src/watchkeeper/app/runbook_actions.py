"""Watchkeeper's own verbs as steps of runbooks, by the public faces of the modules that own them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Permission
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.config import public as config
from watchkeeper.modules.runbooks.errors import ActionFailed, InputsInvalid
from watchkeeper.modules.runbooks.public import Action, Asking, Outcome, Undoing

_SOURCE = "runbook"
ACTION_NAMES = frozenset({"set-parameter", "revert-change", "silence", "end-silence", "resolve-alert"})
_MOST_MINUTES = 92 * 24 * 60


@dataclass(frozen=True)
class SetParameter:
    """Give a configuration key a value."""

    name: str = "set-parameter"
    permission: Permission = config.CHANGE_CONFIG
    fields: Mapping[str, str] = field(
        default_factory=lambda: {
            "key": "a configuration key",
            "value": "its new value",
            "environment": "the environment in which it holds",
            "reason?": "why",
        }
    )

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Done, too, where it has this value already: then nothing is changed, and nothing can be taken back.

        Raises what a change of configuration refuses; also where a second person would have to approve it.
        """
        key, environment = str(inputs["key"]), str(inputs["environment"])
        config.require_keys(asking.session, asking.actor, [key])
        try:
            change = config.set_value(
                asking.session,
                asking.clock,
                environment,
                key,
                inputs["value"],
                reason=_reason(asking, inputs),
                by=asking.actor.id,
                source=_SOURCE,
                approved=asking.second_person,
            )
        except config.NothingChanges:
            return Outcome(f"{key} in {environment} has this value already.")
        if change.state is not config.ChangeState.APPLIED:
            raise ActionFailed(
                f"{key} in {environment} is changed only when a second person agrees: give the step confirm=second."
            )
        step = change.steps[0]
        undo = Undoing("revert-change", {"change": change.id})
        return Outcome(f"{key} in {environment}: {step.before} → {step.after}", f"/config/changes/{change.id}", undo)


@dataclass(frozen=True)
class RevertChange:
    """Undo a change of configuration."""

    name: str = "revert-change"
    permission: Permission = config.CHANGE_CONFIG
    fields: Mapping[str, str] = field(
        default_factory=lambda: {"change": "the id of a change, such as chg_…", "reason?": "why"}
    )

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Raises CannotBeReverted where what it set is not there any more."""
        change_id = str(inputs["change"])
        found = config.change(asking.session, asking.clock, change_id)
        config.require_keys(asking.session, asking.actor, found.keys)
        change = config.revert(
            asking.session,
            asking.clock,
            change_id,
            reason=_reason(asking, inputs),
            by=asking.actor.id,
            source=_SOURCE,
        )
        if change.state is config.ChangeState.WAITING_APPROVAL:
            raise ActionFailed("Undoing it needs a second person's approval: do it on the change's page.")
        return Outcome(f"{', '.join(found.keys)} is as before.", f"/config/changes/{change.id}")


@dataclass(frozen=True)
class SilenceAlerts:
    """Keep alerts quiet for a while."""

    alerting: alerts.Alerting
    name: str = "silence"
    permission: Permission = alerts.SILENCE_ALERTS
    fields: Mapping[str, str] = field(
        default_factory=lambda: {
            "matchers": "a list such as [service=shop, alertname=Slow]",
            "minutes": "for how many minutes",
            "reason?": "why",
        }
    )

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Raises SilenceInvalid."""
        matchers, minutes = inputs["matchers"], inputs["minutes"]
        said = matchers if isinstance(matchers, list) else str(matchers).splitlines()
        if not isinstance(minutes, int) or not 0 < minutes <= _MOST_MINUTES:
            complaint = Complaint("minutes", f"1 to {_MOST_MINUTES}")
            raise InputsInvalid("The silence has no sound end.", complaints=[complaint])
        now = asking.clock.now()
        made = self.alerting.silence(
            asking.session,
            [str(one) for one in said],
            ends_at=now + timedelta(minutes=minutes),
            reason=_reason(asking, inputs),
            by=asking.actor.id,
            at=now,
            source=_SOURCE,
        )
        words = ", ".join(map(str, made.matchers))
        return Outcome(
            f"{words} pages nobody for {minutes} min.",
            f"/alerts/silences#{made.id}",
            Undoing("end-silence", {"silence": made.id}),
        )


@dataclass(frozen=True)
class EndSilence:
    """Let a silence end now."""

    alerting: alerts.Alerting
    name: str = "end-silence"
    permission: Permission = alerts.SILENCE_ALERTS
    fields: Mapping[str, str] = field(
        default_factory=lambda: {"silence": "the id of a silence, such as sil_…", "reason?": "why"}
    )

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Raises SilenceNotFound or AlreadyEnded."""
        ended = self.alerting.end_silence(
            asking.session,
            str(inputs["silence"]),
            reason=_reason(asking, inputs),
            by=asking.actor.id,
            at=asking.clock.now(),
            source=_SOURCE,
        )
        return Outcome(f"{', '.join(map(str, ended.matchers))} pages again.", "/alerts/silences")


@dataclass(frozen=True)
class ResolveAlert:
    """Call an alert over."""

    alerting: alerts.Alerting
    name: str = "resolve-alert"
    permission: Permission = alerts.ACT_ON_ALERTS
    fields: Mapping[str, str] = field(
        default_factory=lambda: {
            "alert?": "the id of an alert, such as grp_…; unset: the one that the run is about",
            "reason?": "why",
        }
    )

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Raises GroupNotFound or GroupResolved."""
        about = asking.about[1] if asking.about is not None and asking.about[0] == "alert_group" else None
        group_id = inputs.get("alert") or about
        if not group_id:
            complaint = Complaint("alert", "the id of an alert: this run is about none")
            raise InputsInvalid("There is no alert to resolve.", complaints=[complaint])
        group = self.alerting.resolve(
            asking.session,
            str(group_id),
            by=asking.actor.id,
            at=asking.clock.now(),
            source=_SOURCE,
            reason=_reason(asking, inputs),
        )
        return Outcome(f"{group.title} was called over.", f"/alerts/{group.id}")


def actions_of(alerting: alerts.Alerting) -> tuple[Action, ...]:
    """Every action of this server."""
    return (SetParameter(), RevertChange(), SilenceAlerts(alerting), EndSilence(alerting), ResolveAlert(alerting))


def _reason(asking: Asking, inputs: Mapping[str, Any]) -> str:
    said = str(inputs.get("reason") or "").strip()
    return (f"{said} ({asking.reason})" if said else asking.reason)[:500]
