"""A telephone prompt and what is said in it: five languages spoken and written, ten views.

    python benchmarks/asterisk_transcripts.py [FOLDER]

One context is one prompt; it has up to five recordings and five transcripts (brackets, which hold
editors' notes, are left out). The recipe cmc-modalities with an edge for every pair of the ten
views (`all`), and with the edge of one language's recording and transcript alone (`pair`). The
transcript is looked for by the recording and back, among all test prompts of that language; a
prompt that says the same is right too. Beside it linear CCA of the pair on fixed features, the
nearest length (seconds beside letters), and chance. Splits as in asterisk_prompts.py. Writes
benchmarks/results/asterisk_transcripts.json.
"""

from __future__ import annotations

import tempfile
from itertools import permutations
from pathlib import Path

import pandas as pd
from asterisk_languages import LANGUAGES, durations, means, searched, study_of
from asterisk_prompts import run, split_of, terms_of, trained

from infomax import data

BRACKETS = r"\[[^\]]*\]|\([^)]*\)"
SPOKEN = [(f"{language}_audio", f"{language}_text") for language in LANGUAGES]
VOICES = [voice for voice, _ in SPOKEN]


def transcripts(folder: Path, judged: str) -> dict[str, object]:
    table = by_prompt(folder)
    both_ways = [way for pair in SPOKEN for way in permutations(pair)]
    across = [*permutations(VOICES, 2)]
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "prompts.csv"
        table.to_csv(file, index=False)
        every = [name for pair in SPOKEN for name in pair]
        ten, facts = judge(file, table, judged, every, both_ways + across)
        two = [judge(file, table, judged, [*pair], [*permutations(pair)]) for pair in SPOKEN]
    alone = [row for rows, _ in two for row in rows]
    spoken, voices = ten[: len(both_ways)], ten[len(both_ways) :]
    found = {
        "all": {"mean_over_10_pairs": means(spoken), "pairs": spoken, **facts},
        "pair": {"mean_over_10_pairs": means(alone), "pairs": alone, "runs": [f for _, f in two]},
        "all_across_languages": {"mean_over_20_pairs": means(voices), "pairs": voices},
    }
    for what, one in found.items():
        print(what, *(v for k, v in one.items() if k.startswith("mean")), flush=True)
    return found


def by_prompt(folder: Path) -> pd.DataFrame:
    """One row a prompt: its recordings and transcripts by language, empty where there is none."""
    table = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    table["text"] = table.transcript.str.replace(BRACKETS, " ", regex=True)
    table["text"] = table.text.where(table.text.str.contains(r"\w"), "").str.strip()
    table["audio"] = [str(folder / file) for file in table.file_name]
    wide = table.pivot(index="prompt_id", columns="language", values=["audio", "text"]).fillna("")
    wide.columns = [f"{language}_{what}" for what, language in wide.columns]
    group = table.groupby("prompt_id").text_group.first()
    return wide.assign(text_group=group).reset_index()


def judge(
    file: Path, table: pd.DataFrame, judged: str, names: list[str], asked: list[tuple[str, str]]
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Train on some views, and look for some by others."""
    chosen = study_of(file, split_of(table), names)
    contexts = data.load(chosen.data)
    study, model, facts = trained(chosen, contexts)
    rows = contexts.rows(judged)
    lengths = {
        name: durations(file.parent, table[name].to_numpy()[rows])
        if name in VOICES
        else table[name].str.len().to_numpy()[rows]
        for name in names
    }
    said = table.text_group.to_numpy()[rows]
    found = searched(study, contexts, judged, said, lengths, asked)
    return found, {**facts, "terms": terms_of(model, contexts, chosen.train.batch, judged)}


if __name__ == "__main__":
    run("asterisk_transcripts", {"transcripts": transcripts}, __doc__)
