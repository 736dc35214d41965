"""The VPC in three tiers, its ACLs, flow log and endpoints."""

from .component import Network, NetworkArgs
from .plan import FLOW_FIELDS, Traffic

__all__ = ["FLOW_FIELDS", "Network", "NetworkArgs", "Traffic"]
