/** Classification trees, and forests of them. Breiman et al. 1984; Breiman 2001. */

import { Draws, STREAM } from "../random.js";
import type { DiscreteFactor } from "./factors.js";

export interface Tree {
  /** How much the splits on each column lower the Gini impurity, as shares of all that the tree lowers it: (columns); 0 where it has no split. */
  importance: Float64Array<ArrayBuffer>;
  predict(row: number): number;
}

/** A leaf has a level, an inner node the rest. */
interface Node {
  level: number;
  split?: { column: number; threshold: number; below: Node; above: Node };
}

/** The rows in rising order of each column. */
export function sortedRows(columns: readonly Float64Array[]): Uint32Array[] {
  return columns.map((values) => Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b]));
}

/**
 * A tree of at most `depth` splits one below another, each taken where the Gini impurity falls most; of columns where it falls as much, which
 * small nodes have often, by the draws. columns: each (n), with `orders` from `sortedRows`; weights: how often each row counts, (n).
 */
export function growTree(
  columns: readonly Float64Array[],
  orders: readonly Uint32Array[],
  factor: DiscreteFactor,
  weights: Float64Array,
  depth: number,
  draws: Draws,
): Tree {
  const importance = new Float64Array(columns.length);
  const there = orders.map((order) => order.filter((row) => weights[row] > 0));
  let tickets = 0;
  const root = grow({ columns, factor, weights, importance, ticket: () => draws.word(tickets++) }, there, depth);
  const whole = importance.reduce((a, b) => a + b, 0);
  const predict = (row: number) => {
    let node = root;
    while (node.split) node = columns[node.split.column][row] <= node.split.threshold ? node.split.below : node.split.above;
    return node.level;
  };
  return { importance: whole > 0 ? importance.map((part) => part / whole) : importance, predict };
}

interface Growing {
  columns: readonly Float64Array[];
  factor: DiscreteFactor;
  weights: Float64Array;
  importance: Float64Array;
  /** A new random number. */
  ticket: () => number;
}

function grow(growing: Growing, orders: Uint32Array[], depth: number): Node {
  const { columns, factor, weights, importance } = growing;
  const counts = new Float64Array(factor.levels);
  for (const row of orders[0]) counts[factor.of[row]] += weights[row];
  const level = counts.indexOf(Math.max(...counts));
  const best = depth > 0 ? bestSplit(growing, orders, counts) : undefined;
  if (!best) return { level };
  importance[best.column] += best.gain;
  const isBelow = (row: number) => columns[best.column][row] <= best.threshold;
  const below = grow(growing, orders.map((order) => order.filter(isBelow)), depth - 1);
  const above = grow(growing, orders.map((order) => order.filter((row) => !isBelow(row))), depth - 1);
  return { level, split: { column: best.column, threshold: best.threshold, below, above } };
}

interface Split {
  column: number;
  threshold: number;
  gain: number;
  /** Decides between equal gains. */
  lot: number;
}

const SMALLEST_GAIN = 1e-9; // of the node's weight: rounding gives less, a split of use more

/** The split with the largest Σ_c l_c²/|l| + Σ_c r_c²/|r| − Σ_c n_c²/|n|, which is how far the weighted Gini impurity falls. */
function bestSplit({ columns, factor, weights, ticket }: Growing, orders: readonly Uint32Array[], counts: Float64Array): Split | undefined {
  const whole = counts.reduce((a, b) => a + b, 0);
  const squares = counts.reduce((sum, count) => sum + count * count, 0);
  let best: Split | undefined;
  orders.forEach((order, column) => {
    const values = columns[column];
    const lot = ticket();
    const left = new Float64Array(factor.levels);
    let [leftWeight, leftSquares, rightSquares] = [0, 0, squares];
    for (let place = 0; place < order.length - 1; place++) {
      const weight = weights[order[place]];
      const level = factor.of[order[place]];
      const right = counts[level] - left[level];
      leftSquares += weight * (2 * left[level] + weight);
      rightSquares -= weight * (2 * right - weight);
      left[level] += weight;
      leftWeight += weight;
      const [here, next] = [values[order[place]], values[order[place + 1]]];
      if (here === next) continue;
      const gain = leftSquares / leftWeight + rightSquares / (whole - leftWeight) - squares / whole;
      const isBest = best === undefined ? gain > SMALLEST_GAIN * whole : gain > best.gain || (gain === best.gain && lot > best.lot);
      if (isBest) best = { column, threshold: here + (next - here) / 2, gain, lot };
    }
  });
  return best;
}

export interface Forest {
  /** The mean of the trees' importances: (columns). */
  importance: Float64Array<ArrayBuffer>;
  /** Share of rows told wrong by most of the trees that did not see them. NaN where every tree saw every row. */
  error: number;
}

/** Trees grown on draws of n rows with replacement; every split may use every column, so that columns without information stay out. */
export function growForest(columns: readonly Float64Array[], factor: DiscreteFactor, { trees, depth, seed }: { trees: number; depth: number; seed: number }): Forest {
  const n = factor.of.length;
  const orders = sortedRows(columns);
  const importance = new Float64Array(columns.length);
  const votes = new Uint32Array(n * factor.levels);
  for (let index = 0; index < trees; index++) {
    const draws = new Draws(seed, STREAM.trees, index);
    const weights = new Float64Array(n);
    for (let i = 0; i < n; i++) weights[draws.integer(i, n)]++;
    const tree = growTree(columns, orders, factor, weights, depth, new Draws(seed, STREAM.ties, index));
    tree.importance.forEach((part, column) => (importance[column] += part / trees));
    for (let i = 0; i < n; i++) if (weights[i] === 0) votes[i * factor.levels + tree.predict(i)]++;
  }
  let [wrong, judged] = [0, 0];
  for (let i = 0; i < n; i++) {
    const own = votes.subarray(i * factor.levels, (i + 1) * factor.levels);
    const most = Math.max(...own);
    if (most === 0) continue;
    judged++;
    if (own.indexOf(most) !== factor.of[i]) wrong++;
  }
  return { importance, error: wrong / judged };
}
