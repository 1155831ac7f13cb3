"""Put every verb's `--help` into its page, between the markers; `--check` only says what is out of date."""

import os
import re
import subprocess
import sys
from pathlib import Path

from okulo.cli.main import VERBS

PAGES = Path(__file__).parent / "commands"
ELSEWHERE = {"index": "make-index"}
"""Pages that cannot have their verb's name: `index.md` is the list of all."""
BLOCK = re.compile(r"<!-- help -->.*?<!-- /help -->", re.DOTALL)


SUB = re.compile(r"<!-- help (\w+) -->.*?<!-- /help -->", re.DOTALL)
"""The same for one of a verb's own commands, as `okulo series import`."""


def help_text(verb: str) -> str:
    """What `okulo VERB --help` prints on 100 columns, without colour."""
    plain = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "okulo.cli.main", *verb.split(), "--help"]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def with_help(page: str, verb: str) -> str:
    """Fill the page's help block."""
    block = f"<!-- help -->\n```text\n$ okulo {verb} --help\n\n{help_text(verb)}\n```\n<!-- /help -->"
    page = BLOCK.sub(lambda _: block, page)
    return SUB.sub(lambda found: _sub_help(verb, found[1]), page)


def _sub_help(verb: str, sub: str) -> str:
    text = f"```text\n$ okulo {verb} {sub} --help\n\n{help_text(f'{verb} {sub}')}\n```"
    return f"<!-- help {sub} -->\n{text}\n<!-- /help -->"


def main() -> int:
    """Write or check every page; the exit code says whether one was out of date."""
    stale = []
    for verb in VERBS:
        path = PAGES / f"{ELSEWHERE.get(verb, verb)}.md"
        page = path.read_text() if path.exists() else f"# okulo {verb}\n\n<!-- help -->\n<!-- /help -->\n"
        filled = with_help(page, verb)
        if not path.exists() or filled != page:
            stale.append(verb)
            if "--check" not in sys.argv:
                path.write_text(filled)
    if "--check" in sys.argv and stale:
        print(f"docs/commands: out of date for {', '.join(stale)}; run `make format`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
