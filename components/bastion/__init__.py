"""The one machine that administrators reach, by SSH, by Session Manager or by both."""

from .component import Bastion, BastionArgs

__all__ = ["Bastion", "BastionArgs"]
