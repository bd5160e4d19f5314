"""Tools that read policies for people: evaluate, test, check, compare. Pure, but for the table of actions."""
