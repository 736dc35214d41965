#!/bin/bash
# Hands the certificate of HOST over: from /etc/letsencrypt into BUCKET, encrypted with KEY_ARN. Nothing is shown but
# when the certificate ends.
set -euo pipefail
umask 077

root=${MAINTENANCE_ROOT:-}
: "${HOST:?}" "${BUCKET:?}" "${ACCOUNT:?}" "${KEY_ARN:?}"
letsencrypt=$root/etc/letsencrypt
certificate=$letsencrypt/live/$HOST/fullchain.pem

fail() {
  echo "hand-over: $*" >&2
  exit 1
}

for command in aws openssl tar; do
  command -v "$command" >/dev/null || fail "$command is not installed on this machine; install it"
done
[[ -e $certificate ]] || fail "there is no certificate of $HOST: $certificate is missing"
openssl x509 -noout -checkend 86400 -in "$certificate" >/dev/null ||
  fail "the certificate of $HOST ends within a day; renew it before it is handed over"

# In memory: a private key is not left on a disk.
scratch=$(mktemp -d "$root/run/hand-over.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
tar -czf "$scratch/archive" -C "$letsencrypt" "live/$HOST" "archive/$HOST" "renewal/$HOST.conf"
aws s3api put-object --bucket "$BUCKET" --key "hand-over/$HOST.tar.gz" --body "$scratch/archive" \
  --server-side-encryption aws:kms --ssekms-key-id "$KEY_ARN" --checksum-algorithm SHA256 \
  --expected-bucket-owner "$ACCOUNT" >/dev/null
echo "handed over: the certificate of $HOST, $(openssl x509 -noout -enddate -in "$certificate")"
