/** Any error, told in words: a title that says what happened, a sentence that says what to do, the core's own text as detail. */
import { ReparamError } from "reparam";
import { DataMissing } from "./mnist";
import { NotForDigits } from "./saved";
import type { Key } from "./words";

export interface Failure {
  title: Key;
  advice: Key;
  detail: string;
}

const KNOWN: Partial<Record<string, [title: Key, advice: Key]>> = {
  "invalid-option": ["failure.option", "failure.option.advice"],
  "invalid-data": ["failure.data", "failure.data.advice"],
  "invalid-file": ["failure.file", "failure.file.advice"],
  "non-finite": ["failure.nonFinite", "failure.nonFinite.advice"],
  "webgpu-unavailable": ["failure.webgpu", "failure.webgpu.advice"],
  "device-lost": ["failure.deviceLost", "failure.deviceLost.advice"],
  "out-of-memory": ["failure.memory", "failure.memory.advice"],
};

export function explain(error: unknown): Failure {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof DataMissing) return { title: "failure.digits", advice: "failure.digits.advice", detail };
  if (error instanceof NotForDigits) return { title: "failure.file", advice: "failure.file.advice", detail };
  const [title, advice] = (error instanceof ReparamError && KNOWN[error.code]) || (["failure.other", "failure.other.advice"] as const);
  return { title, advice, detail };
}
