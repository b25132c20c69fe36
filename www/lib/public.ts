/** What both entries export beside `Vae`. */

export { ReparamError } from "./errors.js";
export type { ErrorCode, ErrorFields } from "./errors.js";
export type { Codes, Data, Encoding, Labels, Latents, PartialCodes, Samples, Values } from "./data.js";
export type { EpochEvent, Figures, PriorEpochEvent, PriorEvent, PriorFigures, PriorStepEvent, StepEvent, TrainEvent } from "./events.js";
export type { Catalogue, CatalogueEntry, CatalogueParameter, ChoiceParameter, Info, KernelInfo, NumberParameter, PriorInfo } from "./info.js";
export type * from "./options.js";
export type { SamplerOptions, SamplerParams } from "./samplers/index.js";
