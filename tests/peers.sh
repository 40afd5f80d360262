#!/usr/bin/env bash
# usage: peers.sh MODULES SCRIPT ARGUMENT...
# Runs a Python script with the Python that has the MODULES (one string, blanks between): that of the virtual environment
# $RUNG_PEERS_VENV, or python3. Where a module is missing it says so and returns 77.
python=${RUNG_PEERS_VENV:+$RUNG_PEERS_VENV/bin/}python3
for module in $1; do
  "$python" -c "import $module" 2>/dev/null && continue
  echo "no Python package $module (looked for in \$RUNG_PEERS_VENV, or python3)"
  exit 77
done
PYTHONDONTWRITEBYTECODE=1 exec "$python" "${@:2}"
