/** The training of a prior over the codes of one model, and the figures it reports. The model stands still meanwhile. */
import type { Vae } from "reparam";
import { priorOptions, type Config } from "./config";
import { pick, type DigitSet, type Digits } from "./mnist";
import { LOG_EVERY } from "./run";

/** Held-out digits whose codes are judged, and after how many steps. */
const HELD_OUT = 1000;
const HELD_OUT_EVERY = 100;

export interface Bits {
  step: number;
  /** −log₂ p of a code given those before it, a mean over digits and places. */
  bits: number;
}

export class PriorRun {
  /** Steps of the prior in all. */
  step = 0;
  /** Where the present training began, and where it will end. */
  from = 0;
  goal = 0;
  training: Bits[] = [];
  heldOut: Bits[] = [];

  /** Trains until the goal or until `signal` is aborted; goes on with the prior that the model has, unless another network is asked for. */
  async train(model: Vae, { train, test }: Digits, config: Config, signal: AbortSignal, onChange: () => void): Promise<void> {
    const { prior, steps } = priorOptions(config);
    const { batchSize, learningRate } = config;
    this.from = this.step = model.info.prior?.step ?? 0;
    this.goal = this.from + steps;
    for await (const event of model.trainPrior(train, { prior, steps, batchSize, learningRate, logEvery: LOG_EVERY, signal })) {
      if (event.kind !== "step") continue;
      if (event.step < this.from) this.#beginAnew(steps);
      this.step = event.step;
      this.training.push({ step: event.step, bits: event.bitsPerCode });
      onChange();
      if (event.step % HELD_OUT_EVERY !== 0 && event.step !== this.goal) continue;
      await this.judge(model, test, event.step);
      onChange();
    }
  }

  /** What codes of held-out digits cost at present. */
  async judge(model: Vae, test: DigitSet, step: number): Promise<void> {
    const judged = pick(test, Array.from({ length: Math.min(HELD_OUT, test.labels.length) }, (_, i) => i));
    this.heldOut.push({ step, bits: (await model.evaluatePrior(judged)).bitsPerCode });
  }

  /** Another network took the place of the one there was. */
  #beginAnew(steps: number) {
    this.from = 0;
    this.goal = steps;
    this.training = [];
    this.heldOut = [];
  }
}
