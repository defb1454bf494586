"""How runtime configuration says no."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from watchkeeper_client.rules import wrong_in_key


class ParameterNotFound(NotFound):
    code = "config.parameter_not_found"
    title = "No such parameter"

    @classmethod
    def of(cls, key: str, where: str = "the registry") -> ParameterNotFound:
        """With what keeps the text from being a key, if it can be none."""
        return cls(f"There is no parameter {key[:150]!r} in {where}. {wrong_in_key(key[:200])}".rstrip())


class EnvironmentNotFound(NotFound):
    code = "config.environment_not_found"
    title = "No such environment"


class ChangeNotFound(NotFound):
    code = "config.change_not_found"
    title = "No such change"


class EnvironmentExists(Conflict):
    code = "config.environment_exists"
    title = "The environment is there already"


class ParameterExists(Conflict):
    code = "config.parameter_exists"
    title = "The parameter is there already"


class ParameterInUse(Conflict):
    code = "config.parameter_in_use"
    title = "Something still uses the parameter"


class ParameterIsManaged(Conflict):
    code = "config.parameter_is_managed"
    title = "The parameter is described elsewhere"


class DefinitionInvalid(Invalid):
    code = "config.definition_invalid"
    title = "The definition is not valid"


class ChangeInvalid(Invalid):
    code = "config.change_invalid"
    title = "The change is not valid"


class EnvironmentInvalid(Invalid):
    code = "config.environment_invalid"
    title = "The environment is not valid"


class NothingChanges(Invalid):
    code = "config.nothing_changes"
    title = "Nothing would change"


class ChangedMeanwhile(PreconditionFailed):
    code = "config.changed_meanwhile"
    title = "Changed since you read it"


class ChangeIsDecided(Conflict):
    code = "config.change_is_decided"
    title = "The change waits for nobody any more"


class ContentDiffers(PreconditionFailed):
    code = "config.content_differs"
    title = "This is not what you looked at"


class OwnChange(Forbidden):
    code = "config.own_change"
    title = "Somebody else has to approve it"


class CannotBeReverted(Conflict):
    code = "config.cannot_be_reverted"
    title = "The change can't be undone"
