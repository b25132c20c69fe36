/** The way to an engine, wherever it runs. */

import type { Reply, Request } from "./messages.js";

export interface Port {
  send(request: Request): void;
  /** Sees to it that so many others help the engine train, where they can. */
  employ?(others: number): void;
  /** Ends the engine and frees all it holds. */
  close(): Promise<void>;
}

/** Makes a port whose replies go to `receive`. */
export type Connect = (receive: (reply: Reply) => void) => Port;
