#!/bin/bash
# Tells CloudWatch how many days each certificate of Let's Encrypt on this machine is still good for.
set -euo pipefail

root=${MAINTENANCE_ROOT:-}
: "${NAMESPACE:?}" "${MACHINE:?}"
command -v aws >/dev/null || { echo "days-left: aws is not installed on this machine; install it" >&2; exit 1; }

shopt -s nullglob
for certificate in "$root"/etc/letsencrypt/live/*/fullchain.pem; do
  host=$(basename "$(dirname "$certificate")")
  end=$(openssl x509 -noout -enddate -in "$certificate")
  days=$((($(date -d "${end#notAfter=}" +%s) - $(date +%s)) / 86400))
  aws cloudwatch put-metric-data --namespace "$NAMESPACE" --metric-name CertificateDaysLeft \
    --dimensions "Host=$host,Machine=$MACHINE" --unit Count --value "$days"
  echo "$host: $days days"
done
