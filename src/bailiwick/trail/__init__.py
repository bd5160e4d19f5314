"""The audit trail: append-only segments whose records are chained, digests that sign them, a search, followers.

It lies in files or in the database (shelf.py). It knows nothing of what a record means but the members that
CloudTrail gives it.
"""
