/** The other cores of a run, as the first has them: the core calls these methods (`src/api/crew.rs`), and messages go to helpers by their ports. */

import type { OwnData } from "./data.js";
import { ReparamError, disposed } from "./errors.js";
import type { FromHelper, ToHelper } from "./messages.js";

let runs = 0;

export class Crew {
  /** Answers of an earlier run, which broke off, may still come. */
  private readonly run = ++runs;
  private readonly ports: readonly MessagePort[];
  /** Until the helpers have it. */
  private data: OwnData | undefined;
  /** What goes to each helper and comes back from it, in one buffer that moves to and fro. */
  private readonly rooms: Float32Array<ArrayBuffer>[] = [];
  /** How many answers are awaited, and who is told when they are there. */
  private awaited = 0;
  private told: { resolve(): void; reject(error: ReparamError): void } | undefined;
  private fault: ReparamError | undefined;

  constructor(ports: readonly MessagePort[], data: OwnData) {
    this.ports = ports;
    this.data = data;
    for (const [i, port] of ports.entries()) {
      port.onmessage = ({ data }: MessageEvent<FromHelper>) => this.receive(i, data);
      port.onmessageerror = () => this.lose("an answer could not be read");
    }
  }

  begin(task: string): Promise<void> {
    const { run, data } = this;
    if (data === undefined) throw disposed();
    for (const [i, port] of this.ports.entries()) this.post(port, { run, kind: "begin", task, k: i + 1, data }, []);
    this.data = undefined;
    this.awaited = this.ports.length;
    return this.gather();
  }

  room(i: number, size: number): Float32Array {
    return (this.rooms[i] ??= new Float32Array(size));
  }

  send(i: number, t: number, order: Uint32Array, controls: Float64Array): void {
    const room = this.rooms[i]!; // the core has put the parameters there
    this.awaited++;
    this.post(this.ports[i]!, { run: this.run, kind: "step", room, t, order, controls }, [room.buffer]);
  }

  gather(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.told = { resolve, reject };
      this.tell();
    });
  }

  end(): void {
    for (const port of this.ports) {
      this.post(port, { run: this.run, kind: "end" }, []);
      port.onmessage = port.onmessageerror = null;
    }
  }

  /** A helper will not answer any more. */
  lose(why: string): void {
    this.fault ??= new ReparamError({ code: "internal", message: why });
    this.tell();
  }

  private post(port: MessagePort, message: ToHelper, moved: Transferable[]): void {
    port.postMessage(message, moved);
  }

  private receive(i: number, answer: FromHelper): void {
    if (answer.run !== undefined && answer.run !== this.run) return;
    if (answer.kind === "found") this.rooms[i] = answer.room;
    if (answer.kind === "failed") this.fault ??= new ReparamError(answer.error);
    this.awaited--;
    this.tell();
  }

  private tell(): void {
    const { told, fault } = this;
    if (told === undefined || (this.awaited > 0 && fault === undefined)) return;
    this.told = undefined;
    if (fault) told.reject(fault);
    else told.resolve();
  }
}
