import type { Vae } from "reparam";
import type { Run } from "./run";

/** A question to the model of the page: what it gives back keeps the answer. */
export type Ask = (question: (model: Vae) => Promise<(() => void) | undefined>) => Promise<void>;

/** Asks the model, and keeps the answer only if it is still the model of the page. */
export function asker(run: Run, onChange: () => void, onFailure: (error: unknown) => void): Ask {
  return async (question) => {
    const { model, phase } = run;
    if (!model || phase === "failed") return;
    try {
      const keep = await question(model);
      if (model !== run.model) return;
      keep?.();
      onChange();
    } catch (error) {
      if (model === run.model) onFailure(error);
    }
  };
}
