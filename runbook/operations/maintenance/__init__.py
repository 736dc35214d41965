"""Maintenance (``003_… Scheduled Maintenance``): the page in front of the site, for a time that is known before."""
