"""Settings: `TRANSCRIBER_…` environment variables or `.env`, one class per concern.

They are read at the edges, never at import.
"""

from functools import cached_property
from pathlib import Path

from storage.domain.network.outgoing_targets import OutgoingSettings
from storage.domain.settings.audit_settings import AuditSettings
from storage.domain.settings.backup_settings import BackupSettings
from storage.domain.settings.cluster_settings import ClusterSettings
from storage.domain.settings.dataset_settings import DatasetSettings
from storage.domain.settings.engine_settings import EngineSettings
from storage.domain.settings.oidc_settings import OidcSettings
from storage.domain.settings.rate_limit_settings import RateLimitSettings
from storage.domain.settings.service_settings import MailSettings, WorkerSettings
from storage.domain.settings.storage_settings import StorageSettings
from storage.domain.settings.summary_settings import SummarySettings
from storage.domain.settings.upkeep_settings import UpkeepSettings
from storage.domain.settings.web_settings import WebSettings

__all__ = [
    "AuditSettings",
    "BackupSettings",
    "ClusterSettings",
    "DatasetSettings",
    "EngineSettings",
    "MailSettings",
    "OidcSettings",
    "OutgoingSettings",
    "RateLimitSettings",
    "Settings",
    "StorageSettings",
    "SummarySettings",
    "UpkeepSettings",
    "WebSettings",
    "WorkerSettings",
]


class Settings:
    """All settings together; each class is read once, on first use."""

    @cached_property
    def storage(self) -> StorageSettings:
        return StorageSettings()

    @cached_property
    def web(self) -> WebSettings:
        return WebSettings()

    @cached_property
    def rates(self) -> RateLimitSettings:
        return RateLimitSettings()

    @cached_property
    def oidc(self) -> OidcSettings:
        return OidcSettings()

    @cached_property
    def mail(self) -> MailSettings:
        return MailSettings()

    @cached_property
    def audit(self) -> AuditSettings:
        return AuditSettings()

    @cached_property
    def backup(self) -> BackupSettings:
        return BackupSettings()

    @cached_property
    def datasets(self) -> DatasetSettings:
        return DatasetSettings()

    @cached_property
    def upkeep(self) -> UpkeepSettings:
        return UpkeepSettings()

    @cached_property
    def outgoing(self) -> OutgoingSettings:
        return OutgoingSettings()

    @cached_property
    def engine(self) -> EngineSettings:
        return EngineSettings()

    @cached_property
    def worker(self) -> WorkerSettings:
        return WorkerSettings()

    @cached_property
    def cluster(self) -> ClusterSettings:
        return ClusterSettings()

    @cached_property
    def summary(self) -> SummarySettings:
        return SummarySettings()

    @property
    def model_dir(self) -> Path:
        return self.engine.model_dir or self.storage.data_dir / "models"
