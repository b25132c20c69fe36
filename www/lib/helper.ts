/** A worker that does a part of another's training steps. */

import type { CoreModule, Helper } from "./core-module.js";
import { disposed, toFields } from "./errors.js";
import type { FromHelper, ToHelper } from "./messages.js";
import { PARTS } from "./parts.js";

/** Serves what comes by the port, in turn. */
export function help(port: MessagePort, load: () => Promise<CoreModule>): void {
  let helper: Helper | undefined;
  /** Why the core must not be entered again. */
  let broken: unknown;
  let last = Promise.resolve();
  const answer = (message: FromHelper, moved: Transferable[] = []) => port.postMessage(message, moved);
  const letGo = () => {
    helper?.free();
    helper = undefined;
  };
  const serve = async (message: ToHelper) => {
    const { run } = message;
    if (broken !== undefined) throw broken;
    switch (message.kind) {
      case "begin": {
        letGo();
        const module = await load();
        module.onPanic((text) => (broken = new Error(text)));
        await module.ready(PARTS); // what it calls is in other parts: a failure is told before they are entered
        helper = await module.Helper.begin(message.task, message.k, message.data);
        return answer({ run, kind: "ready" });
      }
      case "step": {
        if (helper === undefined) throw disposed();
        const { room, t, order, controls } = message;
        helper.step(room, t, order, controls);
        return answer({ run, kind: "found", room }, [room.buffer]);
      }
      case "end":
        return letGo();
    }
  };
  port.onmessage = ({ data }: MessageEvent<ToHelper>) => {
    const fail = (thrown: unknown) => {
      if (thrown instanceof WebAssembly.RuntimeError) broken ??= thrown;
      answer({ run: data.run, kind: "failed", error: toFields(broken ?? thrown) });
    };
    last = last.then(() => serve(data)).catch(fail);
  };
  port.onmessageerror = () => answer({ kind: "failed", error: toFields("a message to a helper could not be read") });
}
