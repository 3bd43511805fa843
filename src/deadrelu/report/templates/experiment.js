// Repeat the notebook's experiment in the page: train all trials of its cases with the pipeline's own initial weights and
// shuffles, and compare losses and final weights bit by bit with those in the tables.
"use strict";
var deadreluExperiment = (() => {
  const floats = (text) => new Float32Array(deadreluEngine.bytes(text).buffer);
  const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);

  // Return the cases and the functions that train them; `proof` is the data of the tables from report/playground.py.
  function of(proof, programs, tolerance) {
    const points = { x: floats(proof.x), y: floats(proof.y), tolerance };
    const cases = Object.entries(proof.cases).map(([key, about]) => ({ key, ...about, loss: floats(about.loss), final: floats(about.final) }));
    const known = () => cases.map(({ key, trials }) => `${key}: 0 to ${trials - 1}`).join("; ");
    const given = ({ sizes, activation, slope, biases, batch, rate, epochs }) => ({ sizes, activation, slope, biases, batch, rate, epochs });

    // Train a trial of the tables and return a promise of { initial, final, loss }, each a Float32Array.
    async function train({ case: key, trial }) {
      const about = cases.find((one) => one.key === key);
      if (!about || !(Number.isInteger(trial) && trial >= 0 && trial < about.trials))
        throw new RangeError(`received case ${key}, trial ${trial}; expected: ${known()}`);
      let result;
      await deadreluWorkers.all(programs, "ofTables", [[given(about), points, proof.seed, [trial]]], ([one]) => (result = one));
      return { initial: result.initial, final: result.final, loss: result.loss };
    }

    // Compare a trial with the table bit by bit. Return { equal, total, wrong }: counts, and the first difference in words.
    function compared({ epochs, kept, loss, final, nWeights }, { trial, loss: ours, final: weights }) {
      const pairs = [["loss", ours, loss.subarray(trial * epochs, (trial + 1) * epochs)]];
      if (trial < kept) pairs.push(["weight", weights, final.subarray(trial * nWeights, (trial + 1) * nWeights)]);
      let [equal, total, wrong] = [0, 0, ""];
      for (const [name, here, there] of pairs)
        bits(there).forEach((bit, k) => {
          total += 1;
          if (bits(here)[k] === bit) equal += 1;
          else wrong ||= `${name} ${k} is ${here[k]} here and ${there[k]} in the table`;
        });
      return { equal, total, wrong };
    }

    // Train all trials until `stopped()` and return the results of each case. `shown` receives those so far after each task.
    async function run(shown = () => {}, stopped = () => false) {
      const tasks = [], owners = [];
      for (const about of cases)
        for (let first = 0; first < about.trials; first += deadreluTrial.NETWORKS_PER_TASK) {
          const numbers = Array.from({ length: Math.min(deadreluTrial.NETWORKS_PER_TASK, about.trials - first) }, (_, k) => first + k);
          tasks.push([given(about), points, proof.seed, numbers]);
          owners.push(about.key);
        }
      const results = cases.map((about) => ({ ...about, done: 0, constant: 0, equal: 0, total: 0, wrong: [] }));
      await deadreluWorkers.all(
        programs,
        "ofTables",
        tasks,
        (trials, id) => {
          const result = results.find(({ key }) => key === owners[id]);
          for (const trial of trials) {
            const { equal, total, wrong } = compared(result, trial);
            result.done += 1;
            result.constant += deadreluTrial.CONSTANT.includes(trial.outcome);
            result.equal += equal;
            result.total += total;
            if (wrong) result.wrong.push(`${result.name}, trial ${trial.trial}: ${wrong}.`);
          }
          shown(results);
        },
        stopped,
      );
      return results;
    }
    async function prove() {
      const results = await run(), sum = (name) => results.reduce((all, result) => all + result[name], 0);
      return { equal: sum("equal"), total: sum("total"), wrong: results.flatMap(({ wrong }) => wrong) };
    }
    return { cases, points, train, run, prove, given };
  }

  return { of };
})();
