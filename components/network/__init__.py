"""The VPC in three tiers, its ACLs, flow log and endpoints."""

from .component import Network, NetworkArgs

__all__ = ["Network", "NetworkArgs"]
