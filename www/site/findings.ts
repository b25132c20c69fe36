/** What looks wrong in the run of a model, as the package's diagnosis finds it. */
import { diagnose, type CodeUsage, type Finding, type FindingCode } from "reparam/measures";
import { beta, isPlain, type Config } from "./config";
import type { History } from "./history";

/** The latest points that are judged. */
const POINTS = 400;
/** Objectives whose loss has no KL: what the KL does is no fault of theirs. */
const WITHOUT_KL = ["autoencoder", "wae", "rae"];
const NOT_OF_KL: FindingCode[] = ["non-finite", "exploding", "plateau", "codebook-collapse", "dead-codes"];

/** kl: per dimension, nats. usages: of the levels of a codebook, the worst of which is judged. */
export function findingsOf({ steps, loss, reconstruction, kl: klOfSteps }: History, kl: Float64Array, usages: CodeUsage[], config: Config): Finding[] {
  const first = Math.max(0, steps.length - POINTS);
  const history = steps.slice(first).map((step, i) => {
    const [each, nats] = [reconstruction[first + i]!, klOfSteps[first + i]!];
    return { step, loss: loss[first + i]!, reconstruction: each, kl: nats, elbo: -(each + nats) };
  });
  const known = isPlain(config) && kl.every(Number.isFinite) ? kl : undefined;
  const codeUsage = [...usages].sort((a, b) => a.usage - b.usage)[0];
  const findings = diagnose({ history, klPerDimension: known, beta: beta(config), ...(codeUsage && { codeUsage }) });
  return WITHOUT_KL.includes(config.objective.kind) ? findings.filter(({ code }) => NOT_OF_KL.includes(code)) : findings;
}
