/** What both entries export beside `Vae`. */

export { ReparamError } from "./errors.js";
export type { ErrorCode, ErrorFields } from "./errors.js";
export type { Data, Encoding, Labels, Latents, Values } from "./data.js";
export type { EpochEvent, Figures, StepEvent, TrainEvent } from "./events.js";
export type { Catalogue, CatalogueEntry, CatalogueParameter, ChoiceParameter, Info, NumberParameter } from "./info.js";
export type * from "./options.js";
export type { SamplerOptions, SamplerParams } from "./samplers/index.js";
