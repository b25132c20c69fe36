/** The best classifier of a discrete factor by thresholds on one number. */

import type { DiscreteFactor } from "./factors.js";

/**
 * The highest balanced accuracy, the mean over levels of the share that is told right, of all classifiers that cut the line into at most
 * `levels` intervals and give each a level. Exact, by dynamic programming over the sorted values: n · levels² steps.
 */
export function thresholdAccuracy(values: Float64Array, { levels, of }: DiscreteFactor): number {
  const order = Uint32Array.from(values.keys()).sort((i, j) => values[i] - values[j]);
  const worth = new Float64Array(levels); // what one example of a level adds
  for (const level of of) worth[level]++;
  for (let level = 0; level < levels; level++) worth[level] = 1 / (levels * worth[level]);
  // best[k · levels + c]: the most that the examples so far can give when they take k + 1 intervals, the last one of level c.
  const best = new Float64Array(levels * levels).fill(-Infinity).fill(0, 0, levels);
  order.forEach((i, place) => {
    if (place > 0 && values[order[place - 1]] < values[i]) openInterval(best, levels);
    for (let k = 0; k < levels; k++) best[k * levels + of[i]] += worth[of[i]];
  });
  return best.reduce((a, b) => Math.max(a, b));
}

/** A new interval may begin here, of any level. */
function openInterval(best: Float64Array, levels: number): void {
  for (let k = levels - 1; k > 0; k--) {
    let before = -Infinity;
    for (let c = 0; c < levels; c++) before = Math.max(before, best[(k - 1) * levels + c]);
    for (let c = 0; c < levels; c++) best[k * levels + c] = Math.max(best[k * levels + c], before);
  }
}
