"""How well the key words of themes go together in the comments: C_v, as gensim measures it."""

from __future__ import annotations

from collections.abc import Sequence

from patient_feedback.words import words

TOP_WORDS = 10
FEWEST_WORDS = 2


def c_v(themes: Sequence[Sequence[str]], texts: Sequence[str]) -> float:
    """Return the mean C_v of the themes; ImportError where gensim is not installed.

    Phrases are taken apart, so that both sides are measured on single words; words that stand in no
    text, and themes of fewer than two words, cannot be measured and are left out.
    """
    from gensim.corpora import Dictionary
    from gensim.models import CoherenceModel

    tokens = [words(text) for text in texts]
    dictionary = Dictionary(tokens)
    listed = []
    for theme in themes:
        single = dict.fromkeys(word for phrase in theme for word in words(phrase))
        known = [word for word in single if word in dictionary.token2id][:TOP_WORDS]
        if len(known) >= FEWEST_WORDS:
            listed.append(known)
    if not listed:
        return 0.0
    model = CoherenceModel(
        topics=listed, texts=tokens, dictionary=dictionary, coherence="c_v", topn=TOP_WORDS, processes=1
    )
    return float(model.get_coherence())
