#!/bin/bash
# Puts nginx on the machine. It may run again and again; the page comes afterwards, by Systems Manager.
set -euo pipefail

root=${MAINTENANCE_ROOT:-}

# The machine has 512 MB: without swap the kernel may end dnf half-way.
if [[ ! -e $root/swapfile ]]; then
  (umask 077 && dd if=/dev/zero of="$root/swapfile.new" bs=1M count="${MAINTENANCE_SWAP_MB:-512}" status=none)
  mkswap -q "$root/swapfile.new"
  mv "$root/swapfile.new" "$root/swapfile"
  echo '/swapfile none swap sw 0 0' >>"$root/etc/fstab"
fi
swapon --noheadings --show=NAME | grep -qx "$root/swapfile" || swapon "$root/swapfile"

# The way out may come later than the machine.
there() { command -v nginx && command -v openssl; } >/dev/null
for attempt in {1..20}; do
  there && break
  dnf install -y nginx openssl || { echo "attempt $attempt of 20 failed" >&2; sleep "${MAINTENANCE_PAUSE:-15}"; }
done
there || { echo "nginx could not be installed; see dnf's messages above" >&2; exit 1; }

systemctl enable --now nginx
