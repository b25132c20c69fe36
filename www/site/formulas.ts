/** The formulas beside the parts, as MathML: screen readers speak it, and nothing has to be loaded to draw it. */
import { html, type TemplateResult } from "lit";

/** z = μ + σ ⊙ ε */
export const reparameterisation = html`<math><mi>z</mi><mo>=</mo><mi>μ</mi><mo>+</mo><mi>σ</mi><mo>⊙</mo><mi>ε</mi></math>`;

/** z = μ(x) + σ(x) ⊙ ε, ε ∼ N(0, I) */
export const reparameterisationFull = html`<math
  ><mi>z</mi><mo>=</mo><mi>μ</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo><mo>+</mo><mi>σ</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo><mo>⊙</mo><mi>ε</mi><mo>,</mo><mspace width="0.8em"></mspace><mi>ε</mi><mo>∼</mo><mi>𝒩</mi><mo stretchy="false">(</mo><mn>0</mn><mo>,</mo><mi>I</mi><mo stretchy="false">)</mo
></math>`;

/** −ELBO = E_q[−log p(x|z)] + KL(q(z|x) ‖ p(z)) */
export const bound = html`<math
  ><mrow><mo>−</mo><mi mathvariant="normal">ELBO</mi></mrow><mo>=</mo
  ><mrow class="reconstruction"><msub><mi>𝔼</mi><mrow><mi>q</mi><mo stretchy="false">(</mo><mi>z</mi><mo>|</mo><mi>x</mi><mo stretchy="false">)</mo></mrow></msub><mo stretchy="false">[</mo><mo>−</mo><mi>log</mi><mspace width="0.1em"></mspace><mi>p</mi><mo stretchy="false">(</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo stretchy="false">)</mo><mo stretchy="false">]</mo></mrow
  ><mo>+</mo
  ><mrow class="kl"><mi>KL</mi><mo stretchy="false">(</mo><mi>q</mi><mo stretchy="false">(</mo><mi>z</mi><mo>|</mo><mi>x</mi><mo stretchy="false">)</mo><mo>‖</mo><mi>p</mi><mo stretchy="false">(</mo><mi>z</mi><mo stretchy="false">)</mo><mo stretchy="false">)</mo></mrow
></math>`;

/** loss = reconstruction + β KL */
export const betaLoss = html`<math><mi mathvariant="normal">loss</mi><mo>=</mo><mi mathvariant="normal" class="reconstruction">rec</mi><mo>+</mo><mi>β</mi><mo>·</mo><mi mathvariant="normal" class="kl">KL</mi></math>`;

/** z ∼ N(0, τ² I), x̂ = E[x | z] */
export const sampling = html`<math
  ><mi>z</mi><mo>∼</mo><mi>𝒩</mi><mo stretchy="false">(</mo><mn>0</mn><mo>,</mo><msup><mi>τ</mi><mn>2</mn></msup><mi>I</mi><mo stretchy="false">)</mo><mo>,</mo><mspace width="0.8em"></mspace><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo>=</mo><mi>𝔼</mi><mo stretchy="false">[</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo stretchy="false">]</mo
></math>`;

/** x̂ = E[x | z = μ(x)] */
export const reconstruction = html`<math
  ><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo>=</mo><mi>𝔼</mi><mo stretchy="false">[</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>=</mo><mi>μ</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo><mo stretchy="false">]</mo
></math>`;

/** z_ij = (Φ⁻¹(u_i), Φ⁻¹(u_j)) */
export const manifold = html`<math
  ><msub><mi>z</mi><mrow><mi>i</mi><mi>j</mi></mrow></msub><mo>=</mo><mo stretchy="false">(</mo><msup><mi>Φ</mi><mrow><mo>−</mo><mn>1</mn></mrow></msup><mo stretchy="false">(</mo><msub><mi>u</mi><mi>i</mi></msub><mo stretchy="false">)</mo><mo>,</mo><msup><mi>Φ</mi><mrow><mo>−</mo><mn>1</mn></mrow></msup><mo stretchy="false">(</mo><msub><mi>u</mi><mi>j</mi></msub><mo stretchy="false">)</mo><mo stretchy="false">)</mo
></math>`;

/** KL_j = ½ (μ_j² + σ_j² − 1 − log σ_j²) */
export const dimensionKl = html`<math
  ><msub><mi>KL</mi><mi>j</mi></msub><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac><mo stretchy="false">(</mo><msubsup><mi>μ</mi><mi>j</mi><mn>2</mn></msubsup><mo>+</mo><msubsup><mi>σ</mi><mi>j</mi><mn>2</mn></msubsup><mo>−</mo><mn>1</mn><mo>−</mo><mi>log</mi><msubsup><mi>σ</mi><mi>j</mi><mn>2</mn></msubsup><mo stretchy="false">)</mo
></math>`;

