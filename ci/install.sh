#!/bin/sh
# ci/install.sh DIRECTORY: imgopt from this checkout into a virtual environment, DIRECTORY/bin/imgopt.
#
# Nothing is taken by name and trusted: what imgopt needs are the releases of constraints.txt, and pip refuses a file that
# has another hash. Only wheels, because a source archive runs code of its own to be built.
# PYTHON: the Python that it is made with, 3.10 or newer [python3].
set -eu

directory=$1
ci=$(cd -- "$(dirname -- "$0")" && pwd)
"${PYTHON:-python3}" -c 'import sys; sys.exit("imgopt needs Python 3.10 or newer" if sys.version_info < (3, 10) else 0)'
"${PYTHON:-python3}" -m venv -- "$directory"
pip() { "$directory/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install --require-hashes --only-binary :all: --requirement "$ci/constraints.txt"
pip install --no-deps --no-build-isolation --no-index -- "$ci/.."
