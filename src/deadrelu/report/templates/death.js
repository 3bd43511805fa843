// Show batch by batch how a layer dies: train a trial of the tables, record its weights and draw the layer before any batch.
// playground.js lets the reader play, pause and rewind it.
"use strict";
var deadreluDeath = (() => {
  const AFTER = 20; // maximum number of batches shown after the death
  const COLOURS = ["var(--died)", "var(--alive)", "var(--half)", "var(--stayed)"];

  // Train a trial and return { layer, death, weights, trainers }. Batch k starts from weights[k]; `layer` dies at `death`.
  async function recorded(about, points, seed, trial) {
    const { left, right, glorot } = deadreluStreams, { x, y } = points, n = x.length, network = about;
    const training = { batchSize: about.batch, rate: about.rate };
    const initial = [glorot(seed, trial, about.sizes)], orders = [right(n, seed, trial)];
    const trainers = await deadreluEngine.Trainers.of(network, training, initial, x, y, orders, true);
    const weights = [trainers.weightsOf(0)];
    for (let epoch = 0; epoch < about.epochs; epoch++) {
      trainers.startEpoch(left(n, seed, trial, epoch));
      for (let step = 0; step < trainers.steps; step++) {
        trainers.batches(step, step + 1);
        weights.push(trainers.weightsOf(0));
      }
    }
    const [layer] = deadLayers(trainers);
    let [alive, death] = [0, weights.length - 1]; // the layer is active with weights[alive], dead with weights[death]
    while (death - alive > 1) {
      await new Promise((next) => setTimeout(next)); // keep the page responsive
      const middle = (alive + death) >> 1;
      trainers.setWeights(weights[middle]);
      if (deadLayers(trainers).includes(layer)) death = middle;
      else alive = middle;
    }
    return { layer, death, weights, trainers };
  }
  // Return the indices, from 0, of the hidden layers whose units are all 0 on all training points.
  function deadLayers(trainers) {
    const silent = trainers.silentUnits();
    return trainers.layers.slice(1).flatMap(({ inputs, fanIn }, k) => (silent.slice(inputs, inputs + fanIn).every(Boolean) ? [k] : []));
  }

  // Draw each unit's preactivation over the inputs `xs` before batch `at`, and return whether none of them is above 0.
  function draw(picture, { layer, weights, trainers }, at, xs) {
    const { svg, path } = deadreluPictures, { inputs, fanIn } = trainers.layers[layer + 1], end = xs[xs.length - 1];
    trainers.setWeights(weights[at]);
    const units = trainers.units(xs, "preactivations");
    const lines = Array.from({ length: fanIn }, (_, u) => units.map((of) => of[inputs + u]));
    const most = Math.max(1e-30, ...lines.flat().map(Math.abs)); // the axis ends at the largest absolute value
    const x = (v) => 44 + (320 * (v + end)) / (2 * end), y = (v) => 100 - (85 * v) / most;
    picture.replaceChildren(
      svg("rect", { class: "below", x: 44, y: 100, width: 320, height: 85 }),
      svg("line", { class: "axis", x1: 44, x2: 364, y1: 100, y2: 100 }),
      ...[most, 0, -most].map((v) => svg("text", { x: 40, y: y(v) + 4, "text-anchor": "end" }, v ? v.toPrecision(1) : 0)),
      svg("text", { x: 360, y: 180, "text-anchor": "end" }, "below 0, where ReLU is 0 and has no slope"),
      svg("text", { x: 199, y: 202, "text-anchor": "middle" }, "input x"),
      ...lines.map((line, u) => svg("path", { class: "network", style: `stroke: ${COLOURS[u % COLOURS.length]}`, d: path(xs, line, x, y) })),
    );
    return lines.every((line) => line.every((value) => !(value > 0)));
  }

  return { AFTER, recorded, draw };
})();
