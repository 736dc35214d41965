#!/bin/bash
# Installs certbot in a virtual environment of its own, and a timer that renews the certificates of this machine without
# stopping any server. It may run again and again; each run brings certbot up to date. From the folder STAGE come the
# units and the hook.
set -euo pipefail
umask 022

root=${MAINTENANCE_ROOT:-}
: "${STAGE:?}" "${HOST:?}" "${EMAIL:?}" "${WEBROOT:?}"
certbot=$root/opt/certbot/bin/certbot

if command -v dnf >/dev/null; then
  dnf install -y python3.11
  python=python3.11
else
  # The one that Ubuntu and Debian come with.
  DEBIAN_FRONTEND=noninteractive apt-get install -y python3-venv
  python=python3
fi
[[ -x $root/opt/certbot/bin/pip ]] || "$python" -m venv "$root/opt/certbot"
# From 4.1 on it asks the authority when to renew (ARI).
"$root/opt/certbot/bin/pip" install --quiet --upgrade 'certbot>=4.1'

install -d -m 0755 "$root$WEBROOT" "$root/usr/local/sbin" "$root/etc/systemd/system"
install -m 0755 "$STAGE/certificate-deployed.sh" "$root/usr/local/sbin/certificate-deployed"
install -m 0644 "$STAGE/certificate-renewal.service" "$STAGE/certificate-renewal.timer" "$root/etc/systemd/system/"
{
  echo "WEBROOT=$WEBROOT"
  echo "CONTAINER=${CONTAINER:-}"
  echo "BACKUP_DOCUMENT=${BACKUP_DOCUMENT:-}"
} >"$root/etc/certificate-renewal.env"

if [[ ! -e $root/etc/letsencrypt/live/$HOST/fullchain.pem ]]; then
  "$certbot" certonly --non-interactive --agree-tos --email "$EMAIL" --webroot --webroot-path "$WEBROOT" --domain "$HOST" \
    --deploy-hook /usr/local/sbin/certificate-deployed
fi

# A package's or snap's own timer would renew without the webroot, and meet a port that is taken.
for timer in certbot.timer certbot-renew.timer snap.certbot.renew.timer; do
  systemctl disable --now "$timer" 2>/dev/null || true
done
systemctl daemon-reload
systemctl enable --now certificate-renewal.timer
