/** A WebGPU device that accepts everything and computes nothing: enough to see which code drives a real one. */

const LIMITS = {
  maxTextureDimension1D: 8192, maxTextureDimension2D: 8192, maxTextureDimension3D: 2048, maxTextureArrayLayers: 256, maxBindGroups: 4,
  maxBindGroupsPlusVertexBuffers: 24, maxBindingsPerBindGroup: 1000, maxDynamicUniformBuffersPerPipelineLayout: 8, maxDynamicStorageBuffersPerPipelineLayout: 4,
  maxSampledTexturesPerShaderStage: 16, maxSamplersPerShaderStage: 16, maxStorageBuffersPerShaderStage: 10, maxStorageTexturesPerShaderStage: 4,
  maxUniformBuffersPerShaderStage: 12, maxUniformBufferBindingSize: 65536, maxStorageBufferBindingSize: 1 << 28, minUniformBufferOffsetAlignment: 256,
  minStorageBufferOffsetAlignment: 256, maxVertexBuffers: 8, maxBufferSize: 1 << 28, maxVertexAttributes: 16, maxVertexBufferArrayStride: 2048,
  maxInterStageShaderVariables: 16, maxColorAttachments: 8, maxColorAttachmentBytesPerSample: 32, maxComputeWorkgroupStorageSize: 32768,
  maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256, maxComputeWorkgroupSizeY: 256, maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
};
const INFO = { vendor: "none", architecture: "none", device: "", description: "", subgroupMinSize: 32, subgroupMaxSize: 32 };
const settled = async () => null;

/** An object of these properties; a method that it does not have does nothing and gives another such object. */
function pliant(own = {}) {
  return new Proxy(own, { get: (_, name) => (name in own ? own[name] : name === "then" || typeof name === "symbol" ? undefined : () => pliant()) });
}

function buffer({ size }) {
  const getMappedRange = (offset = 0, length = size - offset) => new ArrayBuffer(length);
  return pliant({ size, mapAsync: settled, getMappedRange, unmap: () => {}, destroy: () => {} });
}

/** wgpu asks one whether its canvas could show more than the standard range of colours. */
class Canvas {
  getContext() {
    return pliant({ configure: () => {}, unconfigure: () => {} });
  }
}

class Adapter {
  async requestDevice() {
    const { features, limits, info, adapterInfo } = this;
    const queue = pliant({ onSubmittedWorkDone: settled, submit: () => {}, writeBuffer: () => {} });
    let lose;
    const lost = new Promise((resolve) => (lose = resolve));
    const destroy = () => lose(pliant({ reason: "destroyed", message: "" }));
    return pliant({ features, limits, info, adapterInfo, queue, lost, destroy, createBuffer: buffer, popErrorScope: settled });
  }
}

function adapter(isFallbackAdapter, features) {
  const info = { ...INFO, isFallbackAdapter };
  return pliant(Object.assign(new Adapter(), { features: new Set(features), limits: LIMITS, info, adapterInfo: info }));
}

/** Puts such a device within reach: `"hardware"`, `"software"`, `"quads"` (software with subgroups), `"absent"` (WebGPU without an adapter) or none at all; what it gives back undoes it. */
export function device(kind) {
  const names = ["navigator", "GPUValidationError", "GPUOutOfMemoryError", "OffscreenCanvas", "WorkerGlobalScope", "Window", "GPUAdapter"];
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  const gpu = pliant({ requestAdapter: async () => (kind === "absent" ? null : adapter(kind !== "hardware", kind === "quads" ? ["subgroups"] : [])) });
  const values = [kind ? { gpu } : {}, class {}, class {}, Canvas, class {}, undefined, Adapter];
  names.forEach((name, i) => Object.defineProperty(globalThis, name, { value: values[i], configurable: true, writable: true }));
  return () => names.forEach((name, i) => (before[i] ? Object.defineProperty(globalThis, name, before[i]) : delete globalThis[name]));
}
