// The trial engine's arithmetic in plain JavaScript: the forward pass, the backward pass, the optimizer and an epoch, with
// every operation and every sum in the order of src/deadrelu/engine/forward_backward.py and activations.py. JavaScript
// computes in float64; `f` rounds to float32 after each operation, which gives float32's own results for + - × ÷ and √.
"use strict";
var deadreluEngine = (() => {
  const f = Math.fround;

  const polynomial = (x, c) => {
    let value = f(f(x * c[c.length - 1]) + c[c.length - 2]);
    for (let k = c.length - 3; k >= 0; k--) value = f(f(value * x) + c[k]);
    return value;
  };
  const LOG2E = f(1 / Math.log(2)), LN2_HIGH = 0.693145751953125, LN2_LOW = f(Math.LN2 - 0.693145751953125);
  const ROUND = 12582912;
  const EXPM1 = [0.5, 0.16666667, 0.04166648, 0.008333208, 0.0013933565, 0.00019944266].map(f);
  const TANH = [-0.33333316, 0.13332528, -0.053844694, 0.021035504, -0.0062174858].map(f);
  const ERF = [0.12837917, -0.3761263, 0.11283625, -0.026855662, 0.005192202, -0.00080474175, 7.987429e-5].map(f);
  const LOG_ERFC = [-0.000228537, -1.1275408, -0.63740766, -0.10373509, 0.022132801, -0.003019749, 0.00019355833].map(f);

  // exp(r) - 1 and 2**n, where x = n ln 2 + r for an integer n of so many binary digits.
  function split(x, bits) {
    let n = f(f(f(x * LOG2E) + ROUND) - ROUND);
    const r = f(f(x - f(n * LN2_HIGH)) - f(n * LN2_LOW));
    let scale = 1;
    for (let digit = 2 ** (bits - 1); digit >= 1; digit /= 2)
      if (0.5 - digit > n) [scale, n] = [f(scale * 0.5 ** digit), f(n + digit)];
    return [f(f(polynomial(r, EXPM1) * f(r * r)) + r), scale];
  }
  function exp(x) {
    const [lessOne, scale] = split(x < -105 ? -105 : x, 8);
    return f(f(lessOne * scale) + scale);
  }
  function expm1(x) {
    const [lessOne, scale] = split(x < -18 ? -18 : x, 5);
    return f(f(lessOne * scale) + f(scale - 1));
  }
  const NEAR_TANH = f(0.55), NEAR_ERF = f(0.945), ROOT_HALF = f(Math.sqrt(0.5)), DENSITY = f(Math.sqrt(0.5 / Math.PI));
  function tanh(x) {
    const square = f(x * x), size = x < 0 ? -x : x;
    if (!(size > NEAR_TANH)) return f(f(x * f(square * polynomial(square, TANH))) + x);
    const t = exp(f(size * -2)), beyond = f(1 - f(f(t + t) / f(t + 1)));
    return x < 0 ? -beyond : beyond;
  }
  function sigmoid(x) {
    const t = exp(x > 0 ? -x : x), small = t < 0.25;
    const ratio = f((x > 0 ? 1 : small ? f(t * t) : t) / f(t + 1));
    return x > 0 ? ratio : small ? f(t - ratio) : ratio;
  }
  function erf(x) {
    let size = x < 0 ? -x : x;
    if (!(size > NEAR_ERF)) return f(f(x * polynomial(f(x * x), ERF)) + x);
    size = size > 4 ? 4 : size;
    const beyond = f(1 - exp(polynomial(size, LOG_ERFC)));
    return x < 0 ? -beyond : beyond;
  }

  // The output of a unit whose preactivation is z; and from the gradient by that output to the gradient by z.
  const activations = {
    relu: { of: (z) => (z < 0 ? 0 : z), through: (z, output, gradient) => (z > 0 ? gradient : 0) },
    leaky_relu: {
      of: (z, slope) => (z > 0 ? z : f(z * slope)),
      through: (z, output, gradient, slope) => (z > 0 ? gradient : f(gradient * slope)),
    },
    elu: {
      of: (z) => (z < 0 ? expm1(z) : z),
      through: (z, output, gradient) => (z < 0 ? f(gradient * f(output + 1)) : gradient),
    },
    gelu: {
      of: (z) => f(f(z * 0.5) * f(erf(f(z * ROOT_HALF)) + 1)),
      through: (z, output, gradient) => {
        const density = f(exp(f(f(z * z) * -0.5)) * DENSITY);
        return f(gradient * f(f(f(erf(f(z * ROOT_HALF)) + 1) * 0.5) + f(z * density)));
      },
    },
    tanh: { of: tanh, through: (z, output, gradient) => f(gradient * f(1 - f(output * output))) },
    sigmoid: { of: sigmoid, through: (z, output, gradient) => f(gradient * f(output * f(1 - output))) },
  };

  // Where the numbers of each layer begin: weights in the order of Keras's get_weights, units from input to output.
  function layersOf({ sizes, biases }) {
    const layers = [];
    let [weight, unit] = [0, 0];
    for (let k = 0; k + 1 < sizes.length; k++) {
      const [fanIn, fanOut] = [sizes[k], sizes[k + 1]], bias = weight + fanIn * fanOut;
      layers.push({ fanIn, fanOut, kernel: weight, bias, inputs: unit, outputs: unit + fanIn });
      weight = bias + (biases ? fanOut : 0);
      unit += fanIn;
    }
    return layers;
  }
  const countWeights = ({ sizes, biases }) =>
    sizes.slice(1).reduce((sum, fanOut, k) => sum + fanOut * (sizes[k] + (biases ? 1 : 0)), 0);

  // One network in training. `network`: sizes, activation, slope, biases; `training`: batchSize, rate, optimizer ("adam"
  // or "sgd"), loss ("mean_squared_error" or "mean_absolute_error"); x and y: Float32Arrays, one row per point.
  class Trainer {
    constructor(network, training, weights, x, y) {
      this.network = network;
      this.training = training;
      this.layers = layersOf(network);
      this.weights = Float32Array.from(weights);
      const units = network.sizes.reduce((a, b) => a + b);
      [this.pre, this.out, this.deltas] = [0, 1, 2].map(() => new Float32Array(units));
      [this.gradient, this.mean, this.square] = [0, 1, 2].map(() => new Float32Array(this.weights.length));
      this.activation = activations[network.activation];
      this.slope = f(network.slope || 0);
      [this.x, this.y] = [x, y];
      this.n = x.length / network.sizes[0];
      this.size = Math.min(training.batchSize, this.n);
      this.powers = [1, 1];
    }

    startEpoch() {
      this.loss = 0;
      this.rates = this.ratesOfEpoch();
    }

    // Adam's rate is bias-corrected; powers of the betas are running products in float64, rounded.
    ratesOfEpoch() {
      const steps = Math.ceil(this.n / this.size), rate = f(this.training.rate);
      if (this.training.optimizer === "sgd") return new Float32Array(steps).fill(rate);
      const betas = [f(0.9), f(0.999)], running = [1, 1], rates = new Float32Array(steps);
      for (let step = 0; step < steps; step++) {
        const power = betas.map((beta, k) => f((running[k] *= beta) * this.powers[k]));
        rates[step] = f(f(rate * f(Math.sqrt(f(1 - power[1])))) / f(1 - power[0]));
      }
      this.powers = this.powers.map((power, k) => running[k] * power);
      return rates;
    }

    forward(p) {
      const { pre, out, weights, layers, activation, slope } = this, { sizes, biases } = this.network;
      for (let i = 0; i < sizes[0]; i++) out[i] = this.x[p * sizes[0] + i];
      for (let l = 0; l < layers.length; l++) {
        const { fanIn, fanOut, kernel, bias, inputs, outputs } = layers[l];
        for (let j = 0; j < fanOut; j++) {
          let z = f(weights[kernel + j] * out[inputs]);
          for (let i = 1; i < fanIn; i++) z = f(z + f(weights[kernel + i * fanOut + j] * out[inputs + i]));
          if (biases) z = f(z + weights[bias + j]);
          pre[outputs + j] = z;
          if (l + 1 < layers.length) out[outputs + j] = activation.of(z, slope);
        }
      }
    }

    learn(p) {
      this.forward(p);
      const { pre, out, deltas, weights, gradient, layers, activation, slope } = this, { biases } = this.network;
      const last = layers[layers.length - 1], squared = this.training.loss !== "mean_absolute_error", n = last.fanOut;
      let loss = 0;
      for (let j = 0; j < n; j++) {
        const error = f(pre[last.outputs + j] - this.y[p * n + j]);
        deltas[last.outputs + j] = f((squared ? f(error * 2) : error > 0 ? 1 : error < 0 ? -1 : error) / n);
        const term = squared ? f(error * error) : error < 0 ? -error : error;
        loss = j ? f(loss + term) : term;
      }
      this.loss = f(this.loss + f(loss / n));
      for (let l = layers.length - 1; l >= 0; l--) {
        const { fanIn, fanOut, kernel, bias, inputs, outputs } = layers[l];
        for (let j = 0; j < fanOut; j++) {
          const delta = deltas[outputs + j];
          for (let i = 0; i < fanIn; i++) {
            const k = kernel + i * fanOut + j;
            gradient[k] = f(gradient[k] + f(out[inputs + i] * delta));
          }
          if (biases) gradient[bias + j] = f(gradient[bias + j] + delta);
        }
        if (l === 0) break;
        for (let i = 0; i < fanIn; i++) {
          let sum = f(weights[kernel + i * fanOut] * deltas[outputs]);
          for (let j = 1; j < fanOut; j++) sum = f(sum + f(weights[kernel + i * fanOut + j] * deltas[outputs + j]));
          deltas[inputs + i] = activation.through(pre[inputs + i], out[inputs + i], sum, slope);
        }
      }
    }

    // Batch number `step` of an epoch, whose points come in `order`.
    batch(order, step) {
      const first = step * this.size, end = Math.min(first + this.size, this.n);
      this.gradient.fill(0);
      for (let at = first; at < end; at++) this.learn(order[at]);
      for (let k = 0; k < this.weights.length; k++) this.move(k, f(this.gradient[k] / (end - first)), this.rates[step]);
    }

    move(k, gradient, rate) {
      const { mean, square, weights } = this;
      let step;
      if (this.training.optimizer === "sgd") step = f(gradient * rate);
      else {
        mean[k] = f(mean[k] + f(f(gradient - mean[k]) * f(1 - 0.9)));
        square[k] = f(square[k] + f(f(f(gradient * gradient) - square[k]) * f(1 - 0.999)));
        step = f(f(mean[k] * rate) / f(f(Math.sqrt(square[k])) + f(1e-7)));
      }
      weights[k] = f(weights[k] - step);
    }

    // A whole epoch; returns its loss, as Keras reports it: a mean over the points while the weights move.
    epoch(order) {
      this.startEpoch();
      for (let step = 0; step * this.size < this.n; step++) this.batch(order, step);
      return f(this.loss / f(this.n));
    }

    // Outputs at each row of inputs.
    predict(x) {
      const own = this.x, n = x.length / this.network.sizes[0], last = this.layers[this.layers.length - 1];
      const found = new Float32Array(n * last.fanOut);
      this.x = x;
      for (let p = 0; p < n; p++) {
        this.forward(p);
        for (let j = 0; j < last.fanOut; j++) found[p * last.fanOut + j] = this.pre[last.outputs + j];
      }
      this.x = own;
      return found;
    }

    // Of each unit of the hidden layers, whether it is 0 on all points.
    silentUnits() {
      const silent = new Uint8Array(this.out.length).fill(1);
      for (let p = 0; p < this.n; p++) {
        this.forward(p);
        for (let u = 0; u < silent.length; u++) if (this.out[u] !== 0) silent[u] = 0;
      }
      return silent;
    }

    // A ReLU network without biases whose last hidden layer is 0 on all points: no step can change it.
    isStuck() {
      const { activation, biases, sizes } = this.network;
      if (activation !== "relu" || biases || sizes.length < 3) return false;
      const last = this.layers[this.layers.length - 1], silent = this.silentUnits();
      return silent.slice(last.inputs, last.inputs + last.fanIn).every(Boolean);
    }
  }

  // Mean loss of predicting 0: terms in float32, summed in float64, the first half and the second half, again and again.
  function lossOfZero(y, squared = true) {
    let terms = Float64Array.from(y, (value) => (squared ? f(f(0 - value) * f(0 - value)) : Math.abs(f(0 - value))));
    const n = terms.length;
    while (terms.length > 1) {
      const half = Math.floor(terms.length / 2), sums = new Float64Array(Math.ceil(terms.length / 2));
      for (let k = 0; k < half; k++) sums[k] = terms[k] + terms[half + k];
      if (terms.length % 2) sums[half] = terms[2 * half];
      terms = sums;
    }
    return f(terms[0] / n);
  }

  // A whole trial: initial weights and an order of the points for each epoch in, final weights and losses out.
  function trial(network, training, initial, x, y, orders) {
    const trainer = new Trainer(network, training, initial, x, y), loss = new Float32Array(orders.length);
    if (trainer.isStuck()) loss.fill(lossOfZero(y, training.loss !== "mean_absolute_error"));
    else orders.forEach((order, epoch) => (loss[epoch] = trainer.epoch(order)));
    return { initial: Float32Array.from(initial), final: trainer.weights, loss };
  }

  return { Trainer, trial, countWeights, layersOf, activations: Object.keys(activations) };
})();
