"""On what terms a corpus may be used, whom to cite, and who speaks in it: what a model card has to say of its data.

Only what was read at the source is stated. ``commercial`` is ``None`` where nobody here has read the terms;
it is never a guess. This is no legal advice: the terms themselves decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tfser.corpora import emodb

UNKNOWN_SEX = ""


@dataclass(frozen=True)
class Licence:
    """Terms, citation and people of one corpus.

    Parameters
    ----------
    terms : str
        The licence by name, and where it is stated.
    commercial : bool, optional
        Whether the terms allow commercial use; ``None`` where they are not known.
    citation : str
    speech : str
        Language, number and kind of speakers.
    acted : bool, optional
        Whether actors play what is heard; ``None`` where it is not known.
    sex_of : callable
        ``"women"`` or ``"men"`` of a speaker's name; ``UNKNOWN_SEX`` where the corpus does not say it.
    """

    terms: str
    commercial: bool | None
    citation: str
    speech: str
    acted: bool | None
    sex_of: Callable[[str], str] = lambda speaker: UNKNOWN_SEX


def _emodb_sex(speaker: str) -> str:
    return "men" if speaker in emodb.MEN else "women"


def _ravdess_sex(actor: str) -> str:
    return "men" if int(actor) % 2 else "women"


def _iemocap_sex(speaker: str) -> str:
    return {"F": "women", "M": "men"}[speaker[-1]]


_IEMOCAP = Licence(
    "USC's own release form (sail.usc.edu/iemocap); read yours", None,
    "Busso et al.: IEMOCAP: Interactive emotional dyadic motion capture database. Language Resources and Evaluation "
    "42(4), 2008, doi:10.1007/s10579-008-9076-6",
    "English; ten actors in five pairs of a woman and a man, who play scripts and improvise; labels by listeners",
    True, _iemocap_sex)

LICENCES: Mapping[str, Licence] = MappingProxyType({
    "emodb": Licence(
        "freely available; published as CC0-1.0 by its later distributors", True,
        "Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: A Database of German Emotional Speech. Interspeech 2005",
        "German; ten professional actors, five women and five men of 21 to 35 years, who say ten everyday sentences "
        "in an anechoic room with an emotion that they were told to portray",
        True, _emodb_sex),
    "ravdess": Licence(
        "CC BY-NC-SA 4.0 (zenodo.org/record/1188976); commercial licences are sold by its authors", False,
        "Livingstone, Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS). PLoS ONE 13(5), "
        "2018, doi:10.1371/journal.pone.0196391",
        "North American English; 24 professional actors, twelve women and twelve men, who say two sentences with an "
        "emotion that they were told to portray",
        True, _ravdess_sex),
    "cremad": Licence(
        "Open Database License 1.0, contents under the Database Contents License 1.0 (LICENSE.txt of CREMA-D)", True,
        "Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. IEEE "
        "Transactions on Affective Computing 5(4), 2014, doi:10.1109/TAFFC.2014.2336244",
        "English; 91 actors, 43 women and 48 men of 20 to 74 years and several ethnicities, who say twelve sentences "
        "with an emotion that they were told to portray; listeners recognised 40.9 % of them by the voice alone",
        True),
    "iemocap": _IEMOCAP,
    "iemocap-6": _IEMOCAP,
    "m3ed": Licence(
        "its authors' own terms; read yours", None,
        "Zhao et al.: M3ED: Multi-modal Multi-scene Multi-label Emotional Dialogue Database. ACL 2022, "
        "doi:10.18653/v1/2022.acl-long.391",
        "Mandarin; actors in dialogues of 56 television series; labels by annotators",
        True),
    "daic-woz": Licence(
        "an agreement with USC ICT that each user signs; read yours", None,
        "Gratch et al.: The Distress Analysis Interview Corpus of human and computer interviews. LREC 2014",
        "English; 189 people in interviews led by an animated interviewer; labels from the PHQ-8 questionnaire that "
        "they answered, which is no diagnosis",
        False),
})
UNKNOWN = Licence("unknown: the corpus was read from a manifest; ask whoever made it", None, "unknown", "unknown",
                  None)


def licence_of(corpus: str | None) -> Licence:
    """The terms of a corpus by the name that a split records; ``UNKNOWN`` for a manifest or none."""
    return LICENCES.get(corpus or "", UNKNOWN)
