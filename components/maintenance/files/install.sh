#!/bin/bash
# Puts the page and nginx's configuration in place from the folder STAGE. It may run again and again: the end time, once
# set, and the certificate, once handed over, stay. What nginx does not take is undone.
set -euo pipefail
umask 022

root=${MAINTENANCE_ROOT:-}
: "${STAGE:?names the folder with the files}"
share=$root/usr/share/maintenance
settings=$root/etc/nginx/maintenance
site=$root/etc/nginx/conf.d/maintenance.conf

install -d -m 0755 "$share" "$settings" "$root/etc/nginx/conf.d" "$root/usr/local/sbin" "$root/var/lib/maintenance" \
  "$root/var/www/acme/.well-known/acme-challenge" "$root/var/www/maintenance"
install -m 0755 "$STAGE/until.sh" "$root/usr/local/sbin/maintenance-until"
install -m 0644 "$STAGE/index.html" "$STAGE/zone" "$share/"
[[ -e $settings/tls.conf ]] || echo 'ssl_reject_handshake on;' >"$settings/tls.conf"

previous=
if [[ -e $site ]]; then
  previous=$(mktemp)
  cp -p "$site" "$previous"
fi
install -m 0644 "$STAGE/maintenance.conf" "$site"

until=
[[ ! -e $root/var/lib/maintenance/until ]] || until=$(<"$root/var/lib/maintenance/until")
if ! "$root/usr/local/sbin/maintenance-until" "$until"; then
  if [[ -n $previous ]]; then mv "$previous" "$site"; else rm -f "$site"; fi
  echo "nginx refuses the new configuration; the former one is back" >&2
  exit 1
fi
[[ -z $previous ]] || rm -f "$previous"
