"""What a model card says of every model: what it is for, what it is not for, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INTENDED = (
    "Research and teaching: how small models of speech emotion train, merge, quantise and run on microcontrollers.",
    "Comparison with other models on the same corpus and the same split.",
    "A start for a model of your own, trained and scored on recordings of the people and the place it is for, "
    "who have agreed to it.",
)
OUT_OF_SCOPE = (
    "Deciding, or helping to decide, anything about a person: work, school, credit, insurance, police, border, court.",
    "Watching people at work or in education, or without their knowledge.",
    "Diagnosis or screening of any condition, and anything where a wrong answer harms.",
    "Speakers, languages, ages, microphones and rooms that are not in the data above, children above all, until it "
    "was scored on them.",
)
LIMITS = (
    "It hears how something is said and gives a label of its training corpus. It does not know what a person feels: "
    "people express emotions differently from culture to culture, from situation to situation and from one to the "
    "other, and one expression stands for several emotions (Barrett et al. 2019, doi:10.1177/1529100619832930, of "
    "faces; AI Act, recital 44, of systems as this one).",
    "Whatever it hears, also noise, a cough or another language, it answers with one of its labels. The probability "
    "beside it is the model's own and was not calibrated.",
    "In daily life most speech is none of the strong emotions, and then most alarms are false: the column 'right if 1 "
    "in 100' says how many of a label's answers would be right if it were the truth of one recording in a hundred.",
    "Few speakers were tested, and who they are moves the scores more than any choice of model: read the intervals, "
    "not the means alone.",
)
ACTED = (
    "Its corpus is acted: actors portray what they were told, more clearly than people do in daily life. Scores on "
    "spontaneous speech are as a rule lower, and were not measured here."
)
NO_EQUITY = (
    "Age, accent, dialect, health and ethnicity were not looked at: the corpus does not tell them of its recordings, "
    "or has too few speakers of each. Differences between groups are to be expected, not excluded."
)
LAW = (
    "European Union, Regulation (EU) 2024/1689 (AI Act, eur-lex.europa.eu/eli/reg/2024/1689/oj): to infer emotions "
    "from someone's voice is emotion recognition (Article 3(39)). Article 5(1)(f) prohibits AI systems that infer "
    "emotions at the workplace and in education institutions, except for medical or safety reasons. Where it is not "
    "prohibited it is listed as high-risk (Annex III, 1(c)), and Article 50(3) obliges whoever deploys it to inform "
    "the people who are exposed to it and to process their data by the GDPR. Other laws apply elsewhere. No legal "
    "advice."
)


def limits_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The limits of one model."""
    acted = any(entry["acted"] for entry in facts["corpora"])
    return (*LIMITS, *([ACTED] if acted else []), NO_EQUITY)


def warnings_of(facts: Mapping[str, Any]) -> list[str]:
    """What must be said of a model before anything else; often nothing."""
    found = []
    bound = [entry["name"] for entry in facts["corpora"] if entry["commercial"] is False]
    if bound:
        found.append(f"NON-COMMERCIAL: trained on {', '.join(bound)}, whose licence forbids commercial use. Treat the "
                     "weights as bound by it: do not ship or sell them.")
    elif any(entry["commercial"] is None for entry in facts["corpora"]):
        found.append("Terms of the training data not known here: read them before you share the weights.")
    if not (facts["split"] or {}).get("speaker_disjoint", True):
        found.append("Speakers overlap between training and test: the scores say nothing about new speakers.")
    return found


def meaning(intervals: Mapping[str, Any]) -> str:
    """What was drawn to get the intervals of scores, and so what they are about."""
    if not intervals:
        return "Intervals: not recorded; scores of this version hold no confusion matrix for each speaker."
    unit, count = intervals["wf1"]["unit"], intervals["wf1"]["units"]
    if unit == "speaker":
        return f"Intervals over {count} speakers, drawn with all that they say: what others like them would score."
    return (f"Intervals over the {count} recordings of these speakers alone, who are too few to draw from: what other "
            "speakers would score may lie far outside.")
