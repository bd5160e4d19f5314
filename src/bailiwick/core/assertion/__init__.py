"""Assertions of identity providers: verified against given keys, at a given time. Pure, as all of the core."""
