"""An account's identities and policies, taken in from the JSON of `aws iam get-account-authorization-details`."""
