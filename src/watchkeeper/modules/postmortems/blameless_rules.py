"""The rules of the blameless check: what is looked for, why, and how else it can be said. Only data.

In a pattern, PERSON stands for somebody: a role, a pronoun, or one of the names that the check was given. Repetitions
are bounded, so that no text makes one slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """`may_be_denied`: "nobody is to blame" is no finding."""

    pattern: str
    why: str
    alternatives: tuple[str, ...]
    may_be_denied: bool = True


_ROLES = (
    r"engineers?|developers?|devs?|programmers?|coders?|operators?|admins?|administrators?|sysadmins?|sres?|dbas?|"
    r"colleagues?|contractors?|interns?|juniors?|newcomers?|new hires?|managers?|reviewers?|authors?|testers?|"
    r"technicians?|analysts?|responders?|commanders?|teammates?|employees?|staff|personnel|on-?call(?: engineer|"
    r" person)?|"
    r"team(?: members?| leads?)?|dev team|ops team|qa|management|leadership|people|person|maintainers?|owners?|"
    r"architects?|vendor's \w+|support(?: team| staff| agent)?|operations|newbies?|apprentices?|consultants?|leads?|"
    r"boss|"
    r"supervisors?|individuals?|those|agents?|(?:person|people) on call"
)
_PRONOUNS = r"he|she|they|we|i|you|somebody|someone|anybody|anyone|everybody|everyone|nobody|no one|who|whoever"


def person_pattern(names: tuple[str, ...]) -> str:
    """Somebody, as a group of a pattern."""
    known = "".join(f"|{re.escape(one)}" for one in names)
    return rf"(?:\b(?:{_ROLES}|{_PRONOUNS}{known})\b)"


_ADVERB = r"(?:\s+\w+ly|\s+also|\s+again|\s+even|\s+just|\s+had|\s+has|\s+have|\s+then|\s+once again)?"
_SEEN = (
    r"noticed|caught|spotted|seen|tested|reviewed|checked|verified|avoided|prevented|anticipated|foreseen|known|"
    r"understood|realized|realised|communicated|escalated|documented|double-checked|read"
)
_MISSTEP = (
    r"panicked|rushed|hurried|slept|dozed|rubber-?stamped|misdiagnosed|mistook|wiped|hesitated|dithered|froze|"
    r"guessed|"
    r"confused|mixed up|muddled|wasted|lost (?:control|track|sight|their nerve|his nerve|her nerve|interest)|"
    r"did nothing|"
    r"stood by|looked away|looked the other way|gave up|rambled|meddled|tampered|tinkered|messed|fumbled|flailed|"
    r"(?:typed|entered|ran|picked|chose|used|selected|copied|pasted|clicked|deleted|restarted|edited|pulled|"
    r"unplugged|"
    r"rebooted|called|set) (?:the |a |an )?wrong|left (?:the |a |an |its |their |his |her )?[\w -]{1,40}\b(?:on|off|"
    r"open|"
    r"running|enabled|disabled|unlocked|exposed|unattended|behind|broken|in place)\b|"
    r"(?:was|were|is|are|been) (?:far |much |way )?(?:too (?:slow|late|hasty|quick|lazy|busy|inexperienced|junior|"
    r"tired|confident)|"
    r"slow to|late to|unaware|oblivious|unprepared|distracted|overconfident|unqualified|unfit|out of (?:his|her|"
    r"their) depth|"
    r"warned|told (?:not|twice|before|repeatedly))"
)
_HINDSIGHT = "Hindsight: at that moment it did not look like that."
_PERSON_AS_CAUSE = "It names a person as the cause. What made it possible, and what made it the sensible thing to do?"
_JUDGEMENT = "It judges a person. What they knew, saw and had to decide explains more."
_PUNISHES = "It speaks of punishment: the next one will hide what happened."

RULES: tuple[Rule, ...] = (
    Rule(
        r"\b(?:human|user|operator|pilot|engineer|developer|admin|administrator|people|personnel) errors?\b"
        r"(?!\s+(?:out|logs?|rates?|codes?|messages?|pages?|budgets?|handling|reports?|counts?|states?))|\bpebkac\b|"
        r"\berrors?,? (?:made )?by (?:an? |the |our )?PERSON|\bhuman (?:mistakes?|failure|failings?|negligence)\b",
        "It ends the search where it begins: why could one action do that?",
        ("the tool let the command run on production", "nothing asked for a confirmation before"),
    ),
    Rule(
        r"\b(?:to blame|blamed?|blames|blaming|finger-?pointing)\b(?<!git blame)(?!\s*(?:less|-free|free|output|"
        r"view|history))",
        "It looks for somebody to blame.",
        ("a contributing cause was", "what made it possible"),
    ),
    Rule(
        r"\b(?:at fault|(?:his|her|their|my|your|our|whose|somebody's|someone's|nobody's|'s) (?:own )?"
        r"(?:fault|mistakes?|errors?|oversights?|carelessness|negligence|incompetence|failure to|inattention|"
        r"bad judge?ment|"
        r"poor judge?ment|sloppiness|laziness|stupidity|ignorance))\b"
        r"(?!\s*(?:logs?|rates?|budgets?|codes?|messages?|pages?|handl|toleran|domain|injection))"
        r"|\b(?:fault|mistake|error|oversight|negligence) (?:of|by|on the part of) (?:an? |the |our |one of our )?"
        r"(?:\w+ )?PERSON",
        _PERSON_AS_CAUSE,
        ("the change went out without a check that would have stopped it",),
    ),
    Rule(
        r"\b(?:it|this|that|outage|incident) (?:was|is) (?:entirely |completely |all |largely )?"
        r"(?:the )?[a-z]{0,20}(?:'s)? ?fault\b",
        _PERSON_AS_CAUSE,
        ("a contributing cause was",),
    ),
    Rule(
        r"\b(?:culprits?|guilty(?: party)?|perpetrators?|offenders?|offending (?:engineer|developer|person|"
        r"employee))\b"
        r"(?!\s+(?:was|is|were|turned out to be|being|here was|seems to be|appears to be)?\s*(?:an?|the|"
        r"our)?\s*(?:\w+\s+){0,3}"
        r"(?:query|queries|leak|bug|process|service|config\w*|deploy\w*|release|job|index|cache|disk|node|host|pod|"
        r"library|"
        r"dependency|version|table|lock|commit|change|flag|setting|limit|timeout|container|certificate|script|"
        r"migration))",
        "Causes are not offenders.",
        ("cause", "what set it off"),
    ),
    Rule(
        r"\b(?:careless(?:ly|ness)?|sloppy(?! quorum)|sloppily|sloppiness|negligen(?:t|ce|tly)|incompeten(?:t|ce|"
        r"tly)|"
        r"stupid(?:ly|ity)?|idiot(?:ic|s)?|moron(?:ic|s)?|dumb(?! terminal| pipe)|reckless(?:ly|ness)?|"
        r"irresponsibl[ey]|"
        r"unprofessional(?:ly)?|clueless|thoughtless(?:ly)?|inattenti(?:ve|on)|complacen(?:t|cy)|"
        r"lazy(?! load| init| eval| import| select| fetch| delet| connect| creat| migrat| quantif| propert|"
        r" attribut| writ| cach)|"
        r"laziness|amateur(?:ish)?|lousy|inexcusabl[ey]|unforgivabl[ey]|embarrassing(?:ly)?|shameful(?:ly)?|"
        r"hasty|haphazard(?:ly)?|cavalier|foolish(?:ly)?|ignorant|naive(?:ly)? (?:of|to) )\b",
        _JUDGEMENT,
        ("under time pressure", "with what was known then", "(leave the word out)"),
    ),
    Rule(
        r"\b(?:rookie|beginner'?s?|silly|basic|simple|elementary|obvious|costly|avoidable|preventable|inexperienced|"
        r"bad|big|"
        r"huge|terrible|honest|unfortunate|grave|serious) (?:mistakes?|blunders?|misjudge?ments?|oversights?)\b|"
        r"\bblunders?\b",
        _JUDGEMENT,
        ("a step that was easy to get wrong",),
    ),
    Rule(
        r"\b(?:made|make|makes|making|committed) (?:an? |the |some |several |another )?(?:\w+ )?"
        r"(?:mistakes?|blunders?|poor (?:choice|decision)s?|bad (?:choice|decision|call)s?|wrong (?:choice|decision|"
        r"call)s?)\b|"
        r"PERSON(?:\s+\w+ly)? made (?:an? |the )?(?:\w+ )?errors?\b",
        _JUDGEMENT,
        ("did what the runbook said, which was for another version", "chose the option that looked safest then"),
    ),
    Rule(
        r"\b(?:screw(?:ed|s|ing)?[- ]?up|mess(?:ed|es)[- ]up|f(?:u|\*)ck(?:ed)?[- ]?up|botch(?:ed|es)?|"
        r"fat[- ]?finger(?:ed|s|ing)?|"
        r"drop(?:ped|s)? the ball|asleep at the wheel|cut(?:ting)? corners|blew it|goofed(?: up)?|bungl(?:ed|es|ing)|"
        r"slipped up|didn'?t do (?:his|her|their|its) job|did not do (?:his|her|their) job|jumped the gun|"
        r"let (?:us|everyone|the team) down)\b",
        _JUDGEMENT,
        ("the command ran against another environment than was meant",),
    ),
    Rule(
        r"PERSON(?:\s+on the \w+ team|\s+on duty|\s+in charge)?(?:\s+\w+ly|\s+also|\s+again|\s+simply)?"
        r"\s+(?:(?:really|clearly|certainly)\s+)?"
        r"(?:should|could|ought to|might|must|needed to)(?:\s+not|n't)?(?:\s+\w+ly|\s+at least|\s+just|\s+easily)?\s+"
        r"have\s+(?!(?:more|less|fewer|an?|the|no|any|some|better|enough|one|two|three|its|their|"
        r"our)\b)(?!been\s+(?:paged|notified|called|alerted|told|woken|informed|able)\b)(?!to\b)\w+",
        _HINDSIGHT,
        ("at that moment they saw", "next time the alert can say"),
    ),
    Rule(
        rf"\b(?:should|could|ought to)(?:\s+not|n't)?(?:\s+\w+ly)? have (?:been )?(?:\w+ly )?(?:{_SEEN})\b"
        r"(?!\s+(?:by|as) (?:the )?(?:cache|proxy|balancer|cluster|leader|replica))|"
        r"\b(?:should|ought to) have (?:\w+ly )?(?:known better|paid (?:more )?attention|been (?:more )?"
        r"(?:careful|obvious|cautious|diligent|vigilant|attentive|aware|common sense))|\bshould know better\b|"
        r"\bknew better\b",
        _HINDSIGHT,
        ("what would have shown it is", "it became visible when"),
    ),
    Rule(
        r"PERSON(?:\s+on the \w+ team|\s+on duty|\s+in charge|\s+responsible)?"
        rf"{_ADVERB}\s+(?:failed|neglected|omitted|refused|declined|overlooked|failed even) to\s+\w+|"
        r"PERSON(?:\s+on duty|\s+in charge)?"
        rf"{_ADVERB}\s+(?:failed|overlooked|missed (?:the|an|a|several|this|that|these|multiple) \w+|misread|"
        rf"misjudged|"
        r"misunderstood|misconfigured|mishandled|mistyped|mismanaged|underestimated|disregarded|"
        r"ignored|skipped|bypassed|circumvented|violated|disobeyed)\b",
        "It tells what somebody did not do. What did they do, and what told them to?",
        ("went on with, because", "the step was not in the runbook"),
    ),
    Rule(
        rf"PERSON(?:'s [\w ]{{1,20}})?(?:\s+on (?:the \w+ team|duty|call)|\s+in charge|\s+of (?:the|"
        rf"this) \w+)?{_ADVERB}\s+(?:{_MISSTEP})",
        "It tells of a misstep and not of what led to it. What did they see, and what did it look like to them?",
        (
            "ran the command in the shell that was open, which was production",
            "the alert read as one that had come before",
        ),
    ),
    Rule(
        r"PERSON(?:\s+on (?:the \w+ team|duty|call)|\s+in charge|\s+of (?:the|this) \w+)?"
        r"\s+(?:(?:\w+ly\s+)?(?:didn't|did not|never|had not|hadn't|could not be bothered to|"
        r"couldn't be bothered to)|"
        r"and (?:did not|didn't|never))(?:\s+\w+ly|\s+even|\s+bother to)?\s+"
        r"(?:notic\w*|check\w*|test\w*|read|ran|run|understand|understood|realis\w*|realiz\w*|verif\w*|look\w*|"
        r"ask\w*|tell|"
        r"told|escalat\w*|respond\w*|react\w*|act|follow\w*|document\w*|communicat\w*|announc\w*|review\w*|"
        r"consider\w*|"
        r"wait\w*|stop\w*|learn\w*|monitor\w*|report\w*|remember\w*|care\w*)\b",
        "It tells what somebody did not do. What did they do, and what told them to?",
        ("looked at the other graph, which", "the runbook did not ask for it"),
        may_be_denied=False,
    ),
    Rule(
        r"\bPERSON\b[^.!?\n]{0,60}\b(?:despite (?:the |an? |several |repeated |clear )?(?:\w+ )?(?:warnings?|advice|"
        r"reminders?|alerts?|objections?)|"
        r"(?:had|has|have|having) no (?:idea|clue|business)|(?:needs?|has|have) to explain (?:him|her|them)sel(?:f|"
        r"ves)|"
        r"by accident|did not do (?:his|her|their)|should never have|was allowed to touch|too little experience|"
        r"had been (?:warned|told|asked)|were warned)\b|"
        r"\b(?:fault|blame|responsibility) (?:lies|rests|falls|is) (?:squarely |entirely |clearly )?(?:with|on)\b|"
        r"\blet down by\b|\bfor reasons known only to\b|\b(?:hard|difficult|impossible) to (?:understand|see|"
        r"believe|imagine) (?:why|how) "
        r"(?:an? |the |our )?(?:\w+ )?PERSON|\b(?:silly|stupid|foolish|dumb|crazy|careless|reckless) (?:thing|idea|"
        r"move|decision|act)\b|"
        r"\b(?:entirely|easily|completely|wholly|totally|perfectly|clearly) (?:preventable|avoidable)\b",
        _PERSON_AS_CAUSE,
        ("with what was known at that moment", "the warning did not say what would happen"),
        may_be_denied=False,
    ),
    Rule(
        r"\b(?:ignorance|incompetence|inexperience|recklessness|impatience|overconfidence|arrogance|stubbornness|"
        r"forgetfulness|panic)"
        r" (?:of|by|on the part of|in the|among|from)\b|\b(?:proper|sufficient|adequate|due|enough|"
        r"basic) (?:attention|care|diligence|hygiene|competence)\b|"
        r"\bpoor (?:communication|decisions?|choices?|work|execution|discipline|leadership|management) (?:by|of|"
        r"from|on the part of)\b",
        _JUDGEMENT,
        ("saw this part for the first time", "two channels were used, and neither was read by all"),
    ),
    Rule(
        r"\b(?:forgot(?:ten)?(?! nothing| password| your password| my password)|neglected to|neglect of|"
        r"forgetful(?:ness)?|"
        r"oversight(?! (?:board|committee|body|group))|overlooked)\b(?!\s+(?:by (?:the )?(?:cache|garbage)))",
        "Memory is not a safeguard: what should have reminded them?",
        ("nothing reminded anybody to", "the step was not on the list"),
    ),
    Rule(
        r"\b(?:didn't|did not|never|don't|doesn't|couldn't|could not|hadn't|had not) (?:even )?(?:bother(?:ed)?|"
        r"care|pay attention|think|double[- ]?check|"
        r"follow (?:the )?(?:\w+ )?(?:process|procedures?|protocols?|runbooks?|instructions?|checklists?|rules|"
        r"policy|guidelines|steps)|"
        r"read (?:the )?(?:docs?|documentation|runbooks?|manual|instructions|warning|release notes|changelog)|"
        r"test (?:it|this|that|his|her|their|the)|review (?:it|this|that|his|her|their)|"
        r"take (?:it|this|the time)|listen|know what (?:he|she|they|we) (?:was|were)|ask (?:for help|anyone|"
        r"anybody))\b",
        "It tells what somebody did not do. What did they do, and what told them to?",
        ("the runbook was for another version", "the test did not cover"),
        may_be_denied=False,
    ),
    Rule(
        r"\b(?:wasn't|was not|weren't|were not|isn't|not) (?:being )?(?:paying attention|careful|diligent|thorough|"
        r"vigilant|cautious|"
        r"attentive|competent|qualified|experienced enough|prepared|responsible enough|"
        r"following (?:the )?(?:process|procedure|runbook))\b|"
        r"\black(?:ed|s|ing)? of (?:care|attention|diligence|discipline|competence|common sense|professionalism|"
        r"judge?ment|vigilance|"
        r"ownership)\b|\black(?:ed|s|ing) (?:the )?(?:care|attention|diligence|discipline|competence|common sense|"
        r"skills?|judge?ment|"
        r"experience)\b|\b(?:inexperience|incompetence|poor judge?ment|bad judge?ment|common sense|poor work)\b",
        _JUDGEMENT,
        ("had three things to watch at once", "saw this part for the first time"),
        may_be_denied=False,
    ),
    Rule(
        r"PERSON(?:'s [\w ]{1,20})?(?:\s+on duty)?\s+(?:mistakenly|accidentally|carelessly|wrongly|incorrectly|"
        r"inadvertently|erroneously|"
        r"improperly|stupidly|foolishly|negligently|prematurely|unnecessarily|blindly|hastily|unintentionally)\s+\w+",
        _JUDGEMENT,
        ("ran the command, which", "deployed the version that had passed the tests"),
    ),
    Rule(
        r"PERSON(?:\s+(?:single-handedly|completely|totally|then|has|had))?\s+"
        r"(?:broke|crashed|ruined|wrecked|nuked|destroyed|wiped out|took down|brought down|killed|caused|"
        r"introduced (?:the|a|this) (?:bug|regression|defect|error|problem|issue|outage)|"
        r"created (?:the|a|this) (?:bug|regression|defect|problem|mess|issue)|"
        r"(?:pushed|shipped|merged|deployed|wrote|committed|released) (?:an? |the |some )?"
        r"(?:bad|broken|buggy|sloppy|untested|faulty|terrible|garbage|wrong|unreviewed|poorly)\b)",
        _PERSON_AS_CAUSE,
        ("the change, which passed its tests, had the effect that", "the release contained"),
    ),
    Rule(
        r"\b(?:caused|broken|introduced|triggered|created|brought about|taken down|deleted|misconfigured|due to|"
        r"because of|thanks to|owing to|"
        r"responsibility of|responsible for (?:this|the) (?:outage|incident|failure|mess|downtime))"
        r"(?: \w+ly)?(?: by)? (?:an? |the |our |one of (?:our|the) |"
        r"some )?(?:\w+ )?PERSON(?:'s?)?(?!\s+(?:being paged|was paged|were paged))",
        _PERSON_AS_CAUSE,
        ("followed a change that", "began when the change was live"),
    ),
    Rule(
        r"\bthe (?:person|engineer|developer|individual|team|employee|operator|party|people) (?:who (?:is|was) )?"
        r"(?:responsible|accountable)\b|\bwho(?:ever)? (?:is|was) (?:responsible|to answer|accountable)\b|"
        r"\bwho (?:broke|did|caused|pushed|deployed|deleted|approved|allowed) (?:it|this|that|the)\b|"
        r"\bheld? (?:\w+ ){0,2}(?:accountable|responsible)\b|\broot cause (?:was|is|were) (?:an? |the |"
        r"our )?(?:\w+ )?PERSON",
        "It asks who, where what and how are what can be changed.",
        ("what made it possible", "which safeguard let it through"),
    ),
    Rule(
        r"PERSON(?:\s+on (?:the \w+ team|duty|call)|\s+in charge|\s+involved|\s+responsible)?"
        r"(?:\s+\w+ly)?[^.!?;\n]{0,70}\b(?:instead of (?:looking|checking|asking|reading|calling|waiting|testing|"
        r"escalating)\w*|"
        r"without (?:really|even|properly|carefully|actually) \w+ing|without a (?:where clause|backup|plan|review|"
        r"test|second thought)|"
        r"made (?:things|it|matters|everything) (?:even )?worse|locked everyone out|slip through|slipped through|"
        r"straight to production and|took the \w+ down|brought the \w+ down|far too long|much too long|"
        r"took (?:far )?too long|"
        r"too long to|for no (?:good )?reason|(?:was|were) not (?:answering|listening|watching|looking|responding|"
        r"reachable)|"
        r"cannot be trusted|can't be trusted|can not be trusted|could not be trusted|should be (?:ashamed|"
        r"more careful))\b",
        "It tells of a misstep and not of what led to it. What did they see, and what did it look like to them?",
        ("the tool let it through, as", "the alert read as one that had come before"),
        may_be_denied=False,
    ),
    Rule(
        r"PERSON(?:\s+on (?:the \w+ team|duty|call))?(?:\s+\w+ly)?\s+(?:gave|told|sent|handed|provided|showed|used|"
        r"followed|"
        r"wrote|executed|issued|applied|installed|merged|approved|reverted)\s+(?:\w+\s+){0,2}?(?:the |an? )?"
        r"(?:wrong|incorrect|misleading|bad|false|outdated)\b|"
        r"\b(?:no one|nobody|no-one)(?: on the \w+ team)?\s+(?:took|had|felt|showed|accepted|assumed|claimed)\s+"
        r"(?:any |the )?(?:ownership|responsibility|interest|initiative)\b|"
        r"\bthere (?:is|was) no excuse\b|\b(?:without|no) excuse for\b|\bself-inflicted\b|\bshot (?:ourselves|"
        r"themselves) in the foot\b|"
        r"\bhuman (?:factors?|carelessness|oversight|incompetence|weakness)\b|"
        r"\bno (?:competent|reasonable|sane|serious|decent|responsible) (?:\w+ )?PERSON\b|"
        r"\bthe responsible PERSON\b|\b(?:spoken|talked) to about (?:it|this)\b|\bhas been spoken to\b|"
        r"\b(?:mistake|error|blunder|failing|failure) on (?:our|their|his|her|my) part\b|"
        r"\b(?:mis-?judge?ments?|negligence|carelessness|incompetence|recklessness|inaction|inattention) "
        r"(?:of|by|from|on the part of)\b",
        _PERSON_AS_CAUSE,
        ("the runbook named the other port", "nothing showed whose alert it was"),
        may_be_denied=False,
    ),
    Rule(
        r"PERSON(?:\s+\w+ly)?\s+(?:should|could|would|must|ought to)'?ve\s+\w+|"
        r"\b(?:should|could|must|would|might) of (?:known|checked|tested|noticed|seen|asked|read|waited|done)\b",
        _HINDSIGHT,
        ("at that moment they saw", "next time the alert can say"),
    ),
    Rule(
        r"\b(?:disciplin(?:ed|ary)|reprimand(?:ed)?|punish(?:ed|ment)?|written up|fired(?= (?:for|over|because))|"
        r"sacked|name and shame|consequences for (?:the|his|her|their|anyone|whoever)|formal warning|"
        r"performance review)\b",
        _PUNISHES,
        ("what is changed so that it can't happen the same way",),
    ),
    Rule(
        r"\b(?:be|been|being) more (?:careful|cautious|diligent|vigilant|attentive|disciplined|responsible|"
        r"thorough)\b|\bmore care\b|"
        r"\b(?:try|tries|work) harder\b|\bpay (?:more|closer|better|careful)? ?attention\b|\btake (?:more|greater|"
        r"better) care\b|"
        r"\bremind(?:ed)? (?:the |our |every|all )?(?:PERSON|body|one)s? (?:to|that|of)\b|"
        r"\b(?:re-?train(?:ed|ing)?|more training|better training|needs? training)\b(?!\s+(?:data|set|run|job|"
        r"the model|model))",
        "Care and training are no safeguard: they are asked for after each incident, and it comes again.",
        ("the tool asks before", "the default is the safe one"),
    ),
    Rule(
        r"PERSON (?:always|never|constantly|keeps?|repeatedly|as usual|once again) "
        r"(?:break\w*|forget\w*|ignor\w*|fail\w*|miss\w*|test\w*|check\w*|read\w*|listen\w*|push\w*|skip\w*|mak\w*|"
        r"caus\w*|learn\w*)|"
        r"\bas usual,|\byet again\b[^.!?\n]{0,30}\bPERSON",
        "It makes one event into somebody's character.",
        ("this time", "in three of the last ten releases"),
        may_be_denied=False,
    ),
    Rule(
        r"PERSON[^.!?\n]{0,60}\bwithout (?:even )?(?:testing|checking|thinking|reading|asking|reviewing|telling|"
        r"verifying|bothering|looking|"
        r"proper (?:testing|review|approval|planning)|permission|approval|authori[sz]ation|understanding|following|"
        r"consulting|informing|"
        r"waiting|realizing|realising|considering|notifying|any testing|any review)\b",
        "It tells what somebody did not do. What would have shown them that it was needed?",
        ("the pipeline allowed it without a review",),
        may_be_denied=False,
    ),
    Rule(
        r"\bif only\b|\bhad (?:an? |the |our )?(?:\w+ )?PERSON (?:only |just |simply |not )?(?:been|\w+ed|read|done|"
        r"paid|known|seen|taken|run)\b|"
        r"\bif (?:an? |the |our )?(?:\w+ )?PERSON had (?:only |just |simply |not )?(?:been|\w+ed|read|done|paid|"
        r"known|seen|taken|run)\b|\bhow could (?:PERSON)\b|\bwhat (?:was|were) (?:PERSON) thinking\b|"
        r"\bwhy (?:didn't|did not) PERSON\b|\b(?:obviously|of course),? (?:PERSON|nobody|no one|somebody|someone)\b|"
        r"\bany (?:competent|reasonable|decent) (?:\w+ )?PERSON|\bas (?:everyone|everybody|anyone) knows\b|"
        r"\beveryone knows\b|"
        r"\b(?:just|simply|only) (?:had|needed) to (?:check|look|read|ask|test|follow|wait)\b|"
        r"\bsupposed to (?:check|know|test|review|follow|monitor|watch|"
        r"verify|ask|read|tell|notify|escalate|have)\b",
        _HINDSIGHT,
        ("at that moment they saw", "what would have shown it is"),
        may_be_denied=False,
    ),
)
