CREATE TABLE account (
	id VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	email VARCHAR(128) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT account_pk PRIMARY KEY (id)
);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE audit_block (
	segment VARCHAR(64) NOT NULL, 
	start BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT audit_block_pk PRIMARY KEY (segment, start)
);

CREATE TABLE audit_digest (
	name VARCHAR(100) NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT audit_digest_pk PRIMARY KEY (name)
);

CREATE TABLE audit_follower (
	name VARCHAR(64) NOT NULL, 
	position BLOB NOT NULL, 
	holder VARCHAR(64) NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT audit_follower_pk PRIMARY KEY (name)
);

CREATE TABLE audit_happened (
	id VARCHAR(40) NOT NULL, 
	time FLOAT NOT NULL, 
	event BLOB NOT NULL, 
	CONSTRAINT audit_happened_pk PRIMARY KEY (id)
);

CREATE TABLE audit_segment (
	name VARCHAR(64) NOT NULL, 
	bytes BIGINT NOT NULL, 
	chain VARCHAR(44) NOT NULL, 
	written FLOAT NOT NULL, 
	ended INTEGER NOT NULL, 
	CONSTRAINT audit_segment_pk PRIMARY KEY (name)
);

CREATE TABLE change (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	topic VARCHAR(2200) NOT NULL
);

CREATE TABLE ec2_association (
	id VARCHAR(32) NOT NULL, 
	instance_id VARCHAR(19) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	profile_id VARCHAR(32) NOT NULL, 
	profile_arn VARCHAR(1024) NOT NULL, 
	is_main BOOLEAN NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT ec2_association_pk PRIMARY KEY (id)
);

CREATE TABLE ec2_document_key (
	id VARCHAR(64) NOT NULL, 
	created FLOAT NOT NULL, 
	sealed BLOB NOT NULL, 
	certificate TEXT NOT NULL, 
	CONSTRAINT ec2_document_key_pk PRIMARY KEY (id)
);

CREATE TABLE ec2_host_certificate (
	instance_id VARCHAR(19) NOT NULL, 
	authority VARCHAR(64) NOT NULL, 
	issuer VARCHAR(64) NOT NULL, 
	serial VARCHAR(64) NOT NULL, 
	is_key BOOLEAN NOT NULL, 
	CONSTRAINT ec2_host_certificate_pk PRIMARY KEY (instance_id)
);

CREATE TABLE ec2_host_nonce (
	id VARCHAR(64) NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT ec2_host_nonce_pk PRIMARY KEY (id)
);

CREATE TABLE ec2_instance (
	id VARCHAR(19) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(64) NOT NULL, 
	zone VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	launched FLOAT NOT NULL, 
	seen FLOAT NOT NULL, 
	ended FLOAT, 
	refused_until BIGINT NOT NULL, 
	public_key TEXT NOT NULL, 
	certificate VARCHAR(64), 
	address VARCHAR(45) NOT NULL, 
	hostname VARCHAR(253) NOT NULL, 
	architecture VARCHAR(16) NOT NULL, 
	type VARCHAR(64) NOT NULL, 
	image VARCHAR(64) NOT NULL, 
	vpc VARCHAR(64) NOT NULL, 
	user_data TEXT NOT NULL, 
	http_tokens VARCHAR(16) NOT NULL, 
	http_endpoint VARCHAR(16) NOT NULL, 
	http_ipv6 VARCHAR(16) NOT NULL, 
	hop_limit INTEGER NOT NULL, 
	metadata_tags VARCHAR(16) NOT NULL, 
	CONSTRAINT ec2_instance_pk PRIMARY KEY (id)
);

CREATE TABLE ec2_join_authority (
	name VARCHAR(64) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	created FLOAT NOT NULL, 
	certificates TEXT NOT NULL, 
	grants TEXT NOT NULL, 
	CONSTRAINT ec2_join_authority_pk PRIMARY KEY (name)
);

CREATE TABLE ec2_join_list (
	authority VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	issuer VARCHAR(64) NOT NULL, 
	number VARCHAR(64), 
	begun FLOAT NOT NULL, 
	ends FLOAT, 
	data BLOB NOT NULL, 
	CONSTRAINT ec2_join_list_pk PRIMARY KEY (authority, id)
);

