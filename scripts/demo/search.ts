import { logUniform, pick, type Random } from "./random.ts";

export const EPOCHS = 30;
const TRIALS = 8;
const HOPELESS_RATE = 1e6;

export type Parameters = {
  learning_rate: number;
  hidden_units: number;
  batch_size: number;
  weight_decay: number;
  spectral_norm: boolean;
  epochs: number;
  seed: number;
};
export type Trial = { id: string; parameters: Parameters };

/** A random search. The last trial's learning rate is far too high on purpose: divergence has to be reported too. */
export function sampleTrials(random: Random): Trial[] {
  return Array.from({ length: TRIALS }, (_, index) => {
    const isLast = index === TRIALS - 1;
    const parameters = {
      learning_rate: logUniform(random, 0.02, 0.5),
      hidden_units: pick(random, [8, 16, 32]),
      batch_size: pick(random, [8, 16, 32, 64]),
      weight_decay: logUniform(random, 1e-6, 1e-3),
      spectral_norm: index % 2 === 1,
      epochs: EPOCHS,
      seed: index + 1,
    };
    const hopeless = { learning_rate: HOPELESS_RATE, spectral_norm: false };
    return {
      id: `trial_${String(index + 1).padStart(3, "0")}`,
      parameters: isLast ? { ...parameters, ...hopeless } : parameters,
    };
  });
}
