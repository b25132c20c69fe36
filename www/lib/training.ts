/** A training as an async iterator: begins at the first `next`; over when its events run out, on `return`, or by the signal. */

import type { Client } from "./client.js";
import { ReparamError, invalid, nameOf } from "./errors.js";
import type { PriorEvent, TrainEvent } from "./events.js";
import type { Call } from "./messages.js";

type TrainCall = Extract<Call, { kind: "train" | "trainPrior" }>;

export class Training<E extends TrainEvent | PriorEvent> implements AsyncIterableIterator<E> {
  private readonly client: Client;
  private readonly prepare: () => Promise<TrainCall>;
  private readonly signal: AbortSignal | undefined;
  /** Reported and not yet read. Training does not wait for its reader. */
  private readonly events: E[] = [];
  private running: Promise<void> | undefined;
  /** Whether the model's training is this one. */
  private begun = false;
  private stopping = false;
  private over = false;
  private failure: unknown;
  private wake = () => {};
  private news = new Promise<void>((resolve) => (this.wake = resolve));

  /** `prepare` makes the call, copying the data. */
  constructor(client: Client, prepare: () => Promise<TrainCall>, signal: AbortSignal | undefined) {
    this.client = client;
    this.prepare = prepare;
    this.signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<E>> {
    this.running ??= this.run();
    while (this.events.length === 0 && !this.over) await this.news;
    const event = this.events.shift();
    if (event !== undefined) return { value: event, done: false };
    const { failure } = this;
    this.failure = undefined; // told once
    if (failure !== undefined) throw failure;
    return { value: undefined, done: true };
  }

  /** Stops the training; the model stands still when this resolves. */
  async return(): Promise<IteratorResult<E>> {
    this.stop();
    await this.running;
    this.over = true;
    this.failure = undefined;
    this.tell();
    return { value: undefined, done: true };
  }

  /** Never rejects: what goes wrong is told by `next`. */
  private async run(): Promise<void> {
    const { signal, client } = this;
    const abort = () => this.stop();
    try {
      if (signal != null && typeof signal.aborted !== "boolean") throw invalid("invalid-option", "signal", nameOf(signal), "an AbortSignal");
      if (client.training) throw busy();
      this.begun = client.training = true;
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) this.stop();
      if (!this.stopping) await this.ask();
      if (signal?.aborted && this.stopping) throw aborted(signal);
    } catch (failure) {
      this.failure = failure;
    } finally {
      if (this.begun) {
        signal?.removeEventListener("abort", abort);
        client.training = false;
      }
      this.over = true;
      this.tell();
    }
  }

  private async ask(): Promise<void> {
    const call = await this.prepare();
    if (!this.stopping) await this.client.call(call, (events: E[]) => this.receive(events));
  }

  private stop(): void {
    if (this.stopping || this.over) return;
    this.stopping = true;
    this.events.length = 0;
    if (this.begun) this.client.call({ kind: "stop" }).catch(() => {}); // the training's own answer tells
  }

  private receive(events: E[]): void {
    if (this.stopping) return;
    this.events.push(...events);
    if (events.length > 0) this.tell();
  }

  private tell(): void {
    this.wake();
    this.news = new Promise((resolve) => (this.wake = resolve));
  }
}

function busy(): ReparamError {
  return new ReparamError({ code: "busy", message: "the model is being trained already; end that training first" });
}

function aborted(signal: AbortSignal): ReparamError {
  return new ReparamError({ code: "aborted", message: "the training was aborted" }, { cause: signal.reason });
}
