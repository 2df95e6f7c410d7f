#!/usr/bin/env sh
# Without their dependencies: schnetpack asks for an old sympy that would take torch down with it, torchani for
# packages of data sets that minset does not use.
set -eu
pip install --no-deps schnetpack==2.1.1 torchani==2.9.0
