/**
 * What the page draws from the model: samples, reconstructions, codes, the manifold, the digit under the cursor, walks through the latent.
 *
 * While a model trains they are drawn anew after 0.8 s and then every few seconds, less often where drawing is slow, so that training keeps
 * over nine tenths of the device; while the page is hidden they rest. The studio is told of all that changes; "change" fires at once for
 * the cursor and its digit, which follow a hand.
 */
import type { Vae } from "reparam";
import { ACTIVE_NATS, reconstructionErrors, type Finding } from "reparam/measures";
import { asker, type Ask } from "./ask";
import { CodePictures } from "./code-pictures";
import { Codes } from "./codes";
import { hasPlane, isCode, isConditional, latentSize, type Config } from "./config";
import { findingsOf } from "./findings";
import { latest } from "./latest";
import { firstOfEachClass, pick, type DigitSet } from "./mnist";
import { Plane } from "./plane";
import type { Run } from "./run";
import { turn } from "./turns";
import { FIRST_VIEW, type View } from "./view";
import { classRows, traversalThrough, walkBetween } from "./walks";

export const SAMPLES = 64;
const CODES = 2000;
/** Numbers of codes that are looked at; wide latents are judged by fewer digits. */
const CODE_NUMBERS = 60_000;
/** The same of codes of a codebook, which are only counted. */
const COUNTED_NUMBERS = 1_200_000;
/** Held-out digits whose reconstruction is judged. */
const JUDGED = 200;
const FIRST_WAIT_MS = 800;
const RELAXED_WAIT_MS = 4000;
const LONGEST_WAIT_MS = 12000;
/** Enough for a mixture that is drawn anew every few seconds. */
const EM_ITERATIONS = 10;
/** Training runs about this many times as long as drawing, up to the longest wait. */
const TRAINING_SHARE = 12;

export class Pictures extends EventTarget {
  readonly view: View = { ...FIRST_VIEW };
  samples: Float32Array | null = null;
  originals: DigitSet | null = null;
  reconstructions: Float32Array | null = null;
  /** Of the first held-out digits: their mean squared error as a share of their variance. */
  error: { mseOverVariance: number; digits: number } | null = null;
  codes: Codes | null = null;
  plane = new Plane(2);
  manifold: Float32Array | null = null;
  probe: Float32Array | null = null;
  /** From one test digit to another. */
  walk: Float32Array | null = null;
  /** One dimension at a time, those with most KL first. */
  traversal: { values: Float32Array; dimensions: number[] } | null = null;
  /** Of a conditional model: for each of `lenders` the ten classes at its z. */
  classes: Float32Array | null = null;
  lenders: DigitSet | null = null;
  findings: Finding[] | null = null;
  /** The class whose first test digit fixes the dimensions off the plane; null for the centre of the prior. */
  baseLabel: number | null = null;
  /** Of models of codes. */
  readonly coded: CodePictures;
  #run: Run;
  #with: Ask;
  #test: DigitSet | null = null;
  #judged: { values: Float32Array; shape: number[] } | null = null;
  #encoded: DigitSet | null = null;
  #encodedFrom: DigitSet | null = null;
  #config: Config | null = null;
  #fitted: { model: Vae; kind: string } | null = null;
  #axesChosen = false;
  #following = false;

