/** Interleaved rounds: each subject in turn for a slice of time, so that what else the machine does falls on all. */
import { within } from "./subjects.mjs";

/** Takes the first steps of what `open` gives. How many a round has, and how many rounds there are, follows from their time. */
export async function prepare(open, { limit, slice, share, rounds }) {
  const runner = await within(limit, open());
  try {
    if (runner.page) await within(limit, runner.call("first"));
    let ms = await within(limit, runner.call("steps", 1));
    if (ms < 500) ms = await within(limit, runner.call("steps", 4)); // compiled by now
    const n = Math.max(1, Math.round((slice * 1000) / ms));
    return { runner, n, ms, wanted: Math.min(rounds, Math.max(1, Math.floor((share * 1000) / (n * ms)))), rounds: [] };
  } catch (error) {
    await runner.close();
    throw error;
  }
}

/** Runs the rounds: ms a step of each in `rounds`, undefined where a subject was not in one. */
export async function interleave(subjects, { limit, rounds }) {
  for (let round = 0; round < rounds; round++) {
    const order = subjects.map((_, i) => subjects[(i + round) % subjects.length]);
    for (const s of order) s.rounds.push(round < s.wanted ? await within(limit, s.runner.call("steps", s.n)).catch(() => undefined) : undefined);
  }
}
