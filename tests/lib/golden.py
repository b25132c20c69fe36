"""Known answers for the samplers, the latent tools and the measures: golden.json, by numpy, scipy, scikit-learn and scikit-image.

    pip install -r tests/lib/requirements.txt && python tests/lib/golden.py

Inputs are multiples of 1/256, so single precision holds them exactly. Results are rounded to 12 significant digits. What the package
draws by chance is drawn here from the same words (tests/golden/threefry.py), so that both compute the same thing by different means.
"""

import itertools
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import integrate, linalg, special, stats
from skimage import metrics as images
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Lasso
from sklearn.metrics import mutual_info_score, roc_curve
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "golden"))
from threefry import threefry2x32  # noqa: E402

rng = np.random.default_rng(20260131)


# Draws, as src/rng/lib.rs describes them

STREAM = {"prior": 2, "posterior": (1 << 24) + 3, "votes": (1 << 24) + 4}


def words(seed, stream, step, elements):
    key = (seed & 0xFFFFFFFF, (seed >> 32) ^ (stream * 0x9E3779B9 & 0xFFFFFFFF))
    return threefry2x32(key, (np.uint32(step), np.asarray(elements, np.uint32)))[0]


def normals(seed, stream, step, elements):
    return special.ndtri(((words(seed, stream, step, elements) >> 9) + 0.5) / 2**23)


# Inputs and output

def grid(a):
    return np.round(np.asarray(a, float) * 256) / 256


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    if isinstance(value, np.ndarray):
        return rounded(value.tolist())
    if isinstance(value, (bool, np.bool_, str)):
        return value if isinstance(value, str) else bool(value)
    value = float(f"{float(value):.12g}")
    return int(value) if value == int(value) and abs(value) < 1e6 else value


def rows(a):
    return {"values": np.asarray(a).ravel(), "shape": list(np.shape(a))}


# Cases

def normal():
    u = np.array([1e-7, 1e-4, 0.02, 0.02425, 0.1, 0.3, 0.5, 0.6, 0.9, 0.97575, 0.98, 0.9999])
    x = np.array([-37, -12, -6, -4.01, -3.99, -2, -1e-3, 0, 1e-9, 0.5, 1, 2, 3.5, 4.5, 8])
    seeds = [0, 7, 2**33 + 5]
    draws = [{"seed": seed, "stream": 2, "step": 3, "normals": normals(seed, 2, 3, range(8))} for seed in seeds]
    return {"u": u, "quantile": special.ndtri(u), "x": x, "cumulative": special.ndtr(x), "draws": draws}


def posterior():
    """q(z|x) of 40 examples, one dimension near the prior. The KL by numerical integration, the parts of it by their definitions."""
    n, size, seed, samples = 40, 3, 11, 2
    mean = grid(rng.normal(size=(n, size)) * [1.2, 0.7, 0.05])
    logvar = grid(rng.normal(size=(n, size)) * 0.3 + [-2, -1, 0])
    deviation = np.exp(logvar / 2)

    def kl_of(m, s):
        q, p = stats.norm(m, s), stats.norm()
        return integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), m - 12 * s, m + 12 * s, epsabs=1e-13, epsrel=1e-13)[0]

    per_dimension = np.mean([[kl_of(m, s) for m, s in zip(*row)] for row in zip(mean, deviation)], axis=0)
    information, correlation = [], []
    for sample in range(samples):
        epsilon = normals(seed, STREAM["posterior"], sample, range(n * size)).reshape(n, size)
        z = mean + deviation * epsilon
        log_q = stats.norm.logpdf(z[:, None, :], mean[None], deviation[None])  # (of z, under x, dimension)
        log_aggregate = special.logsumexp(log_q.sum(2), axis=1) - np.log(n)
        log_marginals = special.logsumexp(log_q, axis=1) - np.log(n)
        own = log_q[np.arange(n), np.arange(n)].sum(1)
        information.append(np.mean(own - log_aggregate))
        correlation.append(np.mean(log_aggregate - log_marginals.sum(1)))
    kl, mi, tc = per_dimension.sum(), np.mean(information), np.mean(correlation)
    parts = {"kl": kl, "mutualInformation": mi, "aggregateKl": kl - mi, "totalCorrelation": tc, "dimensionwiseKl": kl - mi - tc}
    return {"mean": mean.ravel(), "logvar": logvar.ravel(), "shape": [n, size], "klPerDimension": per_dimension, "variances": mean.var(0),
            "samples": samples, "seed": seed, "parts": parts,
            "aggregateDeviations": np.sqrt(np.mean(deviation**2 + mean**2, axis=0) - mean.mean(0) ** 2)}


