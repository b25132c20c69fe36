/** The state of the page and everything a visitor can do to it. The parts show it and call it; it never touches the document's tree. */
import { FALLBACK, readCatalogue, type Catalogue, type Section, type Value } from "./catalogue";
import { defaultChoice, fits, variantOf, type Backend, type Choice, type Config, type Preset } from "./config";
import { explain, type Failure } from "./failure";
import { digitsFor } from "./levels";
import { loadDigits, type Digits } from "./mnist";
import { Pictures } from "./pictures";
import { refusalOf, type Refusal } from "./refusal";
import { LOG_EVERY, Run } from "./run";
import { savedConfig } from "./saved";
import { readQuery, writeQuery } from "./url";
import type { View } from "./view";
import { speech } from "./words";

/** Parts are told of changes at most this often. */
const QUIET_MS = 100;

export class Studio extends EventTarget {
  catalogue: Catalogue = FALLBACK;
  config: Config;
  digits: Digits | null = null;
  /** Share of the digits that has arrived, 0 … 1. */
  loaded = 0;
  failure: Failure | null = null;
  /** The latest choice that the core would not take; the configuration is without it. */
  refusal: Refusal | null = null;
  readonly run = new Run(
    () => this.#changed(),
    (error) => this.#fail(error),
  );
  readonly pictures = new Pictures(
    this.run,
    () => this.#changed(),
    (error) => this.#fail(error),
  );
  #query: URLSearchParams;
  /** The digits as the present likelihood takes them. */
  #seen: Digits | null = null;
  #levels = 0;
  /** Actions take their turn, so that a quick hand cannot build two models at once. */
  #turn: Promise<void> = Promise.resolve();
  #wantsTraining = false;
  #timer = 0;

  constructor(query: URLSearchParams) {
    super();
    this.#query = query;
    this.config = readQuery(query, this.catalogue);
  }

  get training() {
    return this.#wantsTraining;
  }

  async open() {
    this.catalogue = await readCatalogue();
    this.config = readQuery(this.#query, this.catalogue);
    this.#changed();
    const digits = loadDigits((share) => {
      this.loaded = share;
      this.#changed();
    });
    const built = this.#inTurn(() => this.#build());
    try {
      this.digits = await digits;
    } catch (error) {
      this.#fail(error);
    }
    await built;
    await this.#inTurn(() => this.#see());
    this.#changed();
    void this.pictures.drawAll();
  }

  play() {
    this.#wantsTraining = true;
    this.failure = null;
    void this.#inTurn(() => this.#start());
  }

  pause() {
    this.#wantsTraining = false;
    void this.#inTurn(() => this.run.halt());
  }

  /** Trains the prior over the model's codes; the model stands still meanwhile. */
  trainPrior() {
    this.failure = null;
    void this.#inTurn(async () => {
      if (this.#wantsTraining || !this.#seen || this.run.isMoving) return;
      void this.run.startPrior(this.#seen, this.config);
      void this.pictures.follow();
    });
  }

  pausePrior() {
    void this.#inTurn(() => this.run.halt());
  }

  /** One chunk of steps. */
  step() {
    void this.#inTurn(async () => {
      if (this.#wantsTraining || !this.#seen || this.run.isMoving) return;
      const trained = this.run.start(this.#seen, this.config, LOG_EVERY);
      void this.pictures.follow();
      await trained;
    });
  }

  reset() {
    this.#wantsTraining = false;
    void this.#inTurn(() => this.#build());
  }

  choose(section: Section, kind: string) {
    const variant = variantOf(this.catalogue, section, kind);
    if (!variant) return;
    const change = { [section]: defaultChoice(variant) };
    if (section === "codePrior") this.#adopt(change);
    else void this.#propose(section, change);
  }

  /** Takes what was refused, together with what makes the core take it. */
  takeRemedy() {
    const remedy = this.refusal?.remedy;
    if (remedy) this.#rebuildWith(remedy);
  }

  /** Sets one parameter of a chosen variant; a live one acts on the running model, another makes a new model. */
  tune(section: Section, name: string, value: Value) {
    const parameter = variantOf(this.catalogue, section, this.config[section].kind)?.parameters.find((p) => p.name === name);
    if (!parameter || !fits(value, parameter)) return;
    const choice: Choice = { ...this.config[section], [name]: value };
    if (section === "codePrior") return this.#adopt({ [section]: choice });
    if (!parameter.live) return void this.#propose(section, { [section]: choice });
    this.#adopt({ [section]: choice });
    const controls = section === "balance" ? { balance: { [name]: value as number | string } } : { [name]: Number(value) };
    this.run.control(controls).catch((error: unknown) => this.#fail(error));
  }

  /** What stands in the way of a preset is put back to its first kind. */
  async applyPreset({ encoder, latent, learningRate, batchSize }: Preset) {
    const whole = (section: Section, choice: Choice): Choice => {
      const variant = variantOf(this.catalogue, section, choice.kind);
      return variant ? { ...defaultChoice(variant), ...choice } : choice;
    };
    const change = { encoder: whole("encoder", encoder), latent: whole("latent", latent), learningRate, batchSize };
    const refusal = await refusalOf({ ...this.config, ...change }, "latent", this.catalogue);
    this.#rebuildWith(refusal?.remedy ?? change);
  }

  setSeed(seed: number) {
    this.#rebuildWith({ seed });
  }

  setBackend(backend: Backend) {
    this.#rebuildWith({ backend });
  }

  /** The optimiser's settings hold from the next step on, for the same model; for its prior from the next training on. */
  setOptimiser(change: Partial<Pick<Config, "learningRate" | "batchSize">>) {
    this.#adopt(change);
    if (this.run.phase === "prior") return;
    void this.#inTurn(async () => {
      await this.run.halt();
      await this.#start();
    });
  }

