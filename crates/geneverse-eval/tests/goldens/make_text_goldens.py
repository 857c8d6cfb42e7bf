"""Writes text_goldens.json: BLEU by sacrebleu, ROUGE by rouge-score and stems by NLTK, for texts that hide nothing.

    pip install sacrebleu==2.6.0 rouge-score==0.1.2 nltk==3.10.4 && python make_text_goldens.py
"""
import importlib.metadata
import itertools
import json
import pathlib

import nltk
import sacrebleu
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU

REFERENCE = ("The official symbol of this gene is GLI1 and its official full name is GLI family zinc finger 1 "
             "(provided by HGNC). It is activated by the sonic hedgehog cascade, and regulates 1,234.5 targets.")
PAIRS = {
    "perfect": (REFERENCE, REFERENCE),
    "empty answer": ("", REFERENCE),
    "empty reference": ("GLI1 is a gene.", ""),
    "both empty": ("", ""),
    "blank answer": (" \n\t ", REFERENCE),
    "one word": ("GLI1", "GLI1"),
    "one wrong word": ("GLI2", "GLI1"),
    "three words": ("GLI1 binds DNA", "GLI1 binds DNA strongly"),
    "unicode": ("β-catenin (CTNNB1) – Wnt “signalling”… İstanbul K 5′-UTR naïve",
                "β-catenin (CTNNB1) – Wnt ‘signalling’… istanbul k 5′-UTR naive"),
    "letters": ("ΟΔΟΣ ẞ ﬁbrosis ǅ 𝛼-helix Ⅻ ½ x² 日本語。", "οδος ß fibrosis ǆ α-helix XII 1/2 x2 日本 語."),
    "signs": ("€5 ±0.1 ×2 <p=0.05> a^b `c` 3°C ™ © → 10µM", "€ 5 ± 0.1 x 2 p = 0.05 a^b c 3 ° C tm (c) -> 10 µM"),
    "separators": ("alpha\u00a0beta\u001cgamma\u0085delta\u2003end\u200bx", "alpha beta gamma delta end x"),
    "punctuation": ("It's 3'->5' exonuclease; {x}[y]`z` ~a~ @b/c \\d|e^f_g #h $5 100% <tag> a=b+c*d?!",
                    "It's a 3'-5' exonuclease: {x} [y] z; a/b, c=d? 100 % <tag>!"),
    "dots": ("a..b,,c . d. 1.2.3 v.1 .5 5. e.g., i.e. U.S.A.", "a . . b , , c. d 1.2.3 v.1 0.5 5 e.g. i.e. USA."),
    "entities": ("&quot;zinc&quot; &amp; &lt;finger&gt; &amp;quot; R&D <skipped>", "\"zinc\" & <finger> &quot; R&D"),
    "numbers with commas": ("1,000 bp, 2,5 and 3, 4,x 10,000,000.", "1,000 bp, 2,5 and 3,4 x 10,000,000."),
    "hyphenated": ("12-lipoxygenase 5-HT2A RNA-binding 3-5 well--known -1 p-\nvalue", "12-lipoxygenase 5-HT2A RNA "
                   "binding 3 - 5 well-known -1 p-value"),
    "newlines": ("First line\nsecond line.\r\n\nThird-\nline.  ", "First line second line. Third line."),
    "lines": ("It binds zinc.\nIt is activated by hedgehog\nand regulates stem cells", "Hedgehog signals activate it.\n\n"
              "It regulates stem cells and binds zinc\nIt is a regulator of it"),
    "repetition": ("the the the the the the the", "the cat is on the mat"),
    "repetition in both": ("to be or not to be to be", "to be to be or not to be to"),
    "short of the reference": ("GLI1 regulates targets", REFERENCE),
    "longer than the reference": (REFERENCE + " " + REFERENCE, REFERENCE),
    "no match past bigrams": ("zinc finger family of GLI activated hedgehog by", REFERENCE),
    "paraphrase": ("GLI1, GLI family zinc finger 1, is a transcription factor that the sonic hedgehog cascade "
                   "activates; it regulates targets.", REFERENCE),
    "other forms": ("Activating cascades regulated targeting genes and their regulators' activities: dying, skies, news",
                    "It activates the cascade, regulates targeted genes, their regulation, activity: die, sky, new"),
}
MORE_REFERENCES = {
    "three words": ["GLI1 binds", "It binds DNA strongly"],
    "repetition": ["the the the", "a cat", ""],
    "paraphrase": ["GLI1 is a transcription factor activated by the sonic hedgehog cascade.", "It regulates targets."],
    "empty answer": ["", "x"],
    "unicode": ["β-catenin – Wnt “signalling”…"],
    "one wrong word": ["GLI3", "GLI2"],
}
CONFIGURATIONS = [dict(smooth_method=method, smooth_value=value, effective_order=eff)
                  for method, value in [("none", None), ("floor", None), ("floor", 0.02), ("add-k", None),
                                        ("add-k", 0.5), ("exp", None)] for eff in (False, True)]
