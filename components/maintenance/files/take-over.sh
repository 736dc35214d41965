#!/bin/bash
# Takes over the certificate of HOST that lies in BUCKET: looks at it, puts it in place, lets nginx test it, and deletes
# every copy from the bucket. Where nothing lies, nothing happens. What does not fit is undone.
set -euo pipefail
umask 077

root=${MAINTENANCE_ROOT:-}
: "${HOST:?}" "${BUCKET:?}" "${ACCOUNT:?}"
letsencrypt=$root/etc/letsencrypt
tls=$root/etc/nginx/maintenance/tls.conf
object=hand-over/$HOST.tar.gz

fail() {
  echo "take-over: $*" >&2
  exit 1
}

s3api() {
  local action=$1
  shift
  aws s3api "$action" --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" "$@"
}

versions() {
  s3api list-object-versions --prefix "$object" --output text --query "$1"
}

# Only whole files and folders of HOST, and links; nothing that leads out of the folder.
look_at_names() {
  local name
  while IFS= read -r name; do
    case $name in
      *..* | /*) fail "the archive holds '$name', which leads out of its folder" ;;
      "live/$HOST/"* | "archive/$HOST/"* | "renewal/$HOST.conf") ;;
      *) fail "the archive holds '$name', which is none of $HOST's" ;;
    esac
  done < <(tar -tzf "$1")
  if tar -tvzf "$1" | grep -qv '^[-dl]'; then fail "the archive holds something that is neither file, folder nor link"; fi
}

look_at_certificate() {
  local live=$1/live/$HOST link
  while IFS= read -r link; do
    [[ $(readlink "$link") == "../../archive/$HOST/"[!/]* ]] || fail "$(basename "$link") is a link to a foreign place"
  done < <(find "$1" -type l)
  [[ -s $live/fullchain.pem && -s $live/privkey.pem ]] || fail "the archive lacks fullchain.pem or privkey.pem"
  openssl x509 -noout -checkend 0 -in "$live/fullchain.pem" >/dev/null || fail "the certificate has ended"
  openssl x509 -noout -checkhost "$HOST" -in "$live/fullchain.pem" | grep -q ' does match ' ||
    fail "the certificate is not one of $HOST"
  [[ $(openssl x509 -noout -pubkey -in "$live/fullchain.pem") == "$(openssl pkey -pubout -in "$live/privkey.pem")" ]] ||
    fail "certificate and private key do not belong together"
}

put_back() {
  local part
  for part in "live/$HOST" "archive/$HOST" "renewal/$HOST.conf"; do
    [[ ! -e $former/$part ]] || { rm -rf "${letsencrypt:?}/$part" && mv "$former/$part" "$letsencrypt/$part"; }
  done
  [[ ! -e $former/tls.conf ]] || cp "$former/tls.conf" "$tls"
}

latest=$(versions 'Versions[?IsLatest].VersionId')
if [[ -z $latest || $latest == None ]]; then
  echo "nothing to take over for $HOST"
  exit 0
fi

install -d -m 0700 "$letsencrypt" "$letsencrypt/live" "$letsencrypt/archive" "$letsencrypt/renewal"
# In memory; the new files are beside the old ones, so that both are swapped by renaming.
scratch=$(mktemp -d "$root/run/take-over.XXXXXX")
fresh=$(mktemp -d "$letsencrypt/.fresh.XXXXXX")
former=$(mktemp -d "$letsencrypt/.former.XXXXXX")
trap 'rm -rf "$scratch" "$fresh" "$former"' EXIT

s3api get-object --key "$object" --version-id "$latest" "$scratch/archive" >/dev/null
tar -tzf "$scratch/archive" >/dev/null || fail "the archive is damaged; hand the certificate over again"
look_at_names "$scratch/archive"
tar -xzf "$scratch/archive" -C "$fresh" --no-same-owner --no-same-permissions
find "$fresh" -type d -exec chmod 0700 {} +
find "$fresh" -type f -exec chmod 0600 {} +
look_at_certificate "$fresh"

mkdir "$former/live" "$former/archive" "$former/renewal"
cp "$tls" "$former/tls.conf"
for part in "live/$HOST" "archive/$HOST" "renewal/$HOST.conf"; do
  [[ ! -e $letsencrypt/$part ]] || mv "$letsencrypt/$part" "$former/$part"
  [[ ! -e $fresh/$part ]] || mv "$fresh/$part" "$letsencrypt/$part"
done
cat >"$tls" <<CONF
ssl_certificate $letsencrypt/live/$HOST/fullchain.pem;
ssl_certificate_key $letsencrypt/live/$HOST/privkey.pem;
CONF
chmod 0644 "$tls"
if ! nginx -t; then
  put_back
  fail "nginx refuses the certificate; the former state is back"
fi
systemctl reload-or-restart nginx

for version in $(versions 'Versions[].VersionId') $(versions 'DeleteMarkers[].VersionId'); do
  # What the command prints for an empty list.
  [[ $version == None ]] || s3api delete-object --key "$object" --version-id "$version" >/dev/null
done
echo "taken over: the certificate of $HOST, $(openssl x509 -noout -enddate -in "$letsencrypt/live/$HOST/fullchain.pem")"
