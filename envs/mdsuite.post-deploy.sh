#!/usr/bin/env sh
# Without its dependencies: it asks for tensorflow by that name, which mdsuite.yaml has as tensorflow-cpu.
set -eu
pip install --no-deps MDSuite==0.2.0
