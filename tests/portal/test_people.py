"""The people of an account, invitations, one's own profile, and the end of e-mails: over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from contracts.access import requests
from contracts.access.people import person_id
from contracts.client import call
from services.embedded.key_files import key_file
from services.links.mail import MailTokens, read_key
from tests.portal.filling import fields_of, send
from tests.portal.system import ACME, ANNA, JAMES, OLIVIA, System, member, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOVA = "nova-bookings"


def somebody() -> str:
    """An address that nobody has used."""
    return f"{new_id()[:10]}@acme-clinic.example"


async def invited(system: System, email: str, *, account: str = ACME, by: str = ANNA) -> str:
    """The address in the invitation's e-mail."""
    ask = requests.InviteMember(command_id=new_id(), account=account, actor=member(by), email=email)
    answer = await call(system.cli, requests.INVITE, ask, requests.InvitationSent)
    await system.access_has_heard(answer.position)
    return f"/invitation?token={quote(answer.token)}"


async def mail_link(system: System, email: str) -> str:
    """The address in every e-mail about tickets."""
    key = read_key(key_file(system.directory / "keys", "CASETRAIL_LINK_KEY_FILE"))
    return f"/mail/stop?token={quote(MailTokens(key).token(person_id(email)), safe='')}"


async def wish(system: System, email: str) -> Any:
    asked = requests.WhoAmI(actor=member(email))
    return (await call(system.cli, requests.WHOAMI, asked, requests.Person)).mail


async def wished(system: System, email: str, tickets: str, *, own: bool = False) -> None:
    """Returns once the access service says that this is wished: its answer may be a moment behind."""
    async with asyncio.timeout(10):
        while True:
            found = await wish(system, email)
            if found is not None and (found.tickets, found.own) == (tickets, own):
                return
            await asyncio.sleep(0.02)  # the service is asked: nothing here could wake us


async def test_an_administrator_invites_and_withdraws(system: System) -> None:
    anna, email = await system.browser(ANNA), somebody()
    page = await send(anna, await anna.get("/people/invite"), "/people/invite", {"email": email})
    assert urlsplit(str(page.url)).path == "/people"
    assert "The invitation is on its way." in page.text
    assert email in page.text
    withdraw = re.search(rf'href="(/people/{person_id(email)}/withdraw)', page.text)
    assert withdraw is not None
    asked = await anna.get(withdraw[1])
    assert email in (await anna.get("/people")).text
    gone = await send(anna, asked, withdraw[1])
    assert "The invitation was withdrawn." in gone.text
    assert email not in gone.text
    assert (await anna.get(withdraw[1])).status_code == 404


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"email": ""}, "Enter the e-mail address of the person."),
        ({"email": "nobody"}, "E-mail address: must be an e-mail address, such as jan@example.com."),
        ({"email": "a@b.example", "role": "owner"}, "Choose what the person may do."),
        ({"email": JAMES}, "This person is a member of Acme Clinic already."),
    ],
)
async def test_who_cannot_be_invited_is_told(system: System, typed: dict[str, str], said: str) -> None:
    anna = await system.browser(ANNA)
    page = await send(anna, await anna.get("/people/invite"), "/people/invite", typed)
    assert page.status_code == 422
    assert said in page.text
    assert fields_of(page, "/people/invite")["email"] == [typed["email"]]


async def test_members_see_who_is_there_and_change_nothing(system: System) -> None:
    james = await system.browser(JAMES)
    page = await james.get("/people")
    assert "Anna Kowalska" in page.text
    assert "Invite somebody" not in page.text
    anna = person_id(ANNA)
    for address in ("/people/invite", f"/people/{anna}/role", f"/people/{anna}/remove"):
        assert (await james.get(address)).status_code == 403
        assert (await james.post(address, data={"role": "member", "email": "a@b.example"})).status_code == 403
    olivia = await system.browser(OLIVIA)
    elsewhere = await olivia.get("/people", params={"account": ACME})
    assert "Anna Kowalska" not in elsewhere.text
    assert (await olivia.get(f"/people/{anna}/role", params={"account": ACME})).status_code == 404


async def test_roles_are_changed_and_the_last_administrator_stays(system: System) -> None:
    olivia, email = await system.browser(OLIVIA), somebody()
    person = await system.join(email, NOVA, invited_by=OLIVIA)
    own = person_id(OLIVIA)
    for what, typed in (("role", {"role": "member"}), ("remove", {})):
        refused = await send(
            olivia, await olivia.get(f"/people/{own}/{what}"), f"/people/{own}/{what}", typed
        )
        assert refused.status_code in {409, 422}
        assert "This is the last administrator of Nova Bookings." in refused.text
    role = f"/people/{person}/role"
    changed = await send(olivia, await olivia.get(role), role, {"role": "admin"})
    assert "The role was changed." in changed.text
    newcomer = await system.browser(email)
    assert "Invite somebody" in (await newcomer.get("/people")).text
    remove = f"/people/{person}/remove"
    removed = await send(olivia, await olivia.get(remove), remove)
    assert "has no access from now on" in removed.text
    assert (await newcomer.get("/people/invite")).status_code == 403
    assert "You have no access to an account yet" in (await newcomer.get("/people")).text


