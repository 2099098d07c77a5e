"""Stored files are private, and an older folder is mended."""

from pathlib import Path

import pytest

from storage.domain.settings import StorageSettings
from storage.files import privacy


@pytest.fixture
def settings(tmp_path: Path) -> StorageSettings:
    """The settings of a folder that an earlier version made under a umask of 022."""
    data = tmp_path / "data"
    for name in ("ledger.duckdb", "ledger.duckdb.wal", "store/media/ab/abc", "logs/web.log", "backups/old.duckdb"):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_bytes(b"x")
        path.chmod(0o644)
    for folder in (data, *(path for path in data.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    return StorageSettings(data_dir=data, _env_file=None)


def modes(folder: Path) -> set[int]:
    return {path.lstat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def test_a_folder_of_an_earlier_version_is_mended(settings: StorageSettings) -> None:
    assert len(list(privacy.exposed(settings))) == 11

    assert privacy.mend(settings) == 11

    assert modes(settings.data_dir) == {0o600, 0o700}
    assert list(privacy.exposed(settings)) == []
    assert privacy.mend(settings) == 0


def test_a_folder_is_closed_at_once_and_mended_later(settings: StorageSettings) -> None:
    privacy.close(settings)

    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    assert len(list(privacy.exposed(settings))) == 10


def test_links_are_not_followed_and_other_peoples_files_are_left(settings: StorageSettings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "weights").touch(0o644)
    (settings.data_dir / "models").symlink_to(elsewhere)
    (settings.data_dir / "store" / "media" / "link").symlink_to(elsewhere / "weights")
    (settings.data_dir / "my own notes.txt").touch(0o644)

    privacy.mend(settings)

    assert modes(elsewhere) == {0o755, 0o644}
    assert (settings.data_dir / "my own notes.txt").stat().st_mode & 0o777 == 0o644


def test_a_storage_folder_elsewhere_is_private_too(tmp_path: Path) -> None:
    for name in ("data", "disk/media"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(0o775)
    settings = StorageSettings(data_dir=tmp_path / "data", storage_url=str(tmp_path / "disk"), _env_file=None)

    privacy.mend(settings)

    assert modes(tmp_path / "disk") == {0o700}


def test_a_folder_that_everybody_shares_is_left(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)

    assert privacy.mend(StorageSettings(data_dir=tmp_path / "shared", _env_file=None)) == 0


def test_a_bucket_has_no_modes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)

    assert privacy.mend(StorageSettings(data_dir=tmp_path / "data", storage_url="s3://bucket", _env_file=None)) == 0
