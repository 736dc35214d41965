#!/bin/bash
# Writes the page with the time at which the work ends, and tells clients when to come back.
#
#     maintenance-until 2026-11-05T18:00:00Z     the end, in UTC
#     maintenance-until                          no end is known: the page promises none
set -euo pipefail
umask 022

root=${MAINTENANCE_ROOT:-}
share=$root/usr/share/maintenance
folder=$root/var/www/maintenance
page=$folder/index.html
retry=$root/etc/nginx/maintenance/retry-after.map
state=$root/var/lib/maintenance/until
until=${1:-}

if [[ -z $until ]]; then
  edit=(-e '/^<!-- until -->$/,/^<!-- \/until -->$/d')
  # An hour, in seconds.
  again=3600
else
  form='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'
  if [[ ! $until =~ $form ]] || ! seconds=$(date -u -d "$until" +%s 2>/dev/null); then
    echo "maintenance-until: '$until' is no UTC time of the form YYYY-MM-DDTHH:MM:SSZ" >&2
    exit 2
  fi
  shown=$(TZ=$(<"$share/zone") date -d "@$seconds" '+%Y-%m-%d, %H:%M %Z')
  edit=(-e '/^<!-- \/\{0,1\}until -->$/d' -e "s|@UNTIL@|$until|; s|@SHOWN@|$shown|")
  again=$(LC_ALL=C date -u -d "@$seconds" '+"%a, %d %b %Y %H:%M:%S GMT"')
fi

chmod u+w "$folder"
trap 'chmod -R a=rX "$folder"' EXIT
sed "${edit[@]}" "$share/index.html" >"$page.new"
echo "503 $again;" >"$retry.new"
for file in "$page" "$retry"; do
  [[ ! -e $file ]] || cp -p "$file" "$file.former"
  mv "$file.new" "$file"
done

if ! nginx -t; then
  for file in "$page" "$retry"; do
    [[ ! -e $file.former ]] || mv "$file.former" "$file"
  done
  exit 1
fi
systemctl reload-or-restart nginx
rm -f "$page.former" "$retry.former"
echo "$until" >"$state"
