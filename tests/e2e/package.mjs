/** The package as a user gets it: packed by npm, unpacked into a folder of its own. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** A folder with the test page and `node_modules/reparam`. */
export function install() {
  const folder = mkdtempSync(join(tmpdir(), "reparam-e2e-"));
  const home = join(folder, "node_modules/reparam");
  mkdirSync(home, { recursive: true });
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const [{ filename, files }] = JSON.parse(packed);
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", home, "--strip-components=1"]);
  cpSync(join(ROOT, "tests/e2e/page"), folder, { recursive: true });
  return { folder, home, files: files.map((file) => file.path), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
