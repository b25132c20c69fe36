/** A pause of one macrotask: messages, timers and drawing get their turn. Timers will not do: nested, they wait 4 ms. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate) return void immediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Node's own; there an open MessageChannel costs more. */
const immediate = (globalThis as { setImmediate?: (f: () => void) => unknown }).setImmediate;
