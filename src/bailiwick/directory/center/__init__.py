"""IAM Identity Center as it is kept: people and groups, permission sets, who is assigned what where, sign-ins.

Four services meet here: identitystore and sso-admin, by which it is administered, sso-oidc and sso, by which people
come in. Source: facts/signin.md sections 6 to 9.
"""
