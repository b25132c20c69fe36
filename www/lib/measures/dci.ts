/** Disentanglement, completeness and informativeness, from predictors of the factors. Eastwood & Williams 2018. */

import { invalid } from "../errors.js";
import { readSeed } from "../random.js";
import { type Rows, type Table, readNumber } from "../rows.js";
import { type Factors, column, discrete, readCodesAndFactors, readFactorIndices } from "./factors.js";
import { lasso, standardised } from "./lasso.js";
import { growForest } from "./tree.js";

export interface Dci {
  /** Whether each dimension helps to predict one factor alone: Σ_j ρ_j (1 − H(P_j) / log k), 0 … 1. */
  disentanglement: number;
  /** Whether each factor is predicted from one dimension alone: Σ_k ρ_k (1 − H(P_k) / log size), 0 … 1. */
  completeness: number;
  /** 1 − the mean of `errors`. */
  informativeness: number;
  /** How much dimension j counts in predicting factor k: [factor][dimension]. */
  importance: number[][];
  /** The predictor's error for each factor, 0 for none; 1 is that of the lasso's guess of the mean. */
  errors: number[];
}

export type DciPredictor = LassoPredictor | ForestPredictor;

/** Importance is the size of a weight, with codes and factors scaled to variance 1. Sees straight relations alone. The error is the root mean square one. */
export interface LassoPredictor {
  kind: "lasso";
  /** The penalty of |y − Xw|² / 2n + alpha |w|₁. Default 0.01. */
  alpha?: number;
  /** Factors whose numbers are names: one weight vector for each level, as indicators. The others count as quantities. Default none. */
  categorical?: readonly number[];
}

/** Importance is the share in the fall of Gini impurity. Takes every factor as discrete. The error is the share told wrong by trees that did not see the example. */
export interface ForestPredictor {
  kind: "forest";
  /** Default 10. */
  trees?: number;
  /** Splits one below another. Default 8. */
  depth?: number;
  /** Default 0. */
  seed?: number;
}

/**
 * P_j is the importance of dimension j over the factors, P_k that of factor k over the dimensions, each summing to 1; ρ weighs by the total
 * importance, as Eastwood & Williams 2018 do for disentanglement and Locatello et al. 2019 for both. Both scores are 0 where nothing predicts anything.
 * codes: (n, size), size at least 2; factors: (n, k), k at least 2.
 */
export function dci(codes: Rows, factors: Factors, { predictor = { kind: "lasso" } }: { predictor?: DciPredictor } = {}): Dci {
  const read = readCodesAndFactors(codes, factors, { minCols: 2 });
  if (read.factors.cols < 2) throw invalid("invalid-data", "factors.shape[1]", String(read.factors.cols), "at least 2");
  const found = predict(read.codes, read.factors, predictor);
  const importance = found.map((factor) => factor.importance);
  const errors = found.map(({ error }) => error);
  const transposed = importance[0].map((_, j) => importance.map((row) => row[j]));
  const informativeness = 1 - errors.reduce((a, b) => a + b, 0) / errors.length;
  return { disentanglement: concentration(transposed), completeness: concentration(importance), informativeness, importance, errors };
}

interface Prediction {
  importance: number[];
  error: number;
}

function predict(codes: Table, factors: Table, predictor: DciPredictor): Prediction[] {
  const targets = Array.from({ length: factors.cols }, (_, k) => column(factors, k));
  switch (predictor?.kind) {
    case "lasso":
      return byLasso(codes, targets, predictor);
    case "forest":
      return byForest(codes, targets, predictor);
    default:
      throw invalid("invalid-option", "predictor.kind", String((predictor as { kind?: unknown } | null)?.kind), '"lasso" or "forest"');
  }
}

function byLasso(codes: Table, targets: Float64Array[], { alpha = 0.01, categorical = [] }: LassoPredictor): Prediction[] {
  readNumber(alpha, "predictor.alpha", { min: 0 });
  readFactorIndices(categorical, "predictor.categorical", targets.length);
  const x = standardised(codes);
  return targets.map((target, k) => {
    const fits = (categorical.includes(k) ? indicators(target, k) : [varying(target, k)]).map((y) => lasso(x, y, alpha));
    const importance = Array.from({ length: codes.cols }, (_, j) => fits.reduce((sum, { weights }) => sum + Math.abs(weights[j]), 0));
    return { importance, error: fits.reduce((sum, { error }) => sum + error, 0) / fits.length };
  });
}

function byForest(codes: Table, targets: Float64Array[], { trees = 10, depth = 8, seed = 0 }: ForestPredictor): Prediction[] {
  readNumber(trees, "predictor.trees", { min: 1, max: 10_000, whole: true });
  readNumber(depth, "predictor.depth", { min: 1, max: 64, whole: true });
  readSeed(seed, "predictor.seed");
  const columns = Array.from({ length: codes.cols }, (_, j) => column(codes, j));
  return targets.map((target, k) => {
    const { importance, error } = growForest(columns, discrete(target, k), { trees, depth, seed });
    return { importance: [...importance], error };
  });
}

/** 1 where the factor has the level and 0 elsewhere, for each of its levels. */
function indicators(values: Float64Array, k: number): Float64Array[] {
  const { levels, of } = discrete(values, k);
  return Array.from({ length: levels }, (_, level) => Float64Array.from(of, (other) => (other === level ? 1 : 0)));
}

function varying(values: Float64Array, k: number): Float64Array {
  if (values.every((value) => value === values[0])) throw invalid("invalid-data", `factors[:, ${k}]`, "1 different value", "at least 2");
  return values;
}

/** Σ_i ρ_i (1 − H(row_i / its sum) / log length), ρ_i being the sum of row i over the sum of all. */
function concentration(rows: readonly number[][]): number {
  const sums = rows.map((row) => row.reduce((a, b) => a + b, 0));
  const whole = sums.reduce((a, b) => a + b, 0);
  if (whole === 0) return 0;
  return rows.reduce((score, row, i) => {
    if (sums[i] === 0) return score;
    const entropy = -row.reduce((sum, part) => sum + (part === 0 ? 0 : (part / sums[i]) * Math.log(part / sums[i])), 0);
    return score + (sums[i] / whole) * (1 - entropy / Math.log(row.length));
  }, 0);
}
