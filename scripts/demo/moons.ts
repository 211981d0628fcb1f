import { gaussian, type Random } from "./random.ts";

export type Sample = { point: Float64Array; label: 0 | 1 };

const NOISE = 0.18;

/** Two interleaved half circles with noise: easy to see, not linearly separable. */
export function twoMoons(random: Random, count: number): Sample[] {
  return Array.from({ length: count }, (_, index): Sample => {
    const angle = Math.PI * random();
    const isUpper = index % 2 === 0;
    const x = isUpper ? Math.cos(angle) : 1 - Math.cos(angle);
    const y = isUpper ? Math.sin(angle) : 0.5 - Math.sin(angle);
    const point = Float64Array.of(x + NOISE * gaussian(random), y + NOISE * gaussian(random));
    return { point, label: isUpper ? 0 : 1 };
  });
}
