#!/usr/bin/env sh
# Without its dependencies: it asks for an old sympy that would take torch down with it.
set -eu
pip install --no-deps schnetpack==2.1.1
