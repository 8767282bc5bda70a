"""What goes wrong with sound, and whether trying again can help."""

from __future__ import annotations

from urllib.parse import urlsplit

import av

from reflector_migrate.errors import StepError, TerminalStepError, TransientStepError

ABSENT = (
    av.error.HTTPClientError,
    av.error.FileNotFoundError,
    FileNotFoundError,
)
HOPELESS = (
    av.error.InvalidDataError,
    av.error.EOFError,
    av.error.DecoderNotFoundError,
    av.error.DemuxerNotFoundError,
    av.error.ProtocolNotFoundError,
    av.error.IsADirectoryError,
    av.error.PermissionError,
    IsADirectoryError,
    PermissionError,
)


class AudioError(StepError):
    """A recording's sound could not be read or written; `source` says which, secrets removed."""

    code = "audio"

    def __init__(self, message: str, *, source: str = "", hint: str = "") -> None:
        """Name the source in the message, so that one line is enough to act on."""
        super().__init__(f"{source}: {message}" if source else message, hint=hint)
        self.source = source


class HopelessAudioError(AudioError, TerminalStepError):
    """The sound itself is bad or absent: no retry can help."""

    code = "audio_hopeless"


class AbsentAudioError(HopelessAudioError):
    """The sound is not there, or is refused: that says nothing of its quality."""

    code = "audio_absent"


class TransientAudioError(AudioError, TransientStepError):
    """The network or the machine failed: a retry may succeed."""

    code = "audio_transient"


def describe(source: object) -> str:
    """Name a path, URL or file object without user, password, query or fragment."""
    name = source if isinstance(source, str) else getattr(source, "name", None)
    text = str(name if name is not None else source if hasattr(source, "__fspath__") else "stream")
    if "://" not in text:
        return text
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def classified(error: Exception, source: str, doing: str) -> AudioError:
    """Turn a library or system error into ours; without its text, which may hold a URL."""
    reason = "timed out" if isinstance(error, av.error.ExitError) else _reason(error)
    return _kind(error)(f"{doing}: {reason}", source=source)


def _kind(error: Exception) -> type[AudioError]:
    if isinstance(error, ABSENT):
        return AbsentAudioError
    return HopelessAudioError if isinstance(error, HOPELESS) else TransientAudioError


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
