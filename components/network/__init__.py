"""The VPC in three tiers, its ACLs, flow log and endpoints."""

from .component import Network, NetworkArgs
from .plan import Traffic

__all__ = ["Network", "NetworkArgs", "Traffic"]