  constructor(run: Run, onChange: () => void, onFailure: (error: unknown) => void) {
    super();
    this.#run = run;
    this.#with = asker(run, onChange, onFailure);
    this.coded = new CodePictures(run, this.#with, this.view);
  }

  useDigits(test: DigitSet) {
    this.#test = test;
    this.originals = pick(test, firstOfEachClass(test, 2));
    const { values, shape } = pick(test, Array.from({ length: Math.min(JUDGED, test.labels.length) }, (_, i) => i));
    this.#judged = { values: Float32Array.from(values, (byte) => byte / 255), shape };
    this.#takeEncoded();
  }

  /** Forgets what an earlier model drew. */
  clear(config: Config) {
    this.samples = this.reconstructions = this.codes = this.manifold = this.probe = this.walk = this.traversal = this.classes = this.findings = this.error = null;
    this.coded.clear(config);
    this.plane = new Plane(latentSize(config));
    this.baseLabel = null;
    this.#axesChosen = false;
    this.#config = config;
    this.#fitted = null;
    this.#takeEncoded();
  }

  /** The test digits that are encoded. */
  #takeEncoded() {
    if (!this.#test) return;
    const numbers = this.coded.grid ? COUNTED_NUMBERS : CODE_NUMBERS;
    const count = Math.min(CODES, Math.max(200, Math.floor(numbers / this.plane.size)));
    if (this.#encoded?.labels.length === count && this.#encodedFrom === this.#test) return;
    this.#encodedFrom = this.#test;
    this.#encoded = pick(this.#test, Array.from({ length: count }, (_, i) => i));
  }

  chooseAxes(axes: [number, number]) {
    this.plane.axes = axes;
    this.#axesChosen = true;
    if (this.codes) this.plane.fitExtent(this.codes.mean);
    void this.drawPlane();
  }

  chooseBase(label: number | null) {
    this.baseLabel = label;
    this.#placeBase();
    void this.drawPlane();
    void this.drawWalks();
  }

  moveCursor(cursor: [number, number]) {
    this.plane.cursor = cursor;
    this.dispatchEvent(new Event("change"));
    void this.drawProbe();
  }

  /** Draws again and again until training ends, then once more. */
  async follow() {
    if (this.#following) return;
    this.#following = true;
    let wait = FIRST_WAIT_MS;
    let usual = FIRST_WAIT_MS;
    while (this.#run.isMoving) {
      await until(wait, () => !this.#run.isMoving);
      if (document.hidden) continue;
      const before = performance.now();
      await (this.#run.phase === "prior" ? this.drawPrior() : this.drawAll());
      usual = Math.min(RELAXED_WAIT_MS, usual * 1.5);
      wait = Math.min(LONGEST_WAIT_MS, Math.max(usual, TRAINING_SHARE * (performance.now() - before)));
    }
    this.#following = false;
    await this.drawAll();
  }

  /** Asks for most at once, since a model that trains answers all that waits between two chunks of steps. */
  drawAll = latest(async () => {
    this.#fitted = null;
    await Promise.all([this.drawSamples(), this.#drawReconstructions(), this.#drawError(), this.#drawCodes()]);
    await Promise.all([this.drawPlane(), this.drawWalks(), this.coded.drawAll()]);
  });

  /** What changes while only a prior over codes is in training. */
  drawPrior = latest(async () => {
    await Promise.all([this.drawSamples(), this.coded.drawCompletions()]);
  });

  drawSamples = latest(() =>
    this.#with(async (model) => {
      const { sampler, temperature, truncation, seed } = this.view;
      if (this.#config && isCode(this.#config)) {
        const { values } = await model.sample(SAMPLES, this.coded.sampling(model, SAMPLES));
        return () => (this.samples = values);
      }
      if (sampler !== "prior" && (this.#fitted?.model !== model || this.#fitted.kind !== sampler)) {
        if (!this.#encoded) return;
        await model.fitSampler(this.#encoded, sampler === "mixture" ? { kind: sampler, maxIterations: EM_ITERATIONS } : { kind: sampler });
        this.#fitted = { model, kind: sampler };
      }
      const { values } = await model.sample(SAMPLES, { sampler, temperature, seed, ...(truncation > 0 ? { truncation } : {}) });
      return () => (this.samples = values);
    }),
  );

  /** The walk, the traversal and the row of classes, all from the codes there are. */
  drawWalks = latest(async () => {
    const { codes } = this;
    const config = this.#config;
    if (!codes || !config) return;
    await Promise.all([
      this.#drawWalk(codes, config),
      hasPlane(config) ? this.#drawTraversal(codes, config) : undefined,
      isConditional(config) ? this.#drawClasses(codes) : undefined,
    ]);
  });

  drawPlane = latest(async () => {
    if (this.#config && !hasPlane(this.#config)) return;
    const manifold = this.#with(async (model) => {
      const { values } = await model.decode(this.plane.cells());
      return () => (this.manifold = values);
    });
    await Promise.all([manifold, this.drawProbe()]);
  });

  drawProbe = latest(() =>
    this.#with(async (model) => {
      const { values } = await model.decode(this.plane.point(...this.plane.cursor));
      return () => {
        this.probe = values;
        this.dispatchEvent(new Event("change"));
      };
    }),
  );

  #drawReconstructions() {
    return this.#with(async (model) => {
      if (!this.originals) return;
      const { values } = await model.reconstruct(this.originals);
      return () => (this.reconstructions = values);
    });
  }

  #drawError() {
    return this.#with(async (model) => {
      const judged = this.#judged;
      if (!judged) return;
      const { values, shape } = await model.reconstruct(judged);
      await turn();
      const { mseOverVariance } = reconstructionErrors(judged, { values, shape });
      return () => (this.error = { mseOverVariance, digits: shape[0]! });
    });
  }

  #drawCodes() {
    return this.#with(async (model) => {
      const digits = this.#encoded;
      if (!digits) return;
      const { labels } = digits;
      const encoding = await model.encode(digits);
      const config = this.#config!; // there is a model, so there is a configuration
      await turn();
      const codes = new Codes(encoding, labels, config.latent.kind === "categorical" ? Number(config.latent["categories"]) : 0);
      await turn();
      const usages = this.coded.usageOf(codes);
      const findings = findingsOf(this.#run.history, codes.kl, usages, config);
      await turn();
      return () => {
        this.findings = findings;
        this.#take(codes);
        this.coded.take(codes, digits, usages);
      };
    });
  }

  #drawWalk(codes: Codes, config: Config) {
    return this.#with(async (model) => {
      const { points, told } = walkBetween(codes, this.view, config);
      const { values } = await model.decode(points, told);
      return () => (this.walk = values);
    });
  }

  #drawTraversal(codes: Codes, config: Config) {
    return this.#with(async (model) => {
      const { points, dimensions, told } = traversalThrough(this.plane.base, this.baseLabel, codes, config);
      const { values } = await model.decode(points, told);
      return () => (this.traversal = { values, dimensions });
    });
  }

  #drawClasses(codes: Codes) {
    return this.#with(async (model) => {
      if (!this.#encoded) return;
      const { points, lenders, labels } = classRows(codes, this.view);
      const of = pick(this.#encoded, lenders);
      const { values } = await model.decode(points, { labels, guidance: this.view.guidance });
      return () => {
        this.classes = values;
        this.lenders = of;
      };
    });
  }

  #take(codes: Codes) {
    this.codes = codes;
    if (codes.indices) return; // entries of a codebook lie on no plane
    const { plane } = this;
    const { kl } = codes;
    if (!this.#axesChosen && plane.axes.some((axis) => kl[axis]! < ACTIVE_NATS)) {
      const byKl = Array.from(kl.keys()).sort((a, b) => kl[b]! - kl[a]!);
      const best = byKl.slice(0, 2).sort((a, b) => a - b);
      plane.axes = [best[0]!, best[1] ?? best[0]!];
    }
    plane.fitExtent(codes.mean);
    this.#placeBase();
  }

  #placeBase() {
    const { codes, plane, baseLabel } = this;
    const index = baseLabel === null ? -1 : (codes?.labels.indexOf(baseLabel) ?? -1);
    plane.base = codes && index >= 0 ? codes.at(index).slice() : new Float32Array(plane.size);
  }
}

/** Waits, but no longer than `over` allows. */
async function until(waitMs: number, over: () => boolean): Promise<void> {
  const end = performance.now() + waitMs;
  while (!over() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, Math.min(100, end - performance.now())));
}
