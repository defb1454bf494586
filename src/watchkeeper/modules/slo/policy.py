"""What a spent budget means for deployments: the verdict of an error-budget policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchkeeper.modules.slo.definition import Policy, PolicyAction, PolicyStep
from watchkeeper.modules.slo.model import Burn

# SRE practice: twice as fast as allowed is gone in half the time, and so on.
BUILT_IN = Policy(
    name="built-in",
    description="Of services of no policy: 2x, or a budget that is gone, freezes what is not critical; 5x freezes all; "
    "10x is an emergency.",
    steps=(
        PolicyStep(burn=2, action="freeze_non_critical"),
        PolicyStep(burn=5, action="freeze_all"),
        PolicyStep(burn=10, action="emergency"),
        PolicyStep(budget_left=0, action="freeze_non_critical"),
    ),
)
_STRICTNESS: dict[PolicyAction, int] = {"freeze_non_critical": 1, "freeze_all": 2, "emergency": 3}
_WHAT: dict[PolicyAction, str] = {
    "freeze_non_critical": "deployments that are not critical are frozen",
    "freeze_all": "all deployments are frozen",
    "emergency": "an emergency: all deployments are frozen and people are called",
}


@dataclass(frozen=True)
class Standing:
    """An objective as a policy sees it."""

    slo: str
    objective: str
    burn: Burn
    remaining: float
    has_data: bool


@dataclass(frozen=True)
class Verdict:
    """The strictest step that holds, and every step's reason."""

    policy: Policy
    action: PolicyAction | None
    reasons: tuple[str, ...]

    @property
    def may_deploy(self) -> bool:
        return self.action is None

    @property
    def may_deploy_critical(self) -> bool:
        return self.action in (None, "freeze_non_critical")


def policy_for(service: str, policies: Sequence[Policy]) -> Policy:
    """The one that names the service, else the one that names none, else the built-in."""
    for one in policies:
        if service in one.services:
            return one
    return next((one for one in policies if not one.services), BUILT_IN)


def judge(policy: Policy, standings: Iterable[Standing]) -> Verdict:
    """A step holds from its burn rate on, or from its share of the budget left down."""
    strictest: PolicyAction | None = None
    reasons: list[tuple[int, str]] = []
    for one in standings:
        if not one.has_data:
            continue
        holding = [step for step in policy.steps if _holds(step, one)]
        if not holding:
            continue
        worst = max(holding, key=lambda step: _STRICTNESS[step.action])
        reasons.append((-_STRICTNESS[worst.action], _reason(worst, one)))
        if strictest is None or _STRICTNESS[worst.action] > _STRICTNESS[strictest]:
            strictest = worst.action
    return Verdict(policy, strictest, tuple(text for _, text in sorted(reasons)))


def _holds(step: PolicyStep, one: Standing) -> bool:
    if step.burn is not None:
        return one.burn.rate >= step.burn * (1 - 1e-9)
    return step.budget_left is not None and one.remaining <= step.budget_left


def _reason(step: PolicyStep, one: Standing) -> str:
    name = one.slo if one.objective == "main" else f"{one.slo} ({one.objective})"
    if step.burn is not None:
        counts = one.burn.counts
        return (
            f"{name} burns its budget at {one.burn.rate:.3g}x ({counts.bad:,.0f} of {counts.total:,.0f} bad); "
            f"from {step.burn:g}x on {_WHAT[step.action]}"
        )
    return f"{name} has {one.remaining:.1%} of its budget left; {_WHAT[step.action]}"
