"""What the way from sound or text to the model's input takes of a board's memory."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.text import emit
from tinyc.text.description import ModelKind, Tokenizer

# Estimates, fitted to nRF52840 builds with Clang.
_AUDIO_CODE = 8 * 1024
_TEXT_CODE = {ModelKind.WORDPIECE: 1300, ModelKind.BYTE_LEVEL_BPE: 2300}
_SYLLABLES_CODE = 800
_SEQUENCES_CODE = 250
_PREFIX_SPACE_CODE = 300


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Bytes: `code` is an estimate, constant `tables`, working memory `ram` and arena `buffer` are exact."""

    code: int = 0
    tables: int = 0
    ram: int = 0
    buffer: int = 0

    @classmethod
    def of(cls, audio: AudioSettings | None, tokenizer: Tokenizer | None) -> FrontEnd:
        """The front end of a program; without sound and text it takes nothing."""
        if tokenizer is not None:
            model = emit.model_view(tokenizer)
            code = _TEXT_CODE[tokenizer.kind]
            code += _SYLLABLES_CODE * model.syllables + _SEQUENCES_CODE * model.sequences
            code += _PREFIX_SPACE_CODE * tokenizer.add_prefix_space
            return cls(code=code, tables=emit.table_bytes(tokenizer), ram=model.ram_bytes)
        if audio is not None:
            # Its tables count as code.
            return cls(code=_AUDIO_CODE, buffer=AudioFrontEnd(audio).state_bytes)
        return cls()
