"""LDAP as values: encodings, names, filters, messages (RFC 4511, 4514, 4515). Sockets are in federation/ldap/."""