  /** What can be chosen about the samples; the model stays. Completions are drawn likewise. */
  viewSamples(change: Partial<View>) {
    Object.assign(this.pictures.view, change);
    void this.pictures.drawPrior();
    this.#changed();
  }

  /** What can be chosen about digits of which half is kept. */
  viewCompletions(change: Partial<View>) {
    Object.assign(this.pictures.view, change);
    void this.pictures.coded.drawCompletions();
    this.#changed();
  }

  /** Which codebook is in sight. */
  viewBook(level: number) {
    this.pictures.view.level = level;
    this.pictures.coded.select(null);
    void this.pictures.coded.drawBook();
    this.#changed();
  }

  /** What can be chosen about the walks and the row of classes. */
  viewWalks(change: Partial<View>) {
    Object.assign(this.pictures.view, change);
    void this.pictures.drawWalks();
    this.#changed();
  }

  /** The model as a .safetensors file, with the options inside. */
  async save(): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      return (await this.run.model?.save()) ?? null;
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  load(bytes: Uint8Array) {
    this.#wantsTraining = false;
    void this.#inTurn(async () => {
      this.failure = null;
      const config = { ...this.config, ...savedConfig(bytes) };
      await this.run.load(bytes, config);
      this.#adopt(config);
      await this.#see();
      this.pictures.clear(config);
      void this.pictures.drawAll();
      if (this.#seen) await this.run.judgePrior(this.#seen);
    });
  }

  dismissFailure() {
    this.failure = null;
    this.#changed();
  }

  async #build() {
    this.failure = null;
    this.pictures.clear(this.config);
    await this.run.build(this.config);
    await this.#see();
    if (!this.#wantsTraining) void this.pictures.drawAll();
  }

  async #start() {
    if (!this.#wantsTraining || !this.#seen) return;
    void this.run.start(this.#seen, this.config);
    void this.pictures.follow();
  }

  /** The digits as this configuration takes them, made anew only where that has changed. */
  async #see() {
    if (!this.digits) return;
    const { likelihood } = this.config;
    const levels = likelihood.kind === "categorical" ? Number(likelihood["classes"]) : 256;
    if (this.#seen && this.#levels === levels) return;
    this.#seen = await digitsFor(this.config, this.digits);
    this.#levels = levels;
    this.pictures.useDigits(this.#seen.test);
  }

  /** Asks the core first: what it refuses is told, and nothing changes. */
  async #propose(section: Section, change: Partial<Config>) {
    const refusal = await refusalOf({ ...this.config, ...change }, section, this.catalogue);
    if (refusal) {
      this.refusal = refusal;
      return this.#changed();
    }
    this.#rebuildWith(change);
  }

  #rebuildWith(change: Partial<Config>) {
    this.#adopt(change);
    void this.#inTurn(async () => {
      await this.#build();
      await this.#start();
    });
  }

  #adopt(change: Partial<Config>) {
    this.refusal = null;
    this.config = { ...this.config, ...change };
    this.writeUrl();
    this.#changed();
  }

  /** The address always reproduces what the page shows. */
  writeUrl() {
    const query = writeQuery(this.config);
    query.set("lang", speech.language);
    history.replaceState(null, "", `?${query}`);
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(action).catch((error: unknown) => this.#fail(error));
    return this.#turn;
  }

  #fail(error: unknown) {
    this.#wantsTraining = false;
    this.failure = explain(error);
    void this.#inTurn(() => this.run.halt());
    this.#changed();
  }

  #changed() {
    if (this.#timer) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.dispatchEvent(new Event("change"));
    }, QUIET_MS);
  }
}
