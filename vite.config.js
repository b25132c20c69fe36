import { defineConfig } from "vite";

/** The playground: www/site → build/site. It imports `reparam` as any user does, through the exports of package.json. */
export default defineConfig({
  root: "www/site",
  base: "./",
  build: { outDir: "../../build/site", emptyOutDir: true, target: "es2022" },
  worker: { format: "es" },
});
