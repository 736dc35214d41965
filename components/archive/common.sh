# What a backup and a restore of a server's configuration share. What runs it has set, before this:
# BUCKET, HOSTS (prefix of all servers, with its slash), REGION, NAMESPACE (of the metrics), STATE
# (private folder) and PATHS (array of full paths, which may end in a pattern).

set -euo pipefail
shopt -s inherit_errexit
umask 077
export LC_ALL=C TZ=UTC AWS_DEFAULT_REGION=$REGION AWS_PAGER=
tar_keeps=(--acls --selinux --xattrs)

fail() {
  printf 'configuration: %s\n' "$*" >&2
  exit 1
}

# One run at a time; a restore that was killed is undone first. Sets work, a private folder that goes with the run.
begin() {
  install -d -m 0700 "$STATE"
  exec 9>"$STATE/lock"
  flock --wait 300 9 || fail "another run has held $STATE/lock for five minutes"
  local left
  for left in "$STATE"/restore.*; do
    [[ -d $left ]] || continue
    roll_back "$left" || fail "$left holds what an interrupted restore replaced, and it cannot be put back"
    rm -rf -- "$left"
  done
  rm -rf -- "$STATE"/work.*
  work=$(mktemp -d "$STATE/$1.XXXXXX")
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# Whether something is there, were it a link that leads nowhere.
present() { [[ -e $1 || -L $1 ]]; }

# The paths below the folder $1 (empty: the server's own) that are there.
roots() {
  local pattern
  for pattern in "${PATHS[@]}"; do
    compgen -G "$1$pattern" || true
  done
}

# Whether the full path $1 is one of PATHS or below one.
known() {
  local pattern
  for pattern in "${PATHS[@]}"; do
    # shellcheck disable=SC2053 # PATHS holds patterns
    [[ $1 == $pattern || $1 == $pattern/* ]] && return 0
  done
  return 1
}

# Each entry of the archive on stdin: type and mode, owner, size, time, path.
list() { gzip -dc | tar --list --verbose --full-time --file=-; }

# Ends the run at the first entry of the listing $1 that has no place in a restore. A backup is held to the same, so
# that it fails when it is taken and not when it is needed.
check_listing() {
  local line kind mode path target
  local form='^([-dlh])([-rwxsStT]{9})[.+*]? ([^ /]+)/([^ /]+) +[0-9]+ [0-9-]+ [0-9:.]+ +(.+)$'
  local -A seen=()
  [[ -s $1 ]] || fail "the archive is empty"
  while IFS= read -r line; do
    [[ $line =~ $form ]] || fail "neither file, folder nor link: $line"
    kind=${BASH_REMATCH[1]} mode=${BASH_REMATCH[2]} path=${BASH_REMATCH[5]} target=
    seen[passwd ${BASH_REMATCH[3]}]=1
    seen[group ${BASH_REMATCH[4]}]=1
    case $kind in
      l)
        target=${path#* -> } path=${path%% -> *}
        [[ $target != *' -> '* ]] || fail "a link whose name cannot be told from where it leads: $line"
        ;;
      h) target=${path#* link to } path=${path%% link to *} ;;
      d) path=${path%/} ;;
    esac
    check_path "$path"
    case $kind in
      l) check_link "$path" "$target" ;;
      h) check_path "$target" ;;
    esac
    if [[ $kind != l ]]; then
      [[ ${mode:7:1} != w ]] || fail "anybody may write to /$path"
      [[ $kind == d || $mode != *[sStT]* ]] || fail "/$path runs as another user than its caller"
    fi
  done <"$1"
  for line in "${!seen[@]}"; do
    # shellcheck disable=SC2086 # two words: database and name
    getent $line >/dev/null || fail "this server has no such owner: $line"
  done
}

check_path() {
  case /$1/ in
    *\\* | *//* | */./* | */../*) fail "a path that leaves its folder, or has odd characters: $1" ;;
  esac
  known "/$1" || fail "none of the configured paths: /$1"
}

# A link leads to what is saved too, or to what packages install.
check_link() {
  local base=/${1%/*} leads
  [[ $2 != /* ]] || base=
  leads=$(realpath --canonicalize-missing --no-symlinks -- "$base/$2")
  known "$leads" || [[ $leads == /usr/* ]] || fail "the link /$1 leads outside, to $leads"
}

# Ends the run where a file with a private key, or an environment file, is readable for everybody.
check_secrets() {
  local open
  open=$(find "$@" -type f -perm /007 \( -name '.env*' -o -exec grep -q -e 'PRIVATE KEY-----' -- {} \; \) -print -quit)
  [[ -z $open ]] || fail "a secret that every user may open (chmod o-rwx): $open"
}

# Undoes what the restore in the folder $1 has replaced: all of it, however far it came, and however often it is asked.
roll_back() {
  local root
  [[ -f $1/roots ]] || return 0
  while IFS= read -r root; do
    if ! present "$1/new$root" && present "$root"; then
      mv -T -- "$root" "$1/new$root" || return 1
    fi
    if present "$1/old$root"; then
      mv -T -- "$1/old$root" "$root" || return 1
    fi
  done < <(tac "$1/roots")
}

metrics() { # name unit value, again and again
  local data=
  while [[ $# -gt 0 ]]; do
    data+="${data:+,}{\"MetricName\":\"$1\",\"Unit\":\"$2\",\"Value\":$3}"
    shift 3
  done
  aws cloudwatch put-metric-data --namespace "$NAMESPACE" --metric-data "[$data]" ||
    printf 'configuration: the metrics could not be sent\n' >&2
}
