#!/usr/bin/env bash
# Write requirements.lock: every dependency at one version with its hashes, for each supported Python.
#
#   tools/lock.sh [--upgrade]
#
# Without --upgrade the versions already in the lock are kept where they still fit setup.cfg.
set -euo pipefail
cd "$(dirname "$0")/.."

# uv does not look at the upper bound of a package's Python range; pip does. backports.strenum 1.3 is
# for Python 3.10 alone, and ai-edge-litert asks for it on every Python.
constraints='backports.strenum<1.3; python_version >= "3.11"'

.venv/bin/uv pip compile setup.cfg --extra dev --universal --python-version 3.10 \
    --constraint <(printf '%s\n' "$constraints") \
    --generate-hashes --no-emit-index-url --no-annotate --no-config --quiet \
    --custom-compile-command 'make lock' \
    --output-file requirements.lock "$@"