def reconstructions():
    x = grid(rng.random((2, 16, 13, 2)))
    y = grid(np.clip(x + rng.normal(size=x.shape) * 0.2, 0, 1))
    ssim = [images.structural_similarity(a, b, win_size=11, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1,
                                         channel_axis=2) for a, b in zip(x, y)]
    return {"x": rows(x), "reconstruction": rows(y), "mse": images.mean_squared_error(x, y), "mae": np.mean(np.abs(x - y)),
            "mseOverVariance": images.mean_squared_error(x, y) / x.var(), "ssim": np.mean(ssim),
            "psnr": np.mean([images.peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(x, y)])}


def codes_and_factors():
    """Entangled codes: factors of 3 and 2 levels and a quantity, in a latent of 4 with one dimension of noise."""
    n = 120
    factors = np.stack([rng.integers(0, 3, n), rng.integers(0, 2, n), rng.integers(0, 64, n) / 64], axis=1)
    noise = rng.normal(size=(n, 4))
    codes = np.stack([factors[:, 0] - 1 + 0.3 * factors[:, 1], 2 * factors[:, 1] - 0.5 * factors[:, 2], 3 * factors[:, 2] + 0.2 * factors[:, 0], 0 * factors[:, 0]], axis=1)
    return grid(codes + 0.35 * noise), factors


def mig(codes, factors, bins):
    def binned(column):
        return np.digitize(column, np.histogram(column, bins)[1][:-1])

    factors = np.stack([np.unique(v, return_inverse=True)[1] for v in factors.T], axis=1)
    normalised = [[mutual_info_score(v, binned(z)) / stats.entropy(np.unique(v, return_counts=True)[1]) for z in codes.T] for v in factors.T]
    gaps = [np.subtract(*sorted(row)[:-3:-1]) for row in normalised]
    return {"bins": bins, "score": np.mean(gaps), "gaps": gaps, "normalised": normalised}


def sap():
    """Thresholds by trying all of them; of two levels by the ROC curve."""
    n = 24
    three, two, quantity = rng.integers(0, 3, n), rng.integers(0, 2, n), rng.integers(0, 256, n) / 256
    codes = grid(np.stack([three + rng.normal(size=n) * 0.6, two + rng.normal(size=n) * 0.5, quantity + rng.normal(size=n) * 0.2, np.round(rng.normal(size=n))], axis=1))

    def all_thresholds(z, v):
        levels = np.unique(v)
        share = np.stack([(v == level) / np.sum(v == level) for level in levels]) / len(levels)
        ends = np.unique(z)[:-1]  # a cut after each value but the last
        best = 0
        for cuts in itertools.chain.from_iterable(itertools.combinations(ends, k) for k in range(len(levels))):
            intervals = np.searchsorted(cuts, z, side="left")
            best = max(best, sum(max(share[c][intervals == i].sum() for c in range(len(levels))) for i in range(len(cuts) + 1)))
        return best

    def by_roc(z, v):
        false, true, _ = roc_curve(v, z, drop_intermediate=False)
        return max(np.max(true + 1 - false), np.max(false + 1 - true)) / 2

    assert all(np.isclose(all_thresholds(z, two), by_roc(z, two)) for z in codes.T)
    scores = [[all_thresholds(z, three) for z in codes.T], [by_roc(z, two) for z in codes.T], [stats.pearsonr(z, quantity)[0] ** 2 for z in codes.T]]
    gaps = [np.subtract(*sorted(row)[:-3:-1]) for row in scores]
    return {"codes": rows(codes), "factors": rows(np.stack([three, two, quantity], axis=1)), "continuous": [2], "score": np.mean(gaps), "gaps": gaps, "scores": scores}


def factor_vae(codes, factors):
    seed, train, test, batch = 5, 300, 200, 4
    deviation = codes.std(0)
    factors = np.column_stack([factors[:, :2], np.floor(factors[:, 2] * 4)])
    table = np.zeros((codes.shape[1], factors.shape[1]))

    def vote(step):
        word = words(seed, STREAM["votes"], step, range(2 + batch)) / 2**32
        k = int(word[0] * factors.shape[1])
        value = factors[int(word[1] * len(factors)), k]
        group = codes[factors[:, k] == value]
        return np.argmin((group[(word[2:] * len(group)).astype(int)] / deviation).var(0)), k

    for step in range(train):
        table[vote(step)] += 1
    factor_of = table.argmax(1)
    right = [factor_of[j] == k for j, k in map(vote, range(train, train + test))]
    return {"factors": rows(factors), "options": {"seed": seed, "trainVotes": train, "testVotes": test, "batch": batch}, "score": np.mean(right), "factorOf": factor_of}


