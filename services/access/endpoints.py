"""The requests that the access service answers, and the status of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.access import requests
from services.access import account, domain, person
from services.access.commands import Commands
from services.access.queries import Queries
from services.runtime.requests import Endpoint

REFUSALS: Final[Mapping[type[Exception], int]] = {
    account.AccountNotFound: 404,
    account.InvitationNotFound: 404,
    account.CredentialNotFound: 404,
    person.PersonNotFound: 404,
    domain.NotPermitted: 403,
    account.InvitationForAnother: 403,
    domain.Refusal: 409,
}


def endpoints(commands: Commands, queries: Queries) -> list[Endpoint[Any, Any]]:
    """One per subject of the contract."""
    on_account, on_credential = commands.change_account, commands.change_credential
    return [
        Endpoint(subject=requests.REGISTER, request=requests.RegisterAccount, handler=on_account),
        Endpoint(subject=requests.ADMIT, request=requests.AdmitAccount, handler=commands.admit),
        Endpoint(subject=requests.CHANGE, request=requests.ChangeAccount, handler=on_account),
        Endpoint(subject=requests.INVITE, request=requests.InviteMember, handler=commands.invite),
        Endpoint(subject=requests.INVITATION, request=requests.ShowInvitation, handler=queries.invitation),
        Endpoint(subject=requests.ACCEPT, request=requests.AcceptInvitation, handler=commands.accept),
        Endpoint(subject=requests.WITHDRAW, request=requests.WithdrawInvitation, handler=on_account),
        Endpoint(subject=requests.CHANGE_ROLE, request=requests.ChangeRole, handler=on_account),
        Endpoint(subject=requests.REMOVE, request=requests.RemoveMember, handler=on_account),
        Endpoint(subject=requests.LIST, request=requests.ListAccounts, handler=queries.accounts),
        Endpoint(subject=requests.PEOPLE, request=requests.ListPeople, handler=queries.people),
        Endpoint(subject=requests.WHOAMI, request=requests.WhoAmI, handler=queries.whoami),
        Endpoint(
            subject=requests.PERMISSIONS, request=requests.EffectivePermissions, handler=queries.permissions
        ),
        Endpoint(subject=requests.APPOINT, request=requests.AppointPerson, handler=commands.appoint),
        Endpoint(subject=requests.DISMISS, request=requests.DismissPerson, handler=commands.dismiss),
        Endpoint(subject=requests.LINK, request=requests.LinkPerson, handler=commands.link),
        Endpoint(
            subject=requests.CHANGE_PERSON, request=requests.ChangePerson, handler=commands.change_person
        ),
        Endpoint(subject=requests.STOP_MAIL, request=requests.StopMail, handler=commands.stop_mail),
        Endpoint(
            subject=requests.CREATE_CREDENTIAL, request=requests.CreateCredential, handler=on_credential
        ),
        Endpoint(
            subject=requests.REVOKE_CREDENTIAL, request=requests.RevokeCredential, handler=on_credential
        ),
        Endpoint(
            subject=requests.LIST_CREDENTIALS, request=requests.ListCredentials, handler=queries.credentials
        ),
    ]
