"""The machine with the maintenance page, how requests are led to it, and the certificates of hosts."""

from .args import Balancer, MaintenanceArgs
from .component import Maintenance

__all__ = ["Balancer", "Maintenance", "MaintenanceArgs"]