/** log p(x|z) of the likelihoods that the page knows by name. */
export const likelihoods: Record<string, TemplateResult> = {
  bernoulli: html`<math><mi>log</mi><mspace width="0.1em"></mspace><mi>p</mi><mo>=</mo><mo>∑</mo><mi>x</mi><mi>log</mi><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo>+</mo><mo stretchy="false">(</mo><mn>1</mn><mo>−</mo><mi>x</mi><mo stretchy="false">)</mo><mi>log</mi><mo stretchy="false">(</mo><mn>1</mn><mo>−</mo><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo stretchy="false">)</mo></math>`,
  gaussian: html`<math><mi>log</mi><mspace width="0.1em"></mspace><mi>p</mi><mo>=</mo><mo>−</mo><mo>∑</mo><mo stretchy="false">[</mo><mfrac><msup><mrow><mo stretchy="false">(</mo><mi>x</mi><mo>−</mo><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo stretchy="false">)</mo></mrow><mn>2</mn></msup><mrow><mn>2</mn><msup><mi>σ</mi><mn>2</mn></msup></mrow></mfrac><mo>+</mo><mi>log</mi><mi>σ</mi><msqrt><mrow><mn>2</mn><mi>π</mi></mrow></msqrt><mo stretchy="false">]</mo></math>`,
};

/** Along the sphere: sin((1 − t)Ω)/sin Ω · z₀ + sin(tΩ)/sin Ω · z₁ */
export const slerp = html`<math
  ><msub><mi>z</mi><mi>t</mi></msub><mo>=</mo><mfrac><mrow><mi>sin</mi><mo stretchy="false">(</mo><mn>1</mn><mo>−</mo><mi>t</mi><mo stretchy="false">)</mo><mi mathvariant="normal">Ω</mi></mrow><mrow><mi>sin</mi><mi mathvariant="normal">Ω</mi></mrow></mfrac><msub><mi>z</mi><mn>0</mn></msub><mo>+</mo><mfrac><mrow><mi>sin</mi><mi>t</mi><mi mathvariant="normal">Ω</mi></mrow><mrow><mi>sin</mi><mi mathvariant="normal">Ω</mi></mrow></mfrac><msub><mi>z</mi><mn>1</mn></msub
></math>`;

/** ℓ = ℓ(z) + w (ℓ(z, c) − ℓ(z)), on the decoder's outputs */
export const guidance = html`<math
  ><mi>ℓ</mi><mo>=</mo><mi>ℓ</mi><mo stretchy="false">(</mo><mi>z</mi><mo stretchy="false">)</mo><mo>+</mo><mi>w</mi><mo stretchy="false">[</mo><mi>ℓ</mi><mo stretchy="false">(</mo><mi>z</mi><mo>,</mo><mi>c</mi><mo stretchy="false">)</mo><mo>−</mo><mi>ℓ</mi><mo stretchy="false">(</mo><mi>z</mi><mo stretchy="false">)</mo><mo stretchy="false">]</mo
></math>`;

/** z = e_k, k = argmin_j ‖z_e(x) − e_j‖, at each place */
export const quantisation = html`<math
  ><mi>z</mi><mo>=</mo><msub><mi>e</mi><mi>k</mi></msub><mo>,</mo><mspace width="0.6em"></mspace><mi>k</mi><mo>=</mo><munder><mi>argmin</mi><mi>j</mi></munder><mo>‖</mo><msub><mi>z</mi><mi>e</mi></msub><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo><mo>−</mo><msub><mi>e</mi><mi>j</mi></msub><mo>‖</mo
></math>`;

/** x̂ = E[x | z = e_k(x)] */
export const codeReconstruction = html`<math
  ><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo>=</mo><mi>𝔼</mi><mo stretchy="false">[</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>=</mo><msub><mi>e</mi><mrow><mi>k</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo></mrow></msub><mo stretchy="false">]</mo
></math>`;

/** k ∼ p(k), x̂ = E[x | z = e_k] */
export const codeSampling = html`<math
  ><mi>k</mi><mo>∼</mo><mi>p</mi><mo stretchy="false">(</mo><mi>k</mi><mo stretchy="false">)</mo><mo>,</mo><mspace width="0.8em"></mspace><mover accent="true"><mi>x</mi><mo>ˆ</mo></mover><mo>=</mo><mi>𝔼</mi><mo stretchy="false">[</mo><mi>x</mi><mo>|</mo><mi>z</mi><mo>=</mo><msub><mi>e</mi><mi>k</mi></msub><mo stretchy="false">]</mo
></math>`;

/** p(k) = ∏_t p(k_t | k_1, …, k_{t−1}) */
export const codePrior = html`<math
  ><mi>p</mi><mo stretchy="false">(</mo><mi>k</mi><mo stretchy="false">)</mo><mo>=</mo><munder><mo>∏</mo><mi>t</mi></munder><mi>p</mi><mo stretchy="false">(</mo><msub><mi>k</mi><mi>t</mi></msub><mo>|</mo><msub><mi>k</mi><mn>1</mn></msub><mo>,</mo><mo>…</mo><mo>,</mo><msub><mi>k</mi><mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow></msub><mo stretchy="false">)</mo
></math>`;
