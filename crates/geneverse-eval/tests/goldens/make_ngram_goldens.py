"""Writes ngram_goldens.json: modified Kneser-Ney probabilities, by the definitions and with dictionaries.

    python3 make_ngram_goldens.py > ngram_goldens.json

Needs nothing but Python. After Chen and Goodman, "An empirical study of smoothing techniques for language modeling"
(1999), section 3 and appendix; n-grams that begin a document keep their counts, as in Heafield et al. (2013).
"""

import json
import math
import random
from collections import Counter

BOS, EOS, VOCABULARY = 1, 2, 16


def model(documents, order):
    raw = [Counter() for _ in range(order + 1)]
    for doc in documents:
        for n in range(1, order + 1):
            for i in range(len(doc) - n + 1):
                raw[n][tuple(doc[i : i + n])] += 1
    del raw[1][(BOS,)]
    adjusted = [None] * (order + 1)
    adjusted[order] = dict(raw[order])
    for n in range(1, order):
        before = {}
        for gram in raw[n + 1]:
            before.setdefault(gram[1:], set()).add(gram[0])
        adjusted[n] = {
            gram: count if gram[0] == BOS else len(before[gram]) for gram, count in raw[n].items()
        }
    discounts = [None] * (order + 1)
    for n in range(1, order + 1):
        of = Counter(adjusted[n].values())
        try:
            y = of[1] / (of[1] + 2 * of[2])
            d = [1 - 2 * y * of[2] / of[1], 2 - 3 * y * of[3] / of[2], 3 - 4 * y * of[4] / of[3]]
        except ZeroDivisionError:
            d = [-1]
        usable = len(d) == 3 and all(0 <= x <= m for x, m in zip(d, (1, 2, 3)))
        discounts[n] = d if usable else [0.5] * 3

    def probability(word, context):
        n = len(context) + 1
        lower = probability(word, context[1:]) if context else 1 / VOCABULARY
        following = {g[-1]: c for g, c in adjusted[n].items() if g[:-1] == context}
        if not following:
            return lower
        total = sum(following.values())
        take = lambda c: discounts[n][min(c, 3) - 1] if c else 0
        count = following.get(word, 0)
        return (count - take(count)) / total + sum(map(take, following.values())) / total * lower

    return probability, discounts


def main():
    draw = random.Random(7)
    documents = []
    for _ in range(60):
        doc, token = [BOS], 3
        for _ in range(draw.randint(1, 14)):
            token = 3 + (token * 5 + draw.choice([0, 0, 0, 1, 1, 2, 7])) % 11
            doc.append(token)
        documents.append(doc + [EOS])
    cases = []
    for order in range(1, 6):
        probability, discounts = model(documents, order)
        for doc in documents[:4] + [[BOS, 3, 15, 4, EOS], [BOS, EOS]]:
            logs = [
                math.log(probability(doc[i], tuple(doc[max(0, i - order + 1) : i]))) for i in range(1, len(doc))
            ]
            cases.append({"order": order, "ids": doc, "log_probabilities": logs})
        total = sum(probability(w, tuple(documents[0][: order - 1])) for w in range(VOCABULARY))
        assert abs(total - 1) < 1e-12, total
    print(json.dumps({"vocabulary": VOCABULARY, "documents": documents, "cases": cases}))


main()
