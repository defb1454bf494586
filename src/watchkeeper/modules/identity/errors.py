"""The refusals of identity."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated
from watchkeeper.modules.identity.passwords import SHORTEST


class SignInRefused(Forbidden):
    """One answer for an unknown e-mail and a wrong password, so that neither can be told from the other.

    Not a 401: that would send a browser to the page it is on.
    """

    code = "identity.sign_in_refused"
    title = "The e-mail or the password is not right"

    def __init__(self) -> None:
        super().__init__("The e-mail or the password is not right.")


class SignInPaused(TooManyRequests):
    code = "identity.sign_in_paused"
    title = "Too many attempts"


class BearerRefused(Unauthenticated):
    """A bearer token that is malformed, unknown, expired or revoked; which one is not said."""

    code = "identity.bearer_refused"
    title = "The token is not valid"

    def __init__(self) -> None:
        super().__init__("The token is malformed, unknown, expired or revoked.")
        self.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'


class LinkDead(NotFound):
    code = "identity.link_dead"
    title = "This link no longer works"

    def __init__(self, hint: str) -> None:
        super().__init__(f"This link was used already, has expired or was replaced by a newer one. {hint}")


class SetupClosed(Conflict):
    code = "identity.setup_closed"
    title = "Watchkeeper is set up already"

    def __init__(self) -> None:
        super().__init__(
            "The first person has an account already. If that is you, sign in; otherwise ask them for access."
        )


class WrongPassword(Invalid):
    """The current password was asked for inside a session, and what came was another one."""

    code = "identity.wrong_password"
    title = "That is not your current password"

    def __init__(self) -> None:
        super().__init__("That is not your current password.")


class PasswordRefused(Invalid):
    code = "identity.password_refused"
    title = "Choose another password"


class PersonRefused(Invalid):
    code = "identity.person_refused"
    title = "The name or the e-mail is not valid"


class PeopleOnly(Forbidden):
    code = "identity.people_only"
    title = "Only people have an account page"

    def __init__(self) -> None:
        super().__init__("This belongs to a person who signed in with a browser, not to a token.")


class SessionNotFound(NotFound):
    code = "identity.session_not_found"
    title = "No such session"

    def __init__(self) -> None:
        super().__init__("You have no session with this id.")


class TokenRefused(Invalid):
    code = "identity.token_refused"
    title = "The token can't be made like this"


class TokenNotFound(NotFound):
    code = "identity.token_not_found"
    title = "No such token"

    def __init__(self, token: str) -> None:
        super().__init__(f"There is no token {token}.")


class ChallengeGone(Forbidden):
    """What was begun is over: used already, too old, or begun in another browser."""

    code = "identity.challenge_gone"
    title = "Begin again"

    def __init__(self) -> None:
        super().__init__("This took too long, or was finished already. Begin again.")


class CodeRefused(Forbidden):
    """One answer for a wrong code, a used one, and one of nobody's."""

    code = "identity.code_refused"
    title = "The code does not fit"

    def __init__(self) -> None:
        super().__init__("This code does not fit, or was used already. Wait for the next one.")


class PasskeyRefused(Invalid):
    """The browser's answer does not prove anything to us."""

    code = "identity.passkey_refused"
    title = "The passkey was not accepted"


class FactorNeeded(Conflict):
    """The last second factor can't go while the password is short."""

    code = "identity.factor_needed"
    title = "The password alone is too short"

    def __init__(self) -> None:
        super().__init__(
            f"A password of fewer than {SHORTEST} characters needs a second factor. Change the password first."
        )


class FactorNotFound(NotFound):
    code = "identity.factor_not_found"
    title = "There is no such second factor"


class ProveAgain(Forbidden):
    """Who this is was shown too long ago for what protects an account."""

    code = "identity.prove_again"
    title = "Show once more who you are"
    way_on = "/account/prove"

    def __init__(self) -> None:
        super().__init__("This changes what protects an account. Show once more who you are: /account/prove.")


class FactorRequired(Forbidden):
    """This console asks everybody for a second factor, and this person has none yet."""

    code = "identity.factor_required"
    title = "Add a second factor first"
    way_on = "/account/factors"

    def __init__(self) -> None:
        super().__init__("This console asks everybody for a second factor. Add one on /account/factors.")


class PersonNotFound(NotFound):
    code = "identity.person_not_found"


class PersonIsDisabled(Conflict):
    code = "identity.person_is_disabled"
    title = "The account is disabled"


class TeamOfFiles(Conflict):
    code = "identity.team_of_files"
    title = "The team is described in ops/"


class TeamOwns(Conflict):
    code = "identity.team_owns"
    title = "The team owns something"


class InvitationNotFound(NotFound):
    code = "identity.invitation_not_found"


class LastAdmin(Conflict):
    code = "identity.last_admin"
    title = "Somebody must be left who may do everything"


class OwnRole(Conflict):
    code = "identity.own_role"
    title = "This is another admin's to do"


class TeamNotFound(NotFound):
    code = "identity.team_not_found"


class TeamRefused(Invalid):
    code = "identity.team_refused"
    title = "The team can't be like this"


class AccountNotFound(NotFound):
    code = "identity.account_not_found"


class AccountRefused(Invalid):
    code = "identity.account_refused"
    title = "The service account can't be like this"
