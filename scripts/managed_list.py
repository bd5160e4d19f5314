"""The AWS managed policies that are here: by name, what each is for and what ours allows (see managed_spec.py)."""

from __future__ import annotations

from typing import Any

from managed_spec import allow, audits, deny, full, linking, lists, passing, reads

# Default versions that are not v1, where the facts say (facts/iam.md section 7; recorded 2026).
VERSIONS = {
    "/ReadOnlyAccess": 188,
    "/SecurityAudit": 92,
    "/job-function/ViewOnlyAccess": 45,
    "/IAMUserChangePassword": 5,
    "/SignInLocalDevelopmentAccess": 3,
    "/job-function/SystemAdministrator": 12,
    "/AmazonS3FullAccess": 2,
    "/AWSLambdaExecute": 4,
    "/service-role/AmazonElasticMapReduceRole": 10,
    "/service-role/AmazonElasticMapReduceforEC2Role": 3,
}

# When AWS made them, and when their default version, where that is known (reference pages; recordings).
DATES = {
    "/AdministratorAccess": ("2015-02-06T18:39:46Z", "2015-02-06T18:39:46Z"),
    "/PowerUserAccess": ("2015-02-06T18:39:47Z", "2023-07-06T22:04:00Z"),
    "/ReadOnlyAccess": ("2015-02-06T18:39:48Z", "2026-08-01T00:00:00Z"),
    "/SecurityAudit": ("2015-02-06T18:41:01Z", "2026-08-01T00:00:00Z"),
    "/job-function/ViewOnlyAccess": ("2016-11-10T17:20:15Z", "2026-08-01T00:00:00Z"),
    "/IAMFullAccess": ("2015-02-06T18:40:38Z", "2019-06-21T19:40:00Z"),
    "/IAMReadOnlyAccess": ("2015-02-06T18:40:39Z", "2018-01-25T19:11:27Z"),
    "/IAMUserChangePassword": ("2016-11-15T00:25:16Z", "2016-11-15T23:18:55Z"),
    "/AmazonS3FullAccess": ("2015-02-06T18:40:58Z", "2021-09-27T20:16:37Z"),
    "/AmazonEC2FullAccess": ("2015-02-06T18:40:15Z", "2018-11-27T02:16:56Z"),
    "/service-role/AWSLambdaBasicExecutionRole": ("2015-04-09T15:03:43Z", "2015-04-09T15:03:43Z"),
    "/job-function/SystemAdministrator": ("2016-11-10T17:54:50Z", "2024-01-01T00:00:00Z"),
}

_SELF = ["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}"]
_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_ORGANIZATION = (
    *(
        "organizations:DescribeAccount",
        "organizations:DescribeOrganization",
        "organizations:DescribeOrganizationalUnit",
    ),
    *("organizations:DescribePolicy", "organizations:ListChildren", "organizations:ListParents"),
    *("organizations:ListPolicies", "organizations:ListPoliciesForTarget", "organizations:ListRoots"),
    "organizations:ListTargetsForPolicy",
)
_ROOT_AUDIT = (
    *("iam:ListAccessKeys", "iam:ListSigningCertificates", "iam:GetLoginProfile", "iam:ListMFADevices"),
    *("iam:GetAccountSummary", "iam:GetUser", "iam:GetAccessKeyLastUsed"),
)
_NETWORK = (
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
)
_QUARANTINE = (
    *("iam:AddUserToGroup", "iam:Attach*", "iam:ChangePassword", "iam:Create*", "iam:PassRole", "iam:Put*"),
    *("iam:UpdateAccessKey", "iam:UpdateAssumeRolePolicy", "iam:UpdateLoginProfile", "iam:UpdateUser"),
    *("ec2:RequestSpotInstances", "ec2:RunInstances", "ec2:StartInstances", "lambda:CreateFunction"),
    *(
        "lightsail:Create*",
        "lightsail:Delete*",
        "lightsail:GetInstanceAccessDetails",
        "organizations:CreateAccount",
    ),
    *("organizations:CreateOrganization", "organizations:InviteAccountToOrganization", "sts:GetFederationToken"),
)


def _only(*actions: str) -> list[dict[str, Any]]:
    """For a session of a member account's root user: nothing but these."""
    return [{"Sid": "NothingElse", "Effect": "Deny", "NotAction": list(actions), "Resource": "*"}]


def _pair(
    name: str, what: str, *services: str, read: str = "ReadOnlyAccess", full_name: str = "FullAccess"
) -> None:
    POLICIES[f"/{name}{full_name}"] = (f"Full access to {what}.", [full(*services)])
    POLICIES[f"/{name}{read}"] = (f"Read only access to {what}.", [allow(*reads(*services))])


