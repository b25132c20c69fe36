/** `npm start`: from a fresh clone to the playground on a local server. */
import { join } from "node:path";
import { build, digits } from "./build.mjs";
import { ROOT, main, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await main(async () => {
  setup({ tests: false });
  await build();
  await digits();
  say("starting the playground; Ctrl-C ends it");
  const { createServer } = await import("vite");
  const screen = process.platform !== "linux" || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  const server = await createServer({ configFile: join(ROOT, "vite.config.js"), server: { open: Boolean(screen) && !process.env.CI } });
  await server.listen();
  server.printUrls();
});
