"""Writes stats_goldens.json: correlations and permutation tests by scipy, percentiles by NumPy, agreement of labellings by
scikit-learn, paired tests by sacrebleu.

    pip install scipy==1.17.1 numpy==2.4.6 scikit-learn==1.9.1 sacrebleu==2.6.0 && python make_stats_goldens.py
"""
import json
import pathlib

import numpy
import scipy
import sklearn
from scipy import stats
from sklearn import metrics

rng = numpy.random.default_rng(20)


def correlation(x, y):
    pearson, spearman = stats.pearsonr(x, y), stats.spearmanr(x, y)
    interval = pearson.confidence_interval(0.95)
    return {"x": list(map(float, x)), "y": list(map(float, y)), "pearson": [pearson.statistic, pearson.pvalue],
            "spearman": [spearman.statistic, spearman.pvalue], "fisher": [interval.low, interval.high]}


correlations = [correlation([1, 2, 4], [3, 1, 9]), correlation([0.1, 0.1, 0.7], [1, 0, 0]),
                correlation([1, 2, 3, 4], [1, 2, 3, 5]), correlation([1e9 + 1, 1e9 + 2, 1e9 + 4, 1e9], [5, 4, 4, 6])]
for n, slope, digits in [(5, 0.5, 3), (8, -1, 3), (12, 0.0, 1), (20, 1.2, 2), (20, 2, 2), (33, -0.3, 1), (100, 0.4, 3), (250, 3, 3)]:
    x = rng.normal(size=n).round(digits)
    correlations.append(correlation(x, (slope * x + rng.normal(size=n)).round(digits)))
# Grades of 0, ½ and 1 beside an overlap, as over items.
grades = rng.integers(0, 3, 60) / 2
correlations.append(correlation(grades, (grades * 0.2 + rng.random(60)).round(2)))
# r as reported for a table of 20 rows, and what that many rows make of it.
reported = []
for r in (0.76, 0.80):
    x = rng.normal(size=20)
    x = (x - x.mean()) / numpy.linalg.norm(x - x.mean())
    e = rng.normal(size=20)
    e -= e.mean() + (e @ x) * x
    y = r * x + numpy.sqrt(1 - r * r) * e / numpy.linalg.norm(e)
    reported.append(correlation(x, y))

percentiles = []
for n in (1, 2, 7, 40, 101):
    numbers = rng.normal(size=n).round(3)
    for confidence in (0.9, 0.95):
        low, high = numpy.percentile(numbers, [50 - 50 * confidence, 50 + 50 * confidence])
        percentiles.append({"numbers": list(numbers), "confidence": confidence, "interval": [low, high]})

permutations = []
for n in (3, 6, 10, 13):
    a, b = rng.integers(0, 3, n) / 2, rng.integers(0, 3, n) / 2 + (rng.random(n) > 0.6) / 2
    result = stats.permutation_test((a, b), lambda a, b, axis: numpy.mean(b, axis=axis) - numpy.mean(a, axis=axis),
                                    vectorized=True, permutation_type="samples", n_resamples=numpy.inf)
    permutations.append({"a": list(a), "b": list(b), "p": float(result.pvalue)})


def labels(n, k, other=None, noise=1.0):
    drawn = rng.integers(0, k, n)
    return drawn if other is None else numpy.where(rng.random(n) < noise, drawn, other)


labellings = [([0, 0, 1, 1], [0, 1, 0, 1]), ([0, 0, 1, 2, 2], [5, 5, 5, 7, 7]), ([0, 0, 0], [0, 1, 2]), ([1, 1], [4, 4]),
              ([0, 1, 2, 3], [3, 2, 1, 0])]
for n, k, noise in [(20, 3, 0.2), (50, 5, 0.5), (200, 12, 0.3), (400, 40, 0.1), (600, 7, 1.0), (900, 2, 0.05)]:
    first = labels(n, k)
    labellings.append((first.tolist(), labels(n, k + n % 3, first, noise).tolist()))
agreement = []
for first, second in labellings:
    row = {"first": first, "second": second, "ari": metrics.adjusted_rand_score(first, second)}
    for average in ("arithmetic", "geometric", "min", "max"):
        row["nmi_" + average] = metrics.normalized_mutual_info_score(first, second, average_method=average)
        row["ami_" + average] = metrics.adjusted_mutual_info_score(first, second, average_method=average)
    row["kappa"] = float(metrics.cohen_kappa_score(first, second)) if len(set(first) | set(second)) > 1 else None
    agreement.append(row)

# Two systems of 120 sentences, and what sacrebleu's paired tests say of them.
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

vocabulary = "gene protein binds activates the of in a kinase receptor domain cell pathway family membrane".split()
references = [" ".join(rng.choice(vocabulary, rng.integers(6, 14))) for _ in range(120)]


def disturbed(share):
    return [" ".join(w if rng.random() > share else rng.choice(vocabulary) for w in r.split()) for r in references]


systems = [disturbed(0.40), disturbed(0.36), disturbed(0.30)]
paired = {"references": references, "systems": systems}
for kind, samples in [("ar", 20000), ("bs", 4000)]:
    _, scores = PairedTest(list(zip("abc", systems)), {"BLEU": BLEU()}, [references], kind, samples)()
    paired[kind] = [result.p_value for result in scores["BLEU"][1:]]
    paired["scores"] = [result.score / 100 for result in scores["BLEU"]]

golden = {"versions": {"scipy": scipy.__version__, "numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
          "correlations": correlations, "reported": reported, "percentiles": percentiles, "permutations": permutations,
          "agreement": agreement, "paired": paired}
path = pathlib.Path(__file__).with_name("stats_goldens.json")
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"x"', '\n{"x"').replace('{"first"', '\n{"first"') + "\n")
