#!/usr/bin/env bash
# Guess: with the versions that Prefect 3.9.1 declares to work with, a cron schedule gives its next dates; an upgrade that
#   keeps the locked `whenever` 0.10.5, which is in the declared range, changes nothing.
# What happens: on Python 3.11 (and wherever Prefect's dates are pendulum's) every cron schedule of the server raises
#   ValueError, "tzinfo must be of type ZoneInfo (exactly)", also in UTC. The scheduler service makes no runs then: nightly
#   batches and upkeep silently stop after the upgrade. With whenever 0.11.0 the dates are there. Prefect 3.8.8 with
#   whenever 0.10.5 gives them, too.
# Versions: prefect 3.9.1 and 3.8.8, whenever 0.10.5 and 0.11.0, Python 3.11
# Date: 2026-11-29
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=$(command -v python3.11 || command -v python3)
cat >"$folder/next_dates.py" <<'PYTHON'
import asyncio
import sys
from importlib.metadata import version

from prefect.server.schemas.schedules import CronSchedule

for zone in ("UTC", "Europe/Berlin"):
    schedule = CronSchedule(cron="30 2 * * *", timezone=zone)
    try:
        told = f"{len(asyncio.run(schedule.get_dates(n=3)))} dates"
    except ValueError as error:
        told = f"ValueError: {error}"
    print(f"prefect {version('prefect')}, whenever {version('whenever')}, {zone}: {told}")
    assert told.startswith(sys.argv[1]), "this has changed"
PYTHON
export PREFECT_HOME=$folder/home PREFECT_SERVER_ALLOW_EPHEMERAL_MODE=false
while read -r prefect whenever expected; do
  "$python" -m venv --clear "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "prefect==$prefect" "whenever==$whenever"
  "$folder/venv/bin/python" "$folder/next_dates.py" "$expected"
done <<'CASES'
3.9.1 0.10.5 ValueError
3.9.1 0.11.0 3
3.8.8 0.10.5 3
CASES
