/** A worker that does a part of another's training steps. */

import type { CoreModule, Helper } from "./core-module.js";
import { disposed, toFields } from "./errors.js";
import type { FromHelper, ToHelper } from "./messages.js";

/** Serves what comes by the port, in turn. */
export function help(port: MessagePort, load: () => Promise<CoreModule>): void {
  let helper: Helper | undefined;
  let last = Promise.resolve();
  const answer = (message: FromHelper, moved: Transferable[] = []) => port.postMessage(message, moved);
  const serve = async (message: ToHelper) => {
    const { run } = message;
    switch (message.kind) {
      case "begin": {
        const module = await load();
        await module.complete();
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
        helper?.free();
        helper = undefined;
    }
  };
  port.onmessage = ({ data }: MessageEvent<ToHelper>) => {
    last = last.then(() => serve(data)).catch((thrown: unknown) => answer({ run: data.run, kind: "failed", error: toFields(thrown) }));
  };
}