CONFIGURATIONS += [dict(tokenize=tok, lowercase=lc) for tok in ("13a", "intl", "char", "none") for lc in (False, True)]
CONFIGURATIONS += [dict(max_ngram_order=n, effective_order=eff) for n in (1, 2, 6) for eff in (False, True)]
CONFIGURATIONS += [dict(tokenize="intl", lowercase=True, smooth_method="add-k", smooth_value=2.0, max_ngram_order=3,
                        effective_order=True)]


def without_version(signature):
    return signature[:signature.index("|version:")]


def score(bleu):
    return {"score": bleu.score / 100, "precisions": [p / 100 for p in bleu.precisions], "bp": bleu.bp,
            "lengths": [bleu.sys_len, bleu.ref_len]}


names = list(PAIRS)
references_of = {name: [PAIRS[name][1], *MORE_REFERENCES.get(name, [])] for name in names}
bleu_cases = []
for configuration in CONFIGURATIONS:
    bleu = BLEU(**configuration)
    # One reference for each; then one to four, which sacrebleu takes as columns with None where there are fewer.
    single = score(bleu.corpus_score([PAIRS[n][0] for n in names], [[PAIRS[n][1] for n in names]]))
    single["signature"] = without_version(str(bleu.get_signature()))
    columns = list(itertools.zip_longest(*[references_of[n] for n in names]))
    several = score(bleu.corpus_score([PAIRS[n][0] for n in names], columns))
    several["signature"] = without_version(str(bleu.get_signature()))
    sentences = [bleu.sentence_score(PAIRS[n][0], [PAIRS[n][1]]).score / 100 for n in names]
    with_several = [bleu.sentence_score(PAIRS[n][0], references_of[n]).score / 100 for n in names]
    bleu_cases.append({"configuration": configuration, "single": single, "several": several, "sentences": sentences,
                       "sentences_with_several": with_several})

TYPES = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]
rouge = {}
for stemmed in (False, True):
    scorer = rouge_scorer.RougeScorer(TYPES, use_stemmer=stemmed)
    single = [{k: list(v) for k, v in scorer.score(PAIRS[n][1], PAIRS[n][0]).items()} for n in names]
    several = [{k: list(v) for k, v in scorer.score_multi(references_of[n], PAIRS[n][0]).items()} for n in names]
    rouge["stemmed" if stemmed else "plain"] = {"single": single, "several": several}

# Every suffix of the algorithm behind stems of every kind, and words in which a rule is near and does not hold.
STEMS = ["activ", "regul", "phosphoryl", "sy", "geo", "hop", "fall", "cry", "b", "ee", "oa", "tr2", "yyy", "conflat", "siz"]
SUFFIXES = ("s es ies sses ss ed ied eed ing y ational tional enci anci izer bli abli alli entli eli ousli ization ation ator "
            "alism iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic "
            "able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e ll lling bled").split()
WORDS = ("skies sky dying lying tying news innings outings cannings howe proceed exceed succeed proceeds dies died ties tied "
         "feed agreed bleed singing sing king string happy enjoy try say fly toy yes eyes oxygen rate roll control hopping "
         "hissing fizzed tanned filing failing radically geology theology archaeology additionally vietnamization "
         "generalizations oscillators p53 5ht2a a1 is was 100 b12s as us bus gas this aaa yyyy oyster syzygy").split()
stemmer = PorterStemmer()
words = list(dict.fromkeys(WORDS + [stem + suffix for stem in STEMS for suffix in SUFFIXES]))
golden = {
    "versions": {"sacrebleu": sacrebleu.__version__, "rouge-score": importlib.metadata.version("rouge-score"), "nltk": nltk.__version__},
    "names": names, "answers": [PAIRS[n][0] for n in names], "references": [references_of[n] for n in names],
    "bleu": bleu_cases, "rouge": rouge, "stems": " ".join(f"{word} {stemmer.stem(word)}" for word in words),
}
path = pathlib.Path(__file__).with_name("text_goldens.json")
path.write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")).replace('{"configuration"', '\n{"configuration"')
                + "\n")
