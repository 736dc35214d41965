#!/bin/bash
# What follows on a renewed certificate: nginx tests and reads it, and /etc/letsencrypt is backed up.
set -euo pipefail

# Certbot hands its own environment on, which lacks these when it is started by hand.
# shellcheck source=/dev/null
. "${MAINTENANCE_ROOT:-}/etc/certificate-renewal.env"

if [[ -n $CONTAINER ]]; then
  docker exec "$CONTAINER" nginx -t
  docker exec "$CONTAINER" nginx -s reload
else
  nginx -t
  systemctl reload nginx
fi

if [[ -n $BACKUP_DOCUMENT ]]; then
  metadata=http://169.254.169.254/latest
  token=$(curl -sSf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token")
  instance=$(curl -sSf -m 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id")
  region=$(curl -sSf -m 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/placement/region")
  aws ssm send-command --region "$region" --document-name "$BACKUP_DOCUMENT" --instance-ids "$instance" >/dev/null
fi
