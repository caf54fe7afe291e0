#!/usr/bin/env bash
# Writes what the program is made of, as CycloneDX 1.5 in JSON: every crate with its version, licence and checksum.
#
#   deploy/build-sbom.sh [FILE]        by default target/grindvakt.cdx.json
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.9
out=${1:-target/grindvakt.cdx.json}
tools=$PWD/target/tools
target=$(rustc -vV | sed -n 's/^host: //p')

if ! { [[ -x $tools/bin/cargo-cyclonedx ]] && "$tools/bin/cargo-cyclonedx" cyclonedx --version | grep -qF "$version"; }; then
    cargo install cargo-cyclonedx --quiet --locked --version "$version" --root "$tools" >&2
fi
# It writes beside the manifest; what the tests and build scripts need is not in the program.
name=grindvakt-sbom-$$
trap 'rm -f "$name.json" demo/"$name.json" loadtest/"$name.json"' EXIT
"$tools/bin/cargo-cyclonedx" cyclonedx --format json --spec-version 1.5 --target "$target" --no-build-deps \
    --override-filename "$name" --quiet
mkdir -p "$(dirname "$out")"
mv "$name.json" "$out"
echo "$out"
