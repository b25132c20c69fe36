/** Calls of a body that are asked for often and happen at most every so often; the last one that was asked for always happens. */
export class Pace {
  readonly #ms: number;
  readonly #body: () => void;
  #lastAt = 0;
  #later = 0;

  constructor(ms: number, body: () => void) {
    this.#ms = ms;
    this.#body = body;
  }

  /** Now, or as soon as it may be. */
  ask() {
    const wait = this.#lastAt + this.#ms - performance.now();
    if (wait <= 0) return this.now();
    this.#later ||= window.setTimeout(() => this.now(), wait);
  }

  now() {
    this.stop();
    this.#lastAt = performance.now();
    this.#body();
  }

  /** What was asked for does not happen. */
  stop() {
    window.clearTimeout(this.#later);
    this.#later = 0;
  }
}
