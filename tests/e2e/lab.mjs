/** The installed package in a page of a browser: `lab.run(f, …)` runs `f(lab, …)` there, `lab` being what `page/lab.js` exports. */
import { after, before } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { install } from "./package.mjs";
import { serve } from "./server.mjs";

/** Sets the page up before the tests of a file and takes it down after them. */
export function useLab() {
  const lab = { said: [] };
  before(async () => {
    lab.package = install();
    lab.server = await serve(lab.package.folder);
    lab.browser = await launch();
    const { page, said } = await openPage(lab.browser, lab.server.url);
    Object.assign(lab, { page, said });
    await page.waitForFunction("window.lab");
  });
  after(async () => {
    await lab.browser?.close();
    await lab.server?.close();
    lab.package?.remove();
  });
  lab.run = (f, ...args) => lab.page.evaluate(`(${f})(window.lab, ...${JSON.stringify(args)})`);
  return lab;
}
