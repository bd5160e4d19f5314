"""The services, one folder each, all built of the same few files. ALL is the only list of them."""

from __future__ import annotations

from bailiwick.services.accessanalyzer import accessanalyzer
from bailiwick.services.cloudtrail import cloudtrail
from bailiwick.services.iam import iam
from bailiwick.services.kms import kms
from bailiwick.services.organizations import organizations
from bailiwick.services.sts import sts

ALL = (accessanalyzer, cloudtrail, iam, kms, organizations, sts)
