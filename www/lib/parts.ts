/** The parts of the core beside the first, and which of them a call wants. What is not foreseen here the core asks for itself, and waits. */

import type { Call } from "./messages.js";

/** In the order by whose numbers, from 1, the core knows them. */
export const PARTS = ["conv", "more", "gpu", "rest"] as const;

export type Part = (typeof PARTS)[number];

/** Compiled parts, the first too. */
export type Modules = Partial<Record<"first" | Part, WebAssembly.Module>>;

/** Those to have before the core is called: a failure is told there, and loses nothing. */
export function partsFor(call: Call): readonly Part[] {
  switch (call.kind) {
    case "create":
      return [...(isConvolutional(call.options) ? ["conv" as const] : []), ...(asksForWebGpu(call.options) ? ["gpu" as const] : [])];
    case "train":
      return call.validation ? ["more"] : [];
    case "set":
    case "stop":
    case "decode":
    case "sample":
      return [];
    case "evaluate":
    case "encode":
    case "reconstruct":
    case "fitSampler":
    case "save":
      return ["more"];
    case "load":
    case "logLikelihood":
    case "trainPrior":
    case "evaluatePrior":
    case "decodeCodes":
    case "complete":
      return PARTS;
  }
}

/** Whether an adapter is asked for, which is what WebGPU's part does first. */
function asksForWebGpu(options: unknown): boolean {
  const { navigator } = globalThis as { navigator?: { gpu?: unknown } };
  return navigator?.gpu !== undefined && (options as { backend?: unknown } | undefined)?.backend !== "cpu";
}

/** `options`: those of `create`, whatever is given as such. */
function isConvolutional(options: unknown): boolean {
  const { encoder, decoder } = (options ?? {}) as { encoder?: { kind?: unknown }; decoder?: { kind?: unknown } };
  return [encoder, decoder].some((network) => network?.kind === "conv" || network?.kind === "residual");
}
