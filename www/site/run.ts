/** One model and its training: building, starting, halting, and the figures it reports. Knows nothing of what is drawn. */
import { ReparamError, Vae, type Controls, type StepEvent } from "reparam";
import { modelOptions, type Config } from "./config";
import { History } from "./history";
import type { Digits } from "./mnist";
import { PriorRun } from "./prior-run";

/** "prior": the prior over the model's codes is in training, and the model stands still. */
export type Phase = "building" | "ready" | "training" | "prior" | "failed";

/** Steps between two reports: several a second on the CPU, and the curve of a seed always has its points at the same steps. */
export const LOG_EVERY = 10;
/** Far more steps than anyone waits for; a run ends by pausing it. */
const ENDLESS = 10_000_000;
const SPEED_WINDOW_MS = 3000;

export class Run {
  phase: Phase = "building";
  model: Vae | null = null;
  history = new History();
  prior = new PriorRun();
  /** The latest report of training. */
  report: StepEvent | null = null;
  stepsPerSecond = 0;
  #onChange: () => void;
  #onFailure: (error: unknown) => void;
  #training: Promise<void> | null = null;
  #abort = new AbortController();
  #marks: { at: number; step: number }[] = [];

  constructor(onChange: () => void, onFailure: (error: unknown) => void) {
    this.#onChange = onChange;
    this.#onFailure = onFailure;
  }

  get step() {
    return this.model?.step ?? 0;
  }

  /** Whether the model or its prior is in training. */
  get isMoving() {
    return this.phase === "training" || this.phase === "prior";
  }

  /** Whether there is a learnt prior to draw from; while the first one trains, the core tells only by its steps. */
  get hasPrior() {
    return this.prior.step > 0 || this.model?.info.prior != null;
  }

  /** A fresh model, at step 0. */
  build(config: Config): Promise<void> {
    return this.#replace(() => Vae.create(modelOptions(config)));
  }

  /** The model of a saved file, where it left off. A file that is refused is thrown back, and the present model stays. */
  async load(bytes: Uint8Array, config: Config): Promise<void> {
    await this.halt();
    const model = await Vae.load(bytes, { backend: config.backend });
    await this.#replace(async () => model);
  }

  /** Resolves when the training it starts has ended, however it ended. */
  start(digits: Digits, config: Config, steps = ENDLESS): Promise<void> {
    return this.#begin("training", (model, signal) => {
      this.#marks = [{ at: performance.now(), step: model.step }];
      return this.#train(model, digits, config, steps, signal);
    });
  }

  /** The same of a training of the prior over the model's codes. */
  startPrior(digits: Digits, config: Config): Promise<void> {
    return this.#begin("prior", (model, signal) => this.prior.train(model, digits, config, signal, this.#onChange));
  }

  /** Resolves when the model stands still. */
  async halt(): Promise<void> {
    this.#abort.abort();
    await this.#training;
  }

  /** Moves a control of the running model; the next step takes it. */
  async control(values: Controls): Promise<void> {
    await this.model?.set(values);
  }

  /** Of a model that came with a prior: what it was worth where it left off. */
  async judgePrior({ test }: Digits): Promise<void> {
    const { model } = this;
    if (model?.info.prior) await this.prior.judge(model, test, model.info.prior.step);
  }

  /** One training at a time. */
  async #begin(phase: "training" | "prior", train: (model: Vae, signal: AbortSignal) => Promise<void>): Promise<void> {
    const model = this.model;
    if (!model || this.#training) return;
    this.phase = phase;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#training = this.#end(train(model, signal), signal).finally(() => (this.#training = null));
    this.#onChange();
    await this.#training;
  }

  /** However it ended: what was not asked for is told. An option that is refused leaves the model as it was. */
  async #end(training: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await training;
    } catch (error) {
      if (!signal.aborted) {
        if (!(error instanceof ReparamError && error.code === "invalid-option")) return this.#fail(error);
        this.#onFailure(error);
      }
    }
    this.phase = "ready";
    this.#onChange();
  }

  async #replace(make: () => Promise<Vae>): Promise<void> {
    await this.halt();
    const old = this.model;
    this.model = null;
    this.phase = "building";
    this.history = new History();
    this.prior = new PriorRun();
    this.report = null;
    this.stepsPerSecond = 0;
    this.#onChange();
    try {
      await old?.dispose();
      this.model = await make();
      this.phase = "ready";
      this.#onChange();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #train(model: Vae, { train, test }: Digits, config: Config, steps: number, signal: AbortSignal): Promise<void> {
    const { batchSize, learningRate } = config;
    for await (const event of model.train(train, { steps, batchSize, learningRate, logEvery: LOG_EVERY, validation: test, signal })) {
      if (event.kind === "step") {
        this.report = event;
        this.history.add(event.step, event);
        this.#measure(event.step);
      } else if (event.validation) {
        this.history.heldOut.push({ step: event.step, epoch: event.epoch, ...event.validation });
      }
      this.#onChange();
    }
  }

  #measure(step: number) {
    const now = { at: performance.now(), step };
    this.#marks.push(now);
    while (this.#marks.length > 2 && now.at - this.#marks[1]!.at > SPEED_WINDOW_MS) this.#marks.shift();
    const first = this.#marks[0]!;
    if (now.at > first.at) this.stepsPerSecond = (1000 * (step - first.step)) / (now.at - first.at);
  }

  #fail(error: unknown) {
    this.phase = "failed";
    this.#onFailure(error);
    this.#onChange();
  }
}
