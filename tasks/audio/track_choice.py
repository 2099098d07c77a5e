"""Choose the audio tracks to transcribe by default flag, packets and sound.

The look into the file is bounded. Several mono tracks without languages are the channels of one recorder, and belong
together.
"""

import re
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.domain.job_messages import encode
from storage.domain.languages import codes_anywhere, names_anywhere
from storage.domain.records import FileNote
from storage.domain.transcript_notes import TrackChosen, TracksMixed
from storage.media import container
from storage.media.wav_parts import WavPart
from tasks.audio.sound_levels import FAINT_TRACK, FULL_SCALE, SILENT_TRACK

BESIDE = 30  # a faint track beside one so many times as loud has noise alone
LOOK_S = 900.0  # how far to look for any sound
SETTLED_S = 300.0  # how far to look for sound in a track while another one has some
MAX_PACKETS = 200_000
LOOK_RATE_HZ = 8_000
VERSION = re.compile(
    r"comment|kommentar|director|descri|beschreib|hörfilm|\bdub(?:bed|bing)?\b|doblad|synchro|original|version|versión|fassung|music|musik|música"
    r"|effects|m&e|karaoke|instrumental|translat|übersetz|traduc|interpret|dolmetsch|intérprete|language|sprache|idioma",
    re.IGNORECASE,
)
"""What a title says of a track that is another version of the same sound, rather than another microphone."""
CODE = re.compile(r"(?:[a-z]{2,3}|[A-Z]{2,3})\b")
"""How a title begins with the code of a language; people's names have a capital and small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackChoice:
    """The tracks to transcribe, together if there are several, and a note that says so."""

    indices: tuple[int, ...]
    note: FileNote | None = None


def choose(path: Path, name: str, part: WavPart | None) -> TrackChoice:
    """Return which of a file's audio tracks to transcribe; raises like `container.opened`."""
    with container.opened(path, name, part) as opened:
        streams = list(opened.streams.audio)[: container.MAX_TRACKS]
        if len(streams) < 2:
            return TrackChoice(indices=(0,))
        tracks = container.tracks_of(opened)
        order = sorted(range(len(streams)), key=lambda index: (*_rank(streams[index]), index))
        is_recorder = _is_recorder(tracks) and not _is_chosen(streams)
        peaks = _peaks(opened, streams, order[0], all_of_them=is_recorder)
    sounding = [index for index in order if peaks[index] > SILENT_TRACK]
    if is_recorder and len(sounding) > 1:
        note = FileNote(message=encode(TracksMixed(count=len(sounding))), damaged=False)
        return TrackChoice(indices=tuple(sorted(sounding)), note=note)
    heard = [index for index in sounding if peaks[index] > FAINT_TRACK or BESIDE * peaks[index] > max(peaks)]
    chosen = (heard or order)[0]
    before = [index for index in order[: order.index(chosen)] if index != chosen]
    return TrackChoice(indices=(chosen,), note=_note(tracks, chosen, before))


def _rank(stream: Any) -> tuple[bool, bool]:
    from av.stream import Disposition

    extra = Disposition.comment | Disposition.visual_impaired | Disposition.hearing_impaired
    return not stream.disposition & Disposition.default, bool(stream.disposition & extra)


def _is_recorder(tracks: Sequence[container.AudioTrack]) -> bool:
    """Return whether the tracks are alike and mono, and the channels of one recorder.

    Cameras name all of them alike, after themselves; recorders number them, or people name them after who speaks. Where
    they differ, no title tells of a version or a language.
    """
    alike = len({(track.codec, track.sample_rate_hz, track.channels, track.language) for track in tracks}) == 1
    if not alike or tracks[0].channels != 1:
        return False
    titles = {track.title or "" for track in tracks}
    return len(titles) == 1 or not (any(map(_is_version, titles)) or _are_languages(titles))


def _is_chosen(streams: Sequence[Any]) -> bool:
    """Return whether somebody set another track than the first as the default.

    Programs by themselves set the first.
    """
    from av.stream import Disposition

    flags = [bool(stream.disposition & Disposition.default) for stream in streams]
    return any(flags) and not flags[0]


def _is_version(title: str) -> bool:
    words = {title.lower(), *re.findall(r"\w{3,}", title.lower())}
    return bool(VERSION.search(title)) or not names_anywhere().isdisjoint(words)


def _are_languages(titles: Collection[str]) -> bool:
    """Return whether all titles begin with codes of languages, such as ENG and GER.

    With the same one for all, they tell nothing apart.
    """
    codes = [match[0].lower() for match in map(CODE.match, titles) if match]
    spoken = {codes_anywhere().get(code) for code in codes}
    return len(codes) == len(titles) and len(spoken) > 1 and None not in spoken


def _peaks(opened: Any, streams: Sequence[Any], first: int, *, all_of_them: bool) -> list[float]:
    """Return the highest peak found in each track."""
    import av

    container.only(opened, list(streams))
    looks = {stream.index: _TrackLook(stream) for stream in streams if stream.codec_context is not None}
    packets = opened.demux(*streams)
    for _ in range(MAX_PACKETS):
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError, OSError):
            break
        if packet.stream_index not in looks:
            continue
        looks[packet.stream_index].take(packet)
        sounding = [look.peak > SILENT_TRACK for look in looks.values()]
        done = all(sounding) if all_of_them else looks[streams[first].index].peak > FAINT_TRACK
        looked_s = min(look.looked_s for look in looks.values())
        if done or looked_s > (SETTLED_S if any(sounding) else LOOK_S):
            break
    return [looks[stream.index].peak if stream.index in looks else 0.0 for stream in streams]


class _TrackLook:
    """The peak of one track so far, and how much of it was decoded."""

    def __init__(self, stream: Any) -> None:
        from av import AudioResampler

        self._decoder = container.decoder_of(stream)
        self._resampler = AudioResampler(format="s16", layout="mono", rate=LOOK_RATE_HZ)
        self.peak = self.looked_s = 0.0

    def take(self, packet: Any) -> None:
        """Decode a packet; damaged ones have no sound."""
        import av

        try:
            for frame in self._decoder.decode(packet):
                frame.pts = None
                for out in self._resampler.resample(frame):
                    samples = array("h", bytes(out.planes[0])[: 2 * out.samples])
                    self.looked_s += out.samples / LOOK_RATE_HZ
                    loudest = max(max(samples, default=0), -min(samples, default=0))
                    self.peak = max(self.peak, loudest / FULL_SCALE)
        except (av.FFmpegError, ValueError):
            return


def _note(tracks: Sequence[container.AudioTrack], chosen: int, silent: Sequence[int]) -> FileNote:
    about = tuple(", ".join(part for part in (track.language, track.title) if part) for track in tracks)
    about = about if any(about) else ()
    message = TrackChosen(track=chosen, of=len(tracks), silent=tuple(silent), about_all=about)
    return FileNote(message=encode(message), damaged=False)
