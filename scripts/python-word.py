"""Writes src/domain/python-word-table.ts: what `\\w` matches in the oldest Python that MLflow runs on.

Run it with that Python (3.10, whose Unicode is 13.0): the table is what its own `re` says, character by character.

    python3.10 scripts/python-word.py > src/domain/python-word-table.ts
"""

import re
import sys
import unicodedata

LINE_CHARS = 100
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    text = ""
    while number >= 36:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return DIGITS[number] + text


def is_word(code: int) -> bool:
    return not 0xD800 <= code < 0xE000 and re.match(r"\w", chr(code)) is not None


bounds = [code for code in range(1, 0x110000) if is_word(code) != is_word(code - 1)]
steps = [base36(bound - before) for before, bound in zip([0, *bounds], bounds)]

lines = [""]
for step in steps:
    if len(lines[-1]) + len(step) + 1 > LINE_CHARS:
        lines.append("")
    lines[-1] += step + ","
lines[-1] = lines[-1].rstrip(",")

python = f"{sys.version_info.major}.{sys.version_info.minor}"
print("/**")
print(f" * What `\\w` matches in Python {python}, whose Unicode is {unicodedata.unidata_version}: the distances from one end")
print(" * of a run of such characters to the next, in base 36. Made by scripts/python-word.py.")
print(" */")
print("export const PYTHON_WORD_BOUNDS =")
print(" +\n".join(f'  "{line}"' for line in lines) + ";")
