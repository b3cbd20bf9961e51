#!/usr/bin/env python3
"""Writes tests/support/evaluation_tables.inc: what SciPy and scikit-learn say, for tests/unit/test_evaluation.cpp.

    pip install numpy scipy scikit-learn; python tests/golden/make_evaluation_tables.py

Not run by the build: the table is committed, so that the tests need neither.
"""

import pathlib

import numpy as np
import scipy
import sklearn
from scipy import special, stats
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import linear_model, metrics

out = [f"// Written by tests/golden/make_evaluation_tables.py: SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}.", "// clang-format off"]


def table(type_name: str, name: str, rows: list[tuple]) -> None:
    out.append(f"const std::vector<{type_name}> {name} = {{")
    for row in rows:
        out.append("    {" + ", ".join(f"{v:.17g}" if isinstance(v, float) else str(v) for v in row) + "},")
    out.append("};")


def numbers(name: str, values: np.ndarray) -> None:
    out.append(f"const std::vector<double> {name} = {{" + ", ".join(f"{v:.9g}" for v in values) + "};")


table("Beta", "kBeta", [
    (a, b, x, float(special.betainc(a, b, x)))
    for a, b in [(0.5, 0.5), (1.0, 20.0), (20.0, 1.0), (3.5, 2.25), (100.0, 900.0), (50000.0, 60000.0), (1.0, 1e6)]
    for x in [1e-6, 0.0021, 0.1, 0.4545, 0.5, 0.97]
])

intervals = []
for k, n in [(0, 1), (0, 20), (1, 20), (20, 20), (10, 100), (3, 7), (99, 100), (1, 5000), (2500, 5000), (0, 100000), (70000, 100000)]:
    for confidence in [0.5, 0.9, 0.95, 0.999]:
        ci = stats.binomtest(k, n).proportion_ci(confidence, "exact")
        intervals.append((k, n, confidence, float(ci.low), float(ci.high)))
table("Exact", "kExact", intervals)

table("Mcnemar", "kMcnemar", [
    (b, c, float(stats.binomtest(b, b + c, 0.5).pvalue)) for b, c in [(0, 1), (0, 5), (5, 0), (1, 8), (12, 13), (30, 10), (400, 300)]
])

table("Kolmogorov", "kKolmogorov", [(x, float(special.kolmogorov(x))) for x in [0.3, 0.5, 0.8, 1.0, 1.3581, 1.6276, 2.5]])


def eer(bona_fide: np.ndarray, attacks: np.ndarray) -> float:
    far, tpr, _ = metrics.roc_curve(np.r_[np.ones(len(bona_fide)), np.zeros(len(attacks))], np.r_[bona_fide, attacks], drop_intermediate=False)
    return float(brentq(lambda x: 1 - x - interp1d(far, tpr)(x), 0, 1, xtol=1e-15))


rng = np.random.default_rng(5)
rows = []
for i, (n, m, shift, step) in enumerate([(40, 60, 1.0, 0.0), (40, 60, 1.0, 0.5), (7, 200, 2.5, 0.0), (150, 11, 0.0, 0.25), (25, 25, 9.0, 0.0), (25, 30, -1.0, 0.0)]):
    bona_fide, attacks = rng.normal(shift, 1, n), rng.normal(0, 1, m)
    if step:
        bona_fide, attacks = np.round(bona_fide / step) * step, np.round(attacks / step) * step
    bona_fide, attacks = (np.array([float(f"{v:.9g}") for v in x]) for x in (bona_fide, attacks))
    numbers(f"kBonaFide{i}", bona_fide)
    numbers(f"kAttacks{i}", attacks)
    labels, scores = np.r_[np.ones(n), np.zeros(m)], np.r_[bona_fide, attacks]
    far, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    # BPCER at APCER <= target: the best point that keeps it.
    bpcer = [float(1 - max(t for f, t in zip(far, tpr) if f <= target + 1e-12)) for target in (0.01, 0.05, 0.07, 0.10)]
    rows.append((f"&kBonaFide{i}", f"&kAttacks{i}", float(metrics.roc_auc_score(labels, scores)), eer(bona_fide, attacks), *bpcer))
table("Curve", "kCurves", rows)

# Logistic regression without a penalty, classes weighted equally: what Platt's method fits.
rows = []
for i in (0, 1, 3):
    fit = {}
    exec("\n".join(line.replace("const std::vector<double> ", "").replace("{", "[").replace("};", "]") for line in out
                   if line.startswith((f"const std::vector<double> kBonaFide{i}", f"const std::vector<double> kAttacks{i}"))), fit)
    x = np.r_[fit[f"kBonaFide{i}"], fit[f"kAttacks{i}"]]
    y = np.r_[np.ones(len(fit[f"kBonaFide{i}"])), np.zeros(len(fit[f"kAttacks{i}"]))]
    w = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum()) * len(y)
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000).fit(x[:, None], y, sample_weight=w)
    loss = metrics.log_loss(y, model.predict_proba(x[:, None])[:, 1], sample_weight=w)
    rows.append((f"&kBonaFide{i}", f"&kAttacks{i}", float(model.coef_[0, 0]), float(model.intercept_[0]), float(loss)))
table("Platt", "kPlatt", rows)

target = pathlib.Path(__file__).parents[1] / "support" / "evaluation_tables.inc"
target.write_text("\n".join(out) + "\n")
