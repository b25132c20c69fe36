/** Installed before a page's own scripts: counts what it asks of WebGPU on its thread. */
(() => {
  if (!globalThis.GPUDevice) return;
  const counters = (window.counters = { dispatches: 0, submits: 0, bytes: 0, peak: 0 });
  const wrap = (owner, name, note) => {
    const original = owner.prototype[name];
    owner.prototype[name] = function (...args) {
      const result = original.apply(this, args);
      note.call(this, args, result);
      return result;
    };
  };
  for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]) wrap(GPUComputePassEncoder, name, () => counters.dispatches++);
  wrap(GPUQueue, "submit", () => counters.submits++);
  const live = new WeakSet();
  wrap(GPUDevice, "createBuffer", (_, buffer) => {
    live.add(buffer);
    counters.bytes += buffer.size;
    counters.peak = Math.max(counters.peak, counters.bytes);
  });
  wrap(GPUBuffer, "destroy", function () {
    if (live.delete(this)) counters.bytes -= this.size;
  });
})();
