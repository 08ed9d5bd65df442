"""What stands around names: titles, roles, relations, thanks and praise before them or after them."""

from __future__ import annotations

import regex

from patient_feedback.privacy.lexicon import listed

TITLES = listed("titles")
ROLES = listed("roles")
KIN = listed("kin")
PARTICLES = listed("name_particles")
NAMESAKES = listed("namesakes")
PLACE_NOUNS = listed("place_nouns")
POSSESSIVES = frozenset(
    ("my", "our", "his", "her", "their", "min", "mitt", "vår", "vårt", "hans", "hennes", "deras")
)
PLACES_LIKE_NAMES = frozenset(("james cook", "john radcliffe", "florence nightingale", "astrid lindgrens"))

_PLACE_NOUN = "|".join(map(regex.escape, sorted(PLACE_NOUNS)))
_PRAISING = "|".join(sorted(listed("praise")))

# A name follows, if a word with a capital that is no ordinary word does.
ANNOUNCERS = (
    regex.compile(
        r"(?i)\b(?:called|named|name(?:'s|’s|\sis|\swas|d)|names\s(?:is|are|were|was)|first\sname|surname"
        r"|heter|hette|kallas|namnet(?:\sär|\svar)?|vid\snamn|namn\sär|namn\svar)[\s:,]{1,3}"
    ),
    regex.compile(
        r"(?i)\b(?:thanks?(?:\syou)?(?:\s(?:so|very)\smuch)?(?:\s(?:to|you))?|thanked|grateful\sto|credit\sto"
        r"|shout\s?out\sto|well\sdone|especially|particularly)\s"
    ),
    regex.compile(
        r"(?i)\b(?:(?:spoke|speaking|talked|spoken)\s(?:to|with)"
        r"|(?:seen|treated|helped|dealt\swith|looked\safter|cared\sfor|assessed|visited|service|care)\sby"
        r"|(?:care|help|support|service|treatment|advice|call|visit|kindness)\sfrom)\s"
    ),
    regex.compile(
        r"(?i)\b(?:tack\s(?:till|vare)|tackar?|tack|träffade|särskilt|speciellt|framför\sallt"
        r"|(?:hjälp|vården|bemött|bemötandet|opererad|undersökt|behandlad|omhändertagen|stöd|stödet|kontakt)"
        r"\s(?:av|från|med)|(?:pratade|talade|samtal|samtalet|prata|tala)\smed)\s"
    ),
)
# A name follows, if a word with a capital does.
INTRODUCED = regex.compile(
    r"(?i)\b(?:(?:my|his|her)\sname\s(?:is|was)|name:|jag\sheter|(?:han|hon|som)\sheter|signed,?)\s$"
)
PRAISE_FOLLOWS = regex.compile(
    r"(?i),?\s(?:was|is|were|who|som|var|är)\s"
    r"(?:(?:was|is|very|so|really|always|absolutely|extremely|just|such|an?|the|my|also|both"
    r"|särskilt|var|är|så|mycket|väldigt|jätte|alltid|helt|en|verkligen)\s){0,3}"
    rf"(?:{_PRAISING})\b"
)
SUBJECT_FOLLOWS = regex.compile(
    r"(?i)(?:['’]s)?\s(?:was|is|has|had|who|helped|explained|listened|made|gave|did|came|went|took|looked"
    r"|treated|saw|from|the|var|är|har|hade|som|och|hjälpte|förklarade|lyssnade|tog|gjorde|kom|gav)\b"
)
# "Sarah, Tom and Nurse Dave"
JOINED = regex.compile(
    r"\s?(?:,|&|/|\+|\band\b|\boch\b|\bsamt\b)\s?"
    r"(?:(?:and|och|also|nurse|dr|mr|mrs|ms|miss|syster|doktor)\.?\s)?"
)
PLACE_FOLLOWS = regex.compile(rf"(?i)\s{{1,2}}(?:{_PLACE_NOUN})(?!\w)")
PLACE_BEFORE = regex.compile(
    r"(?i)\b(?:at|in|into|on|to|from|near|towards|through|på|till|i|vid|via)(?:\sthe)?\s$"
)
WHEREABOUTS = regex.compile(r"(?i)\b(?:at|in|into|near|i)\s$")
SENTENCE_START = regex.compile(r"(?:^|[.!?:;\n\r•*-]\s*|[\"“'(]\s?)$")
SWEDISH_DEFINITE_ENDINGS = ("en", "et", "an", "na", "ing", "het")
"""Of nouns: "Väntan var underbar", "Vårdplaneringen är fantastisk" praise no person."""
