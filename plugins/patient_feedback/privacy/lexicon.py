"""Words that tell a person's name from an ordinary word: given names, surnames, and words that are no names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

GIVEN_NAMES = frozenset(
    # English, Irish, Scottish, Welsh
    """
    aaron abigail adam adrian agnes alan alasdair albert alex alexander alexandra alfie alice alison allan amanda amber amelia amy
    andrea andrew andy angela angus anita ann anna anne annette annie anthony antonia april archie arthur ashley audrey
    barbara barry beatrice becky ben benjamin bernadette bernard bethany betty beverley bill billy brenda brian bridget
    bruce bryan callum cameron carl carly carol caroline catherine cathy charles charlie charlotte chelsea cheryl chloe chris
    christina christine christopher claire clare clive colin connor courtney craig daisy daniel danielle darren dave david
    dawn dean deborah debbie declan denise dennis derek desmond diana diane donald donna doreen dorothy dougie douglas duncan
    dylan edith edward eileen eilidh elaine eleanor elizabeth ella ellie emily emma eric erin esther ethan eunice evelyn ewan
    faith fiona florence frances francis frank fred freya gareth gary gavin gemma geoff geoffrey george georgia georgina
    gerald geraldine gillian glen glenn glenys glynis gordon grace graeme graham grant greg gwen hannah harriet harry
    hayley hazel heather helen henry hilary holly howard hugh iain ian imogen irene isaac isabel isabella isla ivy jack
    jackie jacob jacqueline jade jake james jamie jan jane janet janice jason jasmine jayne jean jeff jemma jen jennifer
    jenny jeremy jess jessica jill jim jimmy joan joanna joanne joe joel john jon jonathan jordan joseph josephine josh
    joshua joy joyce judith judy julia julian julie june justin karen kate katherine kathleen kathryn kathy katie kay keith
    kelly ken kenneth kerry kevin kieran kim kirsty kyle lara laura lauren leah lee leigh leo leon leslie lesley lewis liam
    lilian lily linda lindsay lisa liz lizzie lorna lorraine louis louise lucas lucy luke lydia lynda lynn lynne mabel maggie
    malcolm mandy marcus margaret maria marian marie marion marjorie mark martha martin martyn mary matt matthew maureen
    maurice mavis max maxine megan melanie melissa michael michelle mick mike miles millie miriam moira molly monica morag
    muriel myra nancy naomi natalie natasha nathan neil nellie niall niamh nicholas nick nicky nicola nicole nigel nora
    norma norman olive oliver olivia oscar owen paddy pamela pat patricia patrick paul paula pauline peggy penny pete peter
    phil philip phillip phoebe phyllis poppy rachael rachel ralph ray raymond rebecca rhiannon rhys richard rita rob robert
    roberta robin roger ron ronald rory rose rosemary rosie ross roy ruby russell ruth ryan sally sam samantha samuel sandra
    sara sarah scarlett scott sean shannon sharon shaun sheila shirley sian sid simon siobhan sophia sophie stacey stan
    stanley stella stephanie stephen steve steven stewart stuart sue susan suzanne sylvia tamara tara ted teresa terry tess
    theresa thomas tim timothy tina toby tom tommy tony tracey tracy trevor trish valerie vanessa vera veronica vicky
    victor victoria vincent viv vivien vivienne walter wayne wendy wilfred william winifred yasmin yvonne zara zoe
    """.split()
    # common among staff and patients in Britain and Sweden, from elsewhere
    + """
    abdul abdullah adebayo adeola agata agnieszka ahmad ahmed aisha akash ali alicja amina amir amit ana anand aneta anil
    anjali arjun arun asha ayesha babak bilal blessing bogdan chidi chinedu chukwu deepa deepak dimitra dmitri dorota
    elif emeka ewa farah farhan fatima fatma fatemeh gabriela giovanni grzegorz gurpreet hamid hamza harpreet hassan hiba
    hussein ibrahim ifeoma imran ioana ivan jamal javier joao jorge jose juan kamal kasia katarzyna khadija khalid kofi
    krzysztof kwame lakshmi leila luca magdalena malgorzata manuel marek maryam mehmet mehdi meera mihaela milan ming mirela
    mohamed mohammad mohammed muhammad mustafa nadia nasreen navid neha ngozi nikhil nisha nkechi noor olga olu oluwaseun
    omar osman pablo parveen pawel pedro piotr pooja pradeep priya rahul raj rajesh ramesh ravi reza rohan roya sabina
    sadia said salma samira sanjay shabana shreya sina sunita sunil suresh svetlana tariq temitope tomasz usha vijay
    xiao yan yasir yusuf zainab zeynep zofia
    """.split()
    + """
    abena aditya adnan agnieszka akua aleksander aleksandra alejandro alina amal ama amara anastasia andreea andrei anh angelo
    antonio artur asma ayaan ayse aysha barbora beata bianca bogna boris carlos chiamaka chinwe chloe comfort cristina dario
    dariusz diego dilip dinesh ebony ebru edyta efua eleni emeka enzo ermias esra eszter eunice fabio farida farzana fatoumata
    fernando francesca francisco fumi funmi ganesh gabriel giulia gloria gift goran haluk haruka hirut hodan hope hye ikram irina
    isha jacek jadwiga jakub jelena jerzy jing jolanta joanna kaveh karim karthik katya kavita kwesi kiran krishna kyung laszlo latifa
    leyla lourdes lucia ludmila luis lukasz mahmoud mahmood malik mamadou mandeep marcin marco maria-jose mariam mariana marija
    mario mariusz mateusz mehwish mercy michal miguel milena minh mirjana mohan mohamud monique musa nabil nadeem nadine naveed
    nasir natalia nikola nimra nita noura nurul obinna oksana olena oleksandr pavel parisa patience paulo precious
    prakash rafal rania rashid regina ricardo roberto rosa roxana saeed sajid salim sandeep santiago saoirse senthil sergio shabnam
    shanti shirin sofia sonia stefania stephane sukhdev sushma tadeusz tamer tanya tendai teodora thandiwe tunde valentina
    vasile vikram vincenzo waldemar wanjiku wei wojciech xin yemi yohannes yosef yuki yuliya zahra zarah zbigniew zehra zoltan zoran
    anders bethan carys conor cormac danny dermot donnie eamonn ffion gwyneth harold herbert hugo kirstie laurie leighton lesley
    lorraine mair mairead marc marcia maxwell mollie morwenna nerys niki nia orla padraig ricky rodney ronnie roisin shona sheryl
    per christian carmen raul raúl gunnel marina angelica lea elisa viola frederick jay finn dale wyatt jeremiah ada marcel charity peace aahana bruno ernest guy kimberley leonard lawrence marianna paige pauli rainer terence thea curt sinead stefan theo una warren wesley zac zach beth bev caz daz gaz jo joey kath kev maz shaz tash
    """.split()
    # Swedish, Finnish, Norwegian, Danish
    + """
    agneta albin alexandra alfred alva amanda anders andreas ann-christin ann-marie anna-karin anneli annika anton arne arvid
    astrid august axel barbro bengt benny berit bertil birgit birgitta birger bjarne bo britt britta britt-marie börje
    camilla carina carl-johan cecilia charlotta christer christoffer claes dag dagny dan david ebba edvin elin elias elisabeth
    elsa emelie emil emilia erik erika ester eva eva-lena fanny felicia filip fredrik frida gerd gertrud greger greta
    gudrun gun gunilla gunnar gunvor gustaf gustav göran gösta hans hanna hans-erik harald hedvig helena helene henrik
    hilda hilding hjalmar hugo håkan ida ines inga ingalill ingegerd ingela ingemar inger ingmar ingrid ingvar isak jan-erik
    jarl jenny jens jerker jesper johan johanna johannes john jonas josefin josefine juha jukka jörgen kajsa kaj kalle karin
    karl karl-erik karolina katarina kent kerstin kirsi kjell klara klas knut krister kristian kristina kurt lars lars-erik
    lasse lena lennart leif lillemor linnea linnéa linn linus lisbeth liselott lotta louise lovisa ludvig maja maj maj-britt
    malin margareta margit maria marianne marie-louise markus martina matilda mats matti mattias matts mikael mikko moa
    mona monika morgan märta måns nils nina niklas noah ola olle olof ove patrik per-erik pernilla peder petra petter pia
    pontus ragnar ragnhild rasmus rebecka robin roine roland rolf rune rut samuel sanna sara sebastian signe sigrid sigurd
    simon siv sixten sofia sofie solveig stefan stellan sten stig stina sture sune susanne svante sven svea sven-erik
    aino antti ari arto björn carl elly eero eija andré anders anita annelie annie ellen ellinor evert folke fritz gerda gullan harriet hillevi
    holger ingeborg irma jarmo johnny jonny jouni juho jukka kaija kari karoliina kicki lennie lisbet liv lucas magnus marika marja marko marita
    markku micael mikaela monica nicklas oskar olavi paivi päivi pekka pelle pentti pierre pirjo pär raija reijo riitta ritva rikard
    ronny saga sari seppo selma sigvard signhild simone sirpa stig-arne sussie susann tapani tarja teodor tilda tilde timo tommy toivo tony tuija
    valentin vanja veikko wilma yrsa åsa-maria östen
    tage theo therese thorbjörn tobias tomas tor torbjörn tord tore torgny torsten tove tuula tyra ulf ulla ulla-britt ulrika
    urban ursula valter vendela verner viktor vilhelm vilma viveka yngve ylva yvonne åke åsa örjan östen
    """.split()
)

# Names that are words as well: they need a capital and company, never their letters alone.
NAMES_THAT_ARE_WORDS = frozenset(
    """
    amber ana april ashley august bill bo dag dan daisy dawn dean dag ester faith frank gene gerd grace grant gun hans harry
    hazel heather holly isla ivan ivy jack jade jan jean jim jordan joy june kay ken kent kim lara lee leo lily linn love luca
    mark max maj may miles milan miller moa mona morgan my noor norma ola olive oliver ove pat penny per peg pete poppy ray
    rich rob robin rose ross roy ruby rune said sid sina siv sten stig sue sven tage ted tim tom tor tore tove urban
    per christian marina viola jay finn dale charity peace guy seven edit ernest comfort patience precious gift mercy hope gloria rosa warren una mair nia beth jo ama ari kari liv saga ming wei karim malik
    carl björn chase major
    victor viv wayne will yan blessing carol nick scott chelsea florence georgia victoria charlotte lewis glen lindsay
    kelly kerry stan tess tara tina vera peter ron sam pet tage theo raj ming roland brian stella sandra nora norman
    """.split()
)

SURNAMES = frozenset(
    """
    adams ahmed akhtar ali allen anderson bailey baker banerjee begum bell bennett brown campbell carter chapman chen clark
    clarke collins cook cooper cox davies davis dixon edwards ellis evans fletcher foster gibson gill gray green griffiths
    hall harris harrison harvey hill holmes hughes hunt hussain jackson james jenkins johnson jones kaur kelly khan king
    knight kumar lee lewis li lloyd marshall martin mason matthews miller mills mitchell moore morgan morris murphy murray
    nguyen okafor okoye owen palmer parker patel pearson phillips powell price richards richardson roberts robertson
    robinson rogers russell scott shah sharma shaw simpson singh smith stevens stewart taylor thomas thompson turner walker
    walsh ward watson webb white wilkinson williams wilson wood wright young
    lund obi andersson johansson karlsson nilsson eriksson larsson olsson persson svensson gustafsson pettersson jonsson jansson
    hansson bengtsson jönsson lindberg jakobsson magnusson olofsson lindström lindqvist lindgren berg axelsson bergström
    lundberg lind lundgren lundqvist mattsson berglund fredriksson sandberg henriksson forsberg sjöberg wallin engström
    danielsson håkansson eklund lundin gunnarsson björk holm bergman samuelsson fransson wikström isaksson bergqvist
    arvidsson nyström holmberg löfgren söderberg nyberg blomqvist claesson nordström mårtensson lundström hermansson
    """.split()
)

# English and Swedish words that open sentences or stand with capitals in feedback and name nobody.
FEEDBACK_WORDS = frozenset(
    """
    covid corona covid-19 nhs nhse a&e ae gp gps cqc icu itu mri ct ecg iv nicu picu hca pals ivf cbt camhs cmht crisis ots ot pts
    rvi qe nsec neas x-ray xray wifi tv pc app zoom teams google facebook whatsapp pfizer astrazeneca moderna asperger aspergers
    alzheimers alzheimer parkinson parkinsons entonox entinox paracetamol ibuprofen morphine insulin tesco costa xbox playstation netflix
    ward wards unit hospital hospitals clinic centre center surgery practice department dept reception theatre
    doctor doctors dr drs nurse nurses sister matron midwife midwives consultant consultants surgeon surgeons staff paramedic
    paramedics medic medics ambulance ambulances driver drivers crew team teams receptionist receptionists physio physios
    physiotherapist physiotherapists therapist therapists psychologist psychiatrist psychiatrists counsellor dentist dietician
    dietitian dietitians pharmacist pharmacy porter porters carer carers cleaner cleaners volunteer volunteers manager
    managers operator operators handler handlers practitioner practitioners student students technician technicians
    radiographer specialist specialists professional professionals doc docs hcas specialist cardiologist neurologist
    patient patients client clients family families parent parents mum mums mother dad dads father nan gran grandma granny
    grandad granddad husband wife son daughter partner friend friends baby child children kids lady ladies gentleman gentlemen
    lad lads lass girl girls boy boys man men woman women person people someone everyone everybody nobody everything anything
    nothing something somebody anybody none myself himself herself themselves yourself ourselves
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december xmas christmas easter morning afternoon evening night today tomorrow yesterday
    thank thanks thankyou ta cheers please sorry hello hi dear yes no ok okay o.k na n/a nil none nope yeah yep well very really
    so just more less better best worse worst good great excellent superb fantastic brilliant amazing wonderful lovely
    fabulous marvellous outstanding exceptional perfect nice kind kindest kindness caring friendly helpful polite professional
    calm calming reassuring efficient quick prompt punctual clean tidy comfortable warm poor bad terrible awful appalling
    disgusting rude slow late long waiting wait delay delays time times timing service services care aftercare treatment
    treatments appointment appointments communication communications information info advice attitude manner banter courtesy
    knowledge listening food meals meal tea coffee bar parking car park transport taxi bus access facilities chairs seats
    bed beds room rooms buzzer toilet toilets noise environment shelter garden gym activities leave meds medication
    medications medicine tablets prescription results blood bloods test tests scan scans injection vaccine vaccination jab
    operation procedure pain diagnosis discharge admission referral follow followup phone call calls telephone text email
    letter letters form forms questionnaire survey question questions answer ticked problem issue issues concern complaint
    god bless lord england english britain british scotland scottish wales welsh irish ireland sweden swedish uk eu usa
    london newcastle sunderland gateshead durham northumbria northumberland cramlington hexham wansbeck ashington blyth
    middlesbrough hartlepool darlington stockton carlisle nottingham nottinghamshire rampton leicester leeds sheffield york
    manchester liverpool birmingham bristol glasgow edinburgh cardiff belfast oxford cambridge peterlee consett alnwick
    berwick morpeth tynemouth washington bishop auckland freeman rushcliffe mansfield worksop newark derby lincoln cheltenham
    stockholm göteborg malmö uppsala västerås örebro linköping lund umeå gävle norrköping sahlgrenska karolinska skåne
    allowed employ reduce rang felt clearer listened offer due thay shou superb virtues resulted shorten xxx ginger law
    personality disorder trust board council government minister gov tory
    personality mental health act learning disability disabilities autism adhd ptsd ocd bpd depression anxiety dementia cancer
    diabetes stroke sepsis asthma copd
    muslim catholic jewish hindu sikh bame lgbt
    """.split()
)
SWEDISH_WORDS = frozenset(
    """
    tack tacksam bra jättebra mycket väldigt mest allt allting alla ingen inget inga ingenting vi jag ni du de dem det den detta
    denna dessa han hon man min mitt mina din er ert era vår vårt våra hans hennes deras en ett och men eller för från till av
    om som att är var varit vara blev blir bli blivit har hade haft ha kan kunde ska skulle skall vill ville måste fick får få
    gick går gå kom kommer ser såg sa säger sade gör gjorde gjort mår mådde inte aldrig alltid ofta ibland här där nu då sedan
    sen när hur vad vem vilken vilket vilka varför också även bara lite mer mindre bättre bäst sämre sämst dåligt dålig dåliga
    trevlig trevliga trevligt snäll snälla snabb snabbt snabba kompetent kompetenta professionell professionella professionellt
    bemötande bemötandet personal personalen läkare läkaren läkarna doktor doktorn sköterska sköterskan sköterskor
    sjuksköterska sjuksköterskan sjuksköterskor sjuksköterskorna undersköterska undersköterskan undersköterskor barnmorska
    barnmorskan syster överläkare överläkaren kirurg kirurgen kurator kuratorn psykolog psykologen fysioterapeut
    sjukgymnast receptionist receptionisten tandläkare chefen ambulans ambulansen ambulanspersonalen vården vård vårdcentral
    vårdcentralen sjukhus sjukhuset lasarett lasarettet akuten akutmottagningen mottagning mottagningen avdelning avdelningen
    avd rum väntrum väntrummet väntan väntetid väntetiden väntetider tid tiden tider telefon telefonen parkering parkeringen
    mat maten mediciner medicin medicinen smärta smärtan svar svaret besked information informationen kallelse kallelsen
    remiss remissen operation operationen undersökning undersökningen provsvar prover röntgen blodprov covid corona
    måndag tisdag onsdag torsdag fredag lördag söndag januari februari mars april maj juni juli augusti september oktober
    november december jul julen påsk midsommar sommar sommaren vinter hösten våren natten dagen kvällen morgonen idag igår
    imorgon mamma mammor pappa pappor mor far son sonen dotter dottern man make maka fru frun sambo barn barnet barnen
    patient patienten patienter anhörig anhöriga familj familjen person hej ja nej kanske ok okej under över efter innan före
    hos med utan på i vid mot mellan genom per samt dock trots tyvärr heter hette kallas kallad namn namnet första andra
    tredje sista nya gamla stora lilla god gott stort litet helt ganska något någon några flera många sverige svenska svensk
    engelska region regionen landstinget kommunen
    """.split()
)

_SURNAME_ENDINGS = ("sson", "ssons", "qvist", "kvist", "ström", "gren", "dahl", "stedt", "lund", "berg", "blom", "holm")
_SUFFIXES = (("ies", "y"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("es", ""), ("s", ""), ("er", ""), ("er", "e"))
_SUFFIXES += (("est", ""), ("ly", ""), ("n't", ""), ("'s", ""), ("iest", "y"), ("ier", "y"))


@dataclass(frozen=True)
class Lexicon:
    """Ordinary words; the dictionary words come from the language model's own tables, where it has them.

    describing: verbs, adjectives and adverbs, base forms, lower case. naming: nouns, surnames among them.
    """

    describing: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    function_words: frozenset[str] = frozenset()
    _plain: frozenset[str] = field(init=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", FEEDBACK_WORDS | SWEDISH_WORDS | self.function_words)

    @classmethod
    def of(cls, describing: Iterable[str] = (), naming: Iterable[str] = (), function_words: Iterable[str] = ()) -> Lexicon:
        return cls(frozenset(describing), frozenset(naming), frozenset(function_words))

    def is_given_name(self, word: str) -> bool:
        lower = word.lower()
        if lower in GIVEN_NAMES:
            return True
        return word[:1].isupper() and lower.endswith("s") and len(lower) > 4 and lower[:-1] in GIVEN_NAMES  # "Annas"

    def is_word_too(self, word: str) -> bool:
        """Say whether a given name is also an ordinary word."""
        return word.lower() in NAMES_THAT_ARE_WORDS or self.is_plain(word)

    def is_surname(self, word: str) -> bool:
        lower = word.lower()
        return lower in SURNAMES or (len(lower) > 6 and lower.endswith(_SURNAME_ENDINGS))

    def is_plain(self, word: str) -> bool:
        """Say whether the word is one of feedback or grammar, never a name even with a capital."""
        lower = word.lower()
        return lower in self._plain or lower.removesuffix("'s") in self._plain

    def is_ordinary(self, word: str) -> bool:
        """Say whether the word is plain, or a form of a verb, adjective or adverb."""
        return self.is_plain(word) or _has_form_in(word.lower(), self.describing)

    def is_in_dictionary(self, word: str) -> bool:
        return self.is_ordinary(word) or _has_form_in(word.lower(), self.naming)


def _has_form_in(word: str, words: frozenset[str]) -> bool:
    if not words:
        return False
    if word in words:
        return True
    for suffix, ending in _SUFFIXES:
        if word.endswith(suffix) and len(word) > len(suffix) + 2:
            stem = word[: -len(suffix)] + ending
            if stem in words or (len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in words):
                return True
    return False