def dci(codes, factors, alpha):
    x = StandardScaler().fit_transform(codes)

    def fit(v):
        y = (v - v.mean()) / v.std()
        model = Lasso(alpha=alpha, tol=1e-14, max_iter=100_000, fit_intercept=False).fit(x, y)
        return np.abs(model.coef_), np.sqrt(np.mean((y - model.predict(x)) ** 2))

    indicators = [fit((factors[:, 0] == level).astype(float)) for level in np.unique(factors[:, 0])]
    fits = [(sum(w for w, _ in indicators), np.mean([e for _, e in indicators])), fit(factors[:, 1]), fit(factors[:, 2])]
    importance, errors = np.array([w for w, _ in fits]), [e for _, e in fits]

    def concentration(table):
        used = table.sum(1) > 0
        return np.average(1 - stats.entropy(table[used], axis=1) / np.log(table.shape[1]), weights=table[used].sum(1))

    return {"alpha": alpha, "categorical": [0], "importance": importance, "errors": errors, "informativeness": 1 - np.mean(errors),
            "disentanglement": concentration(importance.T), "completeness": concentration(importance)}


def trees(codes, factors):
    v = factors[:, 0].astype(int)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(codes, v)
    forest = RandomForestClassifier(2000, max_features=None, max_depth=8, oob_score=True, random_state=0, n_jobs=1).fit(codes, v)
    spread = np.std([t.feature_importances_ for t in forest.estimators_], axis=0)
    return {"tree": {"depth": 3, "importance": tree.feature_importances_, "predicted": tree.predict(codes)},
            "forest": {"depth": 8, "importance": forest.feature_importances_, "deviation": spread, "error": 1 - forest.oob_score_}}


def frechet():
    def distance(a, b, root):
        m = a.mean(0) - b.mean(0)
        ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
        return m @ m + np.trace(ca) + np.trace(cb) - 2 * root(ca @ cb)

    def by_sqrtm(product):
        return np.trace(linalg.sqrtm(product)).real

    def by_eigenvalues(product):
        return np.sqrt(np.clip(linalg.eigvals(product).real, 0, None)).sum()

    many = [grid(rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)) + shift) for shift in (0, 0.5)]
    few = [grid(rng.normal(size=(4, 6)) * 3), grid(rng.normal(size=(5, 6)))]
    return [{"a": rows(many[0]), "b": rows(many[1]), "distance": distance(*many, by_sqrtm)},
            {"a": rows(few[0]), "b": rows(few[1]), "distance": distance(*few, by_eigenvalues)}]


def samplers():
    n = 240
    centres = np.array([[-3, 0], [2, 2], [2, -3]])
    codes = grid(centres[rng.integers(0, 3, n)] + rng.normal(size=(n, 2)) @ np.array([[1, 0.5], [0, 0.6]]))
    points = grid(rng.normal(size=(6, 2)) * 3)
    fitted = {"normal": stats.multivariate_normal(np.zeros(2)), "gaussian": stats.multivariate_normal(codes.mean(0), np.cov(codes, rowvar=False))}
    case = {"codes": rows(codes), "points": rows(points), "logProb": {kind: law.logpdf(points) for kind, law in fitted.items()}, "mixtures": []}
    for covariance, name in (("full", "full"), ("diag", "diagonal")):
        model = GaussianMixture(3, covariance_type=covariance, tol=1e-12, max_iter=5000, n_init=10, random_state=0).fit(codes)
        order = np.argsort(model.means_[:, 0] + model.means_[:, 1])
        case["mixtures"].append({"covariance": name, "components": 3, "logLikelihood": model.score(codes), "weights": model.weights_[order],
                                 "means": model.means_[order], "logProb": model.score_samples(points)})
    return case


codes, factors = codes_and_factors()
golden = {
    "versions": {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "scikit-image")},
    "normal": normal(),
    "posterior": posterior(),
    "reconstructions": reconstructions(),
    "codes": rows(codes),
    "factors": rows(factors),
    "mig": mig(codes, factors, 20),
    "sap": sap(),
    "factorVae": factor_vae(codes, factors),
    "dci": dci(codes, factors, 0.05),
    "trees": trees(codes, factors),
    "frechet": frechet(),
    "samplers": samplers(),
}
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(rounded(part), separators=(',', ':'))}" for name, part in golden.items())
(HERE / "golden.json").write_text(f"{{\n{lines}\n}}\n")
