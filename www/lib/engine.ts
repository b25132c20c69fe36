/**
 * One model and its queue of calls: the same on a worker and on the calling thread.
 *
 * The core does one thing at a time, so calls wait in line; while a training runs, chunks of it alternate with whatever calls
 * have come in. Knows nothing of threads: requests come by `receive`, replies leave by `reply`.
 */

import type { Core, CoreModule } from "./core-module.js";
import type { Crew } from "./crew.js";
import { ReparamError, disposed, invalid, nameOf, toFields } from "./errors.js";
import type { PriorEvent, TrainEvent } from "./events.js";
import { remember, remembered } from "./kernels.js";
import { macrotask } from "./macrotask.js";
import type { Samples } from "./data.js";
import type { LoadOptions } from "./options.js";
import { PARTS, partsFor } from "./parts.js";
import type { SamplerParams } from "./samplers/index.js";
import type { Answers, Call, Reply, Request, State } from "./messages.js";

export class Engine {
  private readonly load: () => Promise<CoreModule>;
  private readonly reply: (reply: Reply) => void;
  private readonly budgetMs: number;
  private readonly queue: Request[] = [];
  private core: Core | undefined;
  /** The id of the `train` or `trainPrior` call that runs. */
  private run: number | undefined;
  private pumping: Promise<void> | undefined;
  private readonly samplers = new Map<string, SamplerParams>();
  /** Draws from samplers that had no seed of their own. */
  private drawn = 2 ** 32;
  /** Ways to workers that help training. */
  private readonly helpers: MessagePort[] = [];
  /** Those that help the training that runs, or ran last. */
  private crew: Crew | undefined;
  /** Whether a panic of the core is heard. */
  private listens = false;
  private closed = false;
  private crashed = false;

  /** `budgetMs`: how long a chunk of training may keep other calls waiting. */
  constructor(load: () => Promise<CoreModule>, reply: (reply: Reply) => void, budgetMs: number) {
    this.load = load;
    this.reply = reply;
    this.budgetMs = budgetMs;
  }

  receive(request: Request): void {
    this.queue.push(request);
    this.pumping ??= this.pump();
  }

  /** Takes a helper on, for trainings that begin from now on. */
  adopt(helper: MessagePort): void {
    this.helpers.push(helper);
  }

  /** Goes on without helpers; a training that they help ends with an error. */
  lose(why: string): void {
    this.helpers.length = 0;
    this.crew?.lose(why);
  }

  /** Frees the core as soon as the call under way is over; the calls in line and a training that runs are dropped. */
  async close(): Promise<void> {
    this.closed = true;
    await this.pumping;
    if (this.crashed || this.core === undefined) return;
    if (this.run !== undefined) await this.core.end();
    this.core.dispose();
    this.core = undefined;
  }

  /** Gives up for good: a trapped core must not be entered again. */
  crash(thrown: unknown): void {
    if (this.crashed) return;
    this.crashed = true;
    this.reply({ kind: "crashed", error: { ...toFields(thrown), code: "internal" } });
  }

  private async pump(): Promise<void> {
    while (this.usable && (this.queue.length > 0 || this.run !== undefined)) {
      for (const request of this.queue.splice(0)) if (this.usable) await this.serve(request);
      if (this.usable && this.run !== undefined) {
        await this.advance(this.run);
        await macrotask();
      }
    }
    this.pumping = undefined;
  }

  private get usable(): boolean {
    return !this.closed && !this.crashed;
  }

  private async serve(request: Request): Promise<void> {
    const { id } = request;
    try {
      const parts = partsFor(request);
      if (parts.length > 0) await (await this.module()).ready(parts);
      if (request.kind === "train" || request.kind === "trainPrior") await this.begin(request);
      else {
        const value = await this.answer(request);
        const spent = request.kind === "decode" && { spent: request.z };
        this.reply({ kind: "done", id, value, state: this.state(request.kind === "create" || request.kind === "load"), ...spent });
      }
    } catch (thrown) {
      this.fail(id, thrown);
    }
  }

  private async answer(call: Exclude<Call, { kind: "train" | "trainPrior" }>): Promise<Answers[keyof Answers]> {
    switch (call.kind) {
      case "create":
        this.core = await (await this.module()).Core.create(call.options);
        this.foresee();
        return this.recall(call.options);
      case "load":
        this.core = await (await this.module()).Core.load(call.bytes, call.options);
        return this.recall(call.options);
      case "stop":
        return this.end();
      case "set":
        return this.alive().set(call.controls);
      case "evaluate":
        return this.alive().evaluate(call.data, call.options);
      case "logLikelihood":
        return this.alive().logLikelihood(call.data, call.options);
      case "encode":
        return this.alive().encode(call.data);
      case "decode":
        return this.alive().decode(call.z, call.shape, call.options);
      case "decodeCodes":
        return this.alive().decodeCodes(call.indices, call.shape, call.options);
      case "complete":
        return this.alive().complete(call.indices, call.known, call.shape, call.options);
      case "evaluatePrior":
        return this.alive().evaluatePrior(call.data);
      case "reconstruct":
        return this.alive().reconstruct(call.data);
      case "sample":
        return this.sample(call);
      case "fitSampler":
        return this.fit(call);
      case "save":
        return this.alive().save();
    }
  }

