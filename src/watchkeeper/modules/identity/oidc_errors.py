"""How a sign-in through an OpenID provider is refused."""

from __future__ import annotations

from watchkeeper.kernel.errors import Forbidden, NotFound, Unavailable


class ProviderUnset(NotFound):
    code = "identity.provider_unset"
    title = "No provider is set up"

    def __init__(self) -> None:
        super().__init__("This console knows no OpenID provider. Sign in with your password.")


class ProviderUnavailable(Unavailable):
    """The provider, or what is needed to talk to it, is not there. Every other way to sign in goes on."""

    code = "identity.provider_unavailable"
    title = "The provider can't be reached"


class ProviderAnswerRefused(Forbidden):
    """What the provider sent is not believed; the reason is safe to show and holds nothing that was sent."""

    code = "identity.provider_answer_refused"
    title = "The provider's answer is not accepted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The provider's answer is not accepted: {reason}.")


class SigningKeyUnknown(ProviderAnswerRefused):
    """None of the provider's known keys signed the token."""

    def __init__(self) -> None:
        super().__init__("no key of the provider signed the ID token")


class ProviderSaidNo(Forbidden):
    """The provider refused, or the person did."""

    code = "identity.provider_said_no"
    title = "The provider did not sign you in"


class SignInElsewhereGone(Forbidden):
    """The answer belongs to no sign-in that this browser has begun and not ended."""

    code = "identity.sign_in_elsewhere_gone"
    title = "This sign-in is over"

    def __init__(self) -> None:
        super().__init__(
            "This sign-in took too long, was used already, or was begun in another browser or tab. Begin again."
        )


class NoAccountHere(Forbidden):
    """The provider knows them; this console lets them in no further. `reason` is what the journal keeps."""

    code = "identity.no_account_here"
    title = "You have no account here"

    def __init__(self, reason: str, detail: str, person: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.person = person