# path and name -> (description, statements)
POLICIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "/AdministratorAccess": ("Provides full access to AWS services and resources.", [allow("*")]),
    "/PowerUserAccess": (
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        [
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            allow(
                *("account:GetAccountInformation", "account:GetPrimaryEmail", "account:ListRegions"),
                *("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"),
                *("organizations:DescribeEffectivePolicy", "organizations:DescribeOrganization"),
            ),
        ],
    ),
    "/ReadOnlyAccess": (
        "Reads everything, content too, but nothing that opens more: no secrets, sessions or passwords.",
        [allow(*reads())],
    ),
    "/SecurityAudit": (
        "Reads how everything is set up, for an audit; not what is kept in it.",
        [allow(*audits())],
    ),
    "/job-function/ViewOnlyAccess": ("Lists and describes what there is, without its content.", [allow(*lists())]),
    "/IAMFullAccess": ("Provides full access to IAM.", [allow("iam:*", *_ORGANIZATION)]),
    "/IAMReadOnlyAccess": (
        "Provides read only access to IAM.",
        [
            allow(
                *(
                    "iam:GenerateCredentialReport",
                    "iam:GenerateServiceLastAccessedDetails",
                    "iam:Get*",
                    "iam:List*",
                ),
                *("iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy"),
            )
        ],
    ),
    "/IAMUserChangePassword": (
        "Provides the ability for an IAM user to change their own password.",
        [allow("iam:ChangePassword", on=_SELF), allow("iam:GetAccountPasswordPolicy")],
    ),
    "/IAMUserSSHKeys": (
        "A user manages her own SSH public keys.",
        [
            allow(
                *("iam:DeleteSSHPublicKey", "iam:GetSSHPublicKey", "iam:ListSSHPublicKeys"),
                *("iam:UpdateSSHPublicKey", "iam:UploadSSHPublicKey"),
                on=_SELF,
            )
        ],
    ),
    "/IAMSelfManageServiceSpecificCredentials": (
        "A user manages her own service-specific credentials.",
        [
            allow(
                *("iam:CreateServiceSpecificCredential", "iam:DeleteServiceSpecificCredential"),
                *("iam:ListServiceSpecificCredentials", "iam:ResetServiceSpecificCredential"),
                "iam:UpdateServiceSpecificCredential",
                on=_SELF,
            )
        ],
    ),
    "/IAMAccessAdvisorReadOnly": (
        "Reads what was last used, of principals, policies and the organization.",
        [
            allow(
                *("iam:GenerateOrganizationsAccessReport", "iam:GenerateServiceLastAccessedDetails"),
                *("iam:GetAccountSummary", "iam:GetGroup", "iam:GetOrganizationsAccessReport", "iam:GetPolicy"),
                *("iam:GetPolicyVersion", "iam:GetRole", "iam:GetServiceLastAccessedDetails"),
                *("iam:GetServiceLastAccessedDetailsWithEntities", "iam:GetUser", "iam:ListEntitiesForPolicy"),
                *("iam:ListGroups", "iam:ListPolicies", "iam:ListPoliciesGrantingServiceAccess", "iam:ListRoles"),
                *("iam:ListUsers", *_ORGANIZATION),
            )
        ],
    ),
    "/AWSDenyAll": ("Denies all access.", [deny("*") | {"Sid": "DenyAll"}]),
    "/AWSCompromisedKeyQuarantineV2": (
        "Denies what a stolen access key is mostly used for. To be attached to a user whose key has become public.",
        [deny(*_QUARANTINE)],
    ),
    "/AWSCompromisedKeyQuarantineV3": (
        "Denies what a stolen access key is mostly used for, deletion and mail included.",
        [
            deny(
                *_QUARANTINE,
                "s3:Delete*",
                "s3:PutLifecycleConfiguration",
                "ses:SendEmail",
                "sns:Publish",
                "bedrock:Invoke*",
            )
        ],
    ),
    "/SignInLocalDevelopmentAccess": (
        "Lets `aws login` sign a person in on her own machine.",
        [
            allow(
                *("signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"),
                on="arn:aws:signin:*:*:oauth2/public-client/*",
            )
        ],
    ),
    "/AWSManagementConsoleBasicUserAccess": (
        "The least that a person needs to find her way in the console.",
        [
            allow(
                "account:ListRegions",
                "iam:ListAccountAliases",
                "signin:ListTrustedIdentityPropagationApplicationsForConsole",
            )
        ],
    ),
    # -- Job functions ------------------------------------------------------------------------------------
    "/job-function/Billing": (
        "Sees and pays bills, and manages budgets and payment methods.",
        [
            full(
                *(
                    "billing",
                    "budgets",
                    "ce",
                    "cur",
                    "invoicing",
                    "payments",
                    "tax",
                    "freetier",
                    "consolidatedbilling",
                )
            ),
            allow("account:GetAccountInformation", "purchase-orders:*", "pricing:*", "cost-optimization-hub:*"),
        ],
    ),
    "/job-function/DatabaseAdministrator": (
        "Sets up, configures and maintains databases.",
        [
            full("rds", "dynamodb", "redshift", "elasticache", "docdb-elastic", "memorydb", "dax", "pi"),
            allow(
                *("cloudwatch:*", "logs:*", "sns:*", "lambda:*", "datapipeline:*", "kinesis:*", "s3:CreateBucket"),
                *(
                    "ec2:Describe*",
                    "iam:GetRole",
                    "iam:ListRoles",
                    "kms:DescribeKey",
                    "kms:ListAliases",
                    "kms:ListKeys",
                ),
            ),
            passing("rds", "monitoring.rds", "redshift", "dax", "lambda", role="arn:aws:iam::*:role/rdbms-*"),
        ],
    ),
    "/job-function/DataScientist": (
        "Runs queries, and trains and runs models.",
        [
            full(
                "athena",
                "elasticmapreduce",
                "glue",
                "kinesis",
                "kinesisanalytics",
                "machinelearning",
                "redshift",
                "sagemaker",
            ),
            allow(
                *("cloudformation:*", "cloudwatch:*", "dynamodb:*", "datapipeline:*", "firehose:*", "lambda:*"),
                *("logs:*", "rds:*", "sns:*", "s3:CreateBucket", "s3:Get*", "s3:List*", "s3:PutObject"),
                *("ec2:Describe*", "ec2:RunInstances", "ec2:TerminateInstances", "iam:GetRole", "iam:ListRoles"),
            ),
            passing("sagemaker", "elasticmapreduce", "ec2", "lambda", role="arn:aws:iam::*:role/*DataScience*"),
        ],
    ),
    "/job-function/NetworkAdministrator": (
        "Sets up and configures the network.",
        [
            full(
                "directconnect",
                "elasticloadbalancing",
                "route53",
                "route53domains",
                "route53resolver",
                "networkmanager",
            ),
            allow(
                *("autoscaling:Describe*", "cloudfront:ListDistributions", "cloudwatch:*", "logs:*", "sns:*"),
                *(
                    "ec2:*Address*",
                    "ec2:*Dhcp*",
                    "ec2:*Gateway*",
                    "ec2:*Network*",
                    "ec2:*PrefixList*",
                    "ec2:*Route*",
                ),
                *("ec2:*SecurityGroup*", "ec2:*Subnet*", "ec2:*TransitGateway*", "ec2:*Vpc*", "ec2:*Vpn*"),
                *("ec2:*FlowLogs*", "ec2:CreateTags", "ec2:DeleteTags", "ec2:Describe*", "ec2:*CustomerGateway*"),
                *("iam:GetRole", "iam:ListRoles", "network-firewall:*"),
            ),
            passing("vpc-flow-logs", role="arn:aws:iam::*:role/flow-logs-*"),
        ],
    ),
    "/job-function/SupportUser": (
        "Looks into trouble in an account and opens cases with AWS Support.",
        [full("support", "trustedadvisor"), allow(*lists())],
    ),
    "/job-function/SystemAdministrator": (
        "Grants full access permissions necessary for resources required for application and "
        "development operations.",
        [
            full(
                *(
                    "autoscaling",
                    "cloudwatch",
                    "codedeploy",
                    "codepipeline",
                    "config",
                    "ds",
                    "ec2",
                    "elasticloadbalancing",
                )
            ),
            full(*("events", "logs", "route53", "route53domains", "s3", "ses", "sns", "sqs", "trustedadvisor")),
            allow(
                *(
                    "acm:Describe*",
                    "acm:Get*",
                    "acm:List*",
                    "acm:Request*",
                    "cloudtrail:*Logging",
                    "cloudtrail:Describe*",
                ),
                *("cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents", "codecommit:*", "iam:Get*"),
                *(
                    "iam:List*",
                    "iam:Simulate*",
                    "kms:CreateAlias",
                    "kms:CreateKey",
                    "kms:DeleteAlias",
                    "kms:Describe*",
                ),
                *(
                    "kms:Encrypt",
                    "kms:GenerateRandom",
                    "kms:Get*",
                    "kms:List*",
                    "kms:ReEncrypt*",
                    "lambda:*",
                    "rds:Describe*",
                ),
            ),
            passing("ec2", "rds", "ecs-tasks", "lambda", role="arn:aws:iam::*:role/*sysadmin*"),
        ],
    ),
    "/job-function/AWSManagementConsoleAdministratorAccess": (
        "Administers the settings of the console itself.",
        [full("uxc", "signin"), allow("account:ListRegions", "iam:ListAccountAliases")],
    ),
    # -- Root tasks: for sessions of AssumeRoot ---------------------------------------------------------------
    "/root-task/IAMAuditRootUserCredentials": ("See what credentials a root user has.", _only(*_ROOT_AUDIT)),
    "/root-task/IAMCreateRootUserPassword": (
        "Let a root user have a password again.",
        _only("iam:CreateLoginProfile", "iam:GetLoginProfile"),
    ),
    "/root-task/IAMDeleteRootUserCredentials": (
        "Take a root user's credentials away.",
        _only(
            *(
                "iam:DeleteAccessKey",
                "iam:DeleteSigningCertificate",
                "iam:DeleteLoginProfile",
                "iam:DeactivateMFADevice",
            ),
            *("iam:DeleteVirtualMFADevice", *_ROOT_AUDIT),
        ),
    ),
    "/root-task/S3UnlockBucketPolicy": (
        "Remove a bucket policy that locks everyone out.",
        _only("s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:ListAllMyBuckets"),
    ),
    "/root-task/SQSUnlockQueuePolicy": (
        "Remove a queue policy that locks everyone out.",
        _only("sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ListQueues", "sqs:GetQueueUrl"),
    ),
    # -- Keys, secrets, identity ------------------------------------------------------------------------------
    "/AWSKeyManagementServicePowerUser": (
        "Uses and makes KMS keys, but does not administer those that there are.",
        [
            allow(
                *("iam:ListGroups", "iam:ListRoles", "iam:ListUsers", "kms:CreateAlias", "kms:CreateKey"),
                *("kms:DeleteAlias", "kms:Describe*", "kms:GenerateRandom", "kms:Get*", "kms:List*"),
                *("kms:TagResource", "kms:UntagResource"),
            )
        ],
    ),
    "/ROSAKMSProviderPolicy": (
        "Red Hat OpenShift encrypts its cluster state with KMS keys that are marked for it.",
        [
            allow(
                *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"),
                when={"StringEquals": {"aws:ResourceTag/red-hat": "true"}},
            )
        ],
    ),
    "/SecretsManagerReadWrite": (
        "Full access to Secrets Manager, and what its console needs of other services.",
        [
            full("secretsmanager"),
            allow(
                *(
                    "cloudformation:CreateChangeSet",
                    "cloudformation:DescribeChangeSet",
                    "cloudformation:DescribeStacks",
                ),
                *(
                    "cloudformation:ExecuteChangeSet",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ),
                *(
                    "kms:DescribeKey",
                    "kms:ListAliases",
                    "kms:ListKeys",
                    "lambda:ListFunctions",
                    "rds:DescribeDBClusters",
                ),
                *("rds:DescribeDBInstances", "redshift:DescribeClusters", "tag:GetResources"),
            ),
        ],
    ),
    "/AWSOrganizationsFullAccess": (
        "Full access to AWS Organizations.",
        [
            allow(
                "organizations:*",
                "account:*AlternateContact",
                "account:GetContactInformation",
                "account:ListRegions",
            ),
            linking("organizations"),
        ],
    ),
    "/AWSOrganizationsReadOnlyAccess": (
        "Read only access to AWS Organizations.",
        [
            allow(
                "organizations:Describe*",
                "organizations:List*",
                "account:GetAlternateContact",
                "account:ListRegions",
            )
        ],
    ),
    "/AWSSSOMasterAccountAdministrator": (
        "Administers IAM Identity Center in the management account.",
        [
            full("sso", "sso-directory", "identitystore", "identity-sync"),
            allow(
                *_ORGANIZATION,
                "organizations:EnableAWSServiceAccess",
                "organizations:ListAccounts",
                "iam:ListPolicies",
            ),
            linking("sso"),
        ],
    ),
    "/AWSSSOReadOnly": (
        "Read only access to IAM Identity Center.",
        [allow(*reads("sso", "sso-directory", "identitystore"), *_ORGANIZATION)],
    ),
    "/IAMAccessAnalyzerFullAccess": (
        "Full access to IAM Access Analyzer.",
        [allow("access-analyzer:*", *_ORGANIZATION), linking("access-analyzer")],
    ),
    "/IAMAccessAnalyzerReadOnlyAccess": (
        "Read only access to IAM Access Analyzer.",
        [allow(*reads("access-analyzer"), "access-analyzer:CheckAccessNotGranted", "access-analyzer:CheckNo*")],
    ),
    "/AWSCloudTrail_FullAccess": (
        "Full access to CloudTrail, with the buckets, topics and log groups that it writes to.",
        [
            full("cloudtrail"),
            allow(
                *(
                    "s3:CreateBucket",
                    "s3:PutBucketPolicy",
                    "s3:ListAllMyBuckets",
                    "s3:GetBucketLocation",
                    "s3:GetBucketPolicy",
                ),
                *("sns:CreateTopic", "sns:SetTopicAttributes", "sns:GetTopicAttributes", "sns:ListTopics"),
                *(
                    "logs:CreateLogGroup",
                    "logs:DescribeLogGroups",
                    "kms:CreateAlias",
                    "kms:CreateKey",
                    "kms:ListAliases",
                ),
                *("kms:ListKeys", "iam:GetRole", "iam:ListRoles"),
            ),
            passing("cloudtrail"),
        ],
    ),
    "/AWSCloudTrail_ReadOnlyAccess": (
        "Read only access to CloudTrail.",
        [allow("cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents")],
    ),
    "/AWSSupportAccess": ("Opens and manages cases with AWS Support.", [full("support", "supportplans")]),
    "/ResourceGroupsandTagEditorFullAccess": ("Full access to tags.", [full("resource-groups", "tag")]),
    "/ResourceGroupsandTagEditorReadOnlyAccess": ("Reads tags.", [allow(*reads("resource-groups", "tag"))]),
    "/AutoScalingFullAccess": (
        "Full access to EC2 Auto Scaling.",
        [
            full("autoscaling"),
            allow("cloudwatch:PutMetricAlarm", "ec2:Describe*", "elasticloadbalancing:Describe*"),
            linking("autoscaling"),
        ],
    ),
    "/AutoScalingReadOnlyAccess": ("Reads EC2 Auto Scaling.", [allow("autoscaling:Describe*", "autoscaling:Get*")]),
    "/AmazonEC2FullAccess": (
        "Full access to EC2, its load balancers, scaling and metrics.",
        [
            full("ec2", "elasticloadbalancing", "cloudwatch", "autoscaling"),
            linking("autoscaling", "ec2scheduled", "elasticloadbalancing", "spot", "spotfleet", "transitgateway"),
        ],
    ),
    "/AmazonEC2ReadOnlyAccess": (
        "Read only access to EC2.",
        [
            allow(
                "ec2:Describe*",
                "ec2:GetSecurityGroupsForVpc",
                "elasticloadbalancing:Describe*",
                "autoscaling:Describe*",
            ),
            allow("cloudwatch:Describe*", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics"),
        ],
    ),
    "/AmazonSSMManagedInstanceCore": (
        "An instance is managed by Systems Manager: its agent's calls.",
        [
            allow(
                *("ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance"),
                *(
                    "ssm:GetDocument",
                    "ssm:GetManifest",
                    "ssm:GetParameter",
                    "ssm:GetParameters",
                    "ssm:ListAssociations",
                ),
                *("ssm:ListInstanceAssociations", "ssm:PutComplianceItems", "ssm:PutConfigurePackageResult"),
                *("ssm:PutInventory", "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus"),
                "ssm:UpdateInstanceInformation",
            ),
            full("ssmmessages"),
            allow(
                *("ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage"),
                *("ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply"),
            ),
        ],
    ),
    "/CloudWatchAgentServerPolicy": (
        "What the CloudWatch agent on a server needs.",
        [
            allow(
                *("cloudwatch:PutMetricData", "ec2:DescribeTags", "ec2:DescribeVolumes", "logs:DescribeLogGroups"),
                *("logs:DescribeLogStreams", "logs:PutRetentionPolicy", *_LOGS, "xray:PutTraceSegments"),
                *("xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
            ),
            allow("ssm:GetParameter", on="arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
        ],
    ),
    "/CloudWatchAgentAdminPolicy": (
        "What the CloudWatch agent needs, and to store its configuration.",
        [
            allow(
                "cloudwatch:PutMetricData",
                "ec2:DescribeTags",
                *_LOGS,
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
            ),
            allow("ssm:GetParameter", "ssm:PutParameter", on="arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
        ],
    ),
    "/CloudWatchLogsFullAccess": ("Full access to CloudWatch Logs.", [allow("logs:*", "cloudwatch:GenerateQuery")]),
    "/CloudWatchLogsReadOnlyAccess": (
        "Read only access to CloudWatch Logs.",
        [allow(*reads("logs"), "logs:StopQuery")],
    ),
    "/AmazonEC2ContainerRegistryFullAccess": (
        "Full access to the container registry.",
        [allow("ecr:*", "cloudtrail:LookupEvents"), linking("replication.ecr")],
    ),
    "/AmazonEC2ContainerRegistryPowerUser": (
        "Pulls and pushes images; deletes no repository and changes no policy.",
        [
            allow(
                *(
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:Describe*",
                ),
                *("ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy*"),
                *(
                    "ecr:GetRepositoryPolicy",
                    "ecr:InitiateLayerUpload",
                    "ecr:List*",
                    "ecr:PutImage",
                    "ecr:UploadLayerPart",
                ),
            )
        ],
    ),
    "/AmazonEC2ContainerRegistryReadOnly": (
        "Pulls images.",
        [
            allow(
                *(
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:Describe*",
                    "ecr:GetAuthorizationToken",
                ),
                *("ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy*", "ecr:GetRepositoryPolicy", "ecr:List*"),
            )
        ],
    ),
    "/AmazonEC2ContainerRegistryPullOnly": (
        "Pulls images, and nothing else.",
        [
            allow(
                *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage"),
                *("ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"),
            )
        ],
    ),
    "/AmazonEKSClusterPolicy": (
        "What the control plane of a Kubernetes cluster needs.",
        [
            allow(
                *(
                    "autoscaling:DescribeAutoScalingGroups",
                    "autoscaling:UpdateAutoScalingGroup",
                    "ec2:AttachVolume",
                ),
                *(
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:CreateRoute",
                    "ec2:CreateSecurityGroup",
                    "ec2:CreateTags",
                ),
                *(
                    "ec2:CreateVolume",
                    "ec2:DeleteRoute",
                    "ec2:DeleteSecurityGroup",
                    "ec2:DeleteVolume",
                    "ec2:Describe*",
                ),
                *(
                    "ec2:DetachVolume",
                    "ec2:ModifyInstanceAttribute",
                    "ec2:ModifyVolume",
                    "ec2:RevokeSecurityGroupIngress",
                ),
                *("elasticloadbalancing:*", "kms:DescribeKey"),
            ),
            linking("elasticloadbalancing"),
        ],
    ),
    "/AmazonEKSWorkerNodePolicy": (
        "A node joins its Kubernetes cluster.",
        [allow("ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity")],
    ),
    "/AmazonEKS_CNI_Policy": (
        "The network plugin of Kubernetes manages the addresses of its nodes.",
        [
            allow(
                *("ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface"),
                *("ec2:DeleteNetworkInterface", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes"),
                *(
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeTags",
                    "ec2:DetachNetworkInterface",
                ),
                *("ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses"),
            ),
            allow("ec2:CreateTags", on="arn:aws:ec2:*:*:network-interface/*"),
        ],
    ),
    "/AWSXRayDaemonWriteAccess": (
        "Sends traces to X-Ray.",
        [allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSampling*")],
    ),
    # -- Service roles ----------------------------------------------------------------------------------------
    "/service-role/AWSLambdaBasicExecutionRole": (
        "Provides write permissions to CloudWatch Logs.",
        [allow(*_LOGS)],
    ),
    "/service-role/AmazonS3ObjectLambdaExecutionRolePolicy": (
        "A function answers for Object Lambda, and writes its logs.",
        [allow("s3-object-lambda:WriteGetObjectResponse", *_LOGS)],
    ),
    "/service-role/AWSLambdaVPCAccessExecutionRole": (
        "A function in a network: its interfaces, and its logs.",
        [allow(*_LOGS, *_NETWORK, "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")],
    ),
    "/service-role/AWSLambdaSQSQueueExecutionRole": (
        "A function reads a queue, and writes its logs.",
        [allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS)],
    ),
    "/service-role/AWSLambdaDynamoDBExecutionRole": (
        "A function reads a table's stream, and writes its logs.",
        [
            allow(
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
                *_LOGS,
            )
        ],
    ),
    "/service-role/AWSLambdaKinesisExecutionRole": (
        "A function reads a data stream, and writes its logs.",
        [
            allow(
                *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
                *(
                    "kinesis:GetShardIterator",
                    "kinesis:ListShards",
                    "kinesis:ListStreams",
                    "kinesis:SubscribeToShard",
                ),
                *_LOGS,
            )
        ],
    ),
    "/service-role/AWSLambdaMSKExecutionRole": (
        "A function reads a topic of managed Kafka, and writes its logs.",
        [
            allow(
                *("kafka:DescribeCluster", "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"),
                *_LOGS,
                *_NETWORK,
            )
        ],
    ),
    "/AWSLambdaExecute": (
        "A function reads and writes objects of S3, and writes its logs.",
        [allow("logs:*", on="arn:aws:logs:*:*:*"), allow("s3:GetObject", "s3:PutObject", on="arn:aws:s3:::*")],
    ),
    "/service-role/AmazonSNSRole": ("A topic's deliveries are logged.", [allow(*_LOGS, "logs:PutMetricFilter")]),
    "/service-role/AmazonElasticMapReduceRole": (
        "EMR runs clusters: instances and their networks, its own roles passed to them, logs and data in S3.",
        [
            allow(
                *("ec2:AuthorizeSecurityGroup*", "ec2:CancelSpotInstanceRequests", "ec2:CreateFleet"),
                *("ec2:CreateLaunchTemplate*", "ec2:CreateNetworkInterface", "ec2:CreateSecurityGroup"),
                *("ec2:CreateTags", "ec2:DeleteLaunchTemplate", "ec2:DeleteNetworkInterface"),
                *("ec2:DeleteSecurityGroup", "ec2:DeleteTags", "ec2:DeleteVolume", "ec2:Describe*"),
                *("ec2:DetachNetworkInterface", "ec2:DetachVolume", "ec2:ModifyImageAttribute"),
                *("ec2:ModifyInstanceAttribute", "ec2:RequestSpotInstances", "ec2:RevokeSecurityGroupEgress"),
                *("ec2:RunInstances", "ec2:TerminateInstances", "iam:GetRole", "iam:GetRolePolicy"),
                *("iam:ListInstanceProfiles", "iam:ListRolePolicies", "s3:CreateBucket", "s3:Get*", "s3:List*"),
                *("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"),
                *("application-autoscaling:DeleteScalingPolicy", "application-autoscaling:Describe*"),
                *("application-autoscaling:PutScalingPolicy", "application-autoscaling:*ScalableTarget"),
                *("sqs:CreateQueue", "sqs:DeleteMessage*", "sqs:DeleteQueue", "sqs:GetQueue*"),
                *("sqs:PurgeQueue", "sqs:ReceiveMessage"),
            ),
            passing("ec2", "application-autoscaling"),
        ],
    ),
    "/service-role/AmazonElasticMapReduceforEC2Role": (
        "An instance is a member of an EMR cluster: its data, its tables, its metrics.",
        [
            allow(
                *("cloudwatch:*", "dynamodb:*", "ec2:Describe*", "elasticmapreduce:Describe*", "glue:*Database*"),
                *("elasticmapreduce:List*", "glue:*Partition*", "glue:*Table*", "glue:*UserDefinedFunction*"),
                *("kinesis:*", "rds:Describe*", "s3:*", "sns:*", "sqs:*"),
            )
        ],
    ),
    "/service-role/AWSControlTowerServiceRolePolicy": (
        "Control Tower sets up accounts: stack sets, trails, configuration, and roles of its own to act in them.",
        [
            allow(
                *("cloudformation:*Stack*", "cloudtrail:*Trail*", "cloudtrail:*Logging", "config:*Aggregat*"),
                *("config:*ConfigurationRecorder*", "ec2:DescribeAvailabilityZones", "iam:GetRole"),
                *("iam:GetUser", "iam:ListAttachedRolePolicies", "logs:*LogGroup*", "organizations:Describe*"),
                *("organizations:List*", "organizations:EnablePolicyType", "organizations:MoveAccount"),
                *("organizations:CreateAccount", "organizations:EnableAWSServiceAccess", "servicecatalog:*"),
                *("organizations:*Polic*", "sns:*Topic*", "sso:Describe*", "sso:List*"),
            ),
            allow("sts:AssumeRole", on="arn:aws:iam::*:role/AWSControlTower*"),
            passing("cloudtrail", "config", "cloudformation"),
        ],
    ),
    "/service-role/AWSLambdaRole": ("A service invokes functions.", [allow("lambda:InvokeFunction")]),
    "/service-role/AmazonECSTaskExecutionRolePolicy": (
        "The agent of a container service pulls images and writes logs for its tasks.",
        [
            allow(
                *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
                *("ecr:GetDownloadUrlForLayer", "logs:CreateLogStream", "logs:PutLogEvents"),
            )
        ],
    ),
    "/service-role/AmazonEC2ContainerServiceforEC2Role": (
        "An instance is a member of a container cluster.",
        [
            allow(
                *(
                    "ec2:DescribeTags",
                    "ecs:CreateCluster",
                    "ecs:DeregisterContainerInstance",
                    "ecs:DiscoverPollEndpoint",
                ),
                *(
                    "ecs:Poll",
                    "ecs:RegisterContainerInstance",
                    "ecs:StartTelemetrySession",
                    "ecs:Submit*",
                    "ecs:UpdateContainerInstancesState",
                ),
                *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
                *("ecr:GetDownloadUrlForLayer", "logs:CreateLogStream", "logs:PutLogEvents"),
            )
        ],
    ),
    "/service-role/AmazonEC2ContainerServiceRole": (
        "A container service keeps its load balancers in step.",
        [
            allow(
                *("ec2:AuthorizeSecurityGroupIngress", "ec2:Describe*", "elasticloadbalancing:Deregister*"),
                *("elasticloadbalancing:Describe*", "elasticloadbalancing:Register*"),
            )
        ],
    ),
    "/service-role/AmazonAPIGatewayPushToCloudWatchLogs": (
        "API Gateway writes logs.",
        [
            allow(
                *_LOGS,
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
            )
        ],
    ),
    "/service-role/AmazonRDSEnhancedMonitoringRole": (
        "RDS writes the metrics of its instances' systems as logs.",
        [
            allow("logs:CreateLogGroup", "logs:PutRetentionPolicy", on="arn:aws:logs:*:*:log-group:RDS*"),
            allow(
                *("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"),
                on="arn:aws:logs:*:*:log-group:RDS*:log-stream:*",
            ),
        ],
    ),
    "/service-role/AWS_ConfigRole": (
        "Config reads how resources are set up.",
        [allow(*audits("iam", "s3", "kms", "ec2", "rds", "lambda", "cloudtrail", "sns", "sqs"), "config:*")],
    ),
    "/service-role/AWSGlueServiceRole": (
        "Glue works on tables and on the files under them.",
        [
            allow(
                "glue:*",
                "s3:GetBucketLocation",
                "s3:ListBucket",
                "s3:ListAllMyBuckets",
                "s3:GetBucketAcl",
                "ec2:Describe*",
            ),
            allow("s3:GetObject", "s3:PutObject", "s3:DeleteObject", on="arn:aws:s3:::aws-glue-*"),
            allow(*_LOGS, on="arn:aws:logs:*:*:*:/aws-glue/*"),
        ],
    ),
    "/service-role/AmazonSSMAutomationRole": (
        "Systems Manager runs its automations.",
        [
            allow(
                "ec2:*Instances", "ec2:*Image", "ec2:CreateTags", "ec2:Describe*", "lambda:InvokeFunction", "ssm:*"
            )
        ],
    ),
    "/service-role/AWSBackupServiceRolePolicyForBackup": (
        "Backup copies what it is asked to keep.",
        [
            allow(
                *(
                    "backup:CopyIntoBackupVault",
                    "backup:DescribeBackupVault",
                    "dynamodb:CreateBackup",
                    "dynamodb:DescribeTable",
                ),
                *("ec2:CreateImage", "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:DeleteSnapshot", "ec2:Describe*"),
                *(
                    "elasticfilesystem:Backup",
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:GenerateDataKey*",
                ),
                *(
                    "rds:AddTagsToResource",
                    "rds:CreateDBSnapshot",
                    "rds:DeleteDBSnapshot",
                    "rds:Describe*",
                    "tag:GetResources",
                ),
            )
        ],
    ),
    "/service-role/AWSCodeDeployRole": (
        "CodeDeploy deploys to instances.",
        [
            allow(
                *("autoscaling:*", "ec2:Describe*", "ec2:TerminateInstances", "elasticloadbalancing:Deregister*"),
                *(
                    "elasticloadbalancing:Describe*",
                    "elasticloadbalancing:Register*",
                    "sns:Publish",
                    "cloudwatch:DescribeAlarms",
                ),
            )
        ],
    ),
    "/service-role/AWSElasticBeanstalkEnhancedHealth": (
        "Elastic Beanstalk watches the health of its environments.",
        [
            allow(
                "autoscaling:Describe*",
                "ec2:Describe*",
                "elasticloadbalancing:Describe*",
                "sns:Publish",
                "sqs:GetQueueAttributes",
            )
        ],
    ),
    "/service-role/AWSBatchServiceRole": (
        "Batch runs and ends the instances of its jobs.",
        [
            allow(
                *(
                    "autoscaling:*",
                    "ec2:Describe*",
                    "ec2:RequestSpotFleet",
                    "ec2:RunInstances",
                    "ec2:TerminateInstances",
                ),
                *(
                    "ecs:*",
                    "logs:CreateLogGroup",
                    "logs:DescribeLogGroups",
                    "iam:GetInstanceProfile",
                    "iam:GetRole",
                ),
            ),
            passing("ec2", "ecs-tasks"),
        ],
    ),
    "/service-role/AmazonEBSCSIDriverPolicy": (
        "The storage plugin of Kubernetes manages volumes.",
        [
            allow(
                *(
                    "ec2:AttachVolume",
                    "ec2:CreateSnapshot",
                    "ec2:CreateVolume",
                    "ec2:DeleteSnapshot",
                    "ec2:DeleteVolume",
                ),
                *("ec2:Describe*", "ec2:DetachVolume", "ec2:ModifyVolume"),
            ),
            allow("ec2:CreateTags", on=["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"]),
        ],
    ),
}

POLICIES["/service-role/AmazonEC2RoleforSSM"] = (
    "An older form of AmazonSSMManagedInstanceCore.",
    POLICIES["/AmazonSSMManagedInstanceCore"][1],
)
# name, what it is, IAM prefixes: a FullAccess and a ReadOnlyAccess policy each.
for _name, _what, _services in (
    ("AmazonS3", "S3", ("s3", "s3-object-lambda")),
    ("AmazonDynamoDB", "DynamoDB", ("dynamodb", "dax")),
    ("AmazonRDS", "RDS", ("rds",)),
    ("AmazonSQS", "SQS", ("sqs",)),
    ("AmazonSNS", "SNS", ("sns",)),
    ("AmazonSES", "SES", ("ses",)),
    ("AmazonKinesis", "Kinesis data streams", ("kinesis",)),
    ("AmazonKinesisFirehose", "Firehose", ("firehose",)),
    ("AmazonRoute53", "Route 53", ("route53",)),
    ("AmazonVPC", "networks", ("ec2",)),
    ("AmazonRedshift", "Redshift", ("redshift",)),
    ("AmazonElastiCache", "ElastiCache", ("elasticache",)),
    ("AmazonEventBridge", "EventBridge", ("events", "schemas", "scheduler", "pipes")),
    ("AmazonElasticFileSystem", "EFS", ("elasticfilesystem",)),
    ("AmazonGlacier", "Glacier", ("glacier",)),
    ("AmazonGuardDuty", "GuardDuty", ("guardduty",)),
    ("AmazonInspector2", "Inspector", ("inspector2",)),
    ("AmazonMSK", "managed Kafka", ("kafka",)),
    ("AmazonMQ", "Amazon MQ", ("mq",)),
    ("AmazonOpenSearchService", "OpenSearch", ("es",)),
    ("AmazonSSM", "Systems Manager", ("ssm",)),
    ("AmazonBedrock", "Bedrock", ("bedrock",)),
    ("AmazonAthena", "Athena", ("athena",)),
    ("AmazonECS", "ECS", ("ecs",)),
    ("AmazonTextract", "Textract", ("textract",)),
    ("AmazonRekognition", "Rekognition", ("rekognition",)),
    ("AWSStepFunctions", "Step Functions", ("states",)),
    ("AWSCloudFormation", "CloudFormation", ("cloudformation",)),
    ("AWSCertificateManager", "certificates", ("acm",)),
    ("AWSBackup", "Backup", ("backup", "backup-storage")),
    ("AWSXray", "X-Ray", ("xray",)),
    ("AWSCodePipeline_", "CodePipeline", ("codepipeline",)),
    ("AWSCodeCommit", "CodeCommit", ("codecommit",)),
    ("AWSLambda_", "Lambda", ("lambda",)),
    ("AWSWAF", "the web application firewall", ("waf", "waf-regional", "wafv2")),
    ("CloudFront", "CloudFront", ("cloudfront", "cloudfront-keyvaluestore")),
    ("CloudWatch", "CloudWatch", ("cloudwatch", "logs", "synthetics", "rum", "oam")),
    ("CloudWatchEvents", "EventBridge", ("events",)),
    ("CloudWatchSynthetics", "canaries", ("synthetics",)),
    ("ElasticLoadBalancing", "load balancers", ("elasticloadbalancing",)),
    ("AWSSecurityHub", "Security Hub", ("securityhub",)),
    ("AWSResourceAccessManager", "shared resources", ("ram",)),
):
    _pair(_name, _what, *_services)

# What AWS has not, and names that are not the rule.
for _name in ("AWSBackup", "AmazonAthena", "AmazonECS"):
    del POLICIES[f"/{_name}ReadOnlyAccess"]
for _name in ("AWSCodeCommit", "AWSCertificateManager", "ElasticLoadBalancing", "AmazonBedrock"):
    POLICIES[f"/{_name}ReadOnly"] = POLICIES.pop(f"/{_name}ReadOnlyAccess")
POLICIES["/AmazonECS_FullAccess"] = POLICIES.pop("/AmazonECSFullAccess")
