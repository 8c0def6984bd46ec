"""Signed links that one service makes and another one honours."""
