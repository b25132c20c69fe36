/** `node scripts/data.mjs [digits|fashion|emoji …]`: the data sets that are read from files, into folders that git ignores. Digits when none is named. */
import { Failure, isMain, main } from "./run.mjs";

/** Each module has `prepare({ log })`, which writes what is missing or older than its source and returns the names it wrote. */
const SETS = ["digits", "fashion", "emoji"];

export async function prepare(name, { log = () => {} } = {}) {
  if (!SETS.includes(name)) throw new Failure(`There is no data set ${name}: there are ${SETS.join(", ")}.`);
  return (await import(`./data/${name}.mjs`)).prepare({ log });
}

if (isMain(import.meta.url))
  await main(async (names) => {
    for (const name of names.length > 0 ? names : ["digits"]) if (!(await prepare(name, { log: console.log })).length) console.log(`data: ${name}: up to date`);
  });
