/** What the times of rounds say: medians, ratios, growth, and how far from the limit they are. */

export const median = (xs) => quantile(xs, 0.5);
const quantile = (xs, q) => {
  const sorted = [...xs].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  return sorted[Math.floor(at)] + (at % 1) * (sorted[Math.ceil(at)] - sorted[Math.floor(at)]);
};

/** How many times as long `other` took as `mine`: the median over the rounds that both were in. */
export function ratio(mine, other) {
  const shared = other?.rounds?.flatMap((ms, i) => (ms && mine?.rounds?.[i] ? [ms / mine.rounds[i]] : []));
  return shared?.length ? median(shared) : undefined;
}

/**
 * The share of the speed of the best kernel by hand that one of ours has, what surrounds its product taken off: the call, the way of the
 * latents in and that of the result out; of all rounds that they share.
 */
export function shareOfHand(results, name, hand) {
  const [mine, best, ...around] = [name, hand, `${name}, result alone`, `${name}, latents alone`, `${name}, call alone`].map((of) => results[of]?.rounds);
  if (!mine || !best || around.includes(undefined)) return undefined;
  const [result, latents, call] = around.map((rounds) => median(rounds.filter(Boolean)));
  return ratio({ rounds: mine.map((ms) => ms && ms - (result + latents - call)) }, { rounds: best });
}

/** The e of time ∝ operations^e between two points, by their medians. */
export function exponent(from, to) {
  const [a, b] = [from, to].map(({ rounds }) => median(rounds.filter(Boolean)));
  return Math.log(b / a) / Math.log(to.flops / from.flops);
}

/** The least milliseconds that so many operations and bytes can take, of a limit in GFLOP/s and GB/s. */
export const least = (limit, flops, bytes) => limit && Math.max(flops / limit.flops, bytes / limit.bandwidth) / 1e6;
