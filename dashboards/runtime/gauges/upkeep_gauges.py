"""Gauges of backups and upkeep, for `/metrics`."""

from prometheus_client import CollectorRegistry, Gauge

from dashboards.runtime.context import Context


def add_canary(registry: CollectorRegistry, holder: Context) -> None:
    """Add the gauges of the canary, if one flies."""
    if not holder.settings.upkeep.canary_minutes:
        return
    state = holder.canary
    told = {
        "transcriber_canary_ok": ("1 if the last canary came back right", int(bool(state.at) and not state.problem)),
        "transcriber_canary_duration_seconds": ("Time of the last right one, to its transcript", state.took_s or 0),
        "transcriber_canary_passed_timestamp_seconds": (
            "When the last right one ended",
            state.passed_at.timestamp() if state.passed_at else 0,
        ),
        "transcriber_canary_failures": ("Canaries that failed since the start", state.failures),
    }
    for name, (text, value) in told.items():
        Gauge(name, text, registry=registry).set(value)


def add_disks(registry: CollectorRegistry, holder: Context) -> None:
    """Add the gauges of disks and of files that belong to no recording."""
    Gauge("transcriber_disk_low", "1 while a disk is nearly full and nothing new is accepted", registry=registry).set(
        int(holder.disks.low is not None)
    )
    Gauge(
        "transcriber_orphans", "Files on storage that belong to no recording, at the last look", registry=registry
    ).set(holder.orphans.found - holder.orphans.deleted)


def add_backups(registry: CollectorRegistry, holder: Context) -> None:
    """Add the gauges of backups; a time is 0 until there is one."""
    state, newest = holder.backups, holder.backups.newest
    passed = state.drill_passed_at
    told = {
        "transcriber_backups": ("Backups at the last look", len(state.ours)),
        "transcriber_backup_made_timestamp_seconds": (
            "When the newest backup was made",
            newest.manifest.made_at.timestamp() if newest else 0,
        ),
        "transcriber_backup_size_bytes": (
            "Size of the newest backup",
            newest.manifest.stored.size_bytes if newest else 0,
        ),
        "transcriber_backup_drill_passed_timestamp_seconds": (
            "When a backup was last restored on trial and was sound",
            passed.timestamp() if passed else 0,
        ),
        "transcriber_backup_drills_failed": ("Backups whose last trial restore failed", state.drills_failed),
        "transcriber_backup_failing": (
            "1 if the last backup or trial could not be done",
            int(bool(state.error)),
        ),
        "transcriber_backup_scheduled": (
            "1 if backups are made every day",
            int(holder.settings.backup.backup_time is not None),
        ),
    }
    for name, (text, value) in told.items():
        Gauge(name, text, registry=registry).set(value)