CREATE TABLE ec2_join_token (
	hash VARCHAR(64) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	created FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	grants TEXT NOT NULL, 
	CONSTRAINT ec2_join_token_pk PRIMARY KEY (hash)
);

CREATE TABLE eks_pod_identity (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	cluster VARCHAR(100) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	service_account VARCHAR(253) NOT NULL, 
	role VARCHAR(2048) NOT NULL, 
	tagless BOOLEAN NOT NULL, 
	policy TEXT, 
	created FLOAT NOT NULL, 
	modified FLOAT NOT NULL, 
	CONSTRAINT eks_pod_identity_pk PRIMARY KEY (id), 
	CONSTRAINT eks_pod_identity_account_region_cluster_namespace_service_account_unique UNIQUE (account, region, cluster, namespace, service_account)
);

CREATE TABLE guess (
	name VARCHAR(32) NOT NULL, 
	failures INTEGER NOT NULL, 
	last FLOAT NOT NULL, 
	CONSTRAINT guess_pk PRIMARY KEY (name)
);

CREATE TABLE iam_access_job (
	id VARCHAR(36) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	arn VARCHAR(2048) NOT NULL, 
	granularity VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	result TEXT NOT NULL, 
	CONSTRAINT iam_access_job_pk PRIMARY KEY (id)
);

CREATE TABLE iam_access_key (
	id VARCHAR(128) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	secret BLOB NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	last_used FLOAT, 
	last_used_service VARCHAR(128), 
	last_used_region VARCHAR(64), 
	CONSTRAINT iam_access_key_pk PRIMARY KEY (id)
);

CREATE TABLE iam_account_alias (
	alias VARCHAR(64) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	CONSTRAINT iam_account_alias_pk PRIMARY KEY (alias), 
	CONSTRAINT iam_account_alias_account_unique UNIQUE (account)
);

CREATE TABLE iam_account_property (
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	value VARCHAR(1024) NOT NULL, 
	CONSTRAINT iam_account_property_pk PRIMARY KEY (account, name)
);

CREATE TABLE iam_attachment (
	owner_id VARCHAR(32) NOT NULL, 
	policy_arn VARCHAR(2048) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	attached FLOAT NOT NULL, 
	CONSTRAINT iam_attachment_pk PRIMARY KEY (owner_id, policy_arn)
);

CREATE TABLE iam_credential_report (
	account VARCHAR(12) NOT NULL, 
	generated FLOAT NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT iam_credential_report_pk PRIMARY KEY (account)
);

CREATE TABLE iam_deletion_task (
	id VARCHAR(1000) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT iam_deletion_task_pk PRIMARY KEY (id)
);

CREATE TABLE iam_former_password (
	owner_id VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	hash VARCHAR(256) NOT NULL, 
	CONSTRAINT iam_former_password_pk PRIMARY KEY (owner_id, number)
);

