/** What is going wrong in a training, in plain words, from figures that it reports anyway. */

import { invalid, nameOf } from "../errors.js";
import { readNumber } from "../rows.js";
import type { CodeUsage } from "./codes.js";
import { FINDING_TEXTS } from "./diagnosis-texts.js";
import { ACTIVE_NATS } from "./kl.js";

export type FindingCode = keyof typeof FINDING_TEXTS;

export interface Finding {
  code: FindingCode;
  /** English, with the figures in it; `FINDING_TEXTS` has the phrase of each code and `figures` what goes into it. */
  message: string;
  tryThis: string[];
  figures: Record<string, number | string>;
}

/** A `"step"` event of `train`, or as much of it: nats per example. */
export interface StepFigures {
  step: number;
  /** What is optimised. */
  loss: number;
  elbo: number;
  reconstruction: number;
  kl: number;
}

export interface Symptoms {
  /** Step events, oldest first; all of a run, or the latest some hundred. */
  history: readonly StepFigures[];
  /** From `klPerDimension`, nats per example: (size). Without it dead dimensions are not seen, nor a KL that is too weak. */
  klPerDimension?: ArrayLike<number>;
  /** From `codeUsage`, over a data set; of a residual quantiser that of any level. Without it dead codes are not seen. */
  codeUsage?: CodeUsage;
  /** The weight of the KL at present. Default 1. */
  beta?: number;
}

/** Events from which a mean is taken at both ends of a run before it is judged. */
const FEWEST_EVENTS = 8;
/** Of all dimensions together: e^0.1 codes, which is about one. */
const COLLAPSED_NATS = 0.1;
/** A dimension of this rate has a posterior e⁶ ≈ 400 times narrower than the prior. */
const CROWDED_NATS = 6;
/** The part of a codebook that stands for nothing, above which codes count as dying. */
const DEAD_CODES = 0.1;
/** Below it the codes say next to nothing: at 1 all vectors have the same code. */
const COLLAPSED_PERPLEXITY = 1.5;
/** Vectors for each code, from which a code that stands for none of them is dead and not just rare. */
const VECTORS_PER_CODE = 10;
/** A fall of the KL that counts, as a share of it. */
const KL_FALL = 0.2;
/** A change of the loss that counts, as a share of what it changed in all. */
const LOSS_CHANGE = 0.005;
/** Standard errors that a difference must exceed to be one. */
const STANDARD_ERRORS = 3;

/** The findings, the gravest first; none where nothing looks wrong. A run of fewer than 8 events is judged by its numbers being finite alone. */
export function diagnose({ history, klPerDimension, codeUsage, beta = 1 }: Symptoms): Finding[] {
  readHistory(history);
  readNumber(beta, "beta", { min: 0 });
  const kl = readKl(klPerDimension);
  readUsage(codeUsage);
  const broken = notFinite(history);
  if (broken) return [broken];
  if (history.length < FEWEST_EVENTS) return [];
  const takenOver = takingOver(history, beta);
  const risen = takenOver ? undefined : exploding(history);
  if (risen) return [risen];
  const tooLittle = collapse(history, kl) ?? tooStrong(history, kl, beta) ?? deadUnits(kl);
  return [takenOver, tooLittle, dying(codeUsage), tooWeak(kl, beta), plateau(history)].filter((finding) => finding !== undefined);
}

/** The phrase with `{name}` replaced by the figure of that name. */
export function filled(phrase: string, figures: Finding["figures"]): string {
  return phrase.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const figure = figures[name];
    if (figure === undefined) return whole;
    return typeof figure === "string" || Number.isInteger(figure) ? String(figure) : String(Number(figure.toPrecision(3)));
  });
}

function finding(code: FindingCode, figures: Finding["figures"]): Finding {
  const { message, tryThis } = FINDING_TEXTS[code];
  return { code, message: filled(message, figures), tryThis: tryThis.map((phrase) => filled(phrase, figures)), figures };
}

/** The KL and the reconstruction before the sums they spoil. */
const FIGURES = ["kl", "reconstruction", "elbo", "loss"] as const;

function notFinite(history: readonly StepFigures[]): Finding | undefined {
  for (const event of history) {
    const figure = FIGURES.find((name) => !Number.isFinite(event[name]));
    if (figure) return finding("non-finite", { figure: NAMES[figure], step: event.step });
  }
  return undefined;
}

const NAMES: Record<(typeof FIGURES)[number], string> = { loss: "loss", elbo: "ELBO", reconstruction: "reconstruction", kl: "KL" };

/** The loss and −ELBO are both above where they began: the loss alone may rise while β does. */
function exploding(history: readonly StepFigures[]): Finding | undefined {
  const { step } = history.at(-1)!;
  const [start, end] = ends(history);
  const worse = (figure: (event: StepFigures) => number) => difference(end.map(figure), start.map(figure)) > 0;
  if (!worse((event) => event.loss) || !worse((event) => -event.elbo)) return undefined;
  return finding("exploding", { first: mean(start.map((event) => event.loss)), recent: mean(end.map((event) => event.loss)), step });
}

function collapse(history: readonly StepFigures[], kl: number[] | undefined): Finding | undefined {
  const recent = mean(ends(history)[1].map((event) => event.kl));
  const allDead = kl !== undefined && deadAmong(kl) === kl.length;
  return recent < COLLAPSED_NATS || allDead ? finding("posterior-collapse", { kl: recent }) : undefined;
}

