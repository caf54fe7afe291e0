#!/usr/bin/env bash
# Builds the root file system of the image: the program, linked without any shared library, a CA bundle, a user, and
# nothing else. No shell, no package manager, nothing to update but the whole.
#
#   deploy/build-rootfs.sh [FOLDER]        by default target/rootfs
#
# It needs Rust, a C compiler, the C library's static half (Debian: libc6-dev has it) and a CA bundle (Debian:
# ca-certificates). PROFILE names another cargo profile than `release`; TARGET another target, such as
# x86_64-unknown-linux-musl where its standard library is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

root=${1:-target/rootfs}
profile=${PROFILE:-release}
target=${TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}

[[ -s $bundle ]] || { echo "no CA bundle at $bundle (Debian: ca-certificates); CA_BUNDLE names another" >&2; exit 1; }

# With a target of its own, the flags are not those of build scripts and macros, which are programs for this machine.
flags="-C target-feature=+crt-static"
# Which commit it is, for `grindvakt_build_info`. A tree with changes is no commit.
revision=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
[[ -z $(git status --porcelain 2>/dev/null) ]] || revision=${revision:+$revision-changed}
RUSTFLAGS="$flags ${RUSTFLAGS:-}" GRINDVAKT_REVISION=${revision:-unknown} \
    cargo build --package grindvakt --bin grindvakt --locked --profile "$profile" --target "$target"

folder=$([[ $profile == dev ]] && echo debug || echo "$profile")
program=target/$target/$folder/grindvakt

rm -rf "$root"
# The folders that a configuration, keys, state and sockets are mounted on.
mkdir -p "$root"/{etc/grindvakt,etc/ssl/certs,run/grindvakt,usr/bin,var/lib/grindvakt,tmp}
install -m 755 "$program" "$root/usr/bin/grindvakt"
# What it is worth in the image: without what only a debugger reads.
strip "$root/usr/bin/grindvakt"
if readelf --program-headers "$root/usr/bin/grindvakt" | grep -q INTERP; then
    echo "the program wants a dynamic linker: it is not static" >&2
    exit 1
fi
install -m 644 "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
# One user, who owns nothing but the folders that it may write.
printf 'grindvakt:x:65532:65532:grindvakt:/:/sbin/nologin\n' >"$root/etc/passwd"
printf 'grindvakt:x:65532:\n' >"$root/etc/group"
# Names are looked up in /etc/hosts, which Kubernetes writes, and then by DNS.
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
if [[ $(id -u) == 0 ]]; then
    chown -R 0:0 "$root"
    chown 65532:65532 "$root/run/grindvakt" "$root/var/lib/grindvakt"
fi

size=$(du -sb "$root" | cut -f1)
echo "$root: $((size / 1024)) KiB, the program $(($(stat -c %s "$root/usr/bin/grindvakt") / 1024)) KiB"
