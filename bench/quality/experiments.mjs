/**
 * The experiments, one word each, the longest first: `experiments/WORD.mjs` has as default
 *   { name, title, data: names of the sets it reads from files, run(ctx) → { epochs, seeds, rows, pictures? } }.
 * A row is { row: what it is about, column: number or one for each seed, … }, with bar(…) of results.mjs where it is held to something;
 * `ctx` is described in fit.mjs.
 */
export const EXPERIMENTS = ["emoji", "codes", "sprites", "iwae", "samplers", "conditional", "blur", "balance", "elbo-digits"];

export const load = async (name) => (await import(`./experiments/${name}.mjs`)).default;
