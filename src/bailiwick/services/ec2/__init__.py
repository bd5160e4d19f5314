"""EC2, as far as it binds hosts to instance profiles. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.ec2 import associations, attributes, describing, ending, tags
from bailiwick.services.ec2.service import ec2

__all__ = ["associations", "attributes", "describing", "ec2", "ending", "tags"]
