"""Pure functions over values: no socket, file, clock, entropy or thread lives here."""
