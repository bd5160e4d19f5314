"""The services: one folder each. ALL is the only list of them."""
