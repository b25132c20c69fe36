/** The curves of one run: training figures at every event, held-out figures at every epoch, in nats per digit. */
export interface Figures {
  reconstruction: number;
  kl: number;
  elbo: number;
}

export interface HeldOut extends Figures {
  step: number;
  epoch: number;
}

/** Above this many points neighbours are averaged in pairs, so drawing costs the same after an hour as after a minute. */
const POINTS = 1000;

export class History {
  steps: number[] = [];
  reconstruction: number[] = [];
  kl: number[] = [];
  loss: number[] = [];
  /** The objective's other parts, by name. */
  terms: Record<string, number[]> = {};
  heldOut: HeldOut[] = [];

  add(step: number, figures: Figures & { loss: number; terms?: Readonly<Record<string, number>> }) {
    this.steps.push(step);
    this.loss.push(figures.loss);
    for (const [name, value] of Object.entries(figures.terms ?? {})) (this.terms[name] ??= []).push(value);
    this.reconstruction.push(figures.reconstruction);
    this.kl.push(figures.kl);
    if (this.steps.length > POINTS) this.#halve();
  }

  get length() {
    return this.steps.length;
  }

  #halve() {
    const pairs = (values: number[]) => values.filter((_, i) => i % 2 === 1).map((value, i) => (values[2 * i]! + value) / 2);
    this.reconstruction = pairs(this.reconstruction);
    this.kl = pairs(this.kl);
    this.loss = pairs(this.loss);
    for (const [name, values] of Object.entries(this.terms)) this.terms[name] = pairs(values);
    this.steps = this.steps.filter((_, i) => i % 2 === 1).slice(0, this.kl.length);
  }
}
