/**
 * TensorFlow.js on wasm. `mended`: products with a transposed side go through a transposition (its own loops over one are slow), and the
 * gradient of a convolution's filter, which it lacks, is a convolution with batch and channels exchanged.
 */
import * as tf from "@tensorflow/tfjs-core";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { open as openNet, product as openProduct } from "./tfjs.js";

const PATHS = "/bench/node_modules/@tensorflow/tfjs-backend-wasm/dist/";

export function open(net, { mended, ...options }) {
  setWasmPaths(PATHS);
  if (mended) mend();
  return openNet(net, options);
}

export function product(n, options) {
  setWasmPaths(PATHS);
  return openProduct(n, options);
}

function mend() {
  const product = tf.getKernel("BatchMatMul", "wasm");
  tf.unregisterKernel("BatchMatMul", "wasm");
  const flipped = (x) => tf.transpose(x, [...x.shape.keys()].map((i, _, { length }) => [...Array(length - 2).keys(), length - 1, length - 2][i]));
  tf.registerKernel({
    ...product,
    kernelFunc: ({ inputs: { a, b }, backend, attrs: { transposeA, transposeB } }) => {
      const [left, right] = [transposeA ? flipped(a) : a, transposeB ? flipped(b) : b];
      const out = product.kernelFunc({ inputs: { a: left, b: right }, backend, attrs: { transposeA: false, transposeB: false } });
      for (const [mine, theirs] of [[left, a], [right, b]]) if (mine !== theirs) mine.dispose();
      return out;
    },
  });
  tf.registerKernel({
    kernelName: "Conv2DBackpropFilter",
    backendName: "wasm",
    kernelFunc: ({ inputs: { x, dy }, attrs: { strides, pad, filterShape } }) =>
      tf.tidy(() => {
        const [kh, kw, n_in, n_out] = filterShape;
        const { padInfo, strideHeight } = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad);
        const padded = tf.pad(x, [[0, 0], [padInfo.top, padInfo.bottom], [padInfo.left, padInfo.right], [0, 0]]);
        const taps = tf.conv2d(tf.transpose(padded, [3, 1, 2, 0]), tf.transpose(dy, [1, 2, 0, 3]), 1, "valid", "NHWC", strideHeight);
        return tf.transpose(tf.slice(taps, [0, 0, 0, 0], [n_in, kh, kw, n_out]), [1, 2, 0, 3]);
      }),
  });
}