CREATE TABLE iam_group (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT iam_group_pk PRIMARY KEY (id), 
	CONSTRAINT iam_group_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE iam_inline_policy (
	owner_id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	document TEXT NOT NULL, 
	CONSTRAINT iam_inline_policy_pk PRIMARY KEY (owner_id, name)
);

CREATE TABLE iam_instance_profile (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	created FLOAT NOT NULL, 
	role_id VARCHAR(32), 
	CONSTRAINT iam_instance_profile_pk PRIMARY KEY (id), 
	CONSTRAINT iam_instance_profile_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE iam_last_access (
	principal_id VARCHAR(32) NOT NULL, 
	service VARCHAR(64) NOT NULL, 
	action VARCHAR(128) NOT NULL, 
	time FLOAT NOT NULL, 
	region VARCHAR(64) NOT NULL, 
	CONSTRAINT iam_last_access_pk PRIMARY KEY (principal_id, service, action)
);

CREATE TABLE iam_login_profile (
	owner_id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	hash VARCHAR(256) NOT NULL, 
	created FLOAT NOT NULL, 
	changed FLOAT NOT NULL, 
	reset_required BOOLEAN NOT NULL, 
	last_used FLOAT, 
	CONSTRAINT iam_login_profile_pk PRIMARY KEY (owner_id)
);

CREATE TABLE iam_membership (
	group_id VARCHAR(32) NOT NULL, 
	user_id VARCHAR(32) NOT NULL, 
	CONSTRAINT iam_membership_pk PRIMARY KEY (group_id, user_id)
);

CREATE TABLE iam_mfa_device (
	serial VARCHAR(256) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	owner_id VARCHAR(32), 
	created FLOAT NOT NULL, 
	enabled FLOAT, 
	seed BLOB, 
	drift INTEGER NOT NULL, 
	last_step BIGINT, 
	credential_id BLOB, 
	public_key BLOB, 
	sign_count BIGINT, 
	certifications TEXT, 
	CONSTRAINT iam_mfa_device_pk PRIMARY KEY (serial)
);

CREATE TABLE iam_oidc_provider (
	arn VARCHAR(512) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	url VARCHAR(255) NOT NULL, 
	created FLOAT NOT NULL, 
	client_ids TEXT NOT NULL, 
	thumbprints TEXT NOT NULL, 
	CONSTRAINT iam_oidc_provider_pk PRIMARY KEY (arn)
);

CREATE TABLE iam_outbound_federation (
	account VARCHAR(12) NOT NULL, 
	issuer_id VARCHAR(36) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	CONSTRAINT iam_outbound_federation_pk PRIMARY KEY (account)
);

CREATE TABLE iam_password_policy (
	account VARCHAR(12) NOT NULL, 
	minimum_length INTEGER NOT NULL, 
	symbols BOOLEAN NOT NULL, 
	numbers BOOLEAN NOT NULL, 
	uppercase BOOLEAN NOT NULL, 
	lowercase BOOLEAN NOT NULL, 
	users_may_change BOOLEAN NOT NULL, 
	max_age INTEGER, 
	reuse_prevention INTEGER, 
	hard_expiry BOOLEAN, 
	CONSTRAINT iam_password_policy_pk PRIMARY KEY (account)
);

CREATE TABLE iam_policy (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	arn VARCHAR(2048) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	description TEXT, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	default_version INTEGER NOT NULL, 
	next_version INTEGER NOT NULL, 
	CONSTRAINT iam_policy_pk PRIMARY KEY (id), 
	CONSTRAINT iam_policy_account_folded_unique UNIQUE (account, folded), 
	CONSTRAINT iam_policy_arn_unique UNIQUE (arn)
);

CREATE TABLE iam_policy_version (
	policy_id VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT iam_policy_version_pk PRIMARY KEY (policy_id, number)
);

CREATE TABLE iam_role (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	created FLOAT NOT NULL, 
	description TEXT, 
	max_session INTEGER NOT NULL, 
	trust TEXT NOT NULL, 
	pins TEXT NOT NULL, 
	boundary VARCHAR(2048), 
	last_used FLOAT, 
	last_used_region VARCHAR(64), 
	CONSTRAINT iam_role_pk PRIMARY KEY (id), 
	CONSTRAINT iam_role_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE iam_saml_private_key (
	id VARCHAR(64) NOT NULL, 
	provider_arn VARCHAR(512) NOT NULL, 
	created FLOAT NOT NULL, 
	sealed BLOB NOT NULL, 
	CONSTRAINT iam_saml_private_key_pk PRIMARY KEY (id)
);

CREATE TABLE iam_saml_provider (
	arn VARCHAR(512) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	created FLOAT NOT NULL, 
	uuid VARCHAR(64) NOT NULL, 
	metadata TEXT NOT NULL, 
	valid_until FLOAT NOT NULL, 
	encryption VARCHAR(16) NOT NULL, 
	entity_id VARCHAR(1024) NOT NULL, 
	certificates TEXT NOT NULL, 
	CONSTRAINT iam_saml_provider_pk PRIMARY KEY (arn), 
	CONSTRAINT iam_saml_provider_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE iam_server_certificate (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	body TEXT NOT NULL, 
	chain TEXT, 
	private_key BLOB NOT NULL, 
	uploaded FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT iam_server_certificate_pk PRIMARY KEY (id), 
	CONSTRAINT iam_server_certificate_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE iam_service_credential (
	id VARCHAR(128) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	service VARCHAR(128) NOT NULL, 
	service_user_name VARCHAR(256) NOT NULL, 
	is_key BOOLEAN NOT NULL, 
	digest BLOB NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	expires FLOAT, 
	CONSTRAINT iam_service_credential_pk PRIMARY KEY (id)
);

CREATE TABLE iam_signing_certificate (
	id VARCHAR(128) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	body TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	uploaded FLOAT NOT NULL, 
	CONSTRAINT iam_signing_certificate_pk PRIMARY KEY (id), 
	CONSTRAINT iam_signing_certificate_account_fingerprint_unique UNIQUE (account, fingerprint)
);

CREATE TABLE iam_ssh_public_key (
	id VARCHAR(128) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	body TEXT NOT NULL, 
	fingerprint VARCHAR(48) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	uploaded FLOAT NOT NULL, 
	CONSTRAINT iam_ssh_public_key_pk PRIMARY KEY (id), 
	CONSTRAINT iam_ssh_public_key_owner_id_fingerprint_unique UNIQUE (owner_id, fingerprint)
);

CREATE TABLE iam_tag (
	owner_id VARCHAR(2048) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT iam_tag_pk PRIMARY KEY (owner_id, folded)
);

CREATE TABLE iam_token_preference (
	account VARCHAR(12) NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT iam_token_preference_pk PRIMARY KEY (account)
);

CREATE TABLE iam_user (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	path VARCHAR(512) NOT NULL, 
	created FLOAT NOT NULL, 
	boundary VARCHAR(2048), 
	password_last_used FLOAT, 
	CONSTRAINT iam_user_pk PRIMARY KEY (id), 
	CONSTRAINT iam_user_account_folded_unique UNIQUE (account, folded)
);

CREATE TABLE identitystore_group (
	id VARCHAR(47) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	folded VARCHAR(1024) NOT NULL, 
	external VARCHAR(600), 
	revision INTEGER NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	created_by TEXT NOT NULL, 
	updated_by TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT identitystore_group_pk PRIMARY KEY (id), 
	CONSTRAINT identitystore_group_store_external_unique UNIQUE (store, external), 
	CONSTRAINT identitystore_group_store_folded_unique UNIQUE (store, folded)
);

CREATE TABLE identitystore_membership (
	id VARCHAR(47) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	group_id VARCHAR(47) NOT NULL, 
	user_id VARCHAR(47) NOT NULL, 
	created FLOAT NOT NULL, 
	created_by TEXT NOT NULL, 
	CONSTRAINT identitystore_membership_pk PRIMARY KEY (id), 
	CONSTRAINT identitystore_membership_group_id_user_id_unique UNIQUE (group_id, user_id)
);

CREATE TABLE identitystore_user (
	id VARCHAR(47) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	external VARCHAR(600), 
	status VARCHAR(16) NOT NULL, 
	revision INTEGER NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	created_by TEXT NOT NULL, 
	updated_by TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT identitystore_user_pk PRIMARY KEY (id), 
	CONSTRAINT identitystore_user_store_external_unique UNIQUE (store, external), 
	CONSTRAINT identitystore_user_store_folded_unique UNIQUE (store, folded)
);

CREATE TABLE kms_alias (
	arn VARCHAR(400) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	key_arn VARCHAR(256) NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	CONSTRAINT kms_alias_pk PRIMARY KEY (arn), 
	CONSTRAINT kms_alias_account_region_name_unique UNIQUE (account, region, name)
);

CREATE TABLE kms_family (
	account VARCHAR(12) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	epoch INTEGER NOT NULL, 
	primary_region VARCHAR(32) NOT NULL, 
	revision INTEGER NOT NULL, 
	rotation_due FLOAT, 
	pending VARCHAR(64) DEFAULT '' NOT NULL, 
	pending_how VARCHAR(16), 
	pending_since FLOAT, 
	digests BLOB NOT NULL, moved_by TEXT, moved_from VARCHAR(32), 
	CONSTRAINT kms_family_pk PRIMARY KEY (account, id)
);

CREATE TABLE kms_grant (
	key_arn VARCHAR(256) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	name VARCHAR(256), 
	grantee VARCHAR(256) NOT NULL, 
	retiring VARCHAR(256), 
	pins TEXT NOT NULL, 
	issuer VARCHAR(12) NOT NULL, 
	operations TEXT NOT NULL, 
	constraints TEXT NOT NULL, 
	created FLOAT NOT NULL, narrow VARCHAR(32) DEFAULT '' NOT NULL, 
	CONSTRAINT kms_grant_pk PRIMARY KEY (key_arn, id)
);

CREATE TABLE kms_key (
	arn VARCHAR(256) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	description TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	spec VARCHAR(32) NOT NULL, 
	usage VARCHAR(32) NOT NULL, 
	origin VARCHAR(32) NOT NULL, 
	created FLOAT NOT NULL, 
	deletion FLOAT, 
	material VARCHAR(64) NOT NULL, 
	policy TEXT NOT NULL, 
	pins TEXT NOT NULL, deletion_days INTEGER, rotation_days INTEGER, rotation_due FLOAT, primary_region VARCHAR(32), manager VARCHAR(16) DEFAULT 'CUSTOMER' NOT NULL, store VARCHAR(64), xks_key VARCHAR(128), 
	CONSTRAINT kms_key_pk PRIMARY KEY (arn), 
	CONSTRAINT kms_key_account_region_id_unique UNIQUE (account, region, id)
);

CREATE TABLE kms_last_use (
	key_arn VARCHAR(256) NOT NULL, 
	operation VARCHAR(64) NOT NULL, 
	time FLOAT NOT NULL, 
	request VARCHAR(64) NOT NULL, 
	CONSTRAINT kms_last_use_pk PRIMARY KEY (key_arn)
);

CREATE TABLE kms_left (
	id VARCHAR(64) NOT NULL, 
	arn VARCHAR(256) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	store VARCHAR(64) NOT NULL, 
	cluster VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	failed BOOLEAN NOT NULL, 
	since FLOAT NOT NULL, 
	CONSTRAINT kms_left_pk PRIMARY KEY (id)
);

CREATE TABLE "kms_material" (
	key_arn VARCHAR(256) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	sealed BLOB, 
	created FLOAT NOT NULL, 
	number INTEGER DEFAULT '0' NOT NULL, 
	state VARCHAR(48) DEFAULT 'CURRENT' NOT NULL, 
	rotated FLOAT, 
	rotation VARCHAR(16), 
	description VARCHAR(256), 
	expires FLOAT, 
	digest BLOB, 
	CONSTRAINT kms_material_pk PRIMARY KEY (key_arn, id)
);

CREATE TABLE kms_member (
	account VARCHAR(12) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	here BOOLEAN NOT NULL, 
	version INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	holds TEXT DEFAULT '[]' NOT NULL, 
	wish TEXT, 
	CONSTRAINT kms_member_pk PRIMARY KEY (account, id, region)
);

CREATE TABLE kms_outbox (
	account VARCHAR(12) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	peer VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	due FLOAT NOT NULL, 
	attempts INTEGER NOT NULL, 
	CONSTRAINT kms_outbox_pk PRIMARY KEY (account, id, peer)
);

CREATE TABLE kms_store (
	id VARCHAR(64) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	error VARCHAR(64), 
	cluster VARCHAR(32), 
	anchor TEXT, 
	endpoint VARCHAR(128), 
	path VARCHAR(128), 
	access_key_id VARCHAR(32), 
	secret BLOB NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT kms_store_pk PRIMARY KEY (id), 
	CONSTRAINT kms_store_account_region_name_unique UNIQUE (account, region, name)
);

CREATE TABLE kms_tag (
	key_arn VARCHAR(256) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT kms_tag_pk PRIMARY KEY (key_arn, "key")
);

CREATE TABLE org_attachment (
	node VARCHAR(68) NOT NULL, 
	policy VARCHAR(130) NOT NULL, 
	attached FLOAT NOT NULL, 
	CONSTRAINT org_attachment_pk PRIMARY KEY (node, policy)
);

CREATE TABLE org_creation (
	id VARCHAR(36) NOT NULL, 
	organization VARCHAR(34) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	account VARCHAR(12), 
	failure VARCHAR(64), 
	requested FLOAT NOT NULL, 
	completed FLOAT NOT NULL, 
	CONSTRAINT org_creation_pk PRIMARY KEY (id)
);

CREATE TABLE org_delegation (
	organization VARCHAR(34) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	service VARCHAR(128) NOT NULL, 
	enabled FLOAT NOT NULL, 
	CONSTRAINT org_delegation_pk PRIMARY KEY (organization, account, service)
);

CREATE TABLE org_handshake (
	id VARCHAR(34) NOT NULL, 
	organization VARCHAR(34) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	notes TEXT, 
	requested FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT org_handshake_pk PRIMARY KEY (id)
);

CREATE TABLE org_node (
	id VARCHAR(68) NOT NULL, 
	organization VARCHAR(34) NOT NULL, 
	kind VARCHAR(24) NOT NULL, 
	parent VARCHAR(68) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	status VARCHAR(24) NOT NULL, 
	method VARCHAR(16) NOT NULL, 
	joined FLOAT NOT NULL, 
	CONSTRAINT org_node_pk PRIMARY KEY (id), 
	CONSTRAINT org_node_parent_folded_unique UNIQUE (parent, folded)
);

CREATE TABLE org_organization (
	id VARCHAR(34) NOT NULL, 
	management VARCHAR(12) NOT NULL, 
	root VARCHAR(34) NOT NULL, 
	feature_set VARCHAR(32) NOT NULL, 
	policy_types TEXT NOT NULL, 
	root_features TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT org_organization_pk PRIMARY KEY (id), 
	CONSTRAINT org_organization_management_unique UNIQUE (management)
);

CREATE TABLE org_policy (
	id VARCHAR(130) NOT NULL, 
	organization VARCHAR(34) NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	description TEXT NOT NULL, 
	content TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT org_policy_pk PRIMARY KEY (id), 
	CONSTRAINT org_policy_organization_type_name_unique UNIQUE (organization, type, name)
);

CREATE TABLE org_service_access (
	organization VARCHAR(34) NOT NULL, 
	service VARCHAR(128) NOT NULL, 
	enabled FLOAT NOT NULL, 
	CONSTRAINT org_service_access_pk PRIMARY KEY (organization, service)
);

CREATE TABLE rolesanywhere_item (
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	alias VARCHAR(255), 
	enabled BOOLEAN NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT rolesanywhere_item_pk PRIMARY KEY (account, region, kind, id), 
	CONSTRAINT rolesanywhere_item_account_region_kind_alias_unique UNIQUE (account, region, kind, alias)
);

CREATE TABLE rolesanywhere_subject (
	account VARCHAR(12) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	seen FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT rolesanywhere_subject_pk PRIMARY KEY (account, region, id)
);

CREATE TABLE scim_token (
	id VARCHAR(36) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	created FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT scim_token_pk PRIMARY KEY (id)
);

CREATE TABLE service_principal (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	signing_name VARCHAR(64) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT service_principal_pk PRIMARY KEY (id), 
	CONSTRAINT service_principal_name_unique UNIQUE (name), 
	CONSTRAINT service_principal_signing_name_unique UNIQUE (signing_name)
);

CREATE TABLE setting (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT setting_pk PRIMARY KEY (name)
);

CREATE TABLE signin_login (
	id VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	password_changed FLOAT, 
	token TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	client VARCHAR(64) NOT NULL, 
	redirect VARCHAR(2048) NOT NULL, 
	challenge VARCHAR(43) NOT NULL, 
	thumbprint VARCHAR(64), 
	created FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	turn INTEGER NOT NULL, 
	CONSTRAINT signin_login_pk PRIMARY KEY (id)
);

CREATE TABLE sso_assignment (
	principal VARCHAR(47) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	permission_set VARCHAR(32) NOT NULL, 
	instance VARCHAR(32) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT sso_assignment_pk PRIMARY KEY (principal, account, permission_set)
);

CREATE TABLE sso_device (
	code VARCHAR(16) NOT NULL, 
	client VARCHAR(64) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	expires FLOAT NOT NULL, 
	user_id VARCHAR(47), 
	denied INTEGER NOT NULL, 
	CONSTRAINT sso_device_pk PRIMARY KEY (code)
);

CREATE TABLE sso_instance (
	id VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	region VARCHAR(32) NOT NULL, 
	created FLOAT NOT NULL, 
	CONSTRAINT sso_instance_pk PRIMARY KEY (id), 
	CONSTRAINT sso_instance_account_unique UNIQUE (account), 
	CONSTRAINT sso_instance_store_unique UNIQUE (store)
);

CREATE TABLE sso_permission_set (
	id VARCHAR(32) NOT NULL, 
	instance VARCHAR(32) NOT NULL, 
	name VARCHAR(32) NOT NULL, 
	created FLOAT NOT NULL, 
	changed FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT sso_permission_set_pk PRIMARY KEY (id), 
	CONSTRAINT sso_permission_set_instance_name_unique UNIQUE (instance, name)
);

CREATE TABLE sso_provisioned (
	permission_set VARCHAR(32) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	role_id VARCHAR(32) NOT NULL, 
	role_arn VARCHAR(2048) NOT NULL, 
	done FLOAT NOT NULL, 
	CONSTRAINT sso_provisioned_pk PRIMARY KEY (permission_set, account)
);

CREATE TABLE sso_sign_in (
	id VARCHAR(64) NOT NULL, 
	user_id VARCHAR(47) NOT NULL, 
	store VARCHAR(36) NOT NULL, 
	client VARCHAR(64) NOT NULL, 
	created FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	turn INTEGER NOT NULL, 
	CONSTRAINT sso_sign_in_pk PRIMARY KEY (id)
);

CREATE TABLE sso_spent (
	id VARCHAR(64) NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT sso_spent_pk PRIMARY KEY (id)
);

CREATE TABLE sso_task (
	id VARCHAR(36) NOT NULL, 
	instance VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	created FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT sso_task_pk PRIMARY KEY (id)
);

CREATE TABLE sts_outbound_key (
	id VARCHAR(64) NOT NULL, 
	algorithm VARCHAR(8) NOT NULL, 
	created FLOAT NOT NULL, 
	sealed BLOB NOT NULL, 
	public TEXT NOT NULL, 
	CONSTRAINT sts_outbound_key_pk PRIMARY KEY (id)
);

CREATE TABLE sts_redeemed (
	id VARCHAR(64) NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT sts_redeemed_pk PRIMARY KEY (id)
);

CREATE TABLE web_session (
	id VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	account VARCHAR(12) NOT NULL, 
	owner_id VARCHAR(32) NOT NULL, 
	access_key_id VARCHAR(32) NOT NULL, 
	token TEXT NOT NULL, 
	password_changed FLOAT, 
	parent VARCHAR(64), 
	created FLOAT NOT NULL, 
	seen FLOAT NOT NULL, 
	expires FLOAT NOT NULL, 
	source VARCHAR(64) NOT NULL, 
	user_agent VARCHAR(256) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	color VARCHAR(6) NOT NULL, 
	issuer VARCHAR(2048) NOT NULL, 
	CONSTRAINT web_session_pk PRIMARY KEY (id)
);

CREATE TABLE web_step (
	id VARCHAR(64) NOT NULL, 
	expires FLOAT NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT web_step_pk PRIMARY KEY (id)
);

CREATE INDEX ec2_association_account ON ec2_association (account, id);

CREATE UNIQUE INDEX ec2_association_instance ON ec2_association (instance_id, profile_id);

CREATE INDEX ec2_host_certificate_issuer ON ec2_host_certificate (authority, issuer);

CREATE INDEX ec2_host_nonce_expires ON ec2_host_nonce (expires);

CREATE INDEX ec2_instance_account ON ec2_instance (account, region, id);

CREATE UNIQUE INDEX ec2_instance_certificate ON ec2_instance (certificate);

CREATE INDEX ec2_instance_ended ON ec2_instance (ended);

CREATE INDEX ec2_join_token_expires ON ec2_join_token (expires);

CREATE INDEX guess_last ON guess (last);

CREATE INDEX iam_access_job_account ON iam_access_job (account, created);

CREATE INDEX iam_access_key_account ON iam_access_key (account);

CREATE INDEX iam_access_key_owner ON iam_access_key (owner_id);

CREATE INDEX iam_attachment_use ON iam_attachment (account, policy_arn);

CREATE INDEX iam_deletion_task_account ON iam_deletion_task (account, created);

CREATE INDEX iam_instance_profile_role ON iam_instance_profile (role_id);

CREATE INDEX iam_login_profile_account ON iam_login_profile (account);

CREATE INDEX iam_membership_user ON iam_membership (user_id);

CREATE INDEX iam_mfa_device_of_account ON iam_mfa_device (account, serial);

CREATE INDEX iam_mfa_device_owner ON iam_mfa_device (owner_id);

CREATE INDEX iam_oidc_provider_account ON iam_oidc_provider (account);

CREATE INDEX iam_policy_list ON iam_policy (account, arn);

CREATE INDEX iam_role_boundary ON iam_role (account, boundary);

CREATE INDEX iam_saml_private_key_provider ON iam_saml_private_key (provider_arn);

CREATE INDEX iam_service_credential_account ON iam_service_credential (account);

CREATE INDEX iam_service_credential_owner ON iam_service_credential (owner_id);

CREATE INDEX iam_signing_certificate_owner ON iam_signing_certificate (owner_id);

CREATE INDEX iam_user_boundary ON iam_user (account, boundary);

CREATE INDEX identitystore_membership_user ON identitystore_membership (user_id, id);

CREATE INDEX kms_alias_key ON kms_alias (key_arn);

CREATE INDEX kms_grant_grantee ON kms_grant (key_arn, grantee, narrow);

CREATE INDEX kms_grant_name ON kms_grant (key_arn, name);

CREATE INDEX kms_grant_retiring ON kms_grant (retiring, region, key_arn, id);

CREATE INDEX kms_key_account_id ON kms_key (account, id);

CREATE INDEX kms_key_deletion ON kms_key (deletion);

CREATE INDEX kms_key_rotation_due ON kms_key (rotation_due);

CREATE INDEX kms_key_store ON kms_key (store, xks_key);

CREATE INDEX kms_left_cluster ON kms_left (cluster, since);

CREATE INDEX kms_material_expires ON kms_material (expires);

CREATE INDEX kms_outbox_due ON kms_outbox (due);

CREATE INDEX org_attachment_policy ON org_attachment (policy);

CREATE INDEX org_creation_organization ON org_creation (organization);

CREATE INDEX org_handshake_account ON org_handshake (account);

CREATE INDEX org_handshake_organization ON org_handshake (organization);

CREATE INDEX org_node_organization ON org_node (organization);

CREATE INDEX scim_token_store ON scim_token (store);

CREATE INDEX signin_login_expires ON signin_login (expires);

CREATE INDEX sso_assignment_permission_set ON sso_assignment (permission_set, account);

CREATE INDEX sso_device_expires ON sso_device (expires);

CREATE INDEX sso_provisioned_account ON sso_provisioned (account);

CREATE INDEX sso_sign_in_expires ON sso_sign_in (expires);

CREATE INDEX sso_sign_in_user ON sso_sign_in (user_id);

CREATE INDEX sso_spent_expires ON sso_spent (expires);

CREATE INDEX sso_task_created ON sso_task (created);

CREATE INDEX sso_task_instance ON sso_task (instance, kind, created);

CREATE INDEX sts_redeemed_expires ON sts_redeemed (expires);

CREATE INDEX web_session_expires ON web_session (expires);

CREATE INDEX web_session_owner ON web_session (owner_id);

CREATE INDEX web_session_parent ON web_session (parent);

CREATE INDEX web_step_expires ON web_step (expires);

INSERT INTO alembic_version (version_num) VALUES ('0030')
