"""What a comment without a subject says: "Nothing", "N/A", "-", "all good thanks".

"Nothing" praises as an answer to "what could we do better?" and blames as one to "what was good?"; "N/A" says
neither. Whole comments are compared with declared phrases, so that "nothing was explained to me" stays a
comment like any other. The sentiment model reads them all the same; this says what kind of answer it was.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from patient_feedback.contract import QuestionIntent
from patient_feedback.words import REDACTION_MARK, words

READING_RULES_VERSION = "2"
"""Goes up with any change of the rules: comments that were read by other rules are read again."""
MIXED_SCORE = 0.5
"""A comment is mixed where one of its parts is read this good or better, and another this bad or worse."""


class CommentReading(StrEnum):
    CONTENT = "content"
    """Speaks of something."""
    MIXED = "mixed"
    """Speaks of something, and its parts point to opposite sides."""
    NO_CONTENT = "no_content"
    """No answer: "N/A", "don't know", "-"; or "nothing" where it is not known what was asked."""
    NOTHING_TO_IMPROVE = "nothing_to_improve"
    NOTHING_WAS_GOOD = "nothing_was_good"


def _listed(phrases: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in phrases.split(","))


# Words as `words` gives them: lower case, no signs. English, then Swedish.
NOTHING = _listed(
    "nothing, nothing at all, absolutely nothing, nothing really, nothing much, nothing to add, nothing to say, "
    "nothing else, nothing more, nothing in particular, nothing particular, nothing specific, no nothing, not a thing, "
    "none, no, nope, nil, nowt, nada, zero, not really, not anything, there is nothing, there's nothing, "
    "i can't think of anything, can't think of anything, cant think of anything, cannot think of anything, "
    "couldn't think of anything, nothing i can think of, nothing that i can think of, nothing comes to mind, "
    "nothing springs to mind, not that i can think of, none that i can think of, "
    "inget, ingenting, inget särskilt, inget speciellt, inget alls, ingenting alls, inget att tillägga, nej, inga, "
    "kommer inte på något, inget jag kommer på, finns inget"
)
NO_COMPLAINT = _listed(
    "no complaints, no complaints at all, i have no complaints, no issues, no problems, no concerns, no criticism, "
    "no suggestions, no improvement, no improvements, no improvement needed, no improvements needed, "
    "no improvement required, no improvements required, no changes, no change, no change needed, "
    "nothing to improve, nothing needs improving, nothing to complain about, nothing to change, nothing needs changing, "
    "nothing could be better, nothing could have been better, nothing could be improved, nothing could be done better, "
    "nothing could have been done better, nothing better, could not have been better, couldn't have been better, "
    "could not be better, couldn't be better, could not have done better, couldn't have done better, "
    "can't fault it, cannot fault it, couldn't fault it, can't be improved, don't change anything, "
    "inga klagomål, inga synpunkter, inget att klaga på, inget att förbättra, inget kunde varit bättre, "
    "kunde inte varit bättre, inga förslag"
)
ALL_GOOD = _listed(
    "all good, all was good, all fine, all ok, all okay, all great, all perfect, it's all good, it was all good, "
    "everything good, everything fine, everything ok, everything perfect, everything great, everything is good, "
    "everything is fine, everything is ok, everything is great, everything is perfect, everything was good, "
    "everything was fine, everything was ok, everything was great, everything was perfect, everything was excellent, "
    "everything was very good, it was perfect, it was excellent, it was good, it was fine, perfect, "
    "happy with everything, happy with the service, keep up the good work, keep up the great work, just keep it up, "
    "keep it up, carry on as you are, keep doing what you are doing, fine as it is, good as it is, "
    "allt bra, allt var bra, allt var perfekt, allt fungerade bra, det var bra, jag är nöjd, nöjd, bra som det är, "
    "fortsätt så"
)
NO_ANSWER = _listed(
    "n a, na, not applicable, no answer, no comment, no comments, no further comment, no further comments, "
    "don't know, dont know, i don't know, i dont know, do not know, not sure, unsure, i'm not sure, no idea, "
    "no opinion, no view, can't say, cannot say, can't comment, cannot comment, don't wish to say, prefer not to say, "
    "as above, same as above, see above, see previous, yes, x, test, "
    "vet ej, vet inte, ingen kommentar, inga kommentarer, ej aktuellt, inte aktuellt, se ovan, ja"
)
POLITE = _listed(
    "thanks, thank you, thankyou, many thanks, thanks very much, thank you very much, sorry, please, to be honest, "
    "honestly, really, at all, at the moment, at this time, at present, on this occasion, this time, so far, for me, "
    "in my opinion, i think, as far as i am concerned, just, tack, tack så mycket, just nu"
)
"""Says nothing by itself; alone it is a comment like any other, as "thank you" is."""

NOTHING_ALONE = "nothing"
"""Of `answer_key`."""

KIND_OF_PHRASE = {
    phrase: kind
    for kind, phrases in (
        ("polite", POLITE),
        ("no_answer", NO_ANSWER),
        ("nothing", NOTHING),
        ("all_good", ALL_GOOD),
        ("no_complaint", NO_COMPLAINT),
    )
    for phrase in phrases
}
LONGEST_PHRASE = max(len(phrase.split()) for phrase in KIND_OF_PHRASE)
LONGEST_ANSWER = 200
"""Characters; a longer comment speaks of something."""


def answer_kind(text: str, question_intent: str) -> CommentReading:
    """Return what kind of answer a redacted comment is, by its words and what was asked; never `mixed`."""
    spoken = words(text[:LONGEST_ANSWER])
    if not spoken:
        return CommentReading.CONTENT if _shows_something(text) else CommentReading.NO_CONTENT
    kinds = frozenset() if len(text) > LONGEST_ANSWER else _kinds(spoken)
    asked_for_good = question_intent == QuestionIntent.WHAT_WAS_GOOD
    asked_for_better = question_intent == QuestionIntent.WHAT_TO_IMPROVE
    if "no_complaint" in kinds or ("all_good" in kinds and (asked_for_better or "nothing" in kinds)):
        return CommentReading.CONTENT if asked_for_good else CommentReading.NOTHING_TO_IMPROVE
    if "all_good" in kinds:
        return CommentReading.CONTENT
    if "nothing" in kinds and asked_for_better:
        return CommentReading.NOTHING_TO_IMPROVE
    if "nothing" in kinds and asked_for_good:
        return CommentReading.NOTHING_WAS_GOOD
    return CommentReading.NO_CONTENT if kinds & {"nothing", "no_answer"} else CommentReading.CONTENT


def answer_key(text: str, question_intent: str) -> str:
    """Return the kind of answer as `kind|intent`, with "nothing" where it is not known what was asked apart as `nothing`.

    "N/A" and "nothing" both have no content, but people who label feedback take them for two things.
    """
    kind = answer_kind(text, question_intent)
    is_nothing = kind is CommentReading.NO_CONTENT and "nothing" in _kinds(words(text[:LONGEST_ANSWER]))
    return f"{NOTHING_ALONE if is_nothing else kind}|{question_intent}"


def comment_reading(text: str, question_intent: str, segment_scores: Sequence[float]) -> CommentReading:
    """Return the kind of answer, `mixed` where the sentiment scores of its parts point to opposite sides."""
    kind = answer_kind(text, question_intent)
    highest, lowest = max(segment_scores, default=0.0), min(segment_scores, default=0.0)
    if kind is CommentReading.CONTENT and highest >= MIXED_SCORE and lowest <= -MIXED_SCORE:
        return CommentReading.MIXED
    return kind


def _shows_something(text: str) -> bool:
    """True for a mark (a name is an answer), a figure such as 10/10, or a pictograph."""
    return bool(REDACTION_MARK.search(text)) or any(
        sign.isdigit() or unicodedata.category(sign) == "So" for sign in text
    )


def _kinds(spoken: Sequence[str]) -> frozenset[str]:
    """Return the kinds of phrases that the comment is made of; none where it holds any other word."""
    found, place = set(), 0
    while place < len(spoken):
        for length in range(min(LONGEST_PHRASE, len(spoken) - place), 0, -1):
            if kind := KIND_OF_PHRASE.get(" ".join(spoken[place : place + length])):
                found.add(kind)
                place += length
                break
        else:
            return frozenset()
    return frozenset(found)
