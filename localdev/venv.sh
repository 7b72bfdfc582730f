#!/bin/sh
# Make the virtual environment from the hashed lock: sh localdev/venv.sh VENV STAMP
set -eu
venv=$1
stamp=$2
lock=requirements-dev.txt

# cksum is POSIX; the hashes inside the lock are what pip verifies.
wanted=$(cksum <"$lock")
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

usable() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    python=
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14 python; do
        if usable "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11 or newer was found: install one, or name it with PYTHON=/path/to/python3." >&2
        exit 1
    fi
    echo "making $venv with $("$python" --version)"
    if ! "$python" -m venv --clear "$venv"; then
        echo "\`$python -m venv\` failed. On Debian and Ubuntu: apt-get install python3-venv." >&2
        exit 1
    fi
fi

echo "installing the locked packages into $venv (about a minute the first time)"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"; then
    echo "Installing $lock failed, see above; nothing is half-done: run the same command again." >&2
    exit 1
fi
printf '%s\n' "$wanted" >"$stamp"
