"""The audit trail: append-only segments whose records are chained, digests that sign them, a search, followers.

It knows nothing of what a record means but the members that
CloudTrail gives it.
"""
