"""The contract of the ticket service: its events, requests and refusals."""