/** Above β = 1, at least half of the dimensions are out of use. */
function tooStrong(history: readonly StepFigures[], kl: number[] | undefined, beta: number): Finding | undefined {
  const dead = deadAmong(kl);
  if (kl === undefined || beta <= 1 || dead < kl.length / 2) return undefined;
  return finding("kl-too-strong", { beta, dead, size: kl.length, threshold: ACTIVE_NATS, kl: mean(ends(history)[1].map((event) => event.kl)) });
}

function deadUnits(kl: number[] | undefined): Finding | undefined {
  const dead = deadAmong(kl);
  if (kl === undefined || dead === 0) return undefined;
  return finding("dead-units", { dead, size: kl.length, active: kl.length - dead, threshold: ACTIVE_NATS });
}

const deadAmong = (kl: number[] | undefined) => kl?.filter((nats) => nats < ACTIVE_NATS).length ?? 0;

/** Over the second half of the history the KL fell and the reconstruction paid for it. */
function takingOver(history: readonly StepFigures[], beta: number): Finding | undefined {
  const [start, end] = ends(history.slice(Math.floor(history.length / 2)));
  const [before, recent] = [mean(start.map((event) => event.kl)), mean(end.map((event) => event.kl))];
  const worse = difference(end.map((event) => event.reconstruction), start.map((event) => event.reconstruction));
  return recent < (1 - KL_FALL) * before && worse > 0 ? finding("kl-taking-over", { before, recent, worse, beta }) : undefined;
}

/** All vectors have nearly one code, or many codes stand for nothing. */
function dying(usage: CodeUsage | undefined): Finding | undefined {
  if (usage === undefined) return undefined;
  const { counts, used, perplexity } = usage;
  const [codes, vectors] = [counts.length, counts.reduce((sum, n) => sum + n, 0)];
  if (perplexity < COLLAPSED_PERPLEXITY) return finding("codebook-collapse", { perplexity, codes });
  if (used >= (1 - DEAD_CODES) * codes || vectors < VECTORS_PER_CODE * codes) return undefined;
  return finding("dead-codes", { dead: codes - used, codes, used, vectors, perplexity });
}

function tooWeak(kl: number[] | undefined, beta: number): Finding | undefined {
  const active = kl?.filter((nats) => nats >= ACTIVE_NATS) ?? [];
  const each = mean(active);
  return each > CROWDED_NATS ? finding("kl-too-weak", { active: active.length, each, beta }) : undefined;
}

/** From the third quarter of the history to the last the loss changed by no more than its noise, and by little of what it changed in all. */
function plateau(history: readonly StepFigures[]): Finding | undefined {
  const losses = history.map((event) => event.loss);
  const half = Math.floor(losses.length / 2);
  const middle = half + Math.floor((losses.length - half) / 2);
  const [start, before, recent] = [losses.slice(0, losses.length - middle), losses.slice(half, middle), losses.slice(middle)];
  if (difference(recent, before) !== 0) return undefined;
  const change = mean(recent) - mean(before);
  const whole = difference(recent, start);
  if (whole !== 0 && Math.abs(change) > LOSS_CHANGE * Math.abs(whole)) return undefined;
  return finding("plateau", { recent: mean(recent), steps: history.at(-1)!.step - history[half].step, change, noise: standardError(before, recent) });
}

/** The first and the last quarter of the events, at least two of each. */
function ends(history: readonly StepFigures[]): [StepFigures[], StepFigures[]] {
  const count = Math.max(2, Math.floor(history.length / 4));
  return [history.slice(0, count), history.slice(-count)];
}

/** mean a − mean b, or 0 where it is within its noise. */
function difference(a: readonly number[], b: readonly number[]): number {
  const found = mean(a) - mean(b);
  return Math.abs(found) > STANDARD_ERRORS * standardError(a, b) ? found : 0;
}

/** Of the difference of two means. */
function standardError(a: readonly number[], b: readonly number[]): number {
  const squared = (values: readonly number[]) => values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length * Math.max(1, values.length - 1));
  return Math.sqrt(squared(a) + squared(b));
}

const mean = (values: readonly number[]) => (values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length);

/** Figures may be anything but absent: that they are not finite is a finding. */
function readHistory(history: readonly StepFigures[]): void {
  if (!Array.isArray(history)) throw invalid("invalid-data", "history", nameOf(history), "an array of step events");
  history.forEach((event, i) => {
    for (const name of ["step", ...FIGURES] as const)
      if (typeof event?.[name] !== "number") throw invalid("invalid-data", `history[${i}].${name}`, nameOf(event?.[name]), "a number");
  });
}

function readUsage(usage: CodeUsage | undefined): void {
  if (usage === undefined) return;
  if (!(usage?.counts instanceof Float64Array) || usage.counts.length === 0) throw invalid("invalid-data", "codeUsage", nameOf(usage), "what codeUsage gave");
  readNumber(usage.used, "codeUsage.used", { min: 0, max: usage.counts.length, whole: true });
  readNumber(usage.perplexity, "codeUsage.perplexity", { min: 0 });
}

function readKl(kl: ArrayLike<number> | undefined): number[] | undefined {
  if (kl === undefined) return undefined;
  const values = Array.from(kl);
  if (values.length === 0) throw invalid("invalid-data", "klPerDimension", "no values", "one for each dimension");
  values.forEach((nats, j) => {
    if (!Number.isFinite(nats)) throw invalid("invalid-data", `klPerDimension[${j}]`, String(nats), "a finite number");
  });
  return values;
}
