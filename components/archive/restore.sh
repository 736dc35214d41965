# Restores a server's configuration from BACKUP, <instance id>/<time>; MODE check looks only, apply replaces.

undo() {
  local status=$?
  roll_back "$work" || fail "what was replaced is in $work and cannot be put back"
  rm -rf -- "$work"
  exit "$status"
}

download() { aws s3 cp --only-show-errors --checksum-mode ENABLED "s3://$BUCKET/$HOSTS$BACKUP.$1" "$work/$1"; }

verify() {
  local expected
  expected=$(head -n 1 "$work/manifest")
  [[ $expected =~ ^[0-9a-f]{64}$ ]] || fail "the manifest has no checksum"
  [[ $(sha256sum <"$work/tar.gz") == "$expected  -" ]] || fail "the archive is not the one that was saved"
  tail -n +2 "$work/manifest" >"$work/expected"
  list <"$work/tar.gz" >"$work/list"
  [[ $(<"$work/expected") == "$(<"$work/list")" ]] || fail "entries, owners or modes differ from the manifest"
  check_listing "$work/list"
}

# Extracts the archive and holds the result to it: contents, modes, owners, links.
stage() {
  mkdir "$work/new" "$work/old"
  tar --extract --gzip --file="$work/tar.gz" --directory="$work/new" --same-owner --same-permissions \
    --delay-directory-restore "${tar_keeps[@]}"
  tar --compare --gzip --file="$work/tar.gz" --directory="$work/new" "${tar_keeps[@]}" ||
    fail "what was extracted differs from the archive"
  mapfile -t found < <(roots "$work/new")
  [[ ${#found[@]} -gt 0 ]] || fail "the archive holds none of ${PATHS[*]}"
  check_secrets "${found[@]}"
  found=("${found[@]#"$work/new"}")
}

tell_differences() {
  local root
  for root in "${found[@]}"; do
    if present "$root"; then
      diff --recursive --brief --no-dereference -- "$root" "$work/new$root" | sed "s|$work/new|backup:|g" || true
    else
      printf 'Only in the backup: %s\n' "$root"
    fi
  done
}

# Two renames for each root. The list of roots comes first: by it an interrupted run is undone.
swap() {
  local root place disk
  disk=$(stat -c %d -- "$work")
  printf '%s\n' "${found[@]}" >"$work/roots.new"
  for root in "${found[@]}"; do
    mkdir -p -- "$work/old${root%/*}"
    [[ -d ${root%/*} ]] || (umask 022 && mkdir -p -- "${root%/*}")
    for place in "${root%/*}" "$root"; do
      ! present "$place" || [[ $(stat -c %d -- "$place") == "$disk" ]] ||
        fail "$root is on another file system than $STATE, so it cannot be replaced at once"
    done
  done
  sync
  mv -T -- "$work/roots.new" "$work/roots"
  for root in "${found[@]}"; do
    if present "$root"; then
      mv -T -- "$root" "$work/old$root"
    fi
    mv -T -- "$work/new$root" "$root"
  done
}

main() {
  [[ $BACKUP =~ ^i-[0-9a-f]{8,17}/[0-9]{8}T[0-9]{6}Z$ ]] || fail "not of the form <instance id>/<time>: $BACKUP"
  [[ $MODE == check || $MODE == apply ]] || fail "neither check nor apply: $MODE"
  begin restore
  trap undo EXIT
  download manifest
  download tar.gz
  verify
  stage
  tell_differences
  if [[ $MODE == check ]]; then
    printf '%s can be restored; nothing was changed\n' "$BACKUP"
    return
  fi
  swap
  if command -v nginx >/dev/null; then
    nginx -t || fail "nginx refuses the restored configuration; the one before is back"
  fi
  # From here on nothing is undone: the one before is kept, and the one before that goes.
  local replaced kept
  replaced=$STATE/replaced.$(date +%Y%m%dT%H%M%SZ)
  mv -T -- "$work" "$replaced"
  trap - EXIT
  rm -rf -- "$replaced"/{new,tar.gz,manifest,expected,list,roots}
  for kept in "$STATE"/replaced.*; do
    [[ $kept == "$replaced" ]] || rm -rf -- "$kept"
  done
  printf 'Restored %s; what it replaced is in %s\n' "$BACKUP" "$replaced/old"
  printf 'Nothing was restarted: the application, and nginx, may be now\n'
}

main
