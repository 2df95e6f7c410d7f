#!/usr/bin/env bash
# Set up what a study or the tests need, with pip and the system's packages, no conda.
#   envs/setup.sh minset | mdsuite | chgnet | dev | cp2k | slurm | espresso
# Each environment is made once and again when its lock file changes.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=${PATH//"$PWD/.venv/bin:"/} # an environment is not made with a Python of its own
# uv, where the system has no Python that will do
MANAGED=.venv-uv
# what envs/minset.lock was tested with; first the one that MDSuite needs
RUNS_ON="3.11 3.12 3.13"

say() { printf 'setup: %s\n' "$*"; }

# is_python VERSIONS PYTHON: whether it is one of them, with what makes environments
is_python() {
    "$2" -c 'import ensurepip, sys, venv; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1].split())' \
        "$1" 2> /dev/null
}

# find_python VERSIONS: path of the first one that the system has
find_python() {
    local name found
    for name in $(printf 'python%s ' $1) python3; do
        found=$(command -v "$name") && is_python "$1" "$found" && printf '%s\n' "$found" && return
    done
    return 1
}

# require_python: PYTHON becomes the one that was named, the system's, or uv's own
require_python() {
    local given=${PYTHON:-}
    if [ -n "$given" ]; then
        is_python "$RUNS_ON" "$given" && return
        say "PYTHON=$given is no Python 3.11 to 3.13 that can make environments ($("$given" --version 2>&1 || true))" >&2
        exit 1
    fi
    PYTHON=$(find_python "$RUNS_ON") && return
    say "there is no Python 3.11 to 3.13 here; taking uv's 3.11"
    PYTHON=$(managed_python) && is_python 3.11 "$PYTHON" && return
    cat >&2 << 'MISSING'
setup: minset needs Python 3.11, 3.12 or 3.13, and neither the system has one nor can uv bring one (is there a way to GitHub?).
  Debian, Ubuntu: sudo apt-get install python3 python3-venv
  Fedora:         sudo dnf install python3.13
  anywhere:       conda create -p ./python-3.11 python=3.11, then PYTHON=./python-3.11/bin/python make ...
  cluster:        module load python/3.11
MISSING
    exit 1
}

# managed_python: path of uv's Python 3.11, which it downloads once; uv is the system's or comes by pip
managed_python() {
    local uv base
    uv=$(command -v uv || true)
    if [ -z "$uv" ]; then
        base=$(command -v python3) || return
        # Debian's python3 has pip or venv only where they are installed
        if "$base" -m venv $MANAGED > /dev/null 2>&1; then
            $MANAGED/bin/pip install -q uv >&2 && uv=$MANAGED/bin/uv
        elif "$base" -m pip install -q --target $MANAGED uv >&2; then
            uv=$MANAGED/bin/uv
        fi
        [ -n "$uv" ] || return
    fi
    "$uv" python install -q 3.11 >&2 && "$uv" python find --no-project 3.11
}

# up_to_date FOLDER LOCK...: whether the environment was made from these locks
up_to_date() { [ -f "$1/made-from" ] && cat "${@:2}" | cmp -s - "$1/made-from"; }

minset() {
    up_to_date .venv envs/minset.lock && return
    require_python
    say "making .venv from envs/minset.lock (a few minutes, downloads torch)"
    rm -rf .venv
    "$PYTHON" -m venv .venv
    .venv/bin/pip install -q "$(grep '^torch==' envs/minset.lock)"
    .venv/bin/pip install -q --no-deps -r envs/minset.lock
    cp envs/minset.lock .venv/made-from
}

dev() {
    minset
    cmp -s envs/dev.lock .venv/dev-made-from && return
    say "adding envs/dev.lock to .venv"
    .venv/bin/pip install -q --no-deps -r envs/dev.lock
    cp envs/dev.lock .venv/dev-made-from
}

