"""The door for people: sign-in pages, second factors, federation, switching roles, one's own credentials."""
