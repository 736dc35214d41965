"""The web tier: instances that scale on CPU and memory, behind a load balancer with a firewall."""

from .component import WebTier, WebTierArgs

__all__ = ["WebTier", "WebTierArgs"]
