"""Patches of machines: which are approved, the daily look for missing ones, and the weekly run that installs them."""

from .component import Patching, PatchingArgs
from .grants import instance_statements
from .plan import HOSTS, SERVERS, TAG, patch_group

__all__ = ["HOSTS", "SERVERS", "TAG", "Patching", "PatchingArgs", "instance_statements", "patch_group"]
