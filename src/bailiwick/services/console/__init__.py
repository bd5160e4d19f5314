"""The console: pages on which people do with the mouse what the API does, with their own rights and no others."""
