#!/usr/bin/env bash
# The page in a browser: run.sh PROGRAM [more for check.py, such as --out FOLDER]
#
# Playwright comes from PyPI into the target directory, once. The browser is the system's Chromium; where there is none,
# Playwright's own or Debian's is fetched. Where neither can be had nothing is checked, and that is said aloud.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../../../.." && pwd)
target=${CARGO_TARGET_DIR:-$repository/target}
venv=$target/page-checks

give_up() {
    printf '\n!!! THE PAGE WAS NOT CHECKED IN A BROWSER: %s\n\n' "$1" >&2
    exit 0
}

if ! "$venv/bin/python" -c 'import playwright.sync_api' 2>/dev/null; then
    command -v python3 >/dev/null || give_up "there is no python3"
    rm -rf "$venv"
    python3 -m venv "$venv" || give_up "python3 makes no virtual environment (on Debian: apt-get install python3-venv)"
    timeout 180 "$venv/bin/pip" install --quiet --disable-pip-version-check 'playwright>=1.50,<2' ||
        give_up "playwright cannot be installed from PyPI"
fi

browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

own() {
    "$venv/bin/python" -c 'import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p: sys.exit(not os.path.exists(p.chromium.executable_path))' 2>/dev/null
}

if ! browser >/dev/null && ! own; then
    timeout 120 "$venv/bin/playwright" install chromium >/dev/null 2>&1 || {
        # Quietly, but for what goes wrong.
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || give_up "there is no Chromium, and it cannot be fetched"
        export DEBIAN_FRONTEND=noninteractive
        { timeout 120 apt-get update && timeout 400 apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } \
            >/dev/null || give_up "there is no Chromium, and Debian's cannot be installed"
    }
fi

program=$1
shift
exec timeout 600 "$venv/bin/python" "$here/check.py" --program "$program" "$@"
