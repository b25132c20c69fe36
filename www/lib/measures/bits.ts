import { readNumber } from "../rows.js";

/**
 * −log₂ p(x) for each number in an example: nll / (size · log 2) + log₂ levels. `nll` is nats per example, `size` numbers in an example.
 * Where p is a density of values that were divided by a number of levels, as 8-bit ones by 256, `levels` turns it back into one of the
 * values as they were: Theis et al. 2016. It is 1 if left out, as for a probability of discrete values.
 */
export function bitsPerDimension(nll: number, size: number, { levels = 1 }: { levels?: number } = {}): number {
  readNumber(nll, "nll", { min: -Infinity });
  readNumber(size, "size", { min: 1, whole: true });
  readNumber(levels, "levels", { min: 1 });
  return nll / (size * Math.LN2) + Math.log2(levels);
}