  /** The layout that tuning found on this adapter before, where none is settled and tuning is left to us. */
  private async recall(options: unknown): Promise<void> {
    const { kernels } = this.alive().info();
    const { tune = "auto" } = (options ?? {}) as LoadOptions;
    if (kernels?.from !== "table" || tune !== "auto") return;
    const products = await remembered(kernels.key);
    if (products !== undefined) this.alive().recall(products);
  }

  /** Encodes the data and fits a sampler to the means, kept by its kind. */
  private async fit({ data, options, seed }: Extract<Call, { kind: "fitSampler" }>): Promise<SamplerParams> {
    const { fitSampler } = await import("./samplers/index.js");
    const { mean, shape } = await this.alive().encode(data);
    const params = fitSampler({ values: mean, shape }, options, seed);
    this.samplers.set(params.kind, structuredClone(params)); // what is answered may be transferred, and its arrays with it
    return params;
  }

  private async sample({ n, options }: Extract<Call, { kind: "sample" }>): Promise<Samples> {
    const { sampler, ...rest } = options;
    if (sampler === undefined || sampler === "prior" || sampler === "uniform") return this.alive().sample(n, options);
    const { drawSamples } = await import("./samplers/index.js");
    const params = typeof sampler === "string" ? this.samplers.get(sampler) : sampler;
    if (params === undefined) {
      const fitted = [...this.samplers.keys(), "prior"].join(", ");
      throw invalid("invalid-option", "sampler", String(sampler), `one of ${fitted}; fitSampler makes others, and what it gave is taken as well`);
    }
    const { labels, guidance, seed = this.drawn++, temperature, truncation, ...others } = rest;
    for (const [name, value] of Object.entries(others).filter(([, value]) => value !== undefined))
      throw invalid("invalid-option", name, nameOf(value), "no such option with a fitted sampler; known here: labels, guidance, seed, temperature, truncation");
    const z = drawSamples(params, n, { temperature, truncation, seed });
    return this.alive().decode(z, [n, params.size], { labels, guidance });
  }

  private async begin({ kind, id, data, validation, options }: Extract<Request, { kind: "train" | "trainPrior" }>): Promise<void> {
    if (kind === "train") {
      const others = this.alive().info().cores - 1;
      if (others > 0) await (await this.module()).ready(PARTS); // where what shares steps is
      if (others > 0 && this.helpers.length >= others) {
        const { Crew } = await import("./crew.js");
        this.crew = new Crew(this.helpers.slice(0, others), data);
        this.alive().employ(this.crew);
      }
      await this.alive().begin(data, options, validation);
    } else await this.alive().beginPrior(data, options, validation);
    this.run = id;
    const state = stateOf(this.alive(), true);
    const { kernels } = state.info ?? {};
    if (kernels?.from === "tuned") await remember(kernels.key, kernels.products);
    this.reply({ kind: "progress", id, events: [], state });
  }

  private async advance(id: number): Promise<void> {
    try {
      const { events, done } = await this.alive().advance(this.budgetMs);
      this.reply({ kind: "progress", id, events: events.map(withCounts), state: stateOf(this.alive()) });
      if (done) await this.end();
    } catch (thrown) {
      this.run = undefined;
      await this.core?.end().catch(() => {}); // the first fault is the one to tell
      this.fail(id, thrown);
    }
  }

  /** Ends the training that runs, if one does, and answers its call. */
  private async end(): Promise<void> {
    const id = this.run;
    if (id === undefined) return;
    this.run = undefined;
    try {
      await this.alive().end();
      this.reply({ kind: "done", id, value: undefined, state: this.state(true) });
    } catch (thrown) {
      this.fail(id, thrown);
    }
  }

  /** Has what saves, evaluates and tells of errors fetched in the background, once there is a model: neither must need the network. */
  private foresee(): void {
    void this.module().then((module) => module.ready(["more"])).catch(() => {}); // the call that wants it tells
  }

  private fail(id: number, thrown: unknown): void {
    if (thrown instanceof WebAssembly.RuntimeError) return this.crash(thrown);
    this.reply({ kind: "failed", id, error: toFields(thrown), state: this.state(false) });
  }

  private async module(): Promise<CoreModule> {
    const module = await this.load();
    if (!this.listens) module.onPanic((text) => this.crash(new ReparamError({ code: "internal", message: text })));
    this.listens = true;
    return module;
  }

  private alive(): Core {
    if (this.core === undefined) throw disposed();
    return this.core;
  }

  private state(withInfo: boolean): State | undefined {
    return this.core && stateOf(this.core, withInfo);
  }
}

/** With the counts of codes as `codeUsage` gives them, where the core has plain numbers. */
function withCounts(event: TrainEvent | PriorEvent): TrainEvent | PriorEvent {
  if (!("codes" in event) || event.codes === undefined) return event;
  return { ...event, codes: event.codes.map((usage) => ({ ...usage, counts: Float64Array.from(usage.counts) })) };
}

function stateOf(core: Core, withInfo = false): State {
  return withInfo ? { step: core.step(), info: core.info() } : { step: core.step() };
}