async def test_an_invitation_is_accepted_by_whom_it_is_for(system: System) -> None:
    email = somebody()
    link = await invited(system, email)
    stranger = await system.browser()
    page = await stranger.get(link)
    assert "Join Acme Clinic" in page.text
    assert "Sign in and accept" in page.text
    assert quote(f"{link.partition('=')[0]}=", safe="") in page.text  # comes back to the same link
    olivia = await system.browser(OLIVIA)
    other = await olivia.get(link)
    assert "You are signed in with another address" in other.text
    refused = await olivia.post(link, data={"command_id": new_id()})
    assert refused.status_code == 409
    assert "This invitation is for another e-mail address" in refused.text
    newcomer = await system.browser(email)
    asked = await newcomer.get(link)
    tickets = await send(newcomer, asked, "/invitation")
    assert urlsplit(str(tickets.url)).path == "/tickets"
    assert "Acme Clinic" in tickets.text
    again = await newcomer.get(link)
    assert "This invitation was accepted already" in again.text
    assert "You have access to this account." in again.text


async def test_invitations_that_are_good_for_nothing_say_why(system: System) -> None:
    email = somebody()
    first = await invited(system, email)
    second = await invited(system, email)
    newcomer = await system.browser(email)
    assert "There is a newer invitation" in (await newcomer.get(first)).text
    late = await newcomer.post(first, data={"command_id": new_id()})
    assert late.status_code == 409
    anna = await system.browser(ANNA)
    withdraw = f"/people/{person_id(email)}/withdraw"
    await send(anna, await anna.get(withdraw), withdraw)
    assert "This invitation was withdrawn" in (await newcomer.get(second)).text
    for token in ("", "x", "ł", "x" * 600):
        for answer in (
            await newcomer.get("/invitation", params={"token": token}),
            await newcomer.post(f"/invitation?token={quote(token)}", data={}),
        ):
            assert answer.status_code == 404
            assert "This invitation is not valid" in answer.text


async def test_a_profile_has_a_name_a_language_and_wishes(system: System) -> None:
    email = somebody()
    await system.join(email, ACME)
    browser = await system.browser(email)
    first = await browser.post("/profile", data={"name": "  Ewa Łoś ", "language": "pl"})
    assert '<html lang="pl"' in first.text
    assert "Dane i język są zapisane." in first.text
    assert "Ewa Łoś" in first.text
    mail = await browser.post("/profile", data={"mail": "1", "tickets": "mine", "own": "yes"})
    assert "Wybór wiadomości jest zapisany." in mail.text
    await wished(system, email, "mine", own=True)
    again = await browser.post("/profile", data={"mail": "1", "tickets": "mine", "own": "yes"})
    assert again.status_code == 200
    for typed, said in (
        ({"name": "x" * 500, "language": "pl"}, "jest dłuższe niż"),
        ({"name": "Ewa", "language": "xx"}, "Wybierz język."),
    ):
        wrong = await browser.post("/profile", data=typed)
        assert wrong.status_code == 422
        assert said in wrong.text
    assert (await browser.post("/profile", data={"mail": "1", "tickets": "some"})).status_code == 422
    assert (await wish(system, email)).tickets == "mine"


async def test_one_signs_out_elsewhere_and_stays_signed_in_here(system: System) -> None:
    email = somebody()
    await system.join(email, ACME)
    here, there, further = [await system.browser(email) for _ in range(3)]
    page = await here.get("/profile")
    names = re.findall(r'name="session" value="([0-9a-f]{64})"', page.text)
    assert len(names) == 2
    page = await here.post("/profile", data={"session": names[0]})
    assert len(re.findall(r'name="session" value="([0-9a-f]{64})"', page.text)) == 1
    page = await here.post("/profile", data={"session": "others"})
    assert "You are signed in nowhere else." in page.text
    for browser in (there, further):
        browser.follow_redirects = False
        assert (await browser.get("/tickets")).status_code == 303
    james, also_james = await system.browser(JAMES), await system.browser(JAMES)
    theirs = re.findall(r'name="session" value="([0-9a-f]{64})"', (await james.get("/profile")).text)
    assert theirs
    for name in theirs:  # of somebody else: nothing happens
        assert (await here.post("/profile", data={"session": name})).status_code == 200
    also_james.follow_redirects = False
    assert (await also_james.get("/tickets")).status_code == 200


async def test_the_link_in_an_email_asks_before_it_stops_them(system: System) -> None:
    email = somebody()
    await system.join(email, ACME)
    link, stranger = await mail_link(system, email), await system.browser()
    asked = await stranger.get(link)
    assert "No more e-mails about tickets?" in asked.text
    assert await wish(system, email) is None
    done = await send(stranger, asked, "/mail/stop")
    assert f"Nothing about tickets is sent to {email} any more." in done.text
    await wished(system, email, "none")
    void = await stranger.post("/mail/stop?token=x", data={})
    assert void.status_code == 404
    assert "This link is not valid" in void.text


@pytest.mark.parametrize("how", [{"data": {"List-Unsubscribe": "One-Click"}}, {"files": {}}])
async def test_a_mail_program_stops_them_with_one_click(system: System, how: dict[str, Any]) -> None:
    """RFC 8058: without cookies, from nowhere, as a form of either kind."""
    email = somebody()
    await system.join(email, ACME)
    if "files" in how:
        how = {"files": [("List-Unsubscribe", (None, b"One-Click"))]}
    program = await system.browser(own_page=False)
    answer = await program.post(await mail_link(system, email), **how)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    await wished(system, email, "none")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"List-Unsubscribe": "Two-Clicks"},
        {"List-Unsubscribe": "One-Click", "more": "1"},
        {"list-unsubscribe": "One-Click"},
    ],
)
async def test_nothing_else_is_taken_from_elsewhere(system: System, body: dict[str, str]) -> None:
    email = somebody()
    await system.join(email, ACME)
    program = await system.browser(own_page=False)
    answer = await program.post(await mail_link(system, email), data=body)
    assert answer.status_code == 403
    assert await wish(system, email) is None
