"""Signature Version 4: read who claims to have signed a request, and check that they did.

    claim      the credential in the Authorization header, parsed narrowly
    canonical  the canonical request: the one text that signer and verifier agree on
    verify     scope, time and signature
    sign       the other direction, for tests and tools

Presigned URLs, signed chunks and SigV4A each get a file of their own beside these.
Source: AWS General Reference, "Signature Version 4 signing process"; facts/sigv4.md.
"""
