# Saves the server's configuration, encrypted with KEY (ARN): "now" in any case, "watch" where it has changed.

# Seconds in which nothing may change.
settle=10

# Changes with whatever a backup would hold. Certbot's lock comes and goes.
fingerprint() {
  find "$@" -name .certbot.lock -o \
    -type d -printf '%p d %m %U:%G\0' -o \
    -printf '%p %y %m %U:%G %s %T@ %C@ %l\0' |
    sort --zero-terminated | sha256sum
}

instance_id() {
  local token
  token=$(curl -fsS --retry 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    http://169.254.169.254/latest/api/token)
  curl -fsS --retry 3 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id
}

upload() { # stdin to the object $1
  aws s3 cp --only-show-errors --sse aws:kms --sse-kms-key-id "$KEY" --checksum-algorithm SHA256 \
    - "s3://$BUCKET/$1"
}

# Streams the archive of found to the object $1; its checksum and listing, which hold no content, stay in work.
stream() {
  local status=0 summing listing
  rm -f -- "$work"/pipe.*
  mkfifo "$work/pipe.sum" "$work/pipe.list"
  sha256sum <"$work/pipe.sum" >"$work/sum" &
  summing=$!
  list <"$work/pipe.list" >"$work/list" &
  listing=$!
  tar --create --file=- --sort=name --format=pax --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
    "${tar_keeps[@]}" --exclude=.certbot.lock --directory=/ -- "${found[@]#/}" |
    gzip -n | tee -p "$work/pipe.sum" "$work/pipe.list" | upload "$1" || status=$?
  wait "$summing" || status=$?
  wait "$listing" || status=$?
  return "$status"
}

# The manifest makes an archive a backup: it is written last, and without it nothing is restored.
save() {
  local before taken key
  for _ in 1 2 3; do
    taken=$(date +%Y%m%dT%H%M%SZ)
    key=$HOSTS$host/$taken
    if before=$(fingerprint "${found[@]}") && stream "$key.tar.gz" &&
      [[ $(fingerprint "${found[@]}") == "$before" ]]; then
      check_listing "$work/list"
      { cut -d' ' -f1 "$work/sum" && cat "$work/list"; } | upload "$key.manifest"
      printf '%s\n' "$before" >"$STATE/fingerprint"
      touch "$STATE/succeeded"
      printf 'Saved %s\n' "$host/$taken"
      return
    fi
    sleep "$settle"
  done
  fail "three attempts failed, or files changed during each"
}

# Seconds since the last backup, or since this was installed where there was none.
age() {
  local since=$STATE/succeeded
  [[ -e $since ]] || since=$STATE/installed
  printf '%s' "$(($(date +%s) - $(stat -c %Y "$since")))"
}

finish() {
  local status=$?
  rm -rf -- "$work"
  metrics ConfigurationBackupAge Seconds "$(age)" ConfigurationBackupFailures Count "$((status != 0))"
}

main() {
  begin work
  [[ -e $STATE/installed ]] || touch "$STATE/installed"
  trap finish EXIT
  mapfile -t found < <(roots '')
  if [[ ${#found[@]} -eq 0 ]]; then
    [[ ! -e $STATE/fingerprint ]] || fail "nothing of what was saved before is there any more: ${PATHS[*]}"
    touch "$STATE/succeeded"
    printf 'Nothing to save: none of %s is there\n' "${PATHS[*]}"
    return
  fi
  if [[ $1 == watch ]]; then
    local looked
    looked=$(fingerprint "${found[@]}")
    [[ ! -e $STATE/fingerprint || $looked != "$(<"$STATE/fingerprint")" ]] || return 0
    # Whoever changes one file often changes another: what still changes is left to the next look.
    sleep "$settle"
    [[ $(fingerprint "${found[@]}") == "$looked" ]] || return 0
  fi
  check_secrets "${found[@]}"
  host=$(instance_id)
  [[ $host =~ ^i-[0-9a-f]{8,17}$ ]] || fail "the server's id has not its form"
  save
}

main "${1:-now}"
