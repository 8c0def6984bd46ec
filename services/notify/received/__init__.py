"""What belongs to answers by e-mail."""
