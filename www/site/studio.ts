/** The state of the page and everything a visitor can do to it. The parts show it and call it; it never touches the document's tree. */
import { FALLBACK, readCatalogue, type Catalogue, type Section, type Value } from "./catalogue";
import { defaultChoice, fits, latentSize, variantOf, type Backend, type Choice, type Config } from "./config";
import { explain, type Failure } from "./failure";
import { loadDigits, type Digits } from "./mnist";
import { Pictures } from "./pictures";
import { LOG_EVERY, Run } from "./run";
import { savedConfig } from "./saved";
import { readQuery, writeQuery } from "./url";
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
      this.pictures.useDigits(this.digits.test);
    } catch (error) {
      this.#fail(error);
    }
    await built;
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

  /** One chunk of steps. */
  step() {
    void this.#inTurn(async () => {
      if (this.#wantsTraining || !this.digits) return;
      const trained = this.run.start(this.digits, this.config, LOG_EVERY);
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
    if (variant) this.#rebuildWith({ [section]: defaultChoice(variant) });
  }

  /** Sets one parameter of a chosen variant; a live one acts on the running model, another makes a new model. */
  tune(section: Section, name: string, value: Value) {
    const parameter = variantOf(this.catalogue, section, this.config[section].kind)?.parameters.find((p) => p.name === name);
    if (!parameter || !fits(value, parameter)) return;
    const choice: Choice = { ...this.config[section], [name]: value };
    if (!parameter.live) return this.#rebuildWith({ [section]: choice });
    this.#adopt({ [section]: choice });
    this.run.control({ [name]: Number(value) }).catch((error: unknown) => this.#fail(error));
  }

  applyPreset(encoder: string, size: number) {
    const variant = variantOf(this.catalogue, "encoder", encoder);
    if (variant) this.#rebuildWith({ encoder: defaultChoice(variant), latent: { ...this.config.latent, size } });
  }

  setSeed(seed: number) {
    this.#rebuildWith({ seed });
  }

  setBackend(backend: Backend) {
    this.#rebuildWith({ backend });
  }

  /** The optimiser's settings hold from the next step on, for the same model. */
  setOptimiser(change: Partial<Pick<Config, "learningRate" | "batchSize">>) {
    this.#adopt(change);
    void this.#inTurn(async () => {
      await this.run.halt();
      await this.#start();
    });
  }

  setTemperature(temperature: number) {
    this.pictures.temperature = temperature;
    void this.pictures.drawSamples();
    this.#changed();
  }

  newSamples() {
    this.pictures.sampleSeed += 1;
    void this.pictures.drawSamples();
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
      this.pictures.clear(latentSize(config));
      void this.pictures.drawAll();
    });
  }

  dismissFailure() {
    this.failure = null;
    this.#changed();
  }

  async #build() {
    this.failure = null;
    this.pictures.clear(latentSize(this.config));
    await this.run.build(this.config);
    if (!this.#wantsTraining) void this.pictures.drawAll();
  }

  async #start() {
    if (!this.#wantsTraining || !this.digits) return;
    void this.run.start(this.digits, this.config);
    void this.pictures.follow();
  }

  #rebuildWith(change: Partial<Config>) {
    this.#adopt(change);
    void this.#inTurn(async () => {
      await this.#build();
      await this.#start();
    });
  }

  #adopt(change: Partial<Config>) {
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
