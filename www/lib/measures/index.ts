/** `reparam/measures`: what a model has learnt, in figures. Pure functions on codes, reconstructions, labels and events. */

export { ReparamError } from "../errors.js";
export type { ErrorCode, ErrorFields } from "../errors.js";
export type { Labels, Posterior, Rows } from "../rows.js";
export { ACTIVE_NATS, klPerDimension } from "./kl.js";
