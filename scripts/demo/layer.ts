import { gaussian, type Random } from "./random.ts";

const POWER_ITERATIONS = 3;

/** A dense layer: its weights (row by row), its biases, and what one batch adds up to for both. */
export class Layer {
  readonly #weights: Float64Array;
  readonly #biases: Float64Array;
  readonly #weightSums: Float64Array;
  readonly #biasSums: Float64Array;
  /** The left singular vector as far as it is known; kept, so that a few iterations a step are enough. */
  readonly #singular: Float64Array;
  readonly inputs: number;
  readonly outputs: number;

  constructor(inputs: number, outputs: number, random: Random) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.#weights = Float64Array.from(
      { length: inputs * outputs },
      () => gaussian(random) * Math.sqrt(2 / inputs),
    );
    this.#biases = new Float64Array(outputs);
    this.#weightSums = new Float64Array(inputs * outputs);
    this.#biasSums = new Float64Array(outputs);
    this.#singular = normalised(Float64Array.from({ length: outputs }, () => gaussian(random)));
  }

  forward(input: Float64Array): Float64Array {
    return this.#times(input).map((sum, row) => sum + at(this.#biases, row));
  }

  /** Adds one sample's gradient to the sums and answers the gradient with respect to the input. */
  backward(input: Float64Array, gradient: Float64Array): Float64Array {
    for (let row = 0; row < this.outputs; row++) {
      const slope = at(gradient, row);
      this.#biasSums[row] = at(this.#biasSums, row) + slope;
      for (let column = 0; column < this.inputs; column++) {
        const index = row * this.inputs + column;
        this.#weightSums[index] = at(this.#weightSums, index) + slope * at(input, column);
      }
    }
    return this.#transposedTimes(gradient);
  }

  /** Plain SGD with weight decay; empties the sums. */
  step(rate: number, decay: number, batchSize: number): void {
    for (let index = 0; index < this.#weights.length; index++) {
      const weight = at(this.#weights, index);
      this.#weights[index] = weight - rate * (at(this.#weightSums, index) / batchSize + decay * weight);
    }
    for (let row = 0; row < this.outputs; row++) {
      this.#biases[row] = at(this.#biases, row) - (rate * at(this.#biasSums, row)) / batchSize;
    }
    this.#weightSums.fill(0);
    this.#biasSums.fill(0);
  }

  /** Spectral normalisation: divides the weights by their largest singular value, found by power iteration. */
  normaliseSpectrum(): void {
    let right = new Float64Array(this.inputs);
    for (let round = 0; round < POWER_ITERATIONS; round++) {
      right = normalised(this.#transposedTimes(this.#singular));
      this.#singular.set(normalised(this.#times(right)));
    }
    const largest = dot(this.#singular, this.#times(right));
    if (largest > 0)
      this.#weights.forEach((weight, index, weights) => {
        weights[index] = weight / largest;
      });
  }

  #times(vector: Float64Array): Float64Array<ArrayBuffer> {
    const result = new Float64Array(this.outputs);
    for (let row = 0; row < this.outputs; row++) {
      let sum = 0;
      for (let column = 0; column < this.inputs; column++) {
        sum += at(this.#weights, row * this.inputs + column) * at(vector, column);
      }
      result[row] = sum;
    }
    return result;
  }

  #transposedTimes(vector: Float64Array): Float64Array<ArrayBuffer> {
    const result = new Float64Array(this.inputs);
    for (let row = 0; row < this.outputs; row++) {
      for (let column = 0; column < this.inputs; column++) {
        result[column] = at(result, column) + at(this.#weights, row * this.inputs + column) * at(vector, row);
      }
    }
    return result;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * at(b, index), 0);
}

function normalised(vector: Float64Array): Float64Array<ArrayBuffer> {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return Float64Array.from(vector, (value) => value / length);
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}
