"""Probes what the library `tokenizers` does with every code point: `compiler/tinyc/text/characters.toml`.

    python benchmarks/measure_characters.py

The library takes its character properties from several Unicode versions. Each property is asked of the
component that uses it, so that the generated tokenizers agree with the library, not with one of them.
Needs the extra `tinyc[text]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tokenizers
from tokenizers import normalizers, pre_tokenizers

from tinyc.text.characters import TABLE

_SURROGATES = range(0xD800, 0xE000)
_PER_LINE = 8


def code_points() -> Iterator[int]:
    """Every code point that text can hold."""
    return (code for code in range(0x110000) if code not in _SURROGATES)


def _bert(**on: bool) -> Any:
    off = dict.fromkeys(("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False)
    return normalizers.BertNormalizer(**{**off, **on})


def changed(normalizer: Any) -> dict[int, str]:
    """Code point → what the normalizer makes of it, where that is something else."""
    found = {code: normalizer.normalize_str(chr(code)) for code in code_points()}
    return {code: text for code, text in found.items() if text != chr(code)}


def properties() -> dict[str, set[int]]:
    """Name of the property → its code points."""
    decomposed = changed(normalizers.NFD())
    bert = pre_tokenizers.BertPreTokenizer()
    expression = pre_tokenizers.Whitespace()
    gpt = pre_tokenizers.ByteLevel(add_prefix_space=False)

    def pieces(splitter: Any, text: str) -> int:
        return len(splitter.pre_tokenize_str(text))

    return {
        "control": {code for code, text in changed(_bert(clean_text=True)).items() if not text},
        "chinese": set(changed(_bert(handle_chinese_chars=True))),
        "mark": {code for code, text in changed(_bert(strip_accents=True)).items() if not text},
        "combining": set(changed(normalizers.StripAccents())),
        "decomposed": set(decomposed),
        "whitespace": {code for code in code_points() if pieces(bert, f"a{chr(code)}a") == 2},
        "punctuation": {code for code in code_points() if pieces(bert, f"a{chr(code)}a") == 3},
        "word": {code for code in code_points() if pieces(expression, f"a{chr(code)}a") == 1},
        "letter": {code for code in code_points() if pieces(gpt, f"a{chr(code)}a") == 1},
        "number": {code for code in code_points() if pieces(gpt, f"1{chr(code)}1") == 1},
    }


def lower_case() -> dict[int, str]:
    return changed(_bert(lowercase=True))


def ranges(codes: Iterable[int]) -> list[str]:
    """Hexadecimal `first-last`, or one number where they are the same."""
    found: list[list[int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [f"{first:x}-{last:x}" if first != last else f"{first:x}" for first, last in found]


def runs(mapping: Mapping[int, str]) -> list[str]:
    """`first-last/step+delta` for code points a step of 1 or 2 apart that all move by one delta."""
    single = {code: ord(text) - code for code, text in mapping.items() if len(text) == 1}
    found: list[list[int]] = []
    for code in sorted(single):
        if found:
            first, last, step, delta = found[-1]
            if delta == single[code] and code - last in ((1, 2) if first == last else (step,)):
                found[-1][1:3] = code, code - last
                continue
        found.append([code, code, 1, single[code]])
    return [f"{first:x}-{last:x}/{step}{delta:+d}" for first, last, step, delta in found]


def _lines(name: str, words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    rows = [", ".join(quoted[at : at + _PER_LINE]) for at in range(0, len(quoted), _PER_LINE)]
    return f"{name} = [\n" + "".join(f"  {row},\n" for row in rows) + "]\n"


def main() -> None:
    text = "# Made by benchmarks/measure_characters.py; do not edit. Code points in hexadecimal.\n"
    text += f'library = "tokenizers {tokenizers.__version__}"\n\n'
    for name, codes in properties().items():
        text += _lines(name, ranges(codes)) + "\n"
    lower = lower_case()
    text += _lines("lower", runs(lower))
    text += "\n# One code point that becomes several.\n[lower_sequences]\n"
    for code, word in sorted(lower.items()):
        if len(word) > 1:
            text += f'{code:x} = "{" ".join(f"{ord(c):x}" for c in word)}"\n'
    TABLE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
