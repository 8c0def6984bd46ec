"""Which of our people somebody is that the provider has identified."""

from __future__ import annotations

from typing import Final, Protocol

from nats.aio.client import Client
from pydantic import ValidationError

from contracts.access import requests
from contracts.access.people import person_id
from contracts.client import Refused, RequestFailed, call
from contracts.envelope import ActorKind, Via
from contracts.requests import SentActor
from contracts.text import PersonId
from services.runtime.ids import uuid7
from services.signin.failures import EmailUnverified, IdentityUnproven, Unavailable
from services.signin.oidc import Identity

ANSWER_WITHIN_S: Final = 5.0


class People(Protocol):
    """Knows people by the identities that they sign in with, and by their addresses."""

    async def recognise(self, identity: Identity) -> PersonId:
        """The person that this identity is linked with, else the one of its address, which is linked now.

        Somebody whom nobody knows yet is a person from now on, who may do nothing yet: an invitation that
        was sent to the address can then be accepted. An identity stays with its person when its address
        changes at the provider.

        Raises:
            EmailUnverified: the address is not one that people can have here.
            IdentityUnproven: the access service refused to link it.
            Unavailable: the access service does not answer.
        """


class AccessPeople:
    """The people of the access service, which finds and links in one command: two sign-ins cannot cross."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def recognise(self, identity: Identity) -> PersonId:
        """As `People.recognise`."""
        person = _person_id(identity)
        try:
            command = requests.LinkPerson(
                command_id=uuid7(),
                actor=SentActor(kind=ActorKind.MEMBER, id=person),
                via=Via.PORTAL,
                issuer=identity.issuer,
                provider_subject=identity.subject,
                email=identity.email,
                display_name=identity.name,
                language=identity.language,
            )
            done = await call(
                self._nc, requests.LINK, command, requests.PersonDone, timeout_s=ANSWER_WITHIN_S
            )
        except ValidationError as invalid:
            fields = ", ".join(str(error["loc"][0]) for error in invalid.errors() if error["loc"])
            raise IdentityUnproven(f"the provider's claims do not fit: {fields}") from None
        except Refused as refused:
            raise IdentityUnproven(f"the access service refused: {refused.reply.code}") from None
        except RequestFailed as failed:
            raise Unavailable(f"the access service: {failed.reply.code}") from None
        return done.person


class PeopleInMemory:
    """People that end with the process."""

    def __init__(self) -> None:
        self._linked: dict[tuple[str, str], PersonId] = {}

    async def recognise(self, identity: Identity) -> PersonId:
        """As `People.recognise`."""
        return self._linked.setdefault((identity.issuer, identity.subject), _person_id(identity))


def _person_id(identity: Identity) -> PersonId:
    try:
        return person_id(identity.email)
    except ValueError:
        raise EmailUnverified("the provider's e-mail address is not one") from None
