"""The agent of a host, `bailiwick agent`: it joins once, keeps credentials fresh, and serves them to programs.

    state      what it keeps on disk: the host's key, where it joined, credentials
    client     what it asks of the server, signed with the key
    keeper     the instance and its credentials, kept fresh
    tokens     session tokens of the metadata service
    metadata   the metadata service (IMDSv2)
    containers the container credential endpoint
    programs   which local program gets which profile
    front      HTTP: who may connect, limits, hop limit
    command    the command line

It imports none of the server: of the rest of the house only core, and files.py beside it.
"""
