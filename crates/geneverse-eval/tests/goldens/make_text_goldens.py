"""Writes text_goldens.json: BLEU by sacrebleu and ROUGE-1 by rouge-score for answers that hide nothing.

    pip install sacrebleu rouge-score && python make_text_goldens.py
"""
import json
import pathlib

import sacrebleu
from rouge_score import rouge_scorer

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
    "separators": ("alpha\u00a0beta\u001cgamma\u0085delta\u2003end\u200bx", "alpha beta gamma delta end x"),
    "punctuation": ("It's 3'->5' exonuclease; {x}[y]`z` ~a~ @b/c \\d|e^f_g #h $5 100% <tag> a=b+c*d?!",
                    "It's a 3'-5' exonuclease: {x} [y] z; a/b, c=d? 100 % <tag>!"),
    "dots": ("a..b,,c . d. 1.2.3 v.1 .5 5. e.g., i.e. U.S.A.", "a . . b , , c. d 1.2.3 v.1 0.5 5 e.g. i.e. USA."),
    "entities": ("&quot;zinc&quot; &amp; &lt;finger&gt; &amp;quot; R&D <skipped>", "\"zinc\" & <finger> &quot; R&D"),
    "numbers with commas": ("1,000 bp, 2,5 and 3, 4,x 10,000,000.", "1,000 bp, 2,5 and 3,4 x 10,000,000."),
    "hyphenated": ("12-lipoxygenase 5-HT2A RNA-binding 3-5 well--known -1 p-\nvalue", "12-lipoxygenase 5-HT2A RNA "
                   "binding 3 - 5 well-known -1 p-value"),
    "newlines": ("First line\nsecond line.\r\n\nThird-\nline.  ", "First line second line. Third line."),
    "repetition": ("the the the the the the the", "the cat is on the mat"),
    "short of the reference": ("GLI1 regulates targets", REFERENCE),
    "longer than the reference": (REFERENCE + " " + REFERENCE, REFERENCE),
    "no match past bigrams": ("zinc finger family of GLI activated hedgehog by", REFERENCE),
    "paraphrase": ("GLI1, GLI family zinc finger 1, is a transcription factor that the sonic hedgehog cascade "
                   "activates; it regulates targets.", REFERENCE),
}

scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=False)
cases = []
for name, (answer, reference) in PAIRS.items():
    cases.append({
        "name": name, "answer": answer, "reference": reference,
        "corpus_bleu": sacrebleu.corpus_bleu([answer], [[reference]]).score / 100,
        "sentence_bleu": sacrebleu.sentence_bleu(answer, [reference]).score / 100,
        "rouge1": scorer.score(reference, answer)["rouge1"].fmeasure,
    })
groups = []
names = list(PAIRS)
for picked in (names, names[:6], names[8:14], [n for n in names if "empty" in n or "word" in n]):
    bleu = sacrebleu.corpus_bleu([PAIRS[n][0] for n in picked], [[PAIRS[n][1] for n in picked]])
    groups.append({"names": picked, "corpus_bleu": bleu.score / 100})
golden = {"sacrebleu": sacrebleu.__version__, "cases": cases, "corpora": groups}
path = pathlib.Path(__file__).with_name("text_goldens.json")
path.write_text(json.dumps(golden, indent=1, ensure_ascii=True) + "\n")
