#!/bin/bash
# Rehearses the renewal against the authority's staging servers; certificates stay as they are.
set -euo pipefail

root=${MAINTENANCE_ROOT:-}
: "${WEBROOT:?}"
"$root/opt/certbot/bin/certbot" renew --dry-run --non-interactive --webroot --webroot-path "$WEBROOT"
