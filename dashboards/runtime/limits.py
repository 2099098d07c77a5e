"""Pauses and limits of the web process that no setting changes."""

from dataclasses import dataclass

from storage.accounts import mail_queue, webhook_deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Pauses in seconds, and sizes of pages; tests choose smaller ones.

    `export_wait_s` is how long a request waits for an export, or `export_wait_for_nobody_s` without a live cpu worker.
    `touch_every_s` is how often an open page in use extends its session.
    """

    export_wait_s: float = 30.0
    export_wait_for_nobody_s: float = 5.0
    exports_at_once: int = 32
    mail_look_every_s: float = 2.0
    mail_pauses_s: tuple[float, ...] = mail_queue.PAUSES_S
    webhook_look_every_s: float = 1.0
    webhook_answer_s: float = 15.0
    prefect_look_every_s: float = 1.0
    webhook_pauses_s: tuple[float, ...] = webhook_deliveries.PAUSES_S
    download_pauses_s: tuple[float, ...] = (2.0, 10.0, 60.0, 300.0, 1800.0)
    download_look_every_s: float = 5.0
    batch_pause_s: float = 0.5
    campaign_look_every_s: float = 2.0
    touch_every_s: float = 60.0
    worker_listens_s: float = 60.0
    media_read_again_after_s: tuple[float, ...] = (0.5, 2.0)
    page_rows: int = 50
    audit_page_rows: int = 100
    audit_export_rows: int = 2000
