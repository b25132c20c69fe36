/** log Σ exp(x_i), over `values[from … to − 1]`. The largest is taken out first, so that nothing overflows; −∞ where all are. */
export function logSumExp(values: ArrayLike<number>, from = 0, to = values.length): number {
  let largest = -Infinity;
  for (let i = from; i < to; i++) largest = Math.max(largest, values[i]);
  if (largest === -Infinity) return largest;
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.exp(values[i] - largest);
  return largest + Math.log(sum);
}
