/** One model and its training: building, starting, halting, and the figures it reports. Knows nothing of what is drawn. */
import { Vae, type Controls, type StepEvent } from "reparam";
import { modelOptions, type Config } from "./config";
import { History } from "./history";
import type { Digits } from "./mnist";

export type Phase = "building" | "ready" | "training" | "failed";

/** Steps between two reports: several a second on the CPU, and the curve of a seed always has its points at the same steps. */
export const LOG_EVERY = 10;
/** Far more steps than anyone waits for; a run ends by pausing it. */
const ENDLESS = 10_000_000;
const SPEED_WINDOW_MS = 3000;

export class Run {
  phase: Phase = "building";
  model: Vae | null = null;
  history = new History();
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
  async start(digits: Digits, config: Config, steps = ENDLESS): Promise<void> {
    const model = this.model;
    if (!model || this.#training) return;
    this.phase = "training";
    this.#abort = new AbortController();
    this.#marks = [{ at: performance.now(), step: model.step }];
    this.#training = this.#train(model, digits, config, steps, this.#abort.signal).finally(() => (this.#training = null));
    this.#onChange();
    await this.#training;
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

  async #replace(make: () => Promise<Vae>): Promise<void> {
    await this.halt();
    const old = this.model;
    this.model = null;
    this.phase = "building";
    this.history = new History();
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
    try {
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
      this.phase = "ready";
    } catch (error) {
      if (!signal.aborted) return this.#fail(error);
      this.phase = "ready";
    }
    this.#onChange();
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
