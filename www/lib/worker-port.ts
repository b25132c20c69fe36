/** An engine in a module worker, with others that help it, also where the package is served from another origin than the page. */

import { ReparamError, invalid, nameOf, toFields } from "./errors.js";
import type { ErrorFields } from "./errors.js";
import { transfers } from "./messages.js";
import type { PortMessage, Reply, ToWorker, WasmMessage } from "./messages.js";
import type { HostOptions, WasmSource } from "./options.js";
import type { Part } from "./parts.js";
import type { Connect } from "./port.js";
import { compileParts } from "./wasm-files.js";

/** `parts`: what the first call wants beside the first part of the core. */
export function workerPort(where: HostOptions["worker"], wasm: WasmSource | undefined, parts: readonly Part[]): Connect {
  return (receive) => {
    const open = (fail: (error: ErrorFields) => void): Worker => {
      const worker = start(where);
      worker.onerror = (event) => {
        event.preventDefault(); // told by a rejection, not by the console
        fail({ code: "internal", message: event.message || LOAD_FAILED });
      };
      worker.onmessageerror = () => fail(toFields("a message of the worker could not be read"));
      const tell = (core: Omit<WasmMessage, "kind">) => worker.postMessage({ kind: "wasm", ...core } satisfies WasmMessage);
      if (wasm !== undefined) {
        try {
          tell({ source: typeof wasm === "string" || wasm instanceof URL ? new URL(wasm, location.href).href : wasm });
        } catch {
          worker.terminate();
          throw invalid("invalid-option", "wasm", nameOf(wasm), "an address, bytes, or a WebAssembly.Module");
        }
      } else void compileParts(parts).then((modules) => tell({ modules })).catch(() => tell({})); // some workers take no module
      return worker;
    };
    const worker = open((error) => receive({ kind: "crashed", error }));
    worker.onmessage = ({ data }: MessageEvent<Reply>) => receive(data);
    const send = (message: ToWorker, moved: Transferable[] = transfers(message)) => worker.postMessage(message, moved);
    let helpers: Worker[] = [];
    const dismiss = () => {
      helpers.forEach((helper) => helper.terminate());
      helpers = [];
    };
    const lose = (why: string) => {
      dismiss();
      send({ kind: "lost", why });
    };
    const employ = (others: number) => {
      try {
        while (helpers.length < others) {
          const helper = open(({ message }) => lose(message));
          helpers.push(helper);
          const { port1, port2 } = new MessageChannel();
          helper.postMessage({ kind: "help", port: port1 } satisfies PortMessage, [port1]);
          send({ kind: "helper", port: port2 }, [port2]);
        }
      } catch {
        lose("a helper could not be started"); // the model's own worker then does their parts
      }
    };
    const close = async () => {
      dismiss();
      worker.terminate(); // this frees the device and the wasm memory at once
    };
    return { send, employ, close };
  };
}

function start(where: HostOptions["worker"]): Worker {
  try {
    if (typeof where === "function") return where();
    if (typeof where === "string" || where instanceof URL) return startAt(new URL(where, location.href));
    const here = import.meta.url;
    if (isForeign(new URL(here))) return startAt(new URL("./worker.js", here));
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" }); // bundlers look for just this form
  } catch (cause) {
    throw new ReparamError({ code: "internal", message: `the worker could not be started: ${String(cause)}; \`worker: false\` runs without` }, { cause });
  }
}

/** A worker may not be started from another origin, but a script of ours may import from there. */
function startAt(url: URL): Worker {
  if (!isForeign(url)) return new Worker(url, { type: "module" });
  const shim = URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" }));
  const worker = new Worker(shim, { type: "module" });
  const forget = () => URL.revokeObjectURL(shim);
  worker.addEventListener("message", forget, { once: true });
  worker.addEventListener("error", forget, { once: true });
  return worker;
}

/** Bundlers may put a `file:` address in place of `import.meta.url`; that says nothing of where the page is. */
function isForeign(url: URL): boolean {
  return /^https?:$/.test(url.protocol) && url.origin !== location.origin;
}

const LOAD_FAILED = "the worker failed to load: it needs dist/worker.js and the files beside it (or give its URL as `worker`)";
