"""The audit trail: what is recorded, where it is kept, what is looked for in it and who is told."""

from .component import AuditTrail, AuditTrailArgs
from .filters import Exclusions

__all__ = ["AuditTrail", "AuditTrailArgs", "Exclusions"]
