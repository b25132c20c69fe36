/** The asking side: gives every call an id and settles its promise when the answer comes. */

import { ReparamError, disposed, invalid } from "./errors.js";
import type { PriorEvent, TrainEvent } from "./events.js";
import type { Info } from "./info.js";
import type { Answers, Call, Reply, State } from "./messages.js";
import type { Connect, Port } from "./port.js";

/** Where the answers of one call go. */
interface Pending {
  resolve(value: never): void;
  reject(error: ReparamError): void;
  progress?: (events: never[]) => void;
}

export class Client {
  private readonly port: Port;
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;
  /** Why nothing can be asked any more. */
  private fault: ReparamError | undefined;
  private state: State = { step: 0 };
  /** What the latest call to decode was sent in: memory that is new costs more, at first use, than a copy into it. */
  private spent: Float32Array<ArrayBuffer> | undefined;
  /** Whether a training runs; `training.ts` keeps it. */
  training = false;

  constructor(connect: Connect) {
    this.port = connect((reply) => this.receive(reply));
  }

  get step(): number {
    return this.state.step;
  }

  get info(): Info | undefined {
    return this.state.info;
  }

  /** A copy of `values` to send, in memory that was sent before where it is of the same size. */
  copy(values: Float32Array): Float32Array<ArrayBuffer> {
    const { spent } = this;
    this.spent = undefined;
    if (spent?.length !== values.length) return values.slice();
    spent.set(values);
    return spent;
  }

  /** `progress` gets the events of a training as they come, each of the kind that the call brings. */
  call<K extends Call["kind"], E extends TrainEvent | PriorEvent = TrainEvent>(call: Call & { kind: K }, progress?: (events: E[]) => void): Promise<Answers[K]> {
    return new Promise((resolve, reject) => {
      if (this.fault) return reject(this.fault);
      const id = this.nextId++;
      this.pending.set(id, { resolve, reject, ...(progress && { progress }) });
      if (call.kind === "train") this.port.employ?.((this.info?.cores ?? 1) - 1);
      try {
        this.port.send({ ...call, id });
      } catch (cause) {
        this.pending.delete(id);
        reject(invalid("invalid-option", call.kind, String(cause), "plain data that can be sent to a worker"));
      }
    });
  }

  /** Rejects all that is pending and all that comes with "disposed". */
  async close(): Promise<void> {
    const crashed = this.fault !== undefined;
    this.stopAsking(disposed());
    if (!crashed) await this.port.close();
  }

  private receive(reply: Reply): void {
    if (this.fault) return;
    if (reply.kind === "crashed") {
      this.stopAsking(new ReparamError(reply.error));
      return void this.port.close();
    }
    if (reply.state) this.state = { ...this.state, ...reply.state };
    const pending = this.pending.get(reply.id);
    if (reply.kind === "progress") return pending?.progress?.(reply.events as never[]);
    this.pending.delete(reply.id);
    if (reply.kind === "done") {
      this.spent = reply.spent ?? this.spent;
      pending?.resolve(reply.value as never);
    } else pending?.reject(new ReparamError(reply.error));
  }

  private stopAsking(fault: ReparamError): void {
    this.fault = fault;
    for (const { reject } of this.pending.values()) reject(fault);
    this.pending.clear();
  }
}
