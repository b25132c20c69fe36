/** Runs the hand-written kernels of WebGPU in a page. */
import { check, matrix } from "./matrices.js";
import { THREADS, copy, peak as peakText, product as productText, productGroups } from "./wgsl.js";

const BYTES = 2 ** 26;

async function open() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("no adapter for WebGPU");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  const buffer = (size, values) => {
    const made = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    if (values) device.queue.writeBuffer(made, 0, values);
    return made;
  };
  /** What runs a kernel and waits for it. */
  const kernel = async (code, buffers, groups) => {
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const bound = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return () =>
      submit((encoder) => {
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bound);
        pass.dispatchWorkgroups(...groups);
        pass.end();
      });
  };
  const submit = async (record) => {
    const encoder = device.createCommandEncoder();
    record(encoder);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  };
  const read = async (from) => {
    const to = device.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    await submit((encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, from.size));
    await to.mapAsync(GPUMapMode.READ);
    return new Float32Array(to.getMappedRange());
  };
  return { device, buffer, kernel, submit, read };
}

/** The shortest of `times` calls, in ms. */
async function shortest(f, times) {
  let least = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await f();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

/** GFLOP/s of the fastest number of chains, and GB/s, read and written counted, of the faster way to copy. */
export async function peak({ chains, turns, groups }) {
  const { device, buffer, kernel, submit } = await open();
  const small = buffer(16 * THREADS * groups, new Float32Array(4 * THREADS * groups).fill(0.999));
  const [flops, bandwidth] = [{}, {}];
  for (const n of chains) flops[n] = (8 * n * turns * THREADS * groups) / 1e6 / (await shortest(await kernel(peakText(n, turns), [small], [groups]), 4));
  const [x, y] = [buffer(BYTES), buffer(BYTES)];
  const count = BYTES / 16 / THREADS;
  const ways = { kernel: await kernel(copy, [x, y], [count >> 8, 1 << 8]), command: () => submit((encoder) => encoder.copyBufferToBuffer(x, 0, y, 0, BYTES)) };
  for (const [name, f] of Object.entries(ways)) bandwidth[name] = (2 * BYTES) / 1e6 / (await shortest(f, 5));
  device.destroy();
  return { flops, bandwidth };
}

/** The fastest of the kernels on this size; those that do not divide it are left out. */
export async function product(n, { kernels }) {
  const { buffer, kernel, read } = await open();
  const [a, b] = [matrix(n, 1), matrix(n, 2)];
  const buffers = [buffer(4 * n * n, a), buffer(4 * n * n, b), buffer(4 * n * n)];
  const ready = [];
  for (const [name, shape] of Object.entries(kernels)) {
    const groups = productGroups(n, shape);
    if (!groups.every(Number.isInteger)) continue;
    const run = await kernel(productText(n, shape), buffers, groups);
    await run();
    check(a, b, await read(buffers[2]), n);
    ready.push({ name, run, ms: await shortest(run, 2) });
  }
  const fastest = ready.toSorted((x, y) => x.ms - y.ms)[0];
  return {
    first: async () => {},
    /** Waits for every product. */
    async steps(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) await fastest.run();
      return (performance.now() - start) / times;
    },
    about: () => ({ kernel: fastest.name, tried: Object.fromEntries(ready.map(({ name, ms }) => [name, (2 * n ** 3) / 1e6 / ms])) }),
  };
}
