"""Who is right where p of `analyze enrich` and of scipy (which goatools asks) differ: both beside exact arithmetic.

    python3 benches/enrich_exact.py clusters/enriched/terms.tsv

Needs scipy. Reads k, n, K and N of every tested term from the table, each distinct one once. Fisher's two-sided p is the sum
of C(K, j)·C(N − K, n − j) over all j whose product is no larger than that of k, over the sum of all: whole numbers, so that
ties are ties, and one division at the end.

Below 2.2e-308 a double has fewer than 16 digits, below 5e-324 none; there logarithms are compared, which ours come from.

differ   the largest relative differences: ours and scipy's, ours and exact, scipy's and exact
ties     of the tables where scipy's p is off by more than 1e-9: how many have another j that is exactly as probable as k
"""

from __future__ import annotations

import argparse
import csv
import math
import random

from scipy.stats import fisher_exact


def weights(n: int, with_term: int, population: int) -> tuple[int, list[int]]:
    """The least j, and for each j from it how many of all draws have it."""
    least, most = max(0, n + with_term - population), min(n, with_term)
    found = [math.comb(with_term, least) * math.comb(population - with_term, n - least)]
    for j in range(least, most):
        more, fewer = (with_term - j) * (n - j), (j + 1) * (population - with_term - n + j + 1)
        found.append(found[-1] * more // fewer)
    return least, found


def exact(k: int, n: int, with_term: int, population: int) -> tuple[float, float, bool]:
    """Fisher's two-sided p, its decadic logarithm, and whether another j is exactly as probable."""
    least, all_weights = weights(n, with_term, population)
    seen = all_weights[k - least]
    part, whole = sum(weight for weight in all_weights if weight <= seen), sum(all_weights)
    # math.log10 takes whole numbers of any size.
    return part / whole, math.log10(part) - math.log10(whole), all_weights.count(seen) > 1


def apart(a: float, b: float) -> float:
    return abs(a - b) / b if b else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="terms.tsv of `analyze enrich`")
    parser.add_argument("--sample", type=int, default=1000, help="tables on which both agree to hold against exact [%(default)s]")
    args = parser.parse_args()
    ours: dict[tuple[int, int, int, int], float] = {}
    logarithms: dict[tuple[int, int, int, int], float] = {}
    with open(args.table) as file:
        for row in csv.DictReader(file, delimiter="\t"):
            names = ("study_count", "study_size", "population_count", "population_size")
            k, n, with_term, population = (int(row[name]) for name in names)
            ours[k, n, with_term, population] = float(row["p"])
            logarithms[k, n, with_term, population] = float(row["log10_p"])
    scipy = {}
    for (k, n, with_term, population), _ in ours.items():
        table = [[k, with_term - k], [n - k, population - with_term - n + k]]
        scipy[k, n, with_term, population] = float(fisher_exact(table).pvalue)
    told = [table for table in ours if scipy[table] > 1e-300]
    tiny = [table for table in ours if scipy[table] <= 1e-300]
    off = [table for table in told if apart(ours[table], scipy[table]) > 1e-11]
    same = sorted(set(told) - set(off))
    checked = off + random.Random(1).sample(same, min(args.sample, len(same)))
    right = {table: exact(*table) for table in checked}
    wrong = [table for table in checked if apart(scipy[table], right[table][0]) > 1e-9]
    print(f"{len(ours)} tables, {len(told)} of them above 1e-300, {len(off)} on which the two differ by more than 1e-11")
    print(f"differ: ours and scipy's {max(apart(ours[t], scipy[t]) for t in told):.1e}", end="; ")
    print(f"of {len(checked)} ours and exact {max(apart(ours[t], right[t][0]) for t in checked):.1e}", end=", ")
    print(f"scipy's and exact {max(apart(scipy[t], right[t][0]) for t in checked):.1e}")
    print(f"ties: {sum(right[t][2] for t in wrong)} of {len(wrong)} on which scipy's p is off by more than 1e-9")
    if tiny:
        beyond = {table: exact(*table) for table in tiny}
        scaled = [abs(logarithms[t] - beyond[t][1]) / abs(beyond[t][1]) for t in tiny]
        lost = max(tiny, key=lambda t: apart(ours[t], scipy[t]))
        print(f"{len(tiny)} below 1e-300: log10 p of ours and exact differ by at most {max(scaled):.1e} of it;", end=" ")
        print(f"as doubles ours and scipy's differ most at p = {ours[lost]!r} and {scipy[lost]!r}: {apart(ours[lost], scipy[lost]):.1e}")
    for table in sorted(wrong, key=lambda t: -apart(scipy[t], right[t][0]))[:8]:
        print(f"  k, n, K, N = {table}: ours {ours[table]!r}, scipy {scipy[table]!r}, exact {right[table][0]!r}")


main()
