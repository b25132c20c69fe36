/**
 * What the page draws of a model of codes: its codebook and how it is used, digits as maps of codes, samples of a learnt prior, digits of
 * which half is kept. "change" fires at once for the code under a cursor, which follows a hand; the studio is told of all else.
 */
import type { SampleOptions, Vae } from "reparam";
import { codeUsage, type CodeUsage } from "reparam/measures";
import type { Ask } from "./ask";
import { bookOf, type Book } from "./book";
import type { Codes } from "./codes";
import { isConditional, type Config } from "./config";
import { codeGrid, placesOf, type CodeGrid } from "./grid";
import { latest } from "./latest";
import { firstOfEachClass, pick, type DigitSet } from "./mnist";
import type { Run } from "./run";
import type { View } from "./view";

/** Digits that are completed, and how often each. */
export const COMPLETED = { rows: 3, draws: 6 };

/** Digits and the codes that stand for them: indices (digits, places). */
export interface Maps {
  digits: DigitSet;
  indices: Float32Array;
}

/** For each digit so many draws of what was not kept: values (digits · draws, 28, 28). */
export interface Completions {
  digits: DigitSet;
  values: Float32Array;
}

export class CodePictures extends EventTarget {
  grid: CodeGrid | null = null;
  /** How each codebook is used by held-out digits. */
  usages: CodeUsage[] = [];
  book: Book | null = null;
  maps: Maps | null = null;
  completions: Completions | null = null;
  /** The code that is looked at, on whatever picture. */
  selected: number | null = null;
  /** Digits of which the use is counted. */
  counted = 0;
  readonly #run: Run;
  readonly #ask: Ask;
  readonly #view: View;
  #config: Config | null = null;
  #codes: Codes | null = null;
  #digits: DigitSet | null = null;

  constructor(run: Run, ask: Ask, view: View) {
    super();
    this.#run = run;
    this.#ask = ask;
    this.#view = view;
  }

  /** Forgets what an earlier model drew. */
  clear(config: Config) {
    this.book = this.maps = this.completions = this.selected = this.#codes = this.#digits = null;
    this.usages = [];
    this.counted = 0;
    this.grid = codeGrid(config);
    this.#config = config;
    this.#view.level = 0;
  }

  select(code: number | null) {
    if (code === this.selected) return;
    this.selected = code;
    this.dispatchEvent(new Event("change"));
  }

  /** The use of each codebook by these codes. */
  usageOf({ indices }: Codes): CodeUsage[] {
    const { grid } = this;
    if (!grid || !indices) return [];
    return Array.from({ length: grid.levels }, (_, level) => codeUsage(indices, grid.codes, { levels: grid.levels, level }));
  }

  take(codes: Codes, digits: DigitSet, usages: CodeUsage[]) {
    if (!codes.indices) return;
    this.#codes = codes;
    this.#digits = digits;
    this.usages = usages;
    this.counted = codes.count;
    const shown = firstOfEachClass(digits, 1);
    const indices = Float32Array.from(shown.flatMap((index) => [...codes.indicesAt(index)]));
    this.maps = { digits: pick(digits, shown), indices };
  }

  drawAll = latest(async () => {
    await Promise.all([this.drawBook(), this.drawCompletions()]);
  });

  /** Asks the model for nothing: the digits and their codes say it. */
  drawBook = latest(() =>
    this.#ask(async () => {
      const { grid, usages } = this;
      const [codes, digits] = [this.#codes, this.#digits];
      const usage = usages[this.#view.level];
      if (!grid || !codes?.indices || !digits || !usage) return;
      const book = await bookOf(grid, this.#view.level, codes.indices, digits, usage);
      return () => (this.book = book);
    }),
  );

  drawCompletions = latest(() =>
    this.#ask(async (model) => {
      const { grid } = this;
      const codes = this.#codes;
      if (!grid || !codes || !this.#digits || !this.#run.hasPrior) return;
      const { rows, draws } = COMPLETED;
      const shown = Array.from({ length: rows }, (_, row) => (this.#view.completed * rows + row) % codes.count);
      const digits = pick(this.#digits, shown);
      const repeated = shown.flatMap((index) => Array<number>(draws).fill(index));
      const places = placesOf(grid);
      const indices = Float32Array.from(repeated.flatMap((index) => [...codes.indicesAt(index)]));
      const known = Uint8Array.from({ length: places }, (_, place) => Number(isKept(grid, place)));
      const labels = Array.from(repeated, (index) => codes.labels[index]!);
      const { values } = await model.complete({ indices, shape: [repeated.length, places], known }, { ...this.#choice(), ...(this.isTold(model) && { labels }) });
      return () => (this.completions = { digits, values });
    }),
  );

  /** How samples are drawn: from the learnt prior where there is one, else every code as likely. */
  sampling(model: Vae, count: number): SampleOptions {
    const isLearnt = this.#run.hasPrior && !this.#view.isUniform;
    const { label } = this.#view;
    const labels = Array.from({ length: count }, (_, i) => label ?? i % 10);
    if (isLearnt) return { sampler: "prior", ...this.#choice(), ...(this.isTold(model) && { labels }) };
    return { sampler: "uniform", seed: this.#view.seed, ...(this.#config && isConditional(this.#config) && { labels }) };
  }

  /** Whether the prior is told which digit it is: all are that this page trains, those of a file may not be. */
  isTold({ info: { prior } }: Vae): boolean {
    return prior === null || prior.classes !== null || (this.#config !== null && isConditional(this.#config));
  }

  #choice() {
    const { temperature, topK, topP, seed } = this.#view;
    return { temperature, seed, ...(topK > 0 && { topK }), ...(topP < 1 && { topP }) };
  }
}

/** Whether a place is in the half that is kept: the upper rows, or the first codes where they are no picture. */
export function isKept({ rows, cols, levels }: CodeGrid, place: number): boolean {
  const at = Math.floor(place / levels);
  return rows > 1 ? Math.floor(at / cols) < Math.ceil(rows / 2) : at < Math.ceil(cols / 2);
}
