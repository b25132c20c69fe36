/**
 * What the page draws from the model: samples, reconstructions, codes, the manifold, the digit under the cursor.
 *
 * While a model trains they are drawn anew after 0.8 s and then every few seconds, less often where drawing is slow, so that training keeps
 * over nine tenths of the device; while the page is hidden they rest. The studio is told of all that changes; "change" fires at once for
 * the cursor and its digit, which follow a hand.
 */
import type { Vae } from "reparam";
import { ACTIVE_NATS } from "reparam/measures";
import { Codes } from "./codes";
import { latest } from "./latest";
import { firstOfEachClass, pick, type DigitSet } from "./mnist";
import { Plane } from "./plane";
import type { Run } from "./run";

export const SAMPLES = 64;
const CODES = 2000;
const FIRST_WAIT_MS = 800;
const RELAXED_WAIT_MS = 4000;
const LONGEST_WAIT_MS = 12000;
/** Training runs about this many times as long as drawing, up to the longest wait. */
const TRAINING_SHARE = 12;

export class Pictures extends EventTarget {
  temperature = 1;
  sampleSeed = 0;
  samples: Float32Array | null = null;
  originals: DigitSet | null = null;
  reconstructions: Float32Array | null = null;
  codes: Codes | null = null;
  plane = new Plane(2);
  manifold: Float32Array | null = null;
  probe: Float32Array | null = null;
  /** The class whose first test digit fixes the dimensions off the plane; null for the centre of the prior. */
  baseLabel: number | null = null;
  #run: Run;
  #onChange: () => void;
  #onFailure: (error: unknown) => void;
  #encoded: DigitSet | null = null;
  #axesChosen = false;
  #following = false;

  constructor(run: Run, onChange: () => void, onFailure: (error: unknown) => void) {
    super();
    this.#run = run;
    this.#onChange = onChange;
    this.#onFailure = onFailure;
  }

  useDigits(test: DigitSet) {
    this.originals = pick(test, firstOfEachClass(test, 2));
    this.#encoded = pick(test, Array.from({ length: CODES }, (_, i) => i));
  }

  /** Forgets what an earlier model drew. */
  clear(latentSize: number) {
    this.samples = this.reconstructions = this.codes = this.manifold = this.probe = null;
    this.plane = new Plane(latentSize);
    this.baseLabel = null;
    this.#axesChosen = false;
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
    while (this.#run.phase === "training") {
      await until(wait, () => this.#run.phase !== "training");
      if (document.hidden) continue;
      const before = performance.now();
      await this.drawAll();
      usual = Math.min(RELAXED_WAIT_MS, usual * 1.5);
      wait = Math.min(LONGEST_WAIT_MS, Math.max(usual, TRAINING_SHARE * (performance.now() - before)));
    }
    this.#following = false;
    await this.drawAll();
  }

  /** Asks for most at once, since a model that trains answers all that waits between two chunks of steps. */
  drawAll = latest(async () => {
    await Promise.all([this.drawSamples(), this.#drawReconstructions(), this.#drawCodes()]);
    await this.drawPlane();
  });

  drawSamples = latest(() =>
    this.#with(async (model) => {
      const { values } = await model.sample(SAMPLES, { temperature: this.temperature, seed: this.sampleSeed });
      return () => (this.samples = values);
    }),
  );

  drawPlane = latest(async () => {
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

  #drawCodes() {
    return this.#with(async (model) => {
      if (!this.#encoded) return;
      const { labels } = this.#encoded;
      const { mean, logvar } = await model.encode(this.#encoded);
      return () => this.#take(new Codes(mean, logvar, labels));
    });
  }

  /** Asks the model, and keeps the answer only if it is still the model of the page. */
  async #with(ask: (model: Vae) => Promise<(() => void) | undefined>): Promise<void> {
    const { model, phase } = this.#run;
    if (!model || phase === "failed") return;
    try {
      const keep = await ask(model);
      if (model !== this.#run.model) return;
      keep?.();
      this.#onChange();
    } catch (error) {
      if (model === this.#run.model) this.#onFailure(error);
    }
  }

  #take(codes: Codes) {
    this.codes = codes;
    const { plane } = this;
    const kl = codes.klByDimension();
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
    plane.base = codes && index >= 0 ? codes.mean.slice(index * codes.size, (index + 1) * codes.size) : new Float32Array(plane.size);
  }
}

/** Waits, but no longer than `over` allows. */
async function until(waitMs: number, over: () => boolean): Promise<void> {
  const end = performance.now() + waitMs;
  while (!over() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, Math.min(100, end - performance.now())));
}
