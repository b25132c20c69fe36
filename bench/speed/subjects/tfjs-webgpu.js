/** TensorFlow.js on WebGPU. */
import "@tensorflow/tfjs-backend-webgpu";

export { open, product } from "./tfjs.js";
