"""The services of AWS that have roles of their own, what those are called, and which policy each carries.

Source: the pages on service-linked roles in the services' documentation, and GetRole as recorded. A name stands
for `AWSServiceRoleFor<name>`, a policy for `arn:aws:iam::aws:policy/aws-service-role/<policy>`.
"""

from __future__ import annotations

from typing import NamedTuple

DOMAIN = ".amazonaws.com"
WITH_SUFFIX = frozenset(("autoscaling", "connect", "lexv2"))

# service, name of the role, policy
_TABLE = """
access-analyzer  AccessAnalyzer  AccessAnalyzerServiceRolePolicy
accountdiscovery.ssm  AmazonSSM_AccountDiscovery  AWSSystemsManagerAccountDiscoveryServicePolicy
acm  CertificateManager  CertificateManagerServiceRolePolicy
appmesh  AppMesh  AWSAppMeshServiceRolePolicy
autoscaling  AutoScaling  AutoScalingServiceRolePolicy
autoscaling-plans  AutoScalingPlans_EC2AutoScaling  AWSAutoScalingPlansEC2AutoScalingPolicy
backup  Backup  AWSBackupServiceLinkedRolePolicyForBackup
batch  Batch  BatchServiceRolePolicy
cassandra.application-autoscaling  ApplicationAutoScaling_CassandraTable  \
AWSApplicationAutoscalingCassandraTablePolicy
cks.kms  KeyManagementServiceCustomKeyStores  AWSKeyManagementServiceCustomKeyStoresServiceRolePolicy
cloudtrail  CloudTrail  CloudTrailServiceRolePolicy
codestar-notifications  CodeStarNotifications  AWSCodeStarNotificationsServiceRolePolicy
config  Config  AWSConfigServiceRolePolicy
connect  AmazonConnect  AmazonConnectServiceLinkedRolePolicy
custom-resource.application-autoscaling  ApplicationAutoScaling_CustomResource  \
AWSApplicationAutoScalingCustomResourcePolicy
dms  DMSServerless  AWSDMSServerlessServiceRolePolicy
dms-fleet-advisor  DMSFleetAdvisor  AWSDMSFleetAdvisorServiceRolePolicy
docdb-elastic  DocDB-Elastic  AmazonDocDB-ElasticServiceRolePolicy
dynamodb.application-autoscaling  ApplicationAutoScaling_DynamoDBTable  \
AWSApplicationAutoscalingDynamoDBTablePolicy
ec2-instance-connect  Ec2InstanceConnect  Ec2InstanceConnectEndpoint
ec2.application-autoscaling  ApplicationAutoScaling_EC2SpotFleetRequest  \
AWSApplicationAutoscalingEC2SpotFleetRequestPolicy
ecr  ECRTemplate  ECRTemplateServiceRolePolicy
ecs  ECS  AmazonECSServiceRolePolicy
ecs.application-autoscaling  ApplicationAutoScaling_ECSService  AWSApplicationAutoscalingECSServicePolicy
eks  AmazonEKS  AmazonEKSServiceRolePolicy
eks-connector  AmazonEKSConnector  AmazonEKSConnectorServiceRolePolicy
eks-fargate  AmazonEKSForFargate  AmazonEKSForFargateServiceRolePolicy
eks-nodegroup  AmazonEKSNodegroup  AWSServiceRoleForAmazonEKSNodegroup
elasticache  ElastiCache  ElastiCacheServiceRolePolicy
elasticbeanstalk  ElasticBeanstalk  AWSElasticBeanstalkServiceRolePolicy
elasticfilesystem  AmazonElasticFileSystem  AmazonElasticFileSystemServiceRolePolicy
elasticloadbalancing  ElasticLoadBalancing  AWSElasticLoadBalancingServiceRolePolicy
elasticmapreduce  EMRCleanup  AmazonEMRCleanupPolicy
email.cognito-idp  AmazonCognitoIdpEmailService  AmazonCognitoIdpEmailServiceRolePolicy
emr-containers  AmazonEMRContainers  AmazonEMRContainersServiceRolePolicy
emrwal  EMRWAL  EMRDescribeClusterPolicyForEMRWAL
es  AmazonElasticsearchService  AmazonElasticsearchServiceRolePolicy
fis  FIS  AmazonFISServiceRolePolicy
fms  FMS  FMSServiceRolePolicy
grafana  AmazonGrafana  AmazonGrafanaServiceLinkedRolePolicy
guardduty  AmazonGuardDuty  AmazonGuardDutyServiceRolePolicy
imagebuilder  ImageBuilder  AWSServiceRoleForImageBuilder
inspector2  AmazonInspector2  AmazonInspector2ServiceRolePolicy
iotmanagedintegrations  IoTManagedIntegrations  AWSIoTManagedIntegrationsRolePolicy
kafka  Kafka  KafkaServiceRolePolicy
kafkaconnect  KafkaConnect  KafkaConnectServiceRolePolicy
lakeformation  LakeFormationDataAccess  LakeFormationDataAccessServiceRolePolicy
lex  LexBots  AmazonLexBotPolicy
lexv2  LexV2Bots  AmazonLexV2BotPolicy
lightsail  Lightsail  LightsailExportAccess
m2  AWSM2  AWSM2ServicePolicy
macie  AmazonMacie  AmazonMacieServiceRolePolicy
memorydb  MemoryDB  MemoryDBServiceRolePolicy
mq  AmazonMQ  AmazonMQServiceRolePolicy
mrk.kms  KeyManagementServiceMultiRegionKeys  AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy
notifications  AwsUserNotifications  AWSUserNotificationsServiceLinkedRolePolicy
observability.aoss  AmazonOpenSearchServerless  AmazonOpenSearchServerlessServiceRolePolicy
opensearchservice  AmazonOpenSearchService  AmazonOpenSearchServiceRolePolicy
ops.apigateway  APIGateway  APIGatewayServiceRolePolicy
ops.emr-serverless  AmazonEMRServerless  AmazonEMRServerlessServiceRolePolicy
opsdatasync.ssm  SystemsManagerOpsDataSync  AWSSystemsManagerOpsDataSyncServiceRolePolicy
opsinsights.ssm  AmazonSSM_OpsInsights  AWSSSMOpsInsightsServiceRolePolicy
organizations  Organizations  AWSOrganizationsServiceTrustPolicy
pullthroughcache.ecr  ECRPullThroughCache  AWSECRPullThroughCache_ServiceRolePolicy
ram  ResourceAccessManager  AWSResourceAccessManagerServiceRolePolicy
rds  RDS  AmazonRDSServiceRolePolicy
rds.application-autoscaling  ApplicationAutoScaling_RDSCluster  AWSApplicationAutoscalingRDSClusterPolicy
redshift  Redshift  AmazonRedshiftServiceLinkedRolePolicy
replication.cassandra  KeyspacesReplication  KeyspacesReplicationServiceRolePolicy
replication.ecr  ECRReplication  ECRReplicationServiceRolePolicy
repository.sync.codeconnections  GitSync  AWSGitSyncServiceRolePolicy
resource-explorer-2  ResourceExplorer  AWSResourceExplorerServiceRolePolicy
rolesanywhere  RolesAnywhere  AWSRolesAnywhereServicePolicy
s3-outposts  S3OnOutposts  AWSS3OnOutpostsServiceRolePolicy
securityhub  SecurityHub  AWSSecurityHubServiceRolePolicy
ses  AmazonSES  AmazonSESServiceRolePolicy
shield  AWSShield  AWSShieldServiceRolePolicy
spot  EC2Spot  AWSEC2SpotServiceRolePolicy
spotfleet  EC2SpotFleet  AWSEC2SpotFleetServiceRolePolicy
ssm  AmazonSSM  AmazonSSMServiceRolePolicy
ssm-incidents  IncidentManager  AWSIncidentManagerServiceRolePolicy
ssm-quicksetup  SSMQuickSetup  SSMQuickSetupRolePolicy
sso  SSO  AWSSSOServiceRolePolicy
support  Support  AWSSupportServiceRolePolicy
transitgateway  VPCTransitGateway  AWSVPCTransitGatewayServiceRolePolicy
trustedadvisor  TrustedAdvisor  AWSTrustedAdvisorServiceRolePolicy
vpcorigin.cloudfront  CloudFrontVPCOrigin  AWSCloudFrontVPCOriginServiceRolePolicy
waf  WAFLogging  WAFLoggingServiceRolePolicy
wafv2  WAFV2Logging  WAFV2LoggingServiceRolePolicy
"""


class LinkedService(NamedTuple):
    """A service: the name of its role, the name of that role's policy, whether roles with a suffix may be made."""

    role: str
    policy: str
    takes_suffix: bool


def _read(line: str) -> tuple[str, LinkedService]:
    service, role, policy = line.split()
    return service + DOMAIN, LinkedService(f"AWSServiceRoleFor{role}", policy, service in WITH_SUFFIX)


LINKED: dict[str, LinkedService] = dict(_read(line) for line in _TABLE.strip().splitlines())
"""By service principal."""
