/** The one error class of the package, and its form as plain data for crossing between threads. */

export type ErrorCode =
  /** An option is missing, unknown, of the wrong kind or out of range; `path` says which. */
  | "invalid-option"
  /** Values, a shape or labels that do not fit the model; `path` says which. */
  | "invalid-data"
  /** Bytes that are not a saved model, or that were damaged. */
  | "invalid-file"
  /** The loss or a parameter became NaN or infinite; the message says at which step. */
  | "non-finite"
  /** `backend: "webgpu"` was asked for and there is no usable adapter. */
  | "webgpu-unavailable"
  /** The GPU device went away while in use. */
  | "device-lost"
  /** More memory than the device or the address space offers. */
  | "out-of-memory"
  /** A second `train` while one runs. */
  | "busy"
  /** The `signal` given to `train` was aborted; `cause` holds its reason. */
  | "aborted"
  /** The model was disposed of. */
  | "disposed"
  /** A fault of this library, or its files could not be loaded. */
  | "internal";

/** What a `ReparamError` says, as plain data. */
export interface ErrorFields {
  code: ErrorCode;
  message: string;
  /** Where in the options or the data, for example `encoder.hidden[1]`. */
  path?: string;
  got?: string;
  expected?: string;
}

/** Every rejection of this package. Tell kinds apart by `code`; `message` is written for people. */
export class ReparamError extends Error implements ErrorFields {
  readonly code: ErrorCode;
  readonly path?: string;
  readonly got?: string;
  readonly expected?: string;

  constructor(fields: ErrorFields, options?: ErrorOptions) {
    super(fields.message, options);
    this.name = "ReparamError";
    this.code = fields.code;
    if (fields.path !== undefined) this.path = fields.path;
    if (fields.got !== undefined) this.got = fields.got;
    if (fields.expected !== undefined) this.expected = fields.expected;
  }
}

/** An option or a piece of data that is wrong: `path: got …, expected …`. */
export function invalid(code: "invalid-option" | "invalid-data", path: string, got: string, expected: string): ReparamError {
  return new ReparamError({ code, message: `${path}: got ${got}, expected ${expected}`, path, got, expected });
}

/** How a value of the wrong kind is called in `got`. */
export function nameOf(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value);
  return `a value of type ${value.constructor?.name ?? "object"}`;
}

export function disposed(): ReparamError {
  return new ReparamError({ code: "disposed", message: "the model was disposed of" });
}

/** Whatever was thrown, by the core as plain fields or by anything else, as plain fields. */
export function toFields(thrown: unknown): ErrorFields {
  if (isFields(thrown)) {
    const { code, message, path, got, expected } = thrown;
    return { code, message, ...(path && { path }), ...(got && { got }), ...(expected && { expected }) };
  }
  return { code: "internal", message: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown) };
}

function isFields(value: unknown): value is ErrorFields {
  return typeof value === "object" && value !== null && "code" in value && "message" in value && typeof value.code === "string";
}