mdsuite() {
    local python
    up_to_date .venv-mdsuite envs/mdsuite.lock && return
    cmp -s envs/mdsuite.lock .venv-mdsuite/cannot-be-made-from && without_mdsuite && return
    rm -rf .venv-mdsuite
    python=$(python_of_mdsuite) || { without_mdsuite && return; }
    say "making .venv-mdsuite from envs/mdsuite.lock (MDSuite needs an old TensorFlow)"
    "$python" -m venv .venv-mdsuite
    .venv-mdsuite/bin/pip install -q --no-deps -r envs/mdsuite.lock || { without_mdsuite && return; }
    cp envs/mdsuite.lock .venv-mdsuite/made-from
}

# a study goes on without it, and says so; it is not tried again at every call
without_mdsuite() {
    rm -rf .venv-mdsuite
    mkdir .venv-mdsuite
    cp envs/mdsuite.lock .venv-mdsuite/cannot-be-made-from
    say "no MDSuite here (it needs Python 3.11; rm -r .venv-mdsuite has it tried again): studies go on without it" >&2
}

# its packages are of 2023: no newer Python has them
python_of_mdsuite() {
    if [ -n "${PYTHON:-}" ] && is_python 3.11 "$PYTHON"; then
        printf '%s\n' "$PYTHON"
    else
        find_python 3.11 || managed_python 2> /dev/null
    fi
}

# a universal potential, in an environment that sees .venv's packages but does not change them
chgnet() {
    minset
    up_to_date .venv-chgnet envs/minset.lock envs/chgnet.lock && return
    say "making .venv-chgnet from envs/chgnet.lock"
    rm -rf .venv-chgnet
    .venv/bin/python -m venv .venv-chgnet
    (cd .venv-chgnet/lib/python*/site-packages && echo ../../../../.venv/lib/python*/site-packages > minset.pth)
    if ! .venv-chgnet/bin/pip install -q --no-deps -r envs/chgnet.lock; then
        rm -rf .venv-chgnet
        say "no CHGNet here (for Python 3.13 it is compiled, with gcc and Python's headers): its tests will be skipped"
        return
    fi
    cat envs/minset.lock envs/chgnet.lock > .venv-chgnet/made-from
}

# system_packages NAME PACKAGE...: install what NAME needs, if that is possible here
system_packages() {
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    command -v apt-get > /dev/null && $sudo true 2> /dev/null || return
    say "installing $1 from the system's packages"
    $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${@:2}" > /dev/null
}

cp2k() {
    command -v cp2k.psmp > /dev/null && return
    system_packages CP2K cp2k && return
    cat >&2 << 'MISSING'
setup: CP2K is missing and cannot be installed from here (no apt-get, or no rights to use it).
  Debian, Ubuntu:  sudo apt-get install cp2k
  conda:           conda create -n cp2k -c conda-forge cp2k, then activate it before make
  cluster:         module load cp2k, so that cp2k.psmp is on the PATH
  without DFT:     make demo STUDY=demo-classical
MISSING
    exit 1
}

# only for the tests of the profile, which start a SLURM of their own
slurm() {
    PATH=$PATH:/usr/sbin command -v slurmctld > /dev/null && return
    system_packages SLURM slurmctld slurmd slurm-client munge ||
        say "SLURM is missing and cannot be installed from here: its tests will be skipped"
}

# only for the tests of the labeler, which need its package of pseudopotentials too
espresso() {
    command -v pw.x > /dev/null && [ -d /usr/share/espresso/pseudo ] && return
    system_packages "Quantum ESPRESSO" quantum-espresso quantum-espresso-data ||
        say "Quantum ESPRESSO is missing and cannot be installed from here: its tests will be skipped"
}

for part in "$@"; do
    case $part in
        minset | dev | mdsuite | chgnet | cp2k | slurm | espresso) "$part" ;;
        *)
            say "unknown part $part" >&2
            exit 2
            ;;
    esac
done
