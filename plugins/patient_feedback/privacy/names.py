"""Names of people: after titles and roles, after words that announce a name, from a list, and from a model.

No rule reads a sentence: a name is found by what stands before it, by being a known given name, or by the named
entities of a model, which are checked here because models take many capitals in short comments for names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import regex

from patient_feedback.privacy.entities import Entity, Finding
from patient_feedback.privacy.lexicon import Lexicon

LONGEST_NAME = 4
"""Words in a name; more in a row with capitals is a heading or shouting."""

_WORD = regex.compile(r"[^\W\d_]++(?:['’-][^\W\d_]++)*+")
_TITLES = frozenset("dr doctor mr mrs ms miss mx prof professor doktor rev herr fru".split())
_ROLES = frozenset(
    """
    nurse sister matron midwife paramedic paramedics consultant surgeon physio physiotherapist receptionist carer hca porter driver
    therapist counsellor psychologist psychiatrist pharmacist dentist gp technician radiographer practitioner anaesthetist
    phlebotomist dietitian dietician optician podiatrist
    syster sköterska sköterskan sjuksköterska sjuksköterskan undersköterska undersköterskan läkare läkaren överläkare överläkaren
    doktorn barnmorska barnmorskan kurator kuratorn psykolog psykologen fysioterapeut fysioterapeuten kirurg kirurgen
    tandläkare tandläkaren receptionist receptionisten distriktssköterska distriktssköterskan specialistsjuksköterska
    arbetsterapeut arbetsterapeuten sjukgymnast sjukgymnasten ambulanssjukvårdaren
    """.split()
)
_KIN = frozenset(
    """
    husband wife son daughter mum mother dad father partner friend brother nan gran grandmother grandad grandson granddaughter
    neighbour carer baby mam hubby colleague
    man fru son dotter mamma pappa mor far sambo bror make maka vän barn pojke flicka mormor farmor morfar farfar hustru
    """.split()
)
_POSSESSIVES = frozenset("my our his her their min mitt vår vårt hans hennes deras sin".split())
_ANNOUNCERS = regex.compile(
    r"(?i)\b(?:called|named|name(?:'s|’s|\sis|\swas|d)|names\s(?:is|are|were|was)|first\sname|surname|i\sthink\shis\sname\swas"
    r"|heter|hette|kallas|namnet(?:\sär|\svar)?|vid\snamn|namn\sär|namn\svar|som\sheter)[\s:,]{1,3}"
)
_INTRODUCED = regex.compile(r"(?i)\b(?:(?:my|his|her)\sname\s(?:is|was)|name:|jag\sheter|(?:han|hon|som)\sheter|signed,?)\s$")
_THANKED = regex.compile(
    r"(?i)\b(?:thanks?(?:\syou)?(?:\sso\smuch|\svery\smuch)?(?:\s(?:to|you))?|thanked|grateful\sto|credit\sto|shout\s?out\sto|well\sdone"
    r"|(?:spoke|speaking|talked|spoken)\s(?:to|with)|(?:seen|treated|helped|dealt\swith|looked\safter|cared\sfor|assessed|visited|service|care)\sby"
    r"|(?:care|help|support|service|treatment|advice|call|visit|kindness)\sfrom|especially|particularly"
    r"|tack\s(?:till|vare)|tacka|tackar|tack|(?:hjälp|vården|bemött|bemötandet|opererad|undersökt|behandlad|omhändertagen|stöd|stödet|kontakt)\s(?:av|från|med)"
    r"|(?:pratade|talade|samtal|samtalet|prata|tala)\smed|träffade|särskilt|speciellt|framför\sallt)\s"
)
_PRAISE = regex.compile(
    r"(?i),?\s(?:was|is|were|who|som|var|är)\s(?:(?:was|is|very|so|really|always|absolutely|extremely|just|such|an?|the|my|also|both|so|särskilt"
    r"|var|är|så|mycket|väldigt|jätte|alltid|helt|en|verkligen)\s){0,3}(?:lovely|kind|great|amazing|excellent|brilliant|fantastic|wonderful"
    r"|helpful|friendly|outstanding|rude|superb|star|angel|patient|caring|polite|professional|approachable|fab|marvellous|gem|delight"
    r"|snäll|underbar|fantastisk|trevlig|kunnig|hjälpsam|otrevlig|duktig|lugn|ängel|stjärna|klippa|pärla|vänlig|tydlig|lyhörd)\b"
)
_DEFINITE_ENDINGS = ("en", "et", "an", "na", "ing", "het")
"""Of Swedish nouns: "Väntan var ...", "Vårdplaneringen är ..." praise no person."""
_PARTICLES = frozenset("de da di van von der den af al el bin ben la le du mac mc o st".split())
_JOINED = regex.compile(r"\s?(?:,|&|/|\+|\band\b|\boch\b|\bsamt\b)\s?(?:(?:and|och|also|nurse|dr|mr|mrs|ms|miss|syster|doktor)\.?\s)?")
_PLACE_FOLLOWS = regex.compile(
    r"(?i)[\s]{1,2}(?:hospitals?|wards?|house|lodge|cent(?:re|er)|clinic|surgery|unit|road|street|lane|avenue|park|general|infirmary|court"
    r"|practice|department|day|community|bridge|suite|wing|building|hall|college|school|university|trust|airport|station|hotel|nsec"
    r"|a&e|urgent|medical|sjukhus|lasarett|vårdcentral|universitetssjukhus|syndrome|disease|scale|bar|mile|street|sjukhem)\b"
)
_PLACE_BEFORE = regex.compile(r"(?i)\b(?:at|in|into|on|to|from|near|towards|through|på|till|i|vid|via)(?:\sthe)?\s$")
_WHEREABOUTS = regex.compile(r"(?i)\b(?:at|in|into|near|i)\s$")
_PLACE_ENDINGS = frozenset("lane road street avenue view house lodge court bridge park hill ward unit centre clinic".split())
# Hospitals and wards are named after saints, crowned heads and a captain.
_NAMESAKES = frozenset("st saint sankt s:t queen king prince princess royal lady drottning kronprinsessan".split())
_PLACES_LIKE_NAMES = frozenset({"james cook", "john radcliffe", "florence nightingale", "astrid lindgrens"})
_SENTENCE_START = regex.compile(r"(?:^|[.!?:;\n\r•*-]\s*|[\"“'(]\s?)$")
_SUBJECT_FOLLOWS = regex.compile(
    r"(?i)(?:['’]s)?\s(?:was|is|has|had|who|helped|explained|listened|made|gave|did|came|went|took|looked|treated|saw|from|the"
    r"|var|är|har|hade|som|och|hjälpte|förklarade|lyssnade|tog|gjorde|kom|gav)\b"
)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def is_capitalised(self) -> bool:
        return self.text[0].isupper()

    @property
    def is_shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_initial(self) -> bool:
        return len(self.text) == 1 and self.text.isupper()


class NameFinder:
    """Finds names by rules, and judges the names that a model found.

    `given_names_in_lower_case` also takes a known given name without its capital where it is no word.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def find(self, text: str) -> Iterator[Finding]:
        """Yield the names that the rules find, in the order of their place; they do not overlap."""
        words = _words(text)
        starts = {word.start: index for index, word in enumerate(words)}
        announced = {match.end() for pattern in (_ANNOUNCERS, _THANKED) for match in pattern.finditer(text, overlapped=True)}
        index = 0
        while index < len(words):
            count = self._name_at(text, words, index, announced)
            if count == 0:
                index += 1
                continue
            last = words[index + count - 1]
            yield Finding(Entity.PERSON, words[index].start, _name_end(last), 0.8)
            index += count
            # "Sarah, Tom and Dave": what is joined to a name with a capital is a name as well.
            while joined := _JOINED.match(text, last.end):
                follower = starts.get(joined.end())
                if follower is None or not self._is_joined_name(words[follower]):
                    break
                count = self._length(text, words, follower)
                last = words[follower + count - 1]
                yield Finding(Entity.PERSON, words[follower].start, _name_end(last), 0.75)
                index = follower + count

    def judge(self, text: str, start: int, end: int) -> Finding | None:
        """Return what of a model's name at `text[start:end]` is a name, or None."""
        words = [word for word in _words(text[start:end]) if word.text[0].isalpha()]
        words = [_Word(word.text, word.start + start, word.end + start) for word in words]
        while words and (words[0].text.lower() in _TITLES or not self._may_be_name(words[0])):
            words = words[1:]
        while words and not self._may_be_name(words[-1]):
            words = words[:-1]
        if not words or len(words) > LONGEST_NAME or "\n" in text[words[0].start : words[-1].end]:
            return None
        known = any(self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text) for word in words)
        first, last = words[0], words[-1]
        if _PLACE_FOLLOWS.match(text, last.end) or last.text.lower() in _PLACE_ENDINGS or self._is_namesake(text, first, last):
            return None
        if len(words) == 1 and first.is_shouted and self._lexicon.is_word_too(first.text):
            return None
        if not known:
            if any(word.is_shouted for word in words):
                return None
            if len(words) == 1 and (
                self._lexicon.is_in_dictionary(first.text) or _PLACE_BEFORE.search(text[max(0, first.start - 12) : first.start])
            ):
                return None
            if any(self._lexicon.is_plain(word.text) for word in words):
                return None
        return Finding(Entity.PERSON, first.start, _name_end(last), 0.7)

    def may_hold_names(self, text: str) -> bool:
        """Say whether a model could find a name that `judge` would accept; most comments hold no such word."""
        return any(self._may_be_name(word) for word in _words(text))

    def _may_be_name(self, word: _Word) -> bool:
        if not word.is_capitalised or word.is_initial:
            return False
        if self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text):
            return not self._lexicon.is_plain(word.text)
        return len(word.text) > 2 and not self._lexicon.is_ordinary(word.text)

    def _is_namesake(self, text: str, first: _Word, last: _Word) -> bool:
        """Say whether these words name a place after somebody."""
        before = text[max(0, first.start - 16) : first.start].lower().split()
        return (bool(before) and before[-1].rstrip(".") in _NAMESAKES) or text[first.start : last.end].lower() in _PLACES_LIKE_NAMES

    def _name_at(self, text: str, words: list[_Word], index: int, announced: set[int]) -> int:
        """Return how many words from `index` on are a name: 0 for none."""
        word, previous = words[index], words[index - 1] if index else None
        if previous is not None and not _is_near(text, previous, word):
            previous = None
        before = previous.text.lower() if previous else ""
        if before in _TITLES:
            if particles := self._particles_at(text, words, index):
                return particles + self._length(text, words, index + particles)
            if self._follows_title(previous, word):
                return self._length(text, words, index)
        strict = self._is_unusual(word)
        if strict and (before in _ROLES or word.start in announced):
            return self._length(text, words, index)
        if strict and before in _KIN and index > 1 and words[index - 2].text.lower() in _POSSESSIVES:
            return self._length(text, words, index)
        if _INTRODUCED.search(text[max(0, word.start - 20) : word.start]) and not self._lexicon.is_plain(word.text):
            if word.is_capitalised and not word.is_shouted and not word.is_initial:
                return self._length(text, words, index)
        if self._is_known_given_name(text, words, index):
            return self._length(text, words, index)
        if strict and self._is_unknown_name(text, words, index):
            return self._length(text, words, index)
        return 0

    def _is_unknown_name(self, text: str, words: list[_Word], index: int) -> bool:
        """Say whether a word no list holds is a name: praised as people are, or one of two with capitals."""
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        before = text[max(0, word.start - 12) : word.start]
        if word.is_shouted or _PLACE_BEFORE.search(before) or _PLACE_FOLLOWS.match(text, word.end) or self._is_namesake(text, word, word):
            return False
        if _PRAISE.match(text, word.end):
            return len(word.text) > 2 and not word.text.lower().endswith(_DEFINITE_ENDINGS)
        if following is None or following.is_shouted or not self._is_unusual(following) or not _is_near(text, word, following):
            return False
        if _PLACE_FOLLOWS.match(text, following.end) or following.text.lower() in _PLACE_ENDINGS:
            return False
        return not self._is_namesake(text, word, following)

    def _particles_at(self, text: str, words: list[_Word], index: int) -> int:
        """Return how many particles open the name at `index`: 2 for "van der Merwe", 0 where no name follows them."""
        for count, word in enumerate(words[index : index + 3]):
            if count and not _is_near(text, words[index + count - 1], word):
                return 0
            if word.text.lower() not in _PARTICLES or word.is_shouted:
                return count if word.is_capitalised and not self._lexicon.is_plain(word.text) else 0
        return 0

    def _follows_title(self, title: _Word | None, word: _Word) -> bool:
        assert title is not None
        lower = word.text.lower()
        is_surname = self._lexicon.is_surname(word.text) and word.is_capitalised and title.is_capitalised
        if self._lexicon.is_plain(word.text) and not self._lexicon.is_given_name(word.text) and not is_surname:
            return False
        known = self._lexicon.is_given_name(word.text) or self._lexicon.is_surname(word.text)
        if title.text.lower() in ("miss", "fru", "herr", "doctor", "doktor", "mr") and not title.is_capitalised and not known:
            return word.is_capitalised and not self._lexicon.is_in_dictionary(word.text)
        if word.is_capitalised and not word.is_shouted:
            return True
        if word.is_shouted:
            return known or not self._lexicon.is_ordinary(word.text)
        return len(lower) > 2 and (known or not self._lexicon.is_in_dictionary(word.text))

    def _is_unusual(self, word: _Word) -> bool:
        """Say whether a word with a capital names somebody where a name is awaited."""
        if not word.is_capitalised or word.is_initial or len(word.text) < 2:
            return False
        if self._lexicon.is_given_name(word.text):
            return not word.is_shouted or not self._lexicon.is_word_too(word.text)
        if self._lexicon.is_surname(word.text):
            return not word.is_shouted and not self._lexicon.is_plain(word.text)
        return len(word.text) > 2 and not self._lexicon.is_in_dictionary(word.text)

    def _is_joined_name(self, word: _Word) -> bool:
        return not word.is_shouted and self._is_unusual(word)

    def _is_known_given_name(self, text: str, words: list[_Word], index: int) -> bool:
        word = words[index]
        if not self._lexicon.is_given_name(word.text):
            return False
        following = words[index + 1] if index + 1 < len(words) else None
        if following and not (_is_near(text, word, following) and following.is_capitalised and word.is_capitalised):
            following = None
        if self._is_namesake(text, word, following or word) or self._is_namesake(text, word, word):
            return False
        if following and self._lexicon.is_surname(following.text) and not word.is_shouted:
            return not _PLACE_FOLLOWS.match(text, following.end)
        if self._lexicon.is_plain(word.text):
            return False
        if _PLACE_FOLLOWS.match(text, word.end):
            return False
        if following and _PLACE_FOLLOWS.match(text, following.end):
            return False  # "James Cook Hospital"
        if _WHEREABOUTS.search(text[max(0, word.start - 8) : word.start]) and not word.text.endswith(("'s", "’s")):
            return False  # "at Stanley"
        is_word_too = self._lexicon.is_word_too(word.text)
        if not is_word_too and not word.text.lower() in _GENITIVE_TRAPS:
            return word.is_capitalised or len(word.text) > 3
        if not word.is_capitalised or word.is_shouted:
            return False
        if following and self._is_unusual(following) and not self._lexicon.is_ordinary(word.text):
            return True
        if _SENTENCE_START.search(text[max(0, word.start - 6) : word.start]):
            return not self._lexicon.is_ordinary(word.text) and _SUBJECT_FOLLOWS.match(text, word.end) is not None
        return not self._lexicon.is_ordinary(word.text) and not _PLACE_BEFORE.search(text[max(0, word.start - 12) : word.start])

    def _length(self, text: str, words: list[_Word], index: int) -> int:
        """Return how many words the name that begins at `index` has."""
        count, is_lower = 1, not words[index].is_capitalised
        for current, following in pairwise(words[index : index + LONGEST_NAME + 1]):
            if not _is_near(text, current, following) or current.text.endswith(("'s", "’s")):
                break
            if following.text.lower() in _PARTICLES and not following.is_shouted and not is_lower:
                after = words[index + count + 1] if index + count + 1 < len(words) else None
                if after is None or not after.is_capitalised or not _is_near(text, following, after):
                    break
            elif not self._continues(following, is_lower):
                break
            count += 1
            if count == LONGEST_NAME:
                break
        return count

    def _continues(self, word: _Word, is_lower: bool) -> bool:
        if self._lexicon.is_surname(word.text):
            return is_lower or word.is_capitalised
        if not word.is_capitalised:
            return False
        if word.is_initial:
            return word.text not in ("I", "A")
        if word.is_shouted:
            return not self._lexicon.is_in_dictionary(word.text)
        return not self._lexicon.is_plain(word.text)


# Genitives of short names that are words: "Ages", "Tims", "Marks".
_GENITIVE_TRAPS = frozenset("marks bills wills pats toms hugs dans jans mays joys roses deans rays".split())


_BLANKS = (" ", "  ", "\xa0")


def _words(text: str) -> list[_Word]:
    return [_Word(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _is_near(text: str, first: _Word, second: _Word) -> bool:
    """Say whether only a blank is between two words, or the full stop of an initial or a title."""
    gap = text[first.end : second.start]
    is_abbreviation = first.is_initial or first.text.lower() in _TITLES
    return gap in _BLANKS or (is_abbreviation and gap in (".", ". "))


def _name_end(word: _Word) -> int:
    """Leave the genitive's 's behind."""
    return word.end - (2 if word.text.endswith(("'s", "’s", "'S", "’S")) else 0)
