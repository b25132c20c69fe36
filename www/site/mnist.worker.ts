/** Fetches, inflates and checks the four IDX files away from the page's thread, then hands over their bytes. */
import type { Digits, FromLoader, ToLoader } from "./mnist";

const say = (message: FromLoader, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

self.onmessage = async ({ data: { folder } }: MessageEvent<ToLoader>) => {
  try {
    let received = 0;
    const load = (name: string, dims: number[]) =>
      fetchIdx(new URL(`${name}.gz`, folder).href, dims, (bytes) => say({ kind: "progress", received: (received += bytes) }));
    const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
      load("train-images-idx3-ubyte", [60_000, 28, 28]),
      load("train-labels-idx1-ubyte", [60_000]),
      load("t10k-images-idx3-ubyte", [10_000, 28, 28]),
      load("t10k-labels-idx1-ubyte", [10_000]),
    ]);
    const digits: Digits = {
      train: { values: trainImages, shape: [60_000, 28, 28, 1], labels: trainLabels },
      test: { values: testImages, shape: [10_000, 28, 28, 1], labels: testLabels },
    };
    say({ kind: "digits", digits }, [trainImages.buffer, trainLabels.buffer, testImages.buffer, testLabels.buffer]);
  } catch (error) {
    say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
};

async function fetchIdx(url: string, dims: number[], onBytes: (count: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const name = url.slice(url.lastIndexOf("/") + 1);
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${name}: ${response.status}`);
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        onBytes(chunk.length);
        controller.enqueue(chunk);
      },
    }),
  );
  return idxValues(await inflated(await new Response(counted).arrayBuffer()), dims, name);
}

/** Some servers inflate a `.gz` file on its way (Content-Encoding), others hand it over as it is: the first two bytes tell. */
async function inflated(buffer: ArrayBuffer): Promise<ArrayBuffer> {
  const [first, second] = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
  if (first !== 0x1f || second !== 0x8b) return buffer;
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** IDX: two zero bytes, 0x08 for unsigned bytes, the number of dimensions, each dimension as a big-endian u32, the values. */
function idxValues(buffer: ArrayBuffer, dims: number[], name: string): Uint8Array<ArrayBuffer> {
  const header = 4 + 4 * dims.length;
  const size = dims.reduce((a, b) => a * b, 1);
  const expected = `expected IDX bytes (${dims.join(", ")})`;
  if (buffer.byteLength !== header + size) throw new Error(`${name}: ${buffer.byteLength} bytes, ${expected}`);
  const view = new DataView(buffer);
  const fits = view.getUint32(0) === 0x0800 + dims.length && dims.every((dim, i) => view.getUint32(4 + 4 * i) === dim);
  if (!fits) throw new Error(`${name}: another header, ${expected}`);
  return new Uint8Array(buffer.slice(header));
}
