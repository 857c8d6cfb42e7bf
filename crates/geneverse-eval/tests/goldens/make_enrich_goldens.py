#!/usr/bin/env python3
"""What goatools, statsmodels and exact arithmetic say of enrichment; read by tests/enrichment.rs.

    python make_enrich_goldens.py            # writes enrich/ beside this script
    python make_enrich_goldens.py DATA       # also enrich/arabidopsis.tsv, from DATA/go and DATA/go/goatools

goatools 1.6.7, statsmodels 0.15.0, scipy 1.17.1, Python 3.11. The small problem is made up here: an ontology with
`is_a`, `part_of`, an alternative id and an obsolete term, genes without terms, genes outside the population, and terms
that nobody knows. `fisher.json` holds Fisher's exact test in exact rational arithmetic.
"""
import csv
import gzip
import io
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

from goatools.go_enrichment import GOEnrichmentStudy
from goatools.obo_parser import GODag
from statsmodels.stats.multitest import multipletests

HERE = Path(__file__).parent / "enrich"


def mix(number):
    """SplitMix64's finaliser: the same numbers wherever this runs."""
    number = (number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return number ^ (number >> 31)


def small_problem():
    """Files of a small enrichment problem."""
    roots = {"biological_process": 8150, "molecular_function": 3674, "cellular_component": 5575}
    terms = []
    for place, (space, root) in enumerate(roots.items()):
        terms.append((root, space, [], []))
        own = [root]
        for number in range(1, 19):
            term = 1000 * (place + 1) + number
            parents = sorted({own[mix(term * 7 + turn) % len(own)] for turn in range(1 + mix(term) % 2)})
            parts = [own[mix(term * 13) % len(own)]] if mix(term * 11) % 3 == 0 and number > 3 else []
            terms.append((term, space, parents, [part for part in parts if part not in parents]))
            own.append(term)
    with open(HERE / "go.obo", "w") as obo:
        obo.write("format-version: 1.2\ndata-version: made-up\n")
        for term, space, parents, parts in terms:
            obo.write(f"\n[Term]\nid: GO:{term:07}\nname: {space.replace('_', ' ')} {term}\nnamespace: {space}\n")
            if term == 1007:
                obo.write("alt_id: GO:0009907\n")
            obo.writelines(f"is_a: GO:{parent:07} ! parent\n" for parent in parents)
            obo.writelines(f"relationship: part_of GO:{part:07} ! whole\n" for part in parts)
        obo.write("\n[Term]\nid: GO:0009999\nname: obsolete matter\nnamespace: biological_process\nis_obsolete: true\n")
    genes = [f"G{number:03}" for number in range(240)]
    numbers = [term for term, _, parents, _ in terms if parents]
    lines = []
    for place, gene in enumerate(genes):
        if mix(place * 3) % 6 == 0:
            continue
        wanted = {numbers[mix(place * 100 + turn) % len(numbers)] for turn in range(1 + mix(place) % 4)}
        # The study's genes have more of one process, and none of one component.
        if place < 40 and place % 3 != 0:
            wanted.add(1007)
        named = [f"GO:{9907 if term == 1007 and place % 2 else term:07}" for term in sorted(wanted)]
        named += ["GO:0009999"] * (place % 50 == 0) + ["GO:7777777"] * (place % 70 == 1)
        lines.append(f"{gene}\t{';'.join(named)}\n")
    (HERE / "associations.tsv").write_text("".join(lines))
    (HERE / "population.txt").write_text("".join(f"{gene}\n" for gene in genes[:230]))
    study = genes[:40] + genes[100:110] + genes[235:238] + ["STRANGER", genes[3]]
    (HERE / "study.txt").write_text("".join(f"{gene}\n" for gene in study))


def read_genes(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
    return [line.strip() for line in opened if line.strip()]


def read_associations(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
    found = {}
    for line in opened:
        gene, terms = line.rstrip("\n").split("\t")
        found.setdefault(gene, set()).update(term for term in terms.split(";") if term)
    return found


def enrich(obo, study, population, associations, relationships, alternative):
    dag = GODag(str(obo), optional_attrs={"relationship"}, prt=None)
    copied = {gene: set(terms) for gene, terms in associations.items()}
    methods = ["bonferroni", "sm_holm", "fdr_bh"]
    run = GOEnrichmentStudy(
        set(population), copied, dag, propagate_counts=True, methods=methods, log=None,
        relationships=relationships, alternative=alternative,
    )
    records = run.run_study(set(study), prt=None)
    rows = []
    for record in sorted(records, key=lambda record: record.GO):
        rows.append({
            "term": record.GO, "space": record.NS, "enrichment": record.enrichment, "name": record.name,
            "study": record.study_count, "study_n": record.study_n, "population": record.pop_count,
            "population_n": record.pop_n, "depth": record.depth, "p": record.p_uncorrected,
            "bonferroni": record.p_bonferroni, "holm": record.p_sm_holm, "fdr_bh": record.p_fdr_bh,
            "genes": sorted(record.study_items),
        })
    return rows


def exact_fisher(k, n, K, N):
    """(two-sided, greater, less) as log10 of exact fractions."""
    total = math.comb(N, n)
    ways = {j: math.comb(K, j) * math.comb(N - K, n - j) for j in range(max(0, n + K - N), min(n, K) + 1)}
    sums = (
        sum(way for way in ways.values() if way <= ways[k]),
        sum(way for j, way in ways.items() if j >= k),
        sum(way for j, way in ways.items() if j <= k),
    )

    def log10(part):
        if part == total:
            return 0.0
        # log1p where p is near 1; else the difference of logarithms of big integers would lose digits.
        share = Fraction(part, total)
        if share > Fraction(1, 2):
            return math.log1p(-float(1 - share)) / math.log(10)
        shift = max(0, total.bit_length() - part.bit_length())
        return math.log10(float(share * 2**shift)) - shift * math.log10(2)

    return [log10(part) for part in sums]


def tables():
    """(k, n, K, N) from the smallest to p = 1e-1000 and populations of 60,000, among them ties between the two tails."""
    chosen = [
        (8, 10, 9, 16), (0, 5, 5, 10), (5, 5, 5, 10), (1, 4, 4, 8), (3, 4, 4, 8), (2, 10, 10, 20), (8, 10, 10, 20),
        (0, 3, 7, 30), (3, 3, 7, 30), (7, 100, 7, 5000), (50, 100, 60, 20000), (100, 100, 100, 20000),
        (250, 300, 250, 33239), (300, 310, 400, 33239), (1000, 1000, 1000, 60000), (0, 2000, 15000, 60000),
        (0, 310, 5, 33239), (1, 310, 107, 33239), (310, 310, 33239, 33239), (0, 10, 0, 50), (5, 310, 440, 33239),
        (2, 310, 440, 33239), (900, 1500, 12000, 18000), (1100, 1500, 12000, 18000), (6, 12, 12, 24), (5, 12, 12, 24),
    ]
    for turn in range(60):
        N = 20 + mix(turn) % (60 if turn < 30 else 20000)
        n, K = 1 + mix(turn + 1000) % N, 1 + mix(turn + 2000) % N
        low, high = max(0, n + K - N), min(n, K)
        chosen.append((low + mix(turn + 3000) % (high - low + 1), n, K, N))
    return chosen


def corrections():
    lists = [[0.01, 0.01, 0.03, 0.05, 0.005], [0.5], [1.0, 1.0, 0.2], [1e-300, 1e-12, 0.04, 0.04, 0.9, 0.6]]
    lists.append([(mix(turn) % 10**6 / 1e6) ** 3 for turn in range(40)])
    method = lambda name, values: list(multipletests(values, 0.05, name)[1])
    return [{"p": values, **{name: method(name, values) for name in ("bonferroni", "holm", "fdr_bh")}} for values in lists]


def real_problem(data):
    """goatools' own study, with an OBO file put together from the tables at hand."""
    obo = Path("/tmp") / "enrich-real.obo"
    spaces = {"P": "biological_process", "F": "molecular_function", "C": "cellular_component"}
    with gzip.open(data / "go/go_terms.tsv.gz", "rt") as table, open(obo, "w") as out:
        out.write("format-version: 1.2\n")
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row["go_id"].startswith("GO:") or row["aspect"] not in spaces:
                continue
            out.write(f"\n[Term]\nid: {row['go_id']}\nname: {row['name']}\nnamespace: {spaces[row['aspect']]}\n")
            out.writelines(f"is_a: {parent}\n" for parent in row["parents"].split("|") if parent.startswith("GO:"))
            if row["is_obsolete"] == "1":
                out.write("is_obsolete: true\n")
    folder = data / "go/goatools"
    rows = enrich(
        obo, read_genes(folder / "study"), read_genes(folder / "population.gz"),
        read_associations(folder / "association.gz"), None, "two-sided",
    )
    text = io.StringIO()
    text.write("term\tstudy\tpopulation\tdepth\tp\tbonferroni\tholm\tfdr_bh\n")
    # All of those in the study, and every fifth of the others: the rest has few distinct p-values.
    others = 0
    for row in rows:
        others += row["study"] == 0
        if row["study"] > 0 or others % 5 == 0:
            text.write(
                f"{row['term']}\t{row['study']}\t{row['population']}\t{row['depth']}\t{row['p']!r}\t"
                f"{row['bonferroni']!r}\t{row['holm']!r}\t{row['fdr_bh']!r}\n".replace("np.float64(", "").replace(")", "")
            )
    summary = {
        "terms": len(rows), "study_n": rows[0]["study_n"], "population_n": rows[0]["population_n"],
        "study": sum(row["study"] for row in rows), "population": sum(row["population"] for row in rows),
        "depth": sum(row["depth"] for row in rows), "log10_p": sum(math.log10(row["p"]) for row in rows),
    }
    (HERE / "arabidopsis.tsv").write_text(text.getvalue())
    (HERE / "arabidopsis.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def main():
    HERE.mkdir(exist_ok=True)
    small_problem()
    files = [read_genes(HERE / "study.txt"), read_genes(HERE / "population.txt"), read_associations(HERE / "associations.tsv")]
    expected = {
        f"{name}, {alternative}": enrich(HERE / "go.obo", *files, relationships, alternative)
        for name, relationships in (("is_a", None), ("is_a and part_of", {"part_of"}))
        for alternative in ("two-sided", "greater")
    }
    (HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")).replace("},{", "},\n{") + "\n")
    fisher = [[*table, *exact_fisher(*table)] for table in tables()]
    (HERE / "fisher.json").write_text(json.dumps(fisher).replace("], [", "],\n[") + "\n")
    (HERE / "corrections.json").write_text(json.dumps(corrections()).replace("}, {", "},\n{") + "\n")
    if len(sys.argv) > 1:
        print(real_problem(Path(sys.argv[1])))


main()
