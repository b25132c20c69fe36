/** Entropy and mutual information of discrete variables, by counts, in nats. */

import type { DiscreteFactor } from "./factors.js";

/** H(v) = −Σ p log p. */
export function entropy({ levels, of }: DiscreteFactor): number {
  const counts = new Float64Array(levels);
  for (const level of of) counts[level]++;
  return -counts.reduce((sum, count) => sum + plogp(count / of.length), 0);
}

/** I(a; b) = Σ p(a, b) log (p(a, b) / (p(a) p(b))). */
export function mutualInformation(a: DiscreteFactor, b: DiscreteFactor): number {
  const n = a.of.length;
  const joint = new Float64Array(a.levels * b.levels);
  for (let i = 0; i < n; i++) joint[a.of[i] * b.levels + b.of[i]]++;
  const together = -joint.reduce((sum, count) => sum + plogp(count / n), 0);
  return Math.max(0, entropy(a) + entropy(b) - together);
}

const plogp = (p: number) => (p === 0 ? 0 : p * Math.log(p));

/** Values in `bins` bins of equal width from the least to the largest, as in Locatello et al. 2019; the last bin holds the largest. */
export function binned(values: Float64Array, bins: number): DiscreteFactor {
  let [least, largest] = [Infinity, -Infinity];
  for (const value of values) [least, largest] = [Math.min(least, value), Math.max(largest, value)];
  const edge = (bin: number) => least + bin * ((largest - least) / bins);
  const of = Uint32Array.from(values, (value) => {
    if (largest === least) return 0;
    let bin = Math.min(bins - 1, Math.floor(((value - least) / (largest - least)) * bins));
    if (value < edge(bin)) bin--; // the division rounded across an edge
    else if (bin < bins - 1 && value >= edge(bin + 1)) bin++;
    return bin;
  });
  return { levels: bins, of };
}

/** The difference of the largest and the next of `values`. */
export function gap(values: readonly number[]): number {
  const [first, second] = [...values].sort((a, b) => b - a);
  return first - second;
}
