import { Layer } from "./layer.ts";
import type { Sample } from "./moons.ts";
import type { Random } from "./random.ts";

export type Scores = { loss: number; accuracy: number };

/** A perceptron with two hidden ReLU layers for points in the plane; its output is the logit of label 1. */
export class Mlp {
  readonly #first: Layer;
  readonly #second: Layer;
  readonly #last: Layer;

  constructor(hidden: number, random: Random) {
    this.#first = new Layer(2, hidden, random);
    this.#second = new Layer(hidden, hidden, random);
    this.#last = new Layer(hidden, 1, random);
  }

  /** One SGD step on a batch. */
  train(
    batch: Sample[],
    { rate, decay, spectralNorm }: { rate: number; decay: number; spectralNorm: boolean },
  ): void {
    for (const { point, label } of batch) {
      const { a, b, logit } = this.#activations(point);
      const slope = 1 / (1 + Math.exp(-logit)) - label; // of the cross-entropy
      const gradientB = this.#last.backward(b, Float64Array.of(slope));
      const gradientA = this.#second.backward(a, whereActive(gradientB, b));
      this.#first.backward(point, whereActive(gradientA, a));
    }
    for (const layer of [this.#first, this.#second, this.#last]) layer.step(rate, decay, batch.length);
    // Not the last layer: its scale is the confidence of the answer.
    if (spectralNorm) for (const layer of [this.#first, this.#second]) layer.normaliseSpectrum();
  }

  /** Mean cross-entropy and the share of right answers. */
  score(samples: Sample[]): Scores {
    let loss = 0;
    let right = 0;
    for (const { point, label } of samples) {
      const { logit } = this.#activations(point);
      loss += Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));
      if (logit > 0 === (label === 1)) right += 1;
    }
    return { loss: loss / samples.length, accuracy: right / samples.length };
  }

  #activations(point: Float64Array): { a: Float64Array; b: Float64Array; logit: number } {
    const a = this.#first.forward(point).map(relu);
    const b = this.#second.forward(a).map(relu);
    return { a, b, logit: this.#last.forward(b)[0] ?? Number.NaN };
  }
}

function relu(value: number): number {
  return Math.max(value, 0);
}

function whereActive(gradient: Float64Array, activation: Float64Array): Float64Array {
  return gradient.map((slope, index) => (activation[index] === 0 ? 0 : slope));
}
