"""Accounts, people, roles, and the credentials of other systems."""
