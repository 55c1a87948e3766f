"""What a command has done, as a table for a person."""

from collections.abc import Sequence

from charrnn_cli.errors import disk_errors
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.preparation import Prepared
from charrnn_cli.terminal.console import aligned
from charrnn_cli.text.tokenizer import TOKEN_UNITS
from charrnn_cli.wording import byte_size, quantity

NAMED_SKIPPED = 3  # number of skipped files that a message names


def preparation_summary(prepared: Prepared) -> str:
    """The size of a prepared text, its vocabulary, its splits and its rarest tokens."""
    corpus, unit = prepared.corpus, TOKEN_UNITS[prepared.vocabulary.level]
    total = sum(corpus.tokens.values())
    rows = [("files", f"{len(corpus.files):,}"), (unit, f"{total:,}"), ("distinct", f"{corpus.distinct:,}")]
    rows += _vocabulary_row(prepared)
    if prepared.vocabulary.unknown is not None:
        rows.append(("unknown", f"{corpus.unknown:,} {unit} ({corpus.unknown / total:.3%}) are <unk>"))
    rows += [(split, f"{tokens:,}") for split, tokens in corpus.tokens.items()]
    rows.append(("rarest", "  ".join(f"{_shown(token)} {count:,}" for token, count in corpus.rarest)))
    rows.append(("on disk", f"{byte_size(_bytes_on_disk(prepared.run))} in {prepared.run.folder} ({corpus.dtype})"))
    return aligned(rows)


def skipped_in_words(skipped: Sequence[str]) -> str:
    """Which files of folders were not read, in one line."""
    more = f" and {len(skipped) - NAMED_SKIPPED:,} more" if len(skipped) > NAMED_SKIPPED else ""
    return (
        f"Skipped {quantity(len(skipped), 'files')} in folders: {', '.join(skipped[:NAMED_SKIPPED])}{more}. "
        "To read more kinds of files, add for example --include '*.py'."
    )


def _vocabulary_row(prepared: Prepared) -> list[tuple[str, str]]:
    """The size of the vocabulary; no row if it is the number of different tokens."""
    settings, V, distinct = prepared.corpus.settings, len(prepared.vocabulary), prepared.corpus.distinct
    limit = settings.vocab_size
    if limit is not None and limit > distinct and settings.level != "subword":
        kept = "" if settings.min_count > 1 else ", all are kept"
        return [
            ("vocabulary", f"{V:,}: the text has fewer than {limit:,} different {TOKEN_UNITS[settings.level]}{kept}")
        ]
    return [("vocabulary", f"{V:,}")] if distinct != V and settings.level != "byte" else []


def _bytes_on_disk(run: Run) -> int:
    """Bytes of the prepared text, without those of a trained model."""
    with disk_errors("read", run.folder):
        files = [run.vocabulary, *run.corpus.iterdir()]
        return sum(path.stat().st_size for path in files if path.is_file())


def _shown(token: str) -> str:
    """A token as a person can read it."""
    if token == " ":
        return "space"
    return token if token.isprintable() and not token.isspace() else repr(token)[1:-1]
