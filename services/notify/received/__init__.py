"""Reading e-mails that came in: who sent them, to what they belong, what in them is new. Pure but for DNS."""
