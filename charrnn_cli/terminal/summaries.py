"""What a command has done, as a table for a person."""

from charrnn_cli.errors import disk_errors
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.preparation import Prepared
from charrnn_cli.terminal.console import aligned
from charrnn_cli.text.tokenizer import TOKEN_UNITS
from charrnn_cli.wording import byte_size


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


def _vocabulary_row(prepared: Prepared) -> list[tuple[str, str]]:
    """The size of the vocabulary; no row if it is the number of different tokens."""
    settings, V, distinct = prepared.corpus.settings, len(prepared.vocabulary), prepared.corpus.distinct
    limit = settings.vocab_size
    if limit is not None and limit > distinct:
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
