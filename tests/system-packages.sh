#!/usr/bin/env bash
# Installs the Debian packages that the tests need and this machine lacks. Quick when it has them all.
#
# Without root or password-less sudo it names the command to run. The tests that need a missing program are then
# skipped with that reason; under CI=true, where nothing may be skipped, this fails instead.
set -euo pipefail

missing=()

need() { # need PACKAGE PATTERN…: the package, unless a program of one of these names or paths is there
    local package=$1 pattern
    shift
    for pattern in "$@"; do
        if compgen -G "$pattern" >/dev/null || command -v "$pattern" >/dev/null; then return; fi
    done
    missing+=("$package")
}

need gcc gcc
need openjdk-17-jre-headless java
need maven mvn
need postgresql '/usr/lib/postgresql/*/bin/initdb' initdb
need chromium-headless-shell chromium-headless-shell chromium chromium-browser google-chrome
need poppler-utils pdftoppm
need systemd systemd-analyze # does not start it: its own check of the units
need fonts-wqy-microhei '/usr/share/fonts/*/*/*CJK*' '/usr/share/fonts/*/wqy/*' # Chinese pages are to be read in pictures

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
    echo "Installing for the tests: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
    exit 0
fi

echo "Some tests need programs that are not here. To run them too: sudo apt-get install ${missing[*]}" >&2
if [ "${CI:-}" = true ]; then exit 1; fi
