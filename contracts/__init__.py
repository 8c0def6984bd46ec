"""What goes over the wire between Casetrail's services and to other systems.

Models, subject names, error codes and a small client, and nothing else: this package imports nothing
of the services, and a subscriber may install it alone (`casetrail-contracts`).

The rules of evolution:

- an event type tag (`casetrail.ticket.opened.v1`) is never renamed and never reused;
- a published event model only grows, by optional fields; a changed shape is a new tag, `.v2`;
- a reader of events ignores fields it does not know, a reader of requests refuses them;
- every version ever published keeps a golden sample in `contracts/golden/` that must stay readable.
"""
