#!/bin/sh
# Builds the virtual environment that holds everything (package, JupyterLab, tests) from requirements.lock.
# Usage: build_venv.sh DIRECTORY. Needs Python 3.11 or newer; PYTHON=... names another one. Uses uv where it can be had, pip otherwise.
set -eu
venv=$1
python=$venv/bin/python
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3 python3.14 python3.13 python3.12 python; do
        if "$candidate" -c "$new_enough" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "edasim needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2
    return 1
}

if ! "$python" -c "$new_enough" 2>/dev/null; then
    base=$(find_python)
    echo "Building $venv with $("$base" --version)"
    "$base" -m venv --clear "$venv" || {
        echo "Python's venv module could not build $venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi

uv_pin=$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
if "$python" -m pip install --quiet --disable-pip-version-check "$uv_pin" && "$python" -m uv --version >/dev/null; then
    install() { "$python" -m uv pip install --quiet --python "$python" "$@"; }
else
    echo "uv cannot be had here; pip takes over (slower)"
    install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
fi
install -r requirements.lock
install --no-deps --no-build-isolation --editable .

settings=$venv/share/jupyter/lab/settings/overrides.d
mkdir -p "$settings"
cp jupyter/overrides.json "$settings/edasim.json"
touch "$venv/.built"
