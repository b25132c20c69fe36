/** `reparam/latents`: moving about in the latent space. Pure functions on codes; `decode` takes the points they give. */

export { ReparamError } from "../errors.js";
export type { ErrorCode, ErrorFields } from "../errors.js";
export type { Values } from "../data.js";
export type { Labels, Point, Posterior, Rows } from "../rows.js";
export { normalCumulative, normalQuantile } from "../normal.js";
export { lerp, path, slerp } from "./interpolation.js";
export type { Interpolation } from "./interpolation.js";
export { cornerGrid, manifoldGrid } from "./grid.js";
export type { Corners, ManifoldOptions } from "./grid.js";
export { aggregateDeviations, dimensionsByKl, traversals } from "./traversal.js";
export type { TraversalOptions, Traversals } from "./traversal.js";
export { applyAttribute, attributeVector, centroid } from "./attributes.js";
export { nearest } from "./neighbours.js";
export type { Metric, Neighbours } from "./neighbours.js";
